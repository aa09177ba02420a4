#include "http/method.h"
#include "http/reply.h"
#include "http/server_connection.h"
#include "http/vhost.h"
#include "util/queue.h"

int strata_http_dispatch_allows(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  struct evhttp *http = con->server;
  char allow[STRATA_HTTP_METHODS_LEN];
  if (http->allowed_methods & (ev_uint32_t)request->pub.type) return 1;
  if (!request->pub.type) {
    strata_http_reply_error(request, HTTP_NOTIMPLEMENTED, NULL, NULL);
    return 0;
  }
  /* RFC 9110 15.5.6: a 405 says what is allowed. */
  strata_http_methods_format(http->allowed_methods, http->ext_method_cmp, allow);
  strata_http_reply_error(request, HTTP_BADMETHOD, NULL, allow);
  return 0;
}

static struct evhttp *responsible(const struct strata_http_request *request, struct evhttp *http) {
  const char *host = request->pub.host_cache;
  if (!host || EV_TAILQ_EMPTY(&http->vhosts)) return http;
  return strata_http_vhost_find(http, host);
}

void strata_http_dispatch(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  struct evhttp *http = responsible(request, con->server);
  const struct strata_http_route *route =
      strata_http_routes_find(&http->routes, request->path, request->path_len);
  strata_http_handler handler = route ? route->handler : http->gencb;
  void *arg = route ? route->arg : http->gencb_arg;
  request->dispatched = 1;
  if (!handler) {
    strata_http_reply_error(request, HTTP_NOTFOUND, NULL, NULL);
    return;
  }
  strata_http_request_enter(request);
  handler(&request->pub, arg);
  strata_http_request_leave(request, strata_http_server_connection_pool(con));
}
