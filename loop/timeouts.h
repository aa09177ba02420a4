#ifndef STRATA_LOOP_TIMEOUTS_H_
#define STRATA_LOOP_TIMEOUTS_H_

#include <stdint.h>

#include <event2/event_struct.h>

#include "loop/base.h"

/* When events time out: the heap, and queues of equal timeouts that each take one heap slot. All
 * functions are called with the base's lock held. Deadlines are nanoseconds on the base's clock, a
 * whole number of microseconds. That of an event in the heap is in its slot alone; one in a queue
 * has it in ev_timeout, packed together with the number of the queue. */

/* Understands what event_base_init_common_timeout() returned, too. Less than nothing counts as
 * nothing. */
int64_t event_timeouts_duration_ns(const struct event_base *base, const struct timeval *duration);

/* Makes sure that the next event_timeouts_schedule() finds memory. 0 or -1. */
static inline int event_timeouts_reserve(struct event_base *base) {
  return event_timer_heap_reserve(&base->timers);
}
/* Sets the event's timeout to `duration` from `from_ns`, replacing one that it has. */
void event_timeouts_schedule(struct event *event, const struct timeval *duration, int64_t from_ns);
/* The event has a timeout. */
void event_timeouts_cancel(struct event *event);
/* The event has a timeout. */
int64_t event_timeouts_deadline_ns(const struct event *event);

/* For an EV_PERSIST event that runs because of something other than its timeout: counts the
 * timeout from now. */
void event_timeouts_restart(struct event *event);

/* INT64_MAX when nothing will time out. */
static inline int64_t event_timeouts_next_ns(const struct event_base *base) {
  return event_timer_heap_is_empty(&base->timers)
             ? INT64_MAX
             : event_timer_heap_top(&base->timers)->deadline_ns;
}
/* Activates everything that is due; a persistent event has its next timeout then. Nothing of it has
 * run when this returns. */
void event_timeouts_activate_due(struct event_base *base);
/* Calls fn for every event that has a timeout until it returns nonzero, and returns that. */
int event_timeouts_foreach(struct event_base *base, int (*fn)(struct event *, void *), void *arg);

void event_timeouts_free_all(struct event_base *base);

#endif
