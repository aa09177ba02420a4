#include "http/waiting.h"

#include <event2/buffer.h>

#include "http/server_connection.h"
#include "loop/base_clock.h"
#include "util/clock.h"
#include "util/queue.h"

/* Nobody is closed before he had a fair chance to send a request. */
#define MIN_WAIT_NS STRATA_NS_PER_SECOND
/* Connections of a list looked at for one that can be closed at once. */
enum { MAX_LOOKED_AT = 16 };

void strata_http_waiting_leave(struct strata_http_server_connection *con) {
  if (con->waiting == STRATA_HTTP_WAITING_IDLE)
    EV_TAILQ_REMOVE(&con->server->waiting, con, next_waiting);
  else if (con->waiting == STRATA_HTTP_WAITING_BODY)
    EV_TAILQ_REMOVE(&con->server->uploading, con, next_waiting);
  con->waiting = STRATA_HTTP_WAITING_NOT;
}

static unsigned waits_for(const struct strata_http_server_connection *con) {
  if (con->common.broken) return STRATA_HTTP_WAITING_NOT;
  switch (con->state) {
    case STRATA_HTTP_HEAD:
    case STRATA_HTTP_LINGER:
      return STRATA_HTTP_WAITING_IDLE;
    case STRATA_HTTP_BODY:
      return STRATA_HTTP_WAITING_BODY;
    default:
      return STRATA_HTTP_WAITING_NOT;
  }
}

void strata_http_waiting_update(struct strata_http_server_connection *con) {
  unsigned waiting = waits_for(con);
  if (con->waiting == waiting && con->waiting_after == con->num_requests) return;
  strata_http_waiting_leave(con);
  if (waiting == STRATA_HTTP_WAITING_NOT) return;
  con->waiting = waiting;
  con->waiting_after = con->num_requests;
  con->waiting_since_ns = event_base_loop_time_ns(con->common.base);
  if (waiting == STRATA_HTTP_WAITING_IDLE)
    EV_TAILQ_PUSH_BACK(&con->server->waiting, con, next_waiting);
  else
    EV_TAILQ_PUSH_BACK(&con->server->uploading, con, next_waiting);
}

/* One that is in use further up the stack, or has replies to send, is not to be disturbed. */
static int may_go(const struct strata_http_server_connection *con) {
  return con->common.depth == 0 && !con->common.resuming &&
         strata_http_connection_output_len(&con->common) == 0;
}

static struct strata_http_server_connection *longest_idle(struct evhttp *http, int64_t now) {
  struct strata_http_server_connection *con;
  int left = MAX_LOOKED_AT;
  EV_TAILQ_FOREACH(con, &http->waiting, next_waiting) {
    if (con->waiting_since_ns > now - MIN_WAIT_NS || left-- == 0) break;
    if (may_go(con)) return con;
  }
  return NULL;
}

/* Those that keep up go to the end, or a few of them at the front would hide the others. */
static struct strata_http_server_connection *behind_with_body(struct evhttp *http, int64_t now) {
  int left = MAX_LOOKED_AT;
  while (!EV_TAILQ_EMPTY(&http->uploading) && left-- > 0) {
    struct strata_http_server_connection *con = EV_TAILQ_FIRST(&http->uploading);
    if (may_go(con) && strata_http_server_body_is_behind(con, now)) return con;
    EV_TAILQ_REMOVE(&http->uploading, con, next_waiting);
    EV_TAILQ_PUSH_BACK(&http->uploading, con, next_waiting);
  }
  return NULL;
}

int strata_http_waiting_evict(struct evhttp *http) {
  int64_t now = event_base_loop_time_ns(http->base);
  struct strata_http_server_connection *con = longest_idle(http, now);
  if (!con) con = behind_with_body(http, now);
  if (!con) return 0;
  /* Not at once: its callbacks may free the server, which is about to use this one's place. */
  strata_http_waiting_leave(con);
  con->evicted = 1;
  con->common.broken = 1;
  strata_http_connection_resume(&con->common);
  return 1;
}
