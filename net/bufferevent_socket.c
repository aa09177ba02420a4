#include <errno.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "loop/readiness.h"
#include "net/bufferevent_internal.h"
#include "net/rate_limit.h"
#include "net/socket_kinds.h"
#include "util/memory.h"
#include "util/socket.h"

/* A bufferevent over a socket. The socket is registered once (loop/io_source.h) and served from the
 * source's task: what is ready is read, the callbacks run, and then the output is written once,
 * without waiting to be told that the socket is writable. Only what did not fit waits for that.
 *
 *   connecting --(writable, no error)--> open --(end of data, error, timeout)--> direction disabled
 *       \-------(error)--> unconnected, until there is another socket or attempt
 *
 * A direction's ready bit is cleared by EAGAIN, or by a read that got less than it asked for unless
 * the report carried a hang-up: then the end of data is still to be read. */

/* The first read of a wake-up takes a page less room for a chain header, so that one block serves
 * it; full reads let the next ones ask for more. */
#define MIN_READ_SIZE (4096 - 128)
/* Output that the write callback adds is written in the same wake-up, so often. */
#define MAX_WRITE_ROUNDS 4

static int ensure_attached(struct bufferevent_private *bev) {
  if (event_io_source_is_attached(&bev->source)) return 0;
  if (event_io_source_attach(&bev->source, bev->bev.ev_base, bufferevent_fd(bev)) < 0) return -1;
  /* A socket can be written to until it says otherwise. */
  if (!bev->is_connecting) event_io_source_set_ready(&bev->source, EV_WRITE);
  return 0;
}

/* Has what is wanted waited for. Returns the directions in which that fails. */
static short wait_for_wanted(struct bufferevent_private *bev) {
  short waiting = bev->is_freed ? 0 : bufferevent_waiting(bev);
  if (bufferevent_fd(bev) >= 0) {
    short want = bufferevent_socket_wanted(bev, waiting);
    short begun = want & ~bev->source.want;
    if (want && ensure_attached(bev) < 0) return want;
    if (event_io_source_set_want(&bev->source, want) < 0) return begun;
  }
  return bufferevent_follow_waiting(bev, waiting);
}

static short socket_update(struct bufferevent_private *bev) {
  short without_tokens = bufferevent_refresh_limits(bev);
  return bufferevent_failed_update(wait_for_wanted(bev), without_tokens);
}

/* --- Reading --- */

static void adapt_read_size(struct bufferevent_private *bev, size_t len, bool filled) {
  if (filled && bev->read_size < bev->max_single_read)
    bev->read_size *= 4;
  else if (len < MIN_READ_SIZE)
    bev->read_size = MIN_READ_SIZE;
}

static size_t next_read_size(const struct bufferevent_private *bev, size_t budget) {
  size_t size = bev->read_size < budget ? bev->read_size : budget;
  size_t room = bufferevent_read_room(bev);
  return size < room ? size : room;
}

/* How a round of reading ended. */
enum read_end { READ_PAUSED, READ_EOF, READ_FAILED };

static enum read_end read_some(struct bufferevent_private *bev, size_t budget, size_t *out_len) {
  size_t size;
  *out_len = 0;
  /* Callbacks of the input may turn reading off or take another socket. */
  while ((size = next_read_size(bev, budget)) > 0 && bufferevent_is_active(bev, EV_READ) &&
         bev->source.ready & EV_READ) {
    int filled;
    ev_ssize_t len = evbuffer_recv(&bev->input, bufferevent_fd(bev), size, &filled);
    if (len == 0) return READ_EOF;
    if (len < 0) {
      int error = EVUTIL_SOCKET_ERROR();
      if (!strata_error_rw_retriable(error)) return READ_FAILED;
      if (strata_error_would_block(error))
        event_io_source_clear_ready(&bev->source, EV_READ | STRATA_EV_HANGUP);
      return READ_PAUSED;
    }
    bufferevent_charge(bev, EV_READ, (size_t)len);
    *out_len += (size_t)len;
    budget -= (size_t)len;
    adapt_read_size(bev, (size_t)len, filled);
    if (!filled && !(bev->source.ready & STRATA_EV_HANGUP)) {
      event_io_source_clear_ready(&bev->source, EV_READ);
      return READ_PAUSED;
    }
  }
  return READ_PAUSED;
}

