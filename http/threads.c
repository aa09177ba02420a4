#include <event2/http_threads.h>

#include <string.h>

#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "http/server_loop.h"
#include "net/listener_relief.h"
#include "util/lock.h"
#include "util/memory.h"
#include "util/platform.h"

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <sys/socket.h>
#endif

enum { PORT_FLAG = STRATA_HAVE_PORT_BALANCING ? LEV_OPT_REUSEABLE_PORT : 0 };

struct address {
  struct sockaddr_storage bytes;
  int len;
};

struct evhttp_threads {
  int num_loops;
  int flags;
  int started;
  struct address *binds;
  int num_binds;
  strata_lock lock; /* Of `next`. */
  int next;         /* Loop that gets the next socket. */
  struct strata_http_server_loop loops[];
};

/* ---- Making them ---- */

static int add_loop(struct evhttp_threads *threads, struct event_base *(*make_base)(void),
                    int (*configure)(struct event_base *, struct evhttp *, int, void *),
                    void *arg) {
  struct strata_http_server_loop *loop = &threads->loops[threads->num_loops];
  struct event_base *base = make_base();
  if (!base || strata_http_server_loop_init(loop, base) < 0) return -1;
  threads->num_loops++;
  return configure(base, loop->http, threads->num_loops - 1, arg) < 0 ? -1 : 0;
}

struct evhttp_threads *evhttp_threads_new(int num_threads, struct event_base *(*make_base)(void),
                                          int (*configure)(struct event_base *, struct evhttp *,
                                                           int, void *),
                                          void *arg) {
  struct evhttp_threads *threads;
  size_t size = sizeof(*threads);
  int i;
  if (num_threads < 1 || !strata_threading_enabled()) return NULL;
  size += sizeof(threads->loops[0]) * (size_t)num_threads;
  threads = strata_calloc(1, size);
  if (!threads) return NULL;
  if (strata_lock_init(&threads->lock, 0) < 0) {
    strata_free(threads);
    return NULL;
  }
  while (threads->num_loops < num_threads) {
    if (add_loop(threads, make_base, configure, arg) < 0) {
      evhttp_threads_free(threads);
      return NULL;
    }
  }
  for (i = 0; i < num_threads; i++) {
    threads->loops[i].loops = threads->loops;
    threads->loops[i].num_loops = num_threads;
  }
  return threads;
}

void evhttp_threads_free(struct evhttp_threads *threads) {
  int i;
  if (!threads) return;
  evhttp_threads_stop(threads);
  evhttp_threads_join(threads);
  for (i = 0; i < threads->num_loops; i++) strata_http_server_loop_clear(&threads->loops[i]);
  strata_lock_destroy(&threads->lock, 0);
  strata_free(threads->binds);
  strata_free(threads);
}

int evhttp_threads_set_flags(struct evhttp_threads *threads, int flags) {
  if (flags & ~EVHTTP_THREADS_ONE_LISTENER) return -1;
  threads->flags = flags;
  return 0;
}

int evhttp_threads_get_num(const struct evhttp_threads *threads) {
  return threads->num_loops;
}

struct evhttp *evhttp_threads_get_http(const struct evhttp_threads *threads, int index) {
  return threads->loops[index].http;
}

struct event_base *evhttp_threads_get_base(const struct evhttp_threads *threads, int index) {
  return threads->loops[index].base;
}

/* ---- Listening ---- */

int evhttp_threads_serve_socket(struct evhttp_threads *threads, evutil_socket_t fd,
                                const struct sockaddr *address, int address_len) {
  int index;
  strata_lock_acquire(threads->lock);
  index = threads->next;
  threads->next = (index + 1) % threads->num_loops;
  strata_lock_release(threads->lock);
  return strata_http_server_loop_hand(&threads->loops[index], fd, address, address_len);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg) {
  (void)listener;
  if (evhttp_threads_serve_socket(arg, fd, address, address_len) < 0) evutil_closesocket(fd);
}

static struct evconnlistener *listen_on(struct strata_http_server_loop *loop,
                                        const struct address *address, evconnlistener_cb cb,
                                        void *arg, unsigned more_flags) {
  unsigned flags = LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE | more_flags;
  return evconnlistener_new_bind(loop->base, cb, arg, flags, -1,
                                 (const struct sockaddr *)&address->bytes, address->len);
}

static int bound_address(evutil_socket_t fd, struct address *out_address) {
  socklen_t len = sizeof(out_address->bytes);
  if (getsockname(fd, (struct sockaddr *)&out_address->bytes, &len) != 0) return -1;
  out_address->len = (int)len;
  return 0;
}

/* Descriptors are the process's: another loop may have taken them all. */
static int ask_for_room(struct evconnlistener *listener, void *arg) {
  (void)listener;
  strata_http_server_loop_ask_for_room(arg);
  return 1;
}

