#ifndef STRATA_LOOP_EVENT_INTERNAL_H_
#define STRATA_LOOP_EVENT_INTERNAL_H_

#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "loop/base.h"

/* One of the states in evcb_flags, of the library's own: the timeout is in a common timeout's
 * queue, not in the heap. Goes with EVLIST_TIMEOUT. */
#define STRATA_EVLIST_QUEUED_TIMEOUT 0x100

/* What event_del does about a callback that is running in another thread. */
enum event_del_blocking {
  EVENT_DEL_NOBLOCK,
  EVENT_DEL_BLOCK,
  EVENT_DEL_AUTOBLOCK, /* wait, unless the event is one that will be finalised */
};

/* event_add and event_del for callers that hold the base's lock. */
int event_add_locked(struct event *event, const struct timeval *timeout);
int event_del_locked(struct event *event, enum event_del_blocking blocking);

/* Adds to the base's count of added events, once for each list that an event is in. */
static inline void event_count_added(struct event *event, int by) {
  if (!(event->ev_evcallback.evcb_flags & EVLIST_INTERNAL))
    event_base_count_added(event->ev_base, by);
}

#endif
