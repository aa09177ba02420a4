#ifndef STRATA_LOOP_TIMEOUTS_H_
#define STRATA_LOOP_TIMEOUTS_H_

#include <stdint.h>

#include <event2/event_struct.h>

#include "loop/base.h"
#include "loop/event_internal.h"
#include "util/clock.h"

/* When events time out: the heap, and queues of equal timeouts that each take one heap slot. All
 * functions are called with the base's lock held. Deadlines are nanoseconds on the base's clock, a
 * whole number of microseconds. One in the heap has it where timer_heap.h says; one in a queue
 * has it in ev_timeout, packed together with the number of the queue. */

/* Understands what event_base_init_common_timeout() returned, too. Less than nothing counts as
 * nothing. */
int64_t event_timeouts_duration_ns(const struct event_base *base, const struct timeval *duration);

/* Makes sure that the next event_timeouts_schedule() finds memory. 0 or -1. */
static inline int event_timeouts_reserve(struct event_base *base) {
  return event_timer_heap_reserve(&base->timers);
}

/* event_timeouts_schedule() and event_timeouts_cancel() for what may be in a queue. */
void event_timeouts_schedule_any(struct event *event, const struct timeval *duration,
                                 int64_t from_ns);
void event_timeouts_cancel_queued(struct event *event);

/* Not negative, not a common timeout's, and nothing overflows. */
static inline int event_timeouts_is_plain(const struct timeval *duration) {
  uint64_t sec = (uint64_t)duration->tv_sec, usec = (uint64_t)duration->tv_usec;
  return sec >> 32 == 0 && usec >> 20 == 0;
}

/* Setting such a timeout from now takes neither memory nor a look at the clock. */
static inline int event_timeouts_is_ready(const struct event_base *base,
                                          const struct timeval *duration) {
  return event_timeouts_is_plain(duration) && base->cached_now_ns &&
         base->timers.num_timers < base->timers.capacity;
}

/* Sets the event's timeout to `duration` from `from_ns`, replacing one that it has. */
static inline void event_timeouts_schedule(struct event *event, const struct timeval *duration,
                                           int64_t from_ns) {
  short flags = event->ev_evcallback.evcb_flags;
  if (!event_timeouts_is_plain(duration) || flags & STRATA_EVLIST_QUEUED_TIMEOUT) {
    event_timeouts_schedule_any(event, duration, from_ns);
    return;
  }
  struct timer_heap *heap = &event->ev_base->timers;
  int64_t deadline_ns = strata_ns_add(from_ns, strata_timeval_to_ns(duration));
  if (flags & EVLIST_TIMEOUT) {
    event_timer_heap_update(heap, event, deadline_ns);
  } else {
    event->ev_evcallback.evcb_flags = flags | EVLIST_TIMEOUT;
    event_count_added(event, 1);
    event_timer_heap_push(heap, event, deadline_ns);
  }
}

/* The event has a timeout. */
static inline void event_timeouts_cancel(struct event *event) {
  short flags = event->ev_evcallback.evcb_flags;
  event->ev_evcallback.evcb_flags = flags & ~EVLIST_TIMEOUT;
  event_count_added(event, -1);
  if (flags & STRATA_EVLIST_QUEUED_TIMEOUT)
    event_timeouts_cancel_queued(event);
  else
    event_timer_heap_remove(&event->ev_base->timers, event);
}

/* The event has a timeout. */
int64_t event_timeouts_deadline_ns(const struct event *event);

/* For an EV_PERSIST event that runs because of something other than its timeout: counts the
 * timeout from now. */
void event_timeouts_restart(struct event *event);

/* INT64_MAX when nothing will time out. */
static inline int64_t event_timeouts_next_ns(struct event_base *base) {
  if (event_timer_heap_is_empty(&base->timers)) return INT64_MAX;
  return event_timer_heap_deadline_ns(event_timer_heap_top(&base->timers));
}
/* Activates everything that is due; a persistent event has its next timeout then. Nothing of it has
 * run when this returns. */
void event_timeouts_activate_due(struct event_base *base);
/* Calls fn for every event that has a timeout until it returns nonzero, and returns that. */
int event_timeouts_foreach(struct event_base *base, int (*fn)(struct event *, void *), void *arg);

void event_timeouts_free_all(struct event_base *base);

#endif
