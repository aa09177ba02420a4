#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_compat.h>
#include <event2/event_struct.h>

#include "loop/active.h"
#include "loop/base.h"
#include "loop/current_base.h"
#include "loop/debug.h"
#include "loop/event_internal.h"
#include "loop/timeouts.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/memory.h"

/* Its address stands for "the event itself" as a callback argument. */
static char self_cbarg_marker;

void *event_self_cbarg(void) {
  return &self_cbarg_marker;
}

static enum strata_closure closure_for(short events) {
  if (events & EV_SIGNAL) return STRATA_CLOSURE_EVENT_SIGNAL;
  return events & EV_PERSIST ? STRATA_CLOSURE_EVENT_PERSIST : STRATA_CLOSURE_EVENT;
}

int event_assign(struct event *event, struct event_base *base, evutil_socket_t fd, short events,
                 event_callback_fn callback, void *arg) {
  if (!base) base = event_current_base;
  if (events & EV_SIGNAL && events & (EV_READ | EV_WRITE | EV_CLOSED)) {
    strata_log(STRATA_LOG_WARN, "event_assign: EV_SIGNAL goes with no other kind of event");
    errno = EINVAL;
    return -1;
  }
  event_debug_assert_not_added(event);
  memset(event, 0, sizeof(*event));
  event->ev_base = base;
  event->ev_fd = fd;
  event->ev_events = events;
  event->ev_evcallback.evcb_flags = EVLIST_INIT;
  event->ev_evcallback.evcb_closure = (ev_uint8_t)closure_for(events);
  event->ev_evcallback.evcb_cb_union.evcb_callback = callback;
  event->ev_evcallback.evcb_arg = arg == &self_cbarg_marker ? event : arg;
  if (base) event->ev_evcallback.evcb_pri = (ev_uint8_t)(base->executor.num_priorities / 2);
  event_timer_heap_init_event(event);
  event_debug_note_setup(event);
  return 0;
}

void event_set(struct event *event, evutil_socket_t fd, short events, event_callback_fn callback,
               void *arg) {
  int result = event_assign(event, event_current_base, fd, events, callback, arg);
  strata_assert(result == 0);
}

int event_base_set(struct event_base *base, struct event *event) {
  if ((event->ev_evcallback.evcb_flags & ~EVLIST_INTERNAL) != EVLIST_INIT) return -1;
  event_debug_assert_is_setup(event);
  event->ev_base = base;
  event->ev_evcallback.evcb_pri = (ev_uint8_t)(base->executor.num_priorities / 2);
  return 0;
}

struct event *event_new(struct event_base *base, evutil_socket_t fd, short events,
                        event_callback_fn callback, void *arg) {
  struct event *event = strata_malloc(sizeof(*event));
  if (!event) return NULL;
  if (event_assign(event, base, fd, events, callback, arg) < 0) {
    strata_free(event);
    return NULL;
  }
  return event;
}

/* The callback that frees its event goes on, but another event may have the address by then. */
static void forget_running(struct event *event) {
  struct event_base *base = event->ev_base;
  event_base_lock(base);
  if (base->running == event) base->running = NULL;
  event_base_unlock(base);
}

void event_free(struct event *event) {
  event_del(event);
  if (event->ev_base) forget_running(event);
  event_debug_note_teardown(event);
  strata_free(event);
}

void event_debug_unassign(struct event *event) {
  event_debug_assert_not_added(event);
  event_debug_note_teardown(event);
  event->ev_evcallback.evcb_flags &= ~EVLIST_INIT;
}

int event_priority_set(struct event *event, int priority) {
  event_debug_assert_is_setup(event);
  if (event->ev_evcallback.evcb_flags & EVLIST_ACTIVE) return -1;
  if (priority < 0 || priority >= event->ev_base->executor.num_priorities) return -1;
  event->ev_evcallback.evcb_pri = (ev_uint8_t)priority;
  return 0;
}

/* --- Adding and deleting --- */

