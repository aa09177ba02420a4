#include <limits.h>
#include <string.h>

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "http/server.h"
#include "http/server_connection.h"
#include "http/transport.h"
#include "http/waiting.h"
#include "net/listener_relief.h"
#include "util/memory.h"
#include "util/queue.h"

enum { BACKLOG = 128 };
/* Above the limit on connections, that many more are told so; the rest is just closed. */
enum { MAX_REFUSING = 128 };

/* Returns 0, or -1 with the socket still the caller's. */
static int serve(struct evhttp *http, struct evhttp_bound_socket *bound, evutil_socket_t fd,
                 const struct sockaddr *addr) {
  int refuse = http->num_connections - http->num_refused >= http->max_connections &&
               !strata_http_waiting_evict(http, STRATA_HTTP_WANTS_PLACE);
  if (refuse && http->num_refused >= MAX_REFUSING) return -1;
  return strata_http_server_connection_start(http, bound, fd, addr, refuse);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
                      int addr_len, void *arg) {
  struct evhttp_bound_socket *bound = arg;
  (void)listener;
  (void)addr_len;
  if (serve(bound->http, bound, fd, addr) < 0) evutil_closesocket(fd);
}

int evhttp_serve_socket(struct evhttp *http, evutil_socket_t fd, const struct sockaddr *addr,
                        int addrlen) {
  struct sockaddr_storage peer;
  int type;
  ev_socklen_t type_len = sizeof(type);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, (char *)&type, &type_len) < 0) return -1;
  /* Of a local address, the end of its path may be missing. */
  memset(&peer, 0, sizeof(peer));
  if (evutil_make_socket_nonblocking(fd) < 0) return -1;
  if (addr && addrlen > 0 && (size_t)addrlen <= sizeof(peer))
    memcpy(&peer, addr, (size_t)addrlen);
  else
    (void)strata_http_transport_peer_address(fd, &peer);
  return serve(http, NULL, fd, (const struct sockaddr *)&peer);
}

static unsigned listener_flags(void) {
  return LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE;
}

static struct evhttp_bound_socket *bound_socket_new(struct evhttp *http) {
  struct evhttp_bound_socket *bound = strata_calloc(1, sizeof(*bound));
  if (bound) bound->http = http;
  return bound;
}

/* The process has as many descriptors as it may have, which is a limit on connections too. */
static int make_room(struct evconnlistener *listener, void *arg) {
  struct evhttp_bound_socket *bound = arg;
  if (!strata_http_waiting_evict(bound->http, STRATA_HTTP_WANTS_DESCRIPTOR)) return 0;
  strata_listener_resume(listener);
  return 1;
}

/* The server's from here on; without a listener there is nothing to own. */
static struct evhttp_bound_socket *bound_socket_set(struct evhttp_bound_socket *bound,
                                                    struct evconnlistener *listener) {
  if (!listener) {
    strata_free(bound);
    return NULL;
  }
  bound->listener = listener;
  strata_listener_set_relief(listener, make_room, bound);
  EV_TAILQ_PUSH_BACK(&bound->http->sockets, bound, next);
  return bound;
}

struct evhttp_bound_socket *evhttp_bind_listener(struct evhttp *http,
                                                 struct evconnlistener *listener) {
  struct evhttp_bound_socket *bound = bound_socket_new(http);
  if (!bound) return NULL;
  evconnlistener_set_cb(listener, on_accept, bound);
  return bound_socket_set(bound, listener);
}

void evhttp_del_accept_socket(struct evhttp *http, struct evhttp_bound_socket *bound) {
  EV_TAILQ_REMOVE(&http->sockets, bound, next);
  evconnlistener_free(bound->listener);
  strata_free(bound);
}

struct evhttp_bound_socket *evhttp_accept_socket_with_handle(struct evhttp *http,
                                                             evutil_socket_t fd) {
  struct evhttp_bound_socket *bound = bound_socket_new(http);
  if (!bound) return NULL;
  return bound_socket_set(
      bound, evconnlistener_new(http->base, on_accept, bound, listener_flags(), 0, fd));
}

int evhttp_accept_socket(struct evhttp *http, evutil_socket_t fd) {
  return evhttp_accept_socket_with_handle(http, fd) ? 0 : -1;
}

static struct evhttp_bound_socket *bind_address(struct evhttp *http, const struct sockaddr *addr,
                                                int addr_len) {
  struct evhttp_bound_socket *bound = bound_socket_new(http);
  if (!bound) return NULL;
  return bound_socket_set(
      bound, evconnlistener_new_bind(http->base, on_accept, bound, listener_flags(), BACKLOG, addr,
                                     addr_len));
}

struct evhttp_bound_socket *evhttp_bind_socket_with_handle(struct evhttp *http, const char *address,
                                                           ev_uint16_t port) {
  struct evutil_addrinfo hints = {0}, *list = NULL, *info;
  struct evhttp_bound_socket *bound = NULL;
  char service[8];
  hints.ai_family = PF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  hints.ai_flags = EVUTIL_AI_PASSIVE | EVUTIL_AI_ADDRCONFIG;
  evutil_snprintf(service, sizeof(service), "%d", (int)port);
  if (evutil_getaddrinfo(address, service, &hints, &list) != 0) return NULL;
  for (info = list; info && !bound; info = info->ai_next)
    bound = bind_address(http, info->ai_addr, (int)info->ai_addrlen);
  evutil_freeaddrinfo(list);
  return bound;
}

int evhttp_bind_socket(struct evhttp *http, const char *address, ev_uint16_t port) {
  return evhttp_bind_socket_with_handle(http, address, port) ? 0 : -1;
}

struct evconnlistener *evhttp_bound_socket_get_listener(struct evhttp_bound_socket *bound) {
  return bound->listener;
}

evutil_socket_t evhttp_bound_socket_get_fd(struct evhttp_bound_socket *bound) {
  return evconnlistener_get_fd(bound->listener);
}

void evhttp_foreach_bound_socket(struct evhttp *http, evhttp_bound_socket_foreach_fn *function,
                                 void *argument) {
  struct evhttp_bound_socket *bound;
  EV_TAILQ_FOREACH(bound, &http->sockets, next) {
    function(bound, argument);
  }
}

void evhttp_bound_set_bevcb(struct evhttp_bound_socket *bound,
                            struct bufferevent *(*cb)(struct event_base *, void *), void *arg) {
  bound->bevcb = cb;
  bound->bevcb_arg = arg;
}
