#include "http/server_loop.h"

#include <string.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "http/waiting.h"
#include "net/listener_relief.h"
#include "util/memory.h"

#ifdef _WIN32
#include <winsock2.h>
#else
#include <sys/socket.h>
#endif

/* A socket that waits to be served. */
struct strata_http_handed {
  struct strata_http_handed *next;
  evutil_socket_t fd;
  struct sockaddr_storage address;
  int address_len;
};

static void serve(struct strata_http_server_loop *loop, struct strata_http_handed *handed) {
  struct sockaddr *address = handed->address_len ? (struct sockaddr *)&handed->address : NULL;
  if (evhttp_serve_socket(loop->http, handed->fd, address, handed->address_len) < 0)
    evutil_closesocket(handed->fd);
}

static void last_bound(struct evhttp_bound_socket *bound, void *arg) {
  *(struct evhttp_bound_socket **)arg = bound;
}

static void stop_accepting(struct strata_http_server_loop *loop) {
  struct evhttp_bound_socket *bound;
  while (loop->num_shared > 0) evconnlistener_free(loop->shared[--loop->num_shared]);
  /* A socket may not be deleted while they are enumerated. */
  do {
    bound = NULL;
    evhttp_foreach_bound_socket(loop->http, last_bound, &bound);
    if (bound) evhttp_del_accept_socket(loop->http, bound);
  } while (bound);
}

static void send_errands(struct strata_http_server_loop *loop, unsigned errands) {
  strata_lock_acquire(loop->lock);
  loop->errands |= errands;
  strata_lock_release(loop->lock);
  event_active(&loop->wake, EV_READ, 1);
}

static void send_all(struct strata_http_server_loop *from, unsigned errands) {
  int i;
  for (i = 0; i < from->num_loops; i++) send_errands(&from->loops[i], errands);
}

void strata_http_server_loop_ask_for_room(struct strata_http_server_loop *loop) {
  loop->awaits_room = 1;
  send_all(loop, STRATA_HTTP_ERRAND_MAKE_ROOM);
}

static void resume(struct evhttp_bound_socket *bound, void *arg) {
  (void)arg;
  strata_listener_resume(evhttp_bound_socket_get_listener(bound));
}

static void accept_again(struct strata_http_server_loop *loop) {
  int i;
  if (!loop->awaits_room) return;
  loop->awaits_room = 0;
  for (i = 0; i < loop->num_shared; i++) strata_listener_resume(loop->shared[i]);
  evhttp_foreach_bound_socket(loop->http, resume, NULL);
}

static void do_errands(struct strata_http_server_loop *loop, unsigned errands) {
  if (errands & STRATA_HTTP_ERRAND_SAY_SO) send_all(loop, STRATA_HTTP_ERRAND_ACCEPT);
  /* It is active in the loop already, and goes before the errand comes. */
  if (errands & STRATA_HTTP_ERRAND_MAKE_ROOM &&
      strata_http_waiting_evict(loop->http, STRATA_HTTP_WANTS_DESCRIPTOR))
    send_errands(loop, STRATA_HTTP_ERRAND_SAY_SO);
  if (errands & STRATA_HTTP_ERRAND_ACCEPT) accept_again(loop);
}

/* Takes out what the others have put in. */
static struct strata_http_handed *take_all(struct strata_http_server_loop *loop,
                                           unsigned *out_orders, unsigned *out_errands) {
  struct strata_http_handed *first;
  strata_lock_acquire(loop->lock);
  first = loop->first;
  loop->first = NULL;
  loop->link = &loop->first;
  loop->num_handed = 0;
  *out_orders = loop->orders;
  *out_errands = loop->errands;
  loop->errands = 0;
  strata_lock_release(loop->lock);
  return first;
}

