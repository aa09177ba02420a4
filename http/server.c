#include "http/server.h"

#include <limits.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http_compat.h>

#include "http/request.h"
#include "http/server_connection.h"
#include "http/upgrade.h"
#include "http/vhost.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"

static const char default_type[] = "text/html; charset=ISO-8859-1";

static void server_defaults(struct evhttp *http) {
  http->limits.line_len = STRATA_HTTP_DEFAULT_LINE_LEN;
  http->limits.head_len = STRATA_HTTP_DEFAULT_HEAD_LEN;
  http->limits.num_fields = STRATA_HTTP_DEFAULT_FIELDS;
  http->limits.body_len = STRATA_HTTP_DEFAULT_BODY_LEN;
  http->max_connections = STRATA_HTTP_DEFAULT_CONNECTIONS;
  http->timeouts.min_body_rate = STRATA_HTTP_DEFAULT_MIN_BODY_RATE;
  http->patience.min_reply_rate = STRATA_HTTP_DEFAULT_MIN_REPLY_RATE;
  http->patience.max_requests = STRATA_HTTP_DEFAULT_MAX_REQUESTS;
  http->allowed_methods =
      EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE;
  http->default_content_type = default_type;
  evhttp_set_timeout_tv(http, NULL);
  evhttp_set_header_deadline_tv(http, NULL);
}

static void ignore(evutil_socket_t fd, short what, void *arg) {
  (void)fd;
  (void)what;
  (void)arg;
}

/* The base that event_init() made: what an event gets that names none. NULL when there is none. */
static struct event_base *current_base(void) {
  struct event probe;
  struct event_base *base;
  event_assign(&probe, NULL, -1, 0, ignore, NULL);
  base = event_get_base(&probe);
  event_debug_unassign(&probe);
  return base;
}

struct evhttp *evhttp_new(struct event_base *base) {
  struct evhttp *http = strata_calloc(1, sizeof(*http));
  if (!http) return NULL;
  http->base = base ? base : current_base();
  EV_TAILQ_INIT(&http->vhosts);
  EV_TAILQ_INIT(&http->aliases);
  EV_TAILQ_INIT(&http->sockets);
  EV_TAILQ_INIT(&http->connections);
  EV_TAILQ_INIT(&http->waiting);
  EV_TAILQ_INIT(&http->uploading);
  EV_TAILQ_INIT(&http->refused);
  EV_TAILQ_INIT(&http->upgraded);
  server_defaults(http);
  return http;
}

struct evhttp *evhttp_start(const char *address, ev_uint16_t port) {
  struct evhttp *http = current_base() ? evhttp_new(NULL) : NULL;
  if (!http) return NULL;
  if (evhttp_bind_socket(http, address, port) == 0) return http;
  evhttp_free(http);
  return NULL;
}

void evhttp_free(struct evhttp *http) {
  if (http->parent) evhttp_remove_virtual_host(http->parent, http);
  while (!EV_TAILQ_EMPTY(&http->sockets))
    evhttp_del_accept_socket(http, EV_TAILQ_FIRST(&http->sockets));
  strata_http_server_connections_free(http);
  strata_http_upgraded_end_all(http);
  strata_http_request_pool_clear(&http->pool);
  strata_http_vhosts_clear(http);
  strata_http_routes_clear(&http->routes);
  strata_free(http);
}

/* ---- Callbacks ---- */

int evhttp_set_cb(struct evhttp *http, const char *path,
                  void (*cb)(struct evhttp_request *, void *), void *cb_arg) {
  return strata_http_routes_add(&http->routes, path, cb, cb_arg);
}

int evhttp_del_cb(struct evhttp *http, const char *path) {
  return strata_http_routes_remove(&http->routes, path);
}

void evhttp_set_gencb(struct evhttp *http, void (*cb)(struct evhttp_request *, void *), void *arg) {
  http->gencb = cb;
  http->gencb_arg = arg;
}

void evhttp_set_bevcb(struct evhttp *http, struct bufferevent *(*cb)(struct event_base *, void *),
                      void *arg) {
  http->bevcb = cb;
  http->bevcb_arg = arg;
}

void evhttp_set_newreqcb(struct evhttp *http, int (*cb)(struct evhttp_request *, void *),
                         void *arg) {
  http->newreqcb = cb;
  http->newreqcb_arg = arg;
}

void evhttp_set_errorcb(struct evhttp *http,
                        int (*cb)(struct evhttp_request *, struct evbuffer *, int, const char *,
                                  void *),
                        void *cbarg) {
  http->errorcb = cb;
  http->errorcb_arg = cbarg;
}