/* An event without a descriptor counts as added, and can time out or be activated by hand. */
static int watches_nothing(const struct event *event) {
  return event->ev_fd < 0;
}

/* Has a descriptor or signal, and isn't watching it yet. */
static int must_insert(const struct event *event) {
  return event->ev_events & (EV_READ | EV_WRITE | EV_CLOSED | EV_SIGNAL) &&
         !(event->ev_evcallback.evcb_flags & EVLIST_INSERTED);
}

/* Starts watching. */
static int insert(struct event *event) {
  struct event_base *base = event->ev_base;
  int result = 0;
  if (event->ev_events & EV_SIGNAL)
    result = event_signal_map_add(base, event);
  else if (!watches_nothing(event))
    result = event_fd_map_add(base, event);
  if (result < 0) return -1;
  event->ev_evcallback.evcb_flags |= EVLIST_INSERTED;
  event_count_added(event, 1);
  return 0;
}

/* The opposite. */
static void take_out(struct event *event) {
  struct event_base *base = event->ev_base;
  if (event->ev_events & EV_SIGNAL)
    event_signal_map_remove(base, event);
  else if (!watches_nothing(event))
    event_fd_map_remove(base, event);
  event->ev_evcallback.evcb_flags &= ~EVLIST_INSERTED;
  event_count_added(event, -1);
}

/* Ends a series of calls for several deliveries of a signal. */
static void stop_signal_calls(struct event *event) {
  if (event->ev_base->running == event) event->ev_base->running_calls = 0;
}

/* Another thread waits in the backend, or is about to. */
static void set_timeout_and_wake(struct event *event, const struct timeval *timeout) {
  struct event_base *base = event->ev_base;
  int64_t next_ns = event_timeouts_next_ns(base);
  event_timeouts_schedule(event, timeout, event_base_now_ns(base));
  if (event_timeouts_next_ns(base) < next_ns) event_base_notify(base);
}

/* Its activity for a timeout that is to be set anew. */
static void withdraw_timed_out(struct event *event) {
  if (!(event->ev_res & EV_TIMEOUT)) return;
  stop_signal_calls(event);
  event_active_queue_remove(event->ev_base, &event->ev_evcallback);
}

static inline void set_timeout(struct event *event, const struct timeval *timeout) {
  struct event_base *base = event->ev_base;
  struct event_callback *callback = &event->ev_evcallback;
  if (callback->evcb_closure == STRATA_CLOSURE_EVENT_PERSIST)
    event->ev_.ev_io.ev_timeout = *timeout;
  if (callback->evcb_flags & EVLIST_ACTIVE) withdraw_timed_out(event);
  if (base->may_be_waiting)
    set_timeout_and_wake(event, timeout);
  else
    event_timeouts_schedule(event, timeout, event_base_now_ns(base));
}

/* A timer that stays in the heap has its place there. */
static inline bool needs_place(const struct event *event, const struct timeval *timeout) {
  short flags = event->ev_evcallback.evcb_flags;
  return (flags & (EVLIST_TIMEOUT | STRATA_EVLIST_QUEUED_TIMEOUT)) != EVLIST_TIMEOUT ||
         !event_timeouts_is_plain(timeout);
}

int event_add_locked(struct event *event, const struct timeval *timeout) {
  struct event_base *base = event->ev_base;
  event_debug_assert_is_setup(event);
  if (event->ev_evcallback.evcb_flags & EVLIST_FINALIZING) return -1;
  if (timeout && needs_place(event, timeout) && event_timeouts_reserve(base) < 0) return -1;
  if (must_insert(event) && insert(event) < 0) return -1;
  if (timeout) set_timeout(event, timeout);
  event_debug_note_add(event);
  return 0;
}

#ifdef __GNUC__
__attribute__((noinline)) /* or the short path below saves registers that only this one needs */
#endif
static int
add(struct event *event, const struct timeval *timeout) {
  struct event_base *base = event->ev_base;
  if (!base) {
    strata_log(STRATA_LOG_WARN, "event_add: the event has no base");
    return -1;
  }
  event_base_lock(base);
  int result = event_add_locked(event, timeout);
  event_base_unlock(base);
  return result;
}