static void serve_reading(struct bufferevent_private *bev) {
  size_t len = 0;
  enum read_end end = READ_FAILED;
  int error = bev->read_error;
  if (!error) {
    end = read_some(bev, bufferevent_claim(bev, EV_READ, bev->max_single_read), &len);
    error = end == READ_FAILED ? EVUTIL_SOCKET_ERROR() : 0;
    bufferevent_settle(bev, EV_READ);
  }
  if (len) {
    bufferevent_note_progress(bev, EV_READ);
    if (bev->input.total_len >= bev->bev.wm_read.low) bufferevent_run_readcb(bev, 0);
  }
  if (end == READ_PAUSED || bev->is_freed) return;
  /* The callback may have taken another socket, or turned reading off: then the end of data is
   * found again, but an error only once. */
  if (!(bev->source.ready & EV_READ)) return;
  bool is_told = bufferevent_is_active(bev, EV_READ);
  bev->read_error = is_told ? 0 : error;
  if (!is_told) return;
  EVUTIL_SET_SOCKET_ERROR(error);
  bufferevent_report_end_of_reading(bev, end == READ_FAILED ? BEV_EVENT_ERROR : BEV_EVENT_EOF);
}

/* --- Writing --- */

static bool can_write(const struct bufferevent_private *bev) {
  return bev->output.total_len && !bev->is_freed && !bev->is_connecting &&
         bev->source.ready & EV_WRITE && bufferevent_awaits_progress(bev, EV_WRITE);
}

/* Writes up to the budget. False when there is no use in going on: the socket is full, or failed.
 */
static bool write_some(struct bufferevent_private *bev, size_t *inout_budget) {
  ev_ssize_t len = evbuffer_send(&bev->output, bufferevent_fd(bev), *inout_budget);
  if (len < 0) {
    int error = EVUTIL_SOCKET_ERROR();
    if (strata_error_would_block(error))
      event_io_source_clear_ready(&bev->source, EV_WRITE);
    else if (!strata_error_rw_retriable(error))
      bufferevent_report_write_error(bev, 0);
    return false;
  }
  bufferevent_charge(bev, EV_WRITE, (size_t)len);
  *inout_budget -= (size_t)len;
  bufferevent_note_progress(bev, EV_WRITE);
  return true;
}

static void report_writable(struct bufferevent_private *bev) {
  if (!bufferevent_must_report_writable(bev) || bev->is_connecting ||
      !(bev->source.ready & EV_WRITE))
    return;
  bev->wants_write_report = false;
  if (!bev->output.total_len) bufferevent_run_if_due(bev, EV_WRITE, 0);
}

static void serve_writing(struct bufferevent_private *bev) {
  report_writable(bev);
  size_t budget = bev->max_single_write;
  for (int round = 0; round < MAX_WRITE_ROUNDS && budget && can_write(bev); round++) {
    size_t old_len = bev->output.total_len;
    size_t claimed_len = bufferevent_claim(bev, EV_WRITE, budget), left_len = claimed_len;
    bool goes_on = true;
    while (goes_on && left_len && can_write(bev)) goes_on = write_some(bev, &left_len);
    bufferevent_settle(bev, EV_WRITE);
    budget -= claimed_len - left_len;
    if (bev->output.total_len < old_len && bev->output.total_len <= bev->bev.wm_write.low)
      bufferevent_run_writecb(bev, 0);
    if (!goes_on) return;
  }
}

/* --- The task --- */

static void serve(struct event_callback *task, void *arg) {
  struct bufferevent_private *bev = arg;
  (void)task;
  if (!bufferevent_hold(bev)) return;
  bev->is_serving = true;
  if (bev->is_connecting) bufferevent_finish_connecting(bev);
  if (!bev->is_connecting && bev->source.ready & EV_READ && bufferevent_is_active(bev, EV_READ))
    serve_reading(bev);
  serve_writing(bev);
  bev->is_serving = false;
  bufferevent_update(bev);
  bufferevent_release(bev);
}

/* --- Making, giving away --- */

static void socket_detach(struct bufferevent_private *bev) {
  bufferevent_cancel_lookup(bev);
  event_io_source_detach(&bev->source);
}

static void socket_forget(struct bufferevent_private *bev) {
  bev->read_error = 0;
}

static const struct bufferevent_ops socket_ops = {
    .type = "socket",
    .is_socket = true,
    .update = socket_update,
    .detach = socket_detach,
    .destroy = bufferevent_close_socket,
    .set_fd = bufferevent_set_socket,
    .get_fd = bufferevent_get_socket,
    .forget_socket = socket_forget,
};

struct bufferevent_private *bufferevent_readiness_new(struct event_base *base, int options) {
  struct bufferevent_private *bev = strata_calloc(1, sizeof(*bev));
  if (!bev) return NULL;
  if (bufferevent_init(bev, base, &socket_ops, options) < 0) {
    strata_free(bev);
    return NULL;
  }
  event_callback_init(&bev->source.task, bev->priority, serve, bev);
  evbuffer_set_flags(bev->bev.output, EVBUFFER_FLAG_DRAINS_TO_FD);
  bev->read_size = MIN_READ_SIZE;
  return bev;
}
