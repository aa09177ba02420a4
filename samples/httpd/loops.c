#include "samples/httpd/loops.h"

#include <stdlib.h>
#include <string.h>

#include <event2/http.h>
#include <event2/thread.h>

#ifndef _WIN32
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

/* libevent has no evhttp_threads. */
#ifdef STRATA_ORACLE
enum { kCanHaveThreads = 0 };
#define evhttp_threads_new(num, make_base, configure, arg) NULL
#define evhttp_threads_bind(threads, address, port) (-1)
#define evhttp_threads_get_address(threads, number, address, len) (-1)
#define evhttp_threads_start(threads) (-1)
#define evhttp_threads_stop_accepting(threads) (void)0
#define evhttp_threads_stop(threads) (void)0
#define evhttp_threads_join(threads) (void)0
#define evhttp_threads_free(threads) (void)0
#define use_threads() (-1)
#else
#include <event2/http_threads.h>
enum { kCanHaveThreads = 1 };
#ifdef _WIN32
#define use_threads() evthread_use_windows_threads()
#else
#define use_threads() evthread_use_pthreads()
#endif
#endif

struct loops {
  struct evhttp *http;                  /* with one loop */
  struct evhttp_bound_socket *listener; /* of that; NULL once it stopped accepting */
  struct evhttp_threads *threads;       /* with several */
};

int loops_prepare(int num_loops) {
  if (num_loops == 1) return 0;
  return kCanHaveThreads ? use_threads() : -1;
}

struct loops *loops_new(struct event_base *main_base, int num_loops, loops_configure_cb configure,
                        void *arg) {
  struct loops *loops = calloc(1, sizeof(*loops));
  if (loops == NULL) return NULL;
  if (num_loops > 1) {
    loops->threads = evhttp_threads_new(num_loops, event_base_new, configure, arg);
    if (loops->threads != NULL) return loops;
  } else {
    loops->http = evhttp_new(main_base);
    if (loops->http != NULL && configure(main_base, loops->http, 0, arg) == 0) return loops;
  }
  loops_free(loops);
  return NULL;
}

/* A reply's head and the file behind it leave in two writes: without this, the second would wait
 * for the client to acknowledge the first. Connections inherit it from the listener. */
static int send_without_delay(evutil_socket_t fd) {
  int on = 1;
  return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on)) == 0 ? 0 : -1;
}

static int listen_alone(struct loops *loops, const char *address, uint16_t port,
                        struct sockaddr_storage *out_address, int *out_address_len) {
  ev_socklen_t len = sizeof(*out_address);
  loops->listener = evhttp_bind_socket_with_handle(loops->http, address, port);
  if (loops->listener == NULL) return -1;
  evutil_socket_t fd = evhttp_bound_socket_get_fd(loops->listener);
  if (getsockname(fd, (struct sockaddr *)out_address, &len) != 0) return -1;
  *out_address_len = (int)len;
  return send_without_delay(fd);
}

int loops_listen(struct loops *loops, const char *address, uint16_t port,
                 struct sockaddr_storage *out_address, int *out_address_len) {
  memset(out_address, 0, sizeof(*out_address));
  if (loops->threads == NULL)
    return listen_alone(loops, address, port, out_address, out_address_len);
  *out_address_len = sizeof(*out_address);
  if (evhttp_threads_bind(loops->threads, address, port) != 0) return -1;
  return evhttp_threads_get_address(loops->threads, 0, (struct sockaddr *)out_address,
                                    out_address_len);
}

int loops_start(struct loops *loops) {
  return loops->threads == NULL ? 0 : evhttp_threads_start(loops->threads);
}

void loops_stop_accepting(struct loops *loops) {
  if (loops->threads != NULL) {
    evhttp_threads_stop_accepting(loops->threads);
  } else if (loops->listener != NULL) {
    evhttp_del_accept_socket(loops->http, loops->listener);
    loops->listener = NULL;
  }
}

void loops_stop(struct loops *loops) {
  if (loops->threads == NULL) return;
  evhttp_threads_stop(loops->threads);
  evhttp_threads_join(loops->threads);
}

void loops_free(struct loops *loops) {
  if (loops == NULL) return;
  if (loops->threads != NULL) evhttp_threads_free(loops->threads);
  if (loops->http != NULL) evhttp_free(loops->http);
  free(loops);
}
