#ifndef STRATA_LOOP_EVENT_INTERNAL_H_
#define STRATA_LOOP_EVENT_INTERNAL_H_

#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

/* What event_del does about a callback that is running in another thread. */
enum event_del_blocking {
  EVENT_DEL_NOBLOCK,
  EVENT_DEL_BLOCK,
  EVENT_DEL_AUTOBLOCK, /* wait, unless the event is one that will be finalised */
};

/* event_add and event_del for callers that hold the base's lock. */
int event_add_locked(struct event *event, const struct timeval *timeout);
int event_del_locked(struct event *event, enum event_del_blocking blocking);

/* For the loop's own events: they run first, keep no loop alive and count nowhere. */
void event_make_internal(struct event *event);

/* Adds to the base's count of added events, once for each list that an event is in. */
void event_count_added(struct event *event, int by);

#endif