/* One listener for all loops; updates the address to the one that is bound. */
static int bind_shared(struct evhttp_threads *threads, struct address *inout_address) {
  struct strata_http_server_loop *loop = &threads->loops[0];
  struct evconnlistener *listener = listen_on(loop, inout_address, on_accept, threads, 0);
  if (!listener) return -1;
  if (bound_address(evconnlistener_get_fd(listener), inout_address) == 0 &&
      strata_http_server_loop_add_shared(loop, listener) == 0) {
    strata_listener_set_relief(listener, ask_for_room, loop);
    return 0;
  }
  evconnlistener_free(listener);
  return -1;
}

/* A listener of the loop's own. */
static struct evhttp_bound_socket *bind_loop(struct strata_http_server_loop *loop,
                                             struct address *inout_address, unsigned flags) {
  struct evconnlistener *listener = listen_on(loop, inout_address, NULL, NULL, flags);
  struct evhttp_bound_socket *bound = NULL;
  if (!listener) return NULL;
  if (bound_address(evconnlistener_get_fd(listener), inout_address) == 0)
    bound = evhttp_bind_listener(loop->http, listener);
  if (bound)
    strata_listener_set_relief(listener, ask_for_room, loop);
  else
    evconnlistener_free(listener);
  return bound;
}

/* All or none, from the loop `index` on. */
static int bind_each(struct evhttp_threads *threads, int index, struct address *inout_address) {
  struct strata_http_server_loop *loop = &threads->loops[index];
  unsigned flags = threads->num_loops > 1 ? PORT_FLAG : 0;
  struct evhttp_bound_socket *bound = bind_loop(loop, inout_address, flags);
  if (!bound) return -1;
  if (index + 1 == threads->num_loops || bind_each(threads, index + 1, inout_address) == 0)
    return 0;
  evhttp_del_accept_socket(loop->http, bound);
  return -1;
}

static int bind_one(struct evhttp_threads *threads, const struct evutil_addrinfo *info) {
  struct address *address = &threads->binds[threads->num_binds];
  int shared = threads->num_loops > 1 &&
               (!STRATA_HAVE_PORT_BALANCING || (threads->flags & EVHTTP_THREADS_ONE_LISTENER));
  memset(address, 0, sizeof(*address));
  if (info->ai_addrlen > sizeof(address->bytes)) return -1;
  memcpy(&address->bytes, info->ai_addr, info->ai_addrlen);
  address->len = (int)info->ai_addrlen;
  if ((shared ? bind_shared(threads, address) : bind_each(threads, 0, address)) < 0) return -1;
  threads->num_binds++;
  return 0;
}

static int reserve_bind(struct evhttp_threads *threads) {
  size_t size = sizeof(threads->binds[0]) * ((size_t)threads->num_binds + 1);
  struct address *binds = strata_realloc(threads->binds, size);
  if (!binds) return -1;
  threads->binds = binds;
  return 0;
}

int evhttp_threads_bind(struct evhttp_threads *threads, const char *address, ev_uint16_t port) {
  struct evutil_addrinfo hints = {0}, *list = NULL, *info;
  char service[8];
  int result = -1;
  if (threads->started || reserve_bind(threads) < 0) return -1;
  hints.ai_family = PF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  hints.ai_flags = EVUTIL_AI_PASSIVE | EVUTIL_AI_ADDRCONFIG;
  evutil_snprintf(service, sizeof(service), "%d", (int)port);
  if (evutil_getaddrinfo(address, service, &hints, &list) != 0) return -1;
  for (info = list; info && result < 0; info = info->ai_next) result = bind_one(threads, info);
  evutil_freeaddrinfo(list);
  return result;
}

int evhttp_threads_get_address(const struct evhttp_threads *threads, int number,
                               struct sockaddr *out_address, int *inout_len) {
  const struct address *address;
  if (number < 0 || number >= threads->num_binds) return -1;
  address = &threads->binds[number];
  if (*inout_len < address->len) return -1;
  memcpy(out_address, &address->bytes, (size_t)address->len);
  *inout_len = address->len;
  return 0;
}

/* ---- Running ---- */

static void order(struct evhttp_threads *threads, unsigned orders) {
  int i;
  for (i = 0; i < threads->num_loops; i++)
    strata_http_server_loop_order(&threads->loops[i], orders);
}

void evhttp_threads_stop_accepting(struct evhttp_threads *threads) {
  order(threads, STRATA_HTTP_ORDER_STOP_ACCEPTING);
}

void evhttp_threads_stop(struct evhttp_threads *threads) {
  order(threads, STRATA_HTTP_ORDER_STOP_ACCEPTING | STRATA_HTTP_ORDER_END);
}

int evhttp_threads_start(struct evhttp_threads *threads) {
  int i;
  if (threads->started) return -1;
  threads->started = 1;
  for (i = 0; i < threads->num_loops; i++) {
    if (strata_http_server_loop_start(&threads->loops[i]) < 0) {
      evhttp_threads_stop(threads);
      evhttp_threads_join(threads);
      return -1;
    }
  }
  return 0;
}

int evhttp_threads_join(struct evhttp_threads *threads) {
  int i, result = 0;
  for (i = 0; i < threads->num_loops; i++) {
    if (strata_http_server_loop_join(&threads->loops[i]) < 0) result = -1;
  }
  return result;
}
