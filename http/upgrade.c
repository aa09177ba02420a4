#include "http/upgrade.h"

#include "http/reply.h"
#include "http/server_connection.h"
#include "util/log.h"
#include "util/queue.h"

static void join(struct strata_http_upgraded *upgraded, struct evhttp *http) {
  upgraded->server = http;
  EV_TAILQ_PUSH_BACK(&http->upgraded, upgraded, next);
  http->num_connections++;
}

void strata_http_upgraded_leave(struct strata_http_upgraded *upgraded) {
  struct evhttp *http = upgraded->server;
  if (!http) return;
  EV_TAILQ_REMOVE(&http->upgraded, upgraded, next);
  http->num_connections--;
  upgraded->server = NULL;
}

void strata_http_upgraded_end_all(struct evhttp *http) {
  while (!EV_TAILQ_EMPTY(&http->upgraded)) {
    struct strata_http_upgraded *upgraded = EV_TAILQ_FIRST(&http->upgraded);
    strata_http_upgraded_leave(upgraded);
    upgraded->end(upgraded);
  }
}

struct bufferevent *strata_http_upgrade(struct evhttp_request *req, int code, const char *reason,
                                        struct strata_http_upgraded *upgraded) {
  struct strata_http_request *request = strata_http_request_of(req);
  struct strata_http_reply reply = {code, reason, 0, STRATA_HTTP_REPLY_STREAMED, NULL, NULL};
  struct evhttp_connection *evcon = req->evcon;
  if (!evcon) return NULL;
  strata_assert(!req->userdone && !request->started);
  if (strata_http_reply_head(request, &reply, NULL, 0) < 0) {
    request->started = 0;
    return NULL;
  }
  req->userdone = 1;
  join(upgraded, evhttp_connection_get_server(evcon));
  /* It watches a buffer that is the caller's from here on. */
  strata_http_reply_progress_stop(strata_http_server_connection_of(evcon));
  return strata_http_connection_take_bufferevent(evcon);
}
