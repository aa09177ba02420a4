#include "http/waiting.h"

#include <event2/buffer.h>

#include "http/server_connection.h"
#include "loop/base_clock.h"
#include "util/clock.h"
#include "util/queue.h"

/* Nobody is closed before he had a fair chance to send a request. */
#define MIN_WAIT_NS STRATA_NS_PER_SECOND
/* Connections looked at for one that can be closed at once. */
enum { MAX_LOOKED_AT = 16 };

void strata_http_waiting_leave(struct strata_http_server_connection *con) {
  if (!con->is_waiting) return;
  con->is_waiting = 0;
  EV_TAILQ_REMOVE(&con->server->waiting, con, next_waiting);
}

void strata_http_waiting_update(struct strata_http_server_connection *con) {
  if (con->is_waiting && con->state == STRATA_HTTP_HEAD && con->waiting_after == con->num_requests)
    return;
  strata_http_waiting_leave(con);
  if (con->state != STRATA_HTTP_HEAD || con->common.broken) return;
  con->is_waiting = 1;
  con->waiting_after = con->num_requests;
  con->waiting_since_ns = event_base_loop_time_ns(con->common.base);
  EV_TAILQ_PUSH_BACK(&con->server->waiting, con, next_waiting);
}

/* One that is in use further up the stack, or has replies to send, is not to be disturbed. */
static int may_go(const struct strata_http_server_connection *con) {
  return con->common.depth == 0 && !con->common.resuming &&
         strata_http_connection_output_len(&con->common) == 0;
}

int strata_http_waiting_evict(struct evhttp *http) {
  struct strata_http_server_connection *con;
  int64_t latest = event_base_loop_time_ns(http->base) - MIN_WAIT_NS;
  int left = MAX_LOOKED_AT;
  EV_TAILQ_FOREACH(con, &http->waiting, next_waiting) {
    if (con->waiting_since_ns > latest || left-- == 0) break;
    if (!may_go(con)) continue;
    /* Not at once: its callbacks may free the server, which is about to use this one's place. */
    strata_http_waiting_leave(con);
    con->common.broken = 1;
    strata_http_connection_resume(&con->common);
    return 1;
  }
  return 0;
}
