#include "http/reply_progress.h"

#include <event2/buffer.h>

#include "http/server_connection.h"
#include "loop/base_clock.h"
#include "util/clock.h"

static struct evbuffer *output_of(const struct strata_http_server_connection *con) {
  return strata_http_connection_output(&con->common);
}

static void on_change(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg) {
  struct strata_http_reply_progress *progress = arg;
  (void)output;
  progress->taken += info->n_deleted;
  if (info->orig_size + info->n_added == info->n_deleted) progress->caught_up = 1;
}

void strata_http_reply_progress_stop(struct strata_http_server_connection *con) {
  con->progress.check_ns = 0;
  if (con->progress.watch && con->common.bufev)
    evbuffer_remove_cb_entry(output_of(con), con->progress.watch);
  con->progress.watch = NULL;
}

static void begin_window(struct strata_http_server_connection *con, int64_t now) {
  con->progress.check_ns = strata_ns_add(now, con->common.timeouts.write_ns);
  con->progress.taken = 0;
  con->progress.caught_up = 0;
}

int64_t strata_http_reply_progress_deadline(struct strata_http_server_connection *con,
                                            int64_t now) {
  if (!strata_http_connection_output_len(&con->common) || !con->server->patience.min_reply_rate) {
    if (con->progress.check_ns) strata_http_reply_progress_stop(con);
    return STRATA_HTTP_NEVER;
  }
  if (!con->progress.check_ns) begin_window(con, now);
  return con->progress.check_ns;
}

int strata_http_reply_progress_is_due(const struct strata_http_server_connection *con) {
  return con->progress.check_ns && con->progress.check_ns == con->common.deadline_ns;
}

/* What has to be taken in a window. */
static uint64_t least(const struct strata_http_server_connection *con) {
  uint64_t window_ms = (uint64_t)(con->common.timeouts.write_ns / 1000000);
  return window_ms / 1000 * con->server->patience.min_reply_rate +
         window_ms % 1000 * con->server->patience.min_reply_rate / 1000;
}

int strata_http_reply_progress_check(struct strata_http_server_connection *con) {
  struct strata_http_reply_progress *progress = &con->progress;
  if (progress->watch && !progress->caught_up && progress->taken < least(con)) return 0;
  /* Without memory for it, the next window tries again. */
  if (!progress->watch) progress->watch = evbuffer_add_cb(output_of(con), on_change, progress);
  begin_window(con, event_base_loop_time_ns(con->common.base));
  return 1;
}
