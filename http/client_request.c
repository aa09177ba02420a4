#include <string.h>

#include <event2/buffer.h>

#include "http/client_connection.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"

/* A fragment is not sent (RFC 9110 7.1), an empty path as "/" (RFC 9112 3.2.1). */
static char *copy_target(const char *uri) {
  size_t len = strcspn(uri, "#"), extra = len == 0 || uri[0] == '?';
  char *target = strata_malloc(len + extra + 1);
  if (!target) return NULL;
  target[0] = '/';
  memcpy(target + extra, uri, len);
  target[len + extra] = '\0';
  return target;
}

char *strata_http_client_target_of(const char *uri) {
  const char *start = strstr(uri, "://") + 3;
  size_t len;
  char *target;
  start += strcspn(start, "/?#");
  len = strcspn(start, "#");
  target = strata_malloc(len + 1);
  if (!target) return NULL;
  memcpy(target, start, len);
  target[len] = '\0';
  return target;
}

static int prepare(struct strata_http_client_connection *con, struct strata_http_request *request,
                   enum evhttp_cmd_type type, const char *uri) {
  char *target = copy_target(uri);
  if (!target) return -1;
  if (request->uri_is_own) strata_free(request->pub.uri);
  request->pub.uri = target;
  request->uri_is_own = 1;
  /* What an earlier use has left. */
  if (request->pub.uri_elems) evhttp_uri_free(request->pub.uri_elems);
  request->pub.uri_elems = NULL;
  evhttp_clear_headers(&request->trailers);
  request->pub.kind = EVHTTP_REQUEST;
  request->pub.type = type;
  request->pub.response_code = 0;
  request->pub.body_size = 0;
  request->dispatched = request->body_complete = request->has_sent_body = request->resent = 0;
  request->behind = request->was_behind = 0;
  return strata_http_client_request_is_valid(con, request) ? 0 : -1;
}

/* Connects for the first request: what cannot even be tried is told at once. */
static int begin(struct strata_http_client_connection *con) {
  if (con->parked) return 0;
  if (con->state != STRATA_HTTP_CLIENT_DISCONNECTED || con->common.depth > 0) {
    strata_http_connection_resume(&con->common);
    return 0;
  }
  return strata_http_client_connect(con);
}

int evhttp_make_request(struct evhttp_connection *evcon, struct evhttp_request *req,
                        enum evhttp_cmd_type type, const char *uri) {
  struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
  struct strata_http_request *request = strata_http_request_of(req);
  int was_first;
  strata_assert(strata_http_connection_is_client(evcon));
  was_first = !strata_http_client_has_requests(con);
  if (!evcon->base || evcon->dead || prepare(con, request, type, uri) < 0) {
    strata_http_request_release(request, NULL);
    return -1;
  }
  req->evcon = evcon;
  EV_TAILQ_PUSH_BACK(&con->requests, req, next);
  if (!was_first) {
    /* Those that are made together are sent together. */
    if (con->max_in_flight > 1 && !con->parked) strata_http_connection_resume(evcon);
    return 0;
  }
  if (begin(con) == 0) return 0;
  EV_TAILQ_REMOVE(&con->requests, req, next);
  strata_http_request_release(request, NULL);
  return -1;
}

void strata_http_client_take_waiting(struct strata_http_client_connection *con,
                                     struct strata_http_client_connection *parked) {
  struct evhttp_request *req = EV_TAILQ_FIRST(&parked->requests);
  /* Without a request, too: the keeper hears then that it is free. */
  strata_http_connection_resume(&con->common);
  if (!req) return;
  EV_TAILQ_REMOVE(&parked->requests, req, next);
  req->evcon = &con->common;
  EV_TAILQ_PUSH_BACK(&con->requests, req, next);
}

/* Has the current request end, and the connection with the peer, which may be
 * sending its reply. */
static void cancel_current(struct strata_http_client_connection *con) {
  struct evhttp_connection *evcon = &con->common;
  struct evhttp_request said = con->request->pub;
  strata_http_connection_enter(evcon);
  strata_http_request_release(strata_http_client_detach(con), NULL);
  strata_http_client_disconnect(con);
  if (said.error_cb) said.error_cb(EVREQ_HTTP_REQUEST_CANCEL, said.cb_arg);
  strata_http_client_settle_free(con);
  if (!evcon->dead) strata_http_client_go_on(con);
  strata_http_connection_leave(evcon);
}

void evhttp_cancel_request(struct evhttp_request *req) {
  struct strata_http_request *request = strata_http_request_of(req);
  struct evhttp_connection *evcon = req->evcon;
  struct evhttp_request said;
  int was_sent;
  if (evcon && strata_http_connection_is_client(evcon) &&
      strata_http_client_connection_of(evcon)->request == request) {
    cancel_current(strata_http_client_connection_of(evcon));
    return;
  }
  was_sent = request->behind;
  said = *req;
  if (evcon) evcon->kind->forget(evcon, request);
  strata_http_request_release(request, NULL);
  if (was_sent && said.error_cb) said.error_cb(EVREQ_HTTP_REQUEST_CANCEL, said.cb_arg);
}

void strata_http_client_let_go(struct strata_http_request *request) {
  if (request->pub.evcon) {
    strata_http_request_leave(request, NULL);
    return;
  }
  request->pub.flags &= ~EVHTTP_REQ_DEFER_FREE;
  strata_http_request_release(request, NULL);
}

int strata_http_client_may_resend(const struct strata_http_request *request) {
  /* All but POST, CONNECT, PATCH and LOCK: IANA's registry of methods. */
  const int idempotent = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                         EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_PROPFIND |
                         EVHTTP_REQ_PROPPATCH | EVHTTP_REQ_MKCOL | EVHTTP_REQ_UNLOCK |
                         EVHTTP_REQ_COPY | EVHTTP_REQ_MOVE;
  return (request->pub.type & idempotent) && !request->has_sent_body && !request->resent;
}
