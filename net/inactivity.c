#include <event2/bufferevent.h>
#include <event2/bufferevent_compat.h>
#include <event2/event.h>

#include "loop/base_clock.h"
#include "net/bufferevent_internal.h"
#include "util/clock.h"

static struct event *timer_of(struct bufferevent_private *bev, short direction) {
  return direction == EV_READ ? &bev->bev.ev_read : &bev->bev.ev_write;
}

static const struct timeval *timeout_of(const struct bufferevent_private *bev, short direction) {
  const struct timeval *timeout =
      direction == EV_READ ? &bev->bev.timeout_read : &bev->bev.timeout_write;
  return timeout->tv_sec || timeout->tv_usec ? timeout : NULL;
}

static int64_t *since_of(struct bufferevent_private *bev, short direction) {
  return direction == EV_READ ? &bev->read_since_ns : &bev->write_since_ns;
}

bool bufferevent_awaits_progress(const struct bufferevent_private *bev, short direction) {
  if (!bufferevent_is_active(bev, direction)) return false;
  return direction == EV_READ || bev->is_connecting || bev->output.total_len > 0;
}

static void arm(struct bufferevent_private *bev, short direction, int64_t delay_ns) {
  struct timeval delay = strata_ns_to_timeval(delay_ns);
  (void)event_add(timer_of(bev, direction), &delay);
}

void bufferevent_note_progress(struct bufferevent_private *bev, short direction) {
  if (timeout_of(bev, direction))
    *since_of(bev, direction) = event_base_loop_time_ns(bev->bev.ev_base);
}

void bufferevent_expect_progress(struct bufferevent_private *bev, short direction) {
  const struct timeval *timeout = timeout_of(bev, direction);
  if (!timeout) return;
  bufferevent_note_progress(bev, direction);
  if (!event_pending(timer_of(bev, direction), EV_TIMEOUT, NULL))
    arm(bev, direction, strata_timeval_to_ns(timeout));
}

static void report_timeout(struct bufferevent_private *bev, short direction) {
  bufferevent_disable(&bev->bev, direction);
  short what = direction == EV_READ ? BEV_EVENT_READING : BEV_EVENT_WRITING;
  bufferevent_run_eventcb(bev, BEV_EVENT_TIMEOUT | what, 0);
}

static void on_timer(struct bufferevent_private *bev, short direction) {
  if (!bufferevent_hold(bev)) return;
  const struct timeval *timeout = timeout_of(bev, direction);
  if (timeout && bufferevent_awaits_progress(bev, direction)) {
    int64_t due = strata_ns_add(*since_of(bev, direction), strata_timeval_to_ns(timeout));
    int64_t now = event_base_loop_time_ns(bev->bev.ev_base);
    if (due > now)
      arm(bev, direction, due - now);
    else
      report_timeout(bev, direction);
  }
  bufferevent_release(bev);
}

static void on_read_timer(evutil_socket_t fd, short what, void *arg) {
  (void)fd;
  (void)what;
  on_timer(arg, EV_READ);
}

static void on_write_timer(evutil_socket_t fd, short what, void *arg) {
  (void)fd;
  (void)what;
  on_timer(arg, EV_WRITE);
}

static void init_timer(struct bufferevent_private *bev, short direction,
                       event_callback_fn callback) {
  struct event *timer = timer_of(bev, direction);
  event_assign(timer, bev->bev.ev_base, -1, EV_FINALIZE, callback, bev);
  event_priority_set(timer, bev->priority);
  /* A timer stays armed after its direction has become inactive, and must not keep the loop going
   * then. */
  timer->ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
}

void bufferevent_init_inactivity(struct bufferevent_private *bev) {
  init_timer(bev, EV_READ, on_read_timer);
  init_timer(bev, EV_WRITE, on_write_timer);
}

void bufferevent_stop_inactivity(struct bufferevent_private *bev) {
  event_del_noblock(&bev->bev.ev_read);
  event_del_noblock(&bev->bev.ev_write);
  event_debug_unassign(&bev->bev.ev_read);
  event_debug_unassign(&bev->bev.ev_write);
}

static void restart(struct bufferevent_private *bev, short direction) {
  event_del_noblock(timer_of(bev, direction));
  if (bufferevent_awaits_progress(bev, direction)) bufferevent_expect_progress(bev, direction);
}

void bufferevent_restart_inactivity(struct bufferevent_private *bev) {
  restart(bev, EV_READ);
  restart(bev, EV_WRITE);
}

static void set_timeout(struct timeval *target, const struct timeval *timeout) {
  struct timeval none = {0, 0};
  *target = timeout ? *timeout : none;
}

int bufferevent_set_timeouts(struct bufferevent *bufev, const struct timeval *timeout_read,
                             const struct timeval *timeout_write) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  set_timeout(&bufev->timeout_read, timeout_read);
  set_timeout(&bufev->timeout_write, timeout_write);
  bufferevent_restart_inactivity(bev);
  strata_lock_release(bev->lock);
  return 0;
}

void bufferevent_settimeout(struct bufferevent *bev, int timeout_read, int timeout_write) {
  struct timeval read_time = {timeout_read, 0}, write_time = {timeout_write, 0};
  bufferevent_set_timeouts(bev, timeout_read ? &read_time : NULL,
                           timeout_write ? &write_time : NULL);
}
