#include <string.h>

#include <event2/bufferevent.h>
#include <event2/http.h>

#include "http/client_connection.h"
#include "http/connection.h"
#include "http/server.h"
#include "http/transport.h"
#include "util/clock.h"
#include "util/memory.h"

struct bufferevent *evhttp_connection_get_bufferevent(struct evhttp_connection *evcon) {
  if (strata_http_connection_is_client(evcon))
    return strata_http_client_bufferevent(strata_http_client_connection_of(evcon));
  return evcon->bufev;
}

struct event_base *evhttp_connection_get_base(struct evhttp_connection *evcon) {
  return evcon->base;
}

void evhttp_connection_get_peer(struct evhttp_connection *evcon, char **address,
                                ev_uint16_t *port) {
  if (strata_http_connection_is_client(evcon)) {
    struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
    *address = con->address ? con->address : con->unix_path;
    *port = con->port;
    return;
  }
  *address = evcon->peer;
  *port = evcon->peer_port;
}

const struct sockaddr *evhttp_connection_get_addr(struct evhttp_connection *evcon) {
  struct sockaddr_storage *addr = evcon->addr;
  if (addr) return (const struct sockaddr *)addr;
  addr = strata_calloc(1, sizeof(*addr));
  if (!addr) return NULL;
  if (!evcon->bufev ||
      strata_http_transport_peer_address(bufferevent_getfd(evcon->bufev), addr) < 0) {
    strata_free(addr);
    return NULL;
  }
  evcon->addr = addr;
  return (const struct sockaddr *)addr;
}

void evhttp_connection_set_closecb(struct evhttp_connection *evcon,
                                   void (*cb)(struct evhttp_connection *, void *), void *arg) {
  evcon->closecb = cb;
  evcon->closecb_arg = arg;
}

void evhttp_connection_set_max_headers_size(struct evhttp_connection *evcon,
                                            ev_ssize_t new_max_headers_size) {
  evcon->limits.head_len = (uint32_t)strata_http_size_limit(new_max_headers_size, INT32_MAX);
}

void evhttp_connection_set_max_body_size(struct evhttp_connection *evcon,
                                         ev_ssize_t new_max_body_size) {
  evcon->limits.body_len = strata_http_size_limit(new_max_body_size, UINT64_MAX);
}

void evhttp_connection_set_timeout(struct evhttp_connection *evcon, int timeout_in_secs) {
  struct timeval tv = {timeout_in_secs > 0 ? timeout_in_secs : 0, 0};
  evhttp_connection_set_timeout_tv(evcon, &tv);
}

void evhttp_connection_set_timeout_tv(struct evhttp_connection *evcon, const struct timeval *tv) {
  evhttp_connection_set_read_timeout_tv(evcon, tv);
  evhttp_connection_set_write_timeout_tv(evcon, tv);
  evhttp_connection_set_connect_timeout_tv(evcon, tv);
}

void evhttp_connection_set_connect_timeout_tv(struct evhttp_connection *evcon,
                                              const struct timeval *tv) {
  struct timeval usual = {STRATA_HTTP_CLIENT_CONNECT_TIMEOUT_S, 0};
  int64_t ns = tv ? strata_timeval_to_ns(tv) : 0;
  evcon->timeouts.connect_ns = ns > 0 ? ns : strata_timeval_to_ns(&usual);
}

void evhttp_connection_set_read_timeout_tv(struct evhttp_connection *evcon,
                                           const struct timeval *tv) {
  evcon->timeouts.read_ns = strata_http_timeout_ns(tv);
  strata_http_connection_resume(evcon);
}

void evhttp_connection_set_write_timeout_tv(struct evhttp_connection *evcon,
                                            const struct timeval *tv) {
  struct timeval write_tv;
  evcon->timeouts.write_ns = strata_http_timeout_ns(tv);
  write_tv = strata_ns_to_timeval(evcon->timeouts.write_ns);
  /* Connecting has a timeout of its own; the bufferevent gets this one after that. */
  if (evcon->open) bufferevent_set_timeouts(evcon->bufev, NULL, &write_tv);
}

int evhttp_connection_set_flags(struct evhttp_connection *evcon, int flags) {
  const int known =
      EVHTTP_CON_REUSE_CONNECTED_ADDR | EVHTTP_CON_READ_ON_WRITE_ERROR | EVHTTP_CON_LINGERING_CLOSE;
  if (flags & ~known) return 1;
  evcon->linger_flag = (flags & EVHTTP_CON_LINGERING_CLOSE) != 0;
  evcon->reuse_addr_flag = (flags & EVHTTP_CON_REUSE_CONNECTED_ADDR) != 0;
  return 0;
}
