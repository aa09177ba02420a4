#ifndef STRATA_HTTP_SERVER_H_
#define STRATA_HTTP_SERVER_H_

#include <stdint.h>

#include <event2/callback_struct.h>
#include <event2/http.h>

#include "http/connection.h"
#include "http/date.h"
#include "http/routes.h"

/* Defaults of the limits; event2/http.h documents them. */
enum {
  STRATA_HTTP_DEFAULT_LINE_LEN = 8 * 1024,
  STRATA_HTTP_DEFAULT_HEAD_LEN = 64 * 1024,
  STRATA_HTTP_DEFAULT_FIELDS = 100,
  STRATA_HTTP_DEFAULT_BODY_LEN = 16 * 1024 * 1024,
  STRATA_HTTP_DEFAULT_CONNECTIONS = 32768,
  STRATA_HTTP_DEFAULT_TIMEOUT_S = 50,
  STRATA_HTTP_DEFAULT_HEAD_DEADLINE_S = 30,
  STRATA_HTTP_DEFAULT_MIN_BODY_RATE = 512,
  STRATA_HTTP_DEFAULT_MIN_REPLY_RATE = 512,
  STRATA_HTTP_DEFAULT_MAX_REQUESTS = 1000000,
  STRATA_HTTP_DEFAULT_FIRST_BYTE_S = 30,
};

/* What only a server asks of its peers; it holds for connections that exist as well. */
struct strata_http_patience {
  int64_t first_byte_ns;   /* Of a new connection; 0: the default, NEVER: no limit. */
  int64_t idle_ns;         /* Between requests; likewise. */
  uint32_t min_reply_rate; /* Bytes a second that replies are taken at; 0 for none. */
  uint32_t max_requests;   /* Of one connection; UINT32_MAX for no limit. */
};

/* A listening socket of a server; owned by it. */
struct evhttp_bound_socket {
  EVENT_TAILQ_ENTRY_(evhttp_bound_socket) next;
  struct evhttp *http;
  struct evconnlistener *listener;
  struct bufferevent *(*bevcb)(struct event_base *, void *);
  void *bevcb_arg;
};

/* Requests at rest, to be used again instead of allocated: see http/request.h. */
struct strata_http_request_pool {
  struct strata_http_request *first;
  int num_requests;
};

struct strata_http_alias;
struct strata_http_server_connection;
struct strata_http_upgraded;

/* A server, main or virtual. A virtual host uses its routes, vhosts and aliases only. */
struct evhttp {
  struct event_base *base;

  struct evhttp *parent; /* NULL for a main server. */
  EVENT_TAILQ_ENTRY_(evhttp) next_vhost;
  char *vhost_pattern;
  EVENT_TAILQ_HEAD_(, evhttp) vhosts;
  EVENT_TAILQ_HEAD_(, strata_http_alias) aliases;

  EVENT_TAILQ_HEAD_(, evhttp_bound_socket) sockets;
  EVENT_TAILQ_HEAD_(, strata_http_server_connection) connections;
  /* Those that wait for a head or the end, the one that has waited longest first: http/waiting.h.
   */
  EVENT_TAILQ_HEAD_(, strata_http_server_connection) waiting;
  /* Those that wait for the rest of a body. */
  EVENT_TAILQ_HEAD_(, strata_http_server_connection) uploading;
  /* Those that were refused for the limit and wait for the end. */
  EVENT_TAILQ_HEAD_(, strata_http_server_connection) refused;
  EVENT_TAILQ_HEAD_(, strata_http_upgraded) upgraded;
  int num_connections; /* `connections` and `upgraded` together. */
  int num_refused;     /* Of them, those above the limit: they are only told so. */
  int max_connections; /* INT_MAX for no limit. */

  struct strata_http_routes routes;
  strata_http_handler gencb;
  void *gencb_arg;

  struct bufferevent *(*bevcb)(struct event_base *, void *);
  void *bevcb_arg;
  int (*newreqcb)(struct evhttp_request *, void *);
  void *newreqcb_arg;
  int (*errorcb)(struct evhttp_request *, struct evbuffer *, int, const char *, void *);
  void *errorcb_arg;
  int (*ext_method_cmp)(struct evhttp_ext_method *);

  struct strata_http_limits limits;
  struct strata_http_timeouts timeouts;
  struct strata_http_patience patience;
  int flags;
  ev_uint32_t allowed_methods;
  const char *default_content_type;

  struct strata_http_date date;
  struct strata_http_request_pool pool;
};

/* A size as libevent's setters take it: negative for none; clamped to `max`. */
uint64_t strata_http_size_limit(ev_ssize_t size, uint64_t max);

/* A timeout as libevent's setters take it: NULL or zero for the default. */
int64_t strata_http_timeout_ns(const struct timeval *tv);

#endif
