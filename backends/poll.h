#ifndef STRATA_BACKENDS_POLL_H_
#define STRATA_BACKENDS_POLL_H_

#include "loop/readiness.h"

/* poll(2). Level triggering only, and no EV_CLOSED: an interest in nothing else is accepted and
 * never reported. Any kind of descriptor; a regular file is always ready, and one that was closed
 * while it was registered is reported as hung up until it is forgotten. Changes take effect at the
 * next wait. Waits to the millisecond, rounded up; to the nanosecond with
 * EVENT_BASE_FLAG_PRECISE_TIMER where the system has ppoll(2). */
extern const struct event_readiness_ops event_poll_ops;

#endif