/* A timer that is set once, is in nothing but perhaps the heap, and has no other thread to be
 * guarded from: to add or delete it is to change the heap. Worth a path of its own, since the
 * heap's part takes no longer than all the questions of the other one. */
static inline bool is_plain_timer(const struct event *event) {
  return event->ev_base && !event->ev_base->lock && !event_debug_mode_on &&
         (event->ev_evcallback.evcb_flags & ~EVLIST_TIMEOUT) == EVLIST_INIT &&
         !(event->ev_events & (EV_READ | EV_WRITE | EV_CLOSED | EV_SIGNAL | EV_PERSIST));
}

int event_add(struct event *event, const struct timeval *timeout) {
  if (!timeout || !is_plain_timer(event) || !event_timeouts_is_ready(event->ev_base, timeout))
    return add(event, timeout);
  event_timeouts_schedule(event, timeout, event->ev_base->cached_now_ns);
  return 0;
}

int event_remove_timer(struct event *event) {
  struct event_base *base = event->ev_base;
  if (!base) return -1;
  event_base_lock(base);
  event_debug_assert_is_setup(event);
  if (event->ev_evcallback.evcb_flags & EVLIST_TIMEOUT) {
    event_timeouts_cancel(event);
    /* Of other events the field is in use for something else. */
    if (event->ev_evcallback.evcb_closure == STRATA_CLOSURE_EVENT_PERSIST)
      memset(&event->ev_.ev_io.ev_timeout, 0, sizeof(event->ev_.ev_io.ev_timeout));
  }
  event_base_unlock(base);
  return 0;
}

static void withdraw(struct event *event) {
  short flags = event->ev_evcallback.evcb_flags;
  stop_signal_calls(event);
  if (flags & EVLIST_TIMEOUT) event_timeouts_cancel(event);
  if (flags & EVLIST_ACTIVE) event_active_queue_remove(event->ev_base, &event->ev_evcallback);
  if (flags & EVLIST_INSERTED) take_out(event);
  event_debug_note_del(event);
}

static bool must_wait(const struct event *event, enum event_del_blocking blocking) {
  if (event->ev_base->running != event) return false;
  if (blocking == EVENT_DEL_AUTOBLOCK) return !(event->ev_events & EV_FINALIZE);
  return blocking == EVENT_DEL_BLOCK;
}

int event_del_locked(struct event *event, enum event_del_blocking blocking) {
  event_debug_assert_is_setup(event);
  withdraw(event);
  if (!must_wait(event, blocking) || !event_wait_while_running(event->ev_base, event)) return 0;
  /* The callback may have added its event again, as timers that re-arm themselves do. */
  if (!(event->ev_evcallback.evcb_flags & EVLIST_FINALIZING)) withdraw(event);
  return 0;
}

static int del(struct event *event, enum event_del_blocking blocking) {
  struct event_base *base = event->ev_base;
  if (!base) {
    strata_log(STRATA_LOG_WARN, "event_del: the event has no base");
    return -1;
  }
  event_base_lock(base);
  int result = 0;
  if (!(event->ev_evcallback.evcb_flags & EVLIST_FINALIZING))
    result = event_del_locked(event, blocking);
  event_base_unlock(base);
  return result;
}

int event_del(struct event *event) {
  if (!is_plain_timer(event)) return del(event, EVENT_DEL_AUTOBLOCK);
  if (event->ev_evcallback.evcb_flags & EVLIST_TIMEOUT) event_timeouts_cancel(event);
  return 0;
}

int event_del_block(struct event *event) {
  return del(event, EVENT_DEL_BLOCK);
}

int event_del_noblock(struct event *event) {
  return del(event, EVENT_DEL_NOBLOCK);
}