void evhttp_set_ext_method_cmp(struct evhttp *http, int (*cmp)(struct evhttp_ext_method *)) {
  http->ext_method_cmp = cmp;
}

/* ---- Settings ---- */

uint64_t strata_http_size_limit(ev_ssize_t size, uint64_t max) {
  return size < 0 || (uint64_t)size > max ? max : (uint64_t)size;
}

int64_t strata_http_timeout_ns(const struct timeval *tv) {
  if (!tv || (tv->tv_sec <= 0 && tv->tv_usec <= 0))
    return (int64_t)STRATA_HTTP_DEFAULT_TIMEOUT_S * STRATA_NS_PER_SECOND;
  return strata_timeval_to_ns(tv);
}

void evhttp_set_max_headers_size(struct evhttp *http, ev_ssize_t max_headers_size) {
  http->limits.head_len = (uint32_t)strata_http_size_limit(max_headers_size, INT32_MAX);
}

void evhttp_set_max_request_line_size(struct evhttp *http, ev_ssize_t max_line_size) {
  http->limits.line_len = (uint32_t)strata_http_size_limit(max_line_size, INT32_MAX);
}

void evhttp_set_max_headers_count(struct evhttp *http, int max_headers) {
  http->limits.num_fields = (uint32_t)strata_http_size_limit(max_headers, UINT16_MAX);
}

void evhttp_set_max_body_size(struct evhttp *http, ev_ssize_t max_body_size) {
  http->limits.body_len = strata_http_size_limit(max_body_size, UINT64_MAX);
}

void evhttp_set_max_connections(struct evhttp *http, int max_connections) {
  http->max_connections = max_connections > 0 ? max_connections : INT_MAX;
}

int evhttp_get_connection_count(struct evhttp *http) {
  return http->num_connections;
}

void evhttp_set_default_content_type(struct evhttp *http, const char *content_type) {
  http->default_content_type = content_type;
}

void evhttp_set_allowed_methods(struct evhttp *http, ev_uint32_t methods) {
  http->allowed_methods = methods;
}

void evhttp_set_timeout(struct evhttp *http, int timeout_in_secs) {
  struct timeval tv = {timeout_in_secs > 0 ? timeout_in_secs : 0, 0};
  evhttp_set_timeout_tv(http, &tv);
}

void evhttp_set_timeout_tv(struct evhttp *http, const struct timeval *tv) {
  evhttp_set_read_timeout_tv(http, tv);
  evhttp_set_write_timeout_tv(http, tv);
}

void evhttp_set_read_timeout_tv(struct evhttp *http, const struct timeval *tv) {
  http->timeouts.read_ns = strata_http_timeout_ns(tv);
}

void evhttp_set_write_timeout_tv(struct evhttp *http, const struct timeval *tv) {
  http->timeouts.write_ns = strata_http_timeout_ns(tv);
}

void evhttp_set_header_deadline_tv(struct evhttp *http, const struct timeval *tv) {
  struct timeval usual = {STRATA_HTTP_DEFAULT_HEAD_DEADLINE_S, 0};
  int64_t ns = strata_timeval_to_ns(tv ? tv : &usual);
  http->timeouts.head_ns = ns ? ns : INT64_MAX;
}

/* NULL: the default, as 0; zero: none. */
static int64_t patience_ns(const struct timeval *tv) {
  int64_t ns;
  if (!tv) return 0;
  ns = strata_timeval_to_ns(tv);
  return ns > 0 ? ns : STRATA_HTTP_NEVER;
}

void evhttp_set_first_byte_timeout_tv(struct evhttp *http, const struct timeval *tv) {
  http->patience.first_byte_ns = patience_ns(tv);
}

void evhttp_set_idle_timeout_tv(struct evhttp *http, const struct timeval *tv) {
  http->patience.idle_ns = patience_ns(tv);
}

static uint32_t rate(size_t bytes_per_second) {
  return bytes_per_second < UINT32_MAX ? (uint32_t)bytes_per_second : UINT32_MAX;
}

void evhttp_set_min_body_rate(struct evhttp *http, size_t bytes_per_second) {
  http->timeouts.min_body_rate = rate(bytes_per_second);
}

void evhttp_set_min_reply_rate(struct evhttp *http, size_t bytes_per_second) {
  http->patience.min_reply_rate = rate(bytes_per_second);
}

void evhttp_set_max_requests(struct evhttp *http, int max_requests) {
  http->patience.max_requests = max_requests > 0 ? (uint32_t)max_requests : UINT32_MAX;
}

int evhttp_set_flags(struct evhttp *http, int flags) {
  if (flags & ~EVHTTP_SERVER_LINGERING_CLOSE) return 1;
  http->flags = flags;
  return 0;
}
