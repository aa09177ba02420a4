#include <errno.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_compat.h>
#include <event2/event.h>

#include "loop/base_clock.h"
#include "loop/completion.h"
#include "net/bufferevent_internal.h"
#include "util/clock.h"
#include "util/socket.h"

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

static int64_t length_ns(const struct bufferevent_private *bev, const struct timeval *timeout) {
  return event_base_duration_ns(bev->bev.ev_base, timeout);
}

void bufferevent_note_time(struct bufferevent_private *bev, short direction) {
  *since_of(bev, direction) = event_base_loop_time_ns(bev->bev.ev_base);
}

static bool start_timer(struct bufferevent_private *bev, short direction) {
  const struct timeval *timeout = timeout_of(bev, direction);
  if (!timeout) return true;
  bufferevent_note_time(bev, direction);
  struct event *timer = timer_of(bev, direction);
  return event_pending(timer, EV_TIMEOUT, NULL) || event_add(timer, timeout) == 0;
}

short bufferevent_start_timers(struct bufferevent_private *bev, short directions) {
  short failed = 0;
  if (bev->untimed & EV_READ && bufferevent_awaits_progress(bev, EV_READ)) directions |= EV_READ;
  if (bev->untimed & EV_WRITE && bufferevent_awaits_progress(bev, EV_WRITE)) directions |= EV_WRITE;
  if (directions & EV_READ && !start_timer(bev, EV_READ)) failed |= EV_READ;
  if (directions & EV_WRITE && !start_timer(bev, EV_WRITE)) failed |= EV_WRITE;
  bev->untimed = (uint8_t)failed;
  return failed;
}

static bool keeps_loop(struct bufferevent_private *bev, short direction) {
  return timeout_of(bev, direction) && bufferevent_awaits_progress(bev, direction) &&
         event_pending(timer_of(bev, direction), EV_TIMEOUT, NULL);
}

void bufferevent_keep_loop_going(struct bufferevent_private *bev) {
  if (bev->bev.be_ops->is_socket) return;
  bool keeps = keeps_loop(bev, EV_READ) || keeps_loop(bev, EV_WRITE);
  if (keeps == bev->keeps_loop) return;
  bev->keeps_loop = keeps;
  event_base_keep_going(bev->bev.ev_base, keeps ? 1 : -1);
}

static void report_no_memory(struct bufferevent_private *bev, short direction) {
  int error = strata_error_from_errno(errno);
  if (direction == EV_WRITE && bev->is_connecting) bev->connect_timer_has_ended = true;
  bufferevent_disable(&bev->bev, direction);
  short what = direction == EV_READ ? BEV_EVENT_READING : BEV_EVENT_WRITING;
  EVUTIL_SET_SOCKET_ERROR(error);
  bufferevent_run_eventcb(bev, BEV_EVENT_ERROR | what, BEV_TRIG_DEFER_CALLBACKS);
}

static void look(struct bufferevent_private *bev, short direction) {
  const struct timeval *timeout = timeout_of(bev, direction);
  if (!timeout) return;
  if (!bufferevent_awaits_progress(bev, direction)) {
    bev->waiting &= (uint8_t)~direction; /* its timer begins anew with the next update() */
    return;
  }
  int64_t due = strata_ns_add(*since_of(bev, direction), length_ns(bev, timeout));
  int64_t now = event_base_loop_time_ns(bev->bev.ev_base);
  if (due <= now) {
    if (direction == EV_WRITE && bev->is_connecting) bev->connect_timer_has_ended = true;
    bufferevent_disable(&bev->bev, direction);
    bufferevent_run_timeoutcb(bev, direction);
    return;
  }
  struct timeval delay = strata_ns_to_timeval(due - now);
  if (event_add(timer_of(bev, direction), &delay) < 0) report_no_memory(bev, direction);
}

static void on_timer(struct bufferevent_private *bev, short direction) {
  if (!bufferevent_hold(bev)) return;
  look(bev, direction);
  bufferevent_keep_loop_going(bev);
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
   * then: bufferevent_keep_loop_going() does, where nothing else would. */
  timer->ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
}

void bufferevent_init_inactivity(struct bufferevent_private *bev) {
  init_timer(bev, EV_READ, on_read_timer);
  init_timer(bev, EV_WRITE, on_write_timer);
}

void bufferevent_stop_inactivity(struct bufferevent_private *bev) {
  event_del_noblock(&bev->bev.ev_read);
  event_del_noblock(&bev->bev.ev_write);
  bufferevent_keep_loop_going(bev);
}

/* On failure the timer and the timeout stay as they are. */
static int set_timeout(struct bufferevent_private *bev, short direction,
                       const struct timeval *timeout) {
  struct timeval none = {0, 0};
  if (!timeout) timeout = &none;
  bool is_none = !timeout->tv_sec && !timeout->tv_usec;
  struct event *timer = timer_of(bev, direction);
  bool awaits = bufferevent_awaits_progress(bev, direction);
  if (!awaits) bev->waiting &= (uint8_t)~direction; /* begins anew with the next update() */
  if (is_none || !awaits)
    event_del_noblock(timer);
  else if (event_add(timer, timeout) < 0)
    return -1;
  *(direction == EV_READ ? &bev->bev.timeout_read : &bev->bev.timeout_write) = *timeout;
  bufferevent_note_progress(bev, direction);
  return 0;
}

int bufferevent_set_timeouts(struct bufferevent *bufev, const struct timeval *timeout_read,
                             const struct timeval *timeout_write) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  int result = set_timeout(bev, EV_READ, timeout_read);
  if (set_timeout(bev, EV_WRITE, timeout_write) < 0) result = -1;
  bufferevent_keep_loop_going(bev);
  strata_lock_release(bev->lock);
  return result;
}

void bufferevent_settimeout(struct bufferevent *bev, int timeout_read, int timeout_write) {
  struct timeval read_time = {timeout_read, 0}, write_time = {timeout_write, 0};
  bufferevent_set_timeouts(bev, timeout_read ? &read_time : NULL,
                           timeout_write ? &write_time : NULL);
}