void event_active(struct event *event, int result, short num_calls) {
  struct event_base *base = event->ev_base;
  if (!base) {
    strata_log(STRATA_LOG_WARN, "event_active: the event has no base");
    return;
  }
  event_base_lock(base);
  event_debug_assert_is_setup(event);
  event_active_locked(event, result, num_calls);
  event_base_unlock(base);
}

static int finalize(struct event *event, enum strata_closure closure,
                    event_finalize_callback_fn function) {
  struct event_base *base = event->ev_base;
  if (!base) {
    strata_log(STRATA_LOG_WARN, "event_finalize: the event has no base");
    return -1;
  }
  event_base_lock(base);
  event_finalize_locked(event, closure, function);
  event_base_unlock(base);
  return 0;
}

int event_finalize(unsigned flags, struct event *event, event_finalize_callback_fn function) {
  (void)flags;
  return finalize(event, STRATA_CLOSURE_EVENT_FINALIZE, function);
}

int event_free_finalize(unsigned flags, struct event *event, event_finalize_callback_fn function) {
  (void)flags;
  return finalize(event, STRATA_CLOSURE_EVENT_FINALIZE_FREE, function);
}

/* --- Asking --- */

static void get_wall_deadline(struct event *event, struct timeval *out_when) {
  struct event_base *base = event->ev_base;
  *out_when = strata_ns_to_timeval(event_base_wall_ns(base, event_timeouts_deadline_ns(event)));
}

int event_pending(const struct event *event, short events, struct timeval *out_when) {
  struct event_base *base = event->ev_base;
  if (!base) {
    strata_log(STRATA_LOG_WARN, "event_pending: the event has no base");
    return 0;
  }
  event_base_lock(base);
  event_debug_assert_is_setup(event);
  short list_flags = event->ev_evcallback.evcb_flags;
  int pending = 0;
  if (list_flags & EVLIST_INSERTED)
    pending |= event->ev_events & (EV_READ | EV_WRITE | EV_CLOSED | EV_SIGNAL);
  if (list_flags & EVLIST_ACTIVE) pending |= event->ev_res;
  if (list_flags & EVLIST_TIMEOUT) pending |= EV_TIMEOUT;
  pending &= events & (EV_TIMEOUT | EV_READ | EV_WRITE | EV_CLOSED | EV_SIGNAL);
  if (out_when && list_flags & EVLIST_TIMEOUT && pending & EV_TIMEOUT)
    get_wall_deadline((struct event *)event, out_when);
  event_base_unlock(base);
  return pending;
}

int event_initialized(const struct event *event) {
  return (event->ev_evcallback.evcb_flags & EVLIST_INIT) != 0;
}

evutil_socket_t event_get_fd(const struct event *event) {
  event_debug_assert_is_setup(event);
  return event->ev_fd;
}

struct event_base *event_get_base(const struct event *event) {
  event_debug_assert_is_setup(event);
  return event->ev_base;
}

short event_get_events(const struct event *event) {
  event_debug_assert_is_setup(event);
  return event->ev_events;
}

event_callback_fn event_get_callback(const struct event *event) {
  event_debug_assert_is_setup(event);
  return event->ev_evcallback.evcb_cb_union.evcb_callback;
}

void *event_get_callback_arg(const struct event *event) {
  event_debug_assert_is_setup(event);
  return event->ev_evcallback.evcb_arg;
}

int event_get_priority(const struct event *event) {
  event_debug_assert_is_setup(event);
  return event->ev_evcallback.evcb_pri;
}

void event_get_assignment(const struct event *event, struct event_base **out_base,
                          evutil_socket_t *out_fd, short *out_events,
                          event_callback_fn *out_callback, void **out_arg) {
  event_debug_assert_is_setup(event);
  if (out_base) *out_base = event->ev_base;
  if (out_fd) *out_fd = event->ev_fd;
  if (out_events) *out_events = event->ev_events;
  if (out_callback) *out_callback = event->ev_evcallback.evcb_cb_union.evcb_callback;
  if (out_arg) *out_arg = event->ev_evcallback.evcb_arg;
}

size_t event_get_struct_event_size(void) {
  return sizeof(struct event);
}