static void on_wake(evutil_socket_t fd, short what, void *arg) {
  struct strata_http_server_loop *loop = arg;
  unsigned orders, errands;
  struct strata_http_handed *handed = take_all(loop, &orders, &errands);
  (void)fd;
  (void)what;
  while (handed) {
    struct strata_http_handed *next = handed->next;
    serve(loop, handed);
    strata_free(handed);
    handed = next;
  }
  if (orders & STRATA_HTTP_ORDER_STOP_ACCEPTING) stop_accepting(loop);
  do_errands(loop, errands);
  /* Without memory for that it ends a little sooner. */
  if (orders & STRATA_HTTP_ORDER_END && event_base_loopexit(loop->base, NULL) < 0)
    event_base_loopbreak(loop->base);
}

int strata_http_server_loop_init(struct strata_http_server_loop *loop, struct event_base *base) {
  loop->base = base;
  loop->link = &loop->first;
  loop->http = evhttp_new(base);
  if (loop->http && strata_lock_init(&loop->lock, 0) == 0) {
    event_assign(&loop->wake, base, -1, EV_PERSIST, on_wake, loop);
    return 0;
  }
  if (loop->http) evhttp_free(loop->http);
  event_base_free(base);
  return -1;
}

void strata_http_server_loop_clear(struct strata_http_server_loop *loop) {
  unsigned orders, errands;
  struct strata_http_handed *handed = take_all(loop, &orders, &errands);
  while (handed) {
    struct strata_http_handed *next = handed->next;
    evutil_closesocket(handed->fd);
    strata_free(handed);
    handed = next;
  }
  stop_accepting(loop);
  strata_free(loop->shared);
  evhttp_free(loop->http);
  event_del(&loop->wake);
  event_debug_unassign(&loop->wake);
  strata_lock_destroy(&loop->lock, 0);
  event_base_free(loop->base);
}

int strata_http_server_loop_add_shared(struct strata_http_server_loop *loop,
                                       struct evconnlistener *listener) {
  size_t size = sizeof(struct evconnlistener *) * ((size_t)loop->num_shared + 1);
  struct evconnlistener **shared = strata_realloc(loop->shared, size);
  if (!shared) return -1;
  loop->shared = shared;
  shared[loop->num_shared++] = listener;
  return 0;
}

static void run(void *arg) {
  struct strata_http_server_loop *loop = arg;
  loop->result = event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

int strata_http_server_loop_start(struct strata_http_server_loop *loop) {
  loop->thread = strata_thread_start(run, loop);
  return loop->thread ? 0 : -1;
}

int strata_http_server_loop_join(struct strata_http_server_loop *loop) {
  if (!loop->thread) return 0;
  strata_thread_join(loop->thread);
  loop->thread = NULL;
  return loop->result < 0 ? -1 : 0;
}

void strata_http_server_loop_order(struct strata_http_server_loop *loop, unsigned orders) {
  strata_lock_acquire(loop->lock);
  loop->orders |= orders;
  strata_lock_release(loop->lock);
  event_active(&loop->wake, EV_READ, 1);
}

/* Returns -1 when the loop takes no more; otherwise whether it has to be told. */
static int put(struct strata_http_server_loop *loop, struct strata_http_handed *handed) {
  int result = -1;
  strata_lock_acquire(loop->lock);
  if (loop->num_handed < STRATA_HTTP_MAX_HANDED && !loop->orders) {
    result = loop->num_handed++ == 0;
    *loop->link = handed;
    loop->link = &handed->next;
  }
  strata_lock_release(loop->lock);
  return result;
}

int strata_http_server_loop_hand(struct strata_http_server_loop *loop, evutil_socket_t fd,
                                 const struct sockaddr *address, int address_len) {
  struct strata_http_handed *handed;
  int tell;
  if (address_len < 0 || (size_t)address_len > sizeof(handed->address)) return -1;
  handed = strata_calloc(1, sizeof(*handed));
  if (!handed) return -1;
  handed->fd = fd;
  if (address) {
    handed->address_len = address_len;
    memcpy(&handed->address, address, (size_t)address_len);
  }
  tell = put(loop, handed);
  if (tell < 0) strata_free(handed);
  if (tell > 0) event_active(&loop->wake, EV_READ, 1);
  return tell < 0 ? -1 : 0;
}
