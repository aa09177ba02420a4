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

static void join(struct strata_http_server_connection *con, unsigned waiting) {
  struct evhttp *http = con->server;
  if (waiting == STRATA_HTTP_WAITING_IDLE)
    EV_TAILQ_PUSH_BACK(&http->waiting, con, next_waiting);
  else if (waiting == STRATA_HTTP_WAITING_BODY)
    EV_TAILQ_PUSH_BACK(&http->uploading, con, next_waiting);
  else
    EV_TAILQ_PUSH_BACK(&http->refused, con, next_waiting);
  con->waiting = waiting;
}

void strata_http_waiting_leave(struct strata_http_server_connection *con) {
  struct evhttp *http = con->server;
  if (con->waiting == STRATA_HTTP_WAITING_IDLE)
    EV_TAILQ_REMOVE(&http->waiting, con, next_waiting);
  else if (con->waiting == STRATA_HTTP_WAITING_BODY)
    EV_TAILQ_REMOVE(&http->uploading, con, next_waiting);
  else if (con->waiting == STRATA_HTTP_WAITING_REFUSED)
    EV_TAILQ_REMOVE(&http->refused, con, next_waiting);
  con->waiting = STRATA_HTTP_WAITING_NOT;
}

static int has_output(const struct strata_http_server_connection *con) {
  return strata_http_connection_output_len(&con->common) > 0;
}

static unsigned waits_for(const struct strata_http_server_connection *con) {
  if (con->common.broken) return STRATA_HTTP_WAITING_NOT;
  switch (con->state) {
    case STRATA_HTTP_HEAD:
      /* While it has replies to take, slow downloads at the front would hide the others. */
      return has_output(con) ? STRATA_HTTP_WAITING_NOT : STRATA_HTTP_WAITING_IDLE;
    case STRATA_HTTP_LINGER:
      return con->refused ? STRATA_HTTP_WAITING_REFUSED : STRATA_HTTP_WAITING_IDLE;
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
  con->waiting_after = con->num_requests;
  con->waiting_since_ns = event_base_loop_time_ns(con->common.base);
  join(con, waiting);
}

/* One that is in use further up the stack, or has replies to send, is not to be disturbed. */
static int may_go(const struct strata_http_server_connection *con) {
  return con->common.depth == 0 && !con->common.resuming && !has_output(con);
}

static int has_waited(const struct strata_http_server_connection *con, int64_t now) {
  return con->waiting_since_ns <= now - MIN_WAIT_NS;
}

static struct strata_http_server_connection *longest_refused(struct evhttp *http, int64_t now) {
  struct strata_http_server_connection *con = EV_TAILQ_FIRST(&http->refused);
  return con && has_waited(con, now) && may_go(con) ? con : NULL;
}

static struct strata_http_server_connection *longest_idle(struct evhttp *http, int64_t now) {
  struct strata_http_server_connection *con;
  int left = MAX_LOOKED_AT;
  EV_TAILQ_FOREACH(con, &http->waiting, next_waiting) {
    if (!has_waited(con, now) || left-- == 0) break;
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

int strata_http_waiting_evict(struct evhttp *http, enum strata_http_want want) {
  int64_t now = event_base_loop_time_ns(http->base);
  struct strata_http_server_connection *con = NULL;
  if (want == STRATA_HTTP_WANTS_DESCRIPTOR) con = longest_refused(http, now);
  if (!con) con = longest_idle(http, now);
  if (!con) con = behind_with_body(http, now);
  if (!con) return 0;
  /* Not at once: its callbacks may free the server, which is about to use this one's place. */
  strata_http_waiting_leave(con);
  con->evicted = 1;
  con->common.broken = 1;
  strata_http_connection_resume(&con->common);
  return 1;
}
