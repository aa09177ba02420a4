#ifndef STRATA_LOOP_CURRENT_BASE_H_
#define STRATA_LOOP_CURRENT_BASE_H_

struct event_base;

/* The base that event_init() made last, for the functions of event2/event_compat.h that name none.
 * Not for programs with threads. NULL when there is none. */
extern struct event_base *event_current_base;

#endif
