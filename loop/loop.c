#include <event2/event.h>

#include "loop/active.h"
#include "loop/base.h"
#include "loop/timeouts.h"
#include "loop/watch.h"
#include "util/clock.h"
#include "util/log.h"

/* A turn that will run nothing needs no time. */
static bool needs_time(const struct event_base *base) {
  return base->num_active || base->watchers || !event_timer_heap_is_empty(&base->timers);
}

static void cache_time(struct event_base *base) {
  if (needs_time(base) && !(base->config_flags & EVENT_BASE_FLAG_NO_CACHE_TIME))
    base->cached_now_ns = event_base_clock_ns(base);
}

/* How soon to try again what there was no memory for. */
#define SHORT_OF_MEMORY_NS (10 * STRATA_NS_PER_MS)

static int64_t next_deadline_ns(struct event_base *base, int64_t *out_now_ns) {
  int64_t deadline_ns = event_timeouts_next_ns(base);
  if (deadline_ns == INT64_MAX && !base->fds.num_dirty) return deadline_ns;
  *out_now_ns = event_base_clock_ns(base);
  int64_t retry_ns = *out_now_ns + SHORT_OF_MEMORY_NS;
  return base->fds.num_dirty && retry_ns < deadline_ns ? retry_ns : deadline_ns;
}

/* Collects what is ready: descriptors, then timers. 0 or -1. */
static int collect(struct event_base *base, int flags) {
  bool may_wait = !(flags & EVLOOP_NONBLOCK);
  base->cached_now_ns = 0;
  if (base->watchers) may_wait = event_watchers_run_prepare(base, flags);
  if (base->fds.num_dirty) event_fd_map_flush(base);
  int64_t now = 0, deadline = 0;
  if (may_wait && !base->num_active) deadline = next_deadline_ns(base, &now);
  base->may_be_waiting = deadline > now;
  int result = base->backend->wait(base->backend_state, now, deadline, &base->sink);
  base->may_be_waiting = false;
  if (result < 0) {
    strata_log_errno(STRATA_LOG_WARN, "%s: waiting for events", base->backend->name);
    return -1;
  }
  cache_time(base);
  if (base->watchers) event_watchers_run_check(base);
  event_timeouts_activate_due(base);
  return 0;
}

/* Collects and runs one round. Returns -1 on an error, 1 when the loop ends for lack of events,
 * 2 when it ends because `flags` say so, 0 to go on. */
static int turn(struct event_base *base, int flags) {
  base->continue_requested = false;
  if (!(flags & EVLOOP_NO_EXIT_ON_EMPTY) && !event_base_has_work(base) && !base->num_active)
    return 1;
  if (collect(base, flags) < 0) return -1;
  int num_run = base->watchers ? event_watchers_run_idle(base) : 0;
  if (base->watchers && base->break_requested) return 0;
  if (base->num_active)
    num_run += event_active_queues_run(base);
  else if (flags & EVLOOP_NONBLOCK)
    return 2;
  /* With EVLOOP_NONBLOCK alone the loop goes on until it finds nothing that is ready. */
  return flags & EVLOOP_ONCE && !base->num_active && num_run ? 2 : 0;
}

int event_base_loop(struct event_base *base, int flags) {
  event_base_lock(base);
  if (base->running_loop) {
    strata_log(STRATA_LOG_WARN, "event_base_loop: this base's loop is running already");
    event_base_unlock(base);
    return -1;
  }
  base->running_loop = true;
  base->owner_thread = strata_thread_id();
  base->exit_requested = base->break_requested = false;
  if (base->signals.num_writers) event_signal_map_claim_signals(base);
  int ended = 0;
  while (!ended && !base->exit_requested && !base->break_requested) ended = turn(base, flags);
  base->cached_now_ns = 0;
  base->running_loop = false;
  event_base_unlock(base);
  return ended < 0 ? -1 : ended == 1;
}

int event_base_dispatch(struct event_base *base) {
  return event_base_loop(base, 0);
}

static void on_exit_time(evutil_socket_t fd, short what, void *arg) {
  struct event_base *base = arg;
  (void)fd;
  (void)what;
  event_base_lock(base);
  base->exit_requested = true;
  event_base_unlock(base);
}

int event_base_loopexit(struct event_base *base, const struct timeval *delay) {
  return event_base_once(base, -1, EV_TIMEOUT, on_exit_time, base, delay);
}

static int request(struct event_base *base, bool *flag) {
  event_base_lock(base);
  *flag = true;
  event_base_notify(base);
  event_base_unlock(base);
  return 0;
}

int event_base_loopbreak(struct event_base *base) {
  return base ? request(base, &base->break_requested) : -1;
}

int event_base_loopcontinue(struct event_base *base) {
  return base ? request(base, &base->continue_requested) : -1;
}

static int is_requested(struct event_base *base, const bool *flag) {
  event_base_lock(base);
  int result = *flag;
  event_base_unlock(base);
  return result;
}

int event_base_got_exit(struct event_base *base) {
  return is_requested(base, &base->exit_requested);
}

int event_base_got_break(struct event_base *base) {
  return is_requested(base, &base->break_requested);
}
