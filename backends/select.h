#ifndef STRATA_BACKENDS_SELECT_H_
#define STRATA_BACKENDS_SELECT_H_

#include "loop/readiness.h"

/* select(2), with sets of its own that grow with the descriptors: FD_SETSIZE is no limit. Level
 * triggering only, and no EV_CLOSED: an interest in nothing else is accepted and never reported.
 * Any kind of descriptor; a regular file is always ready, and one that was closed while it was
 * registered is reported as hung up until it is forgotten. Hang-ups and errors of others show as
 * readiness of what was asked for. Changes take effect at the next wait. Waits to the microsecond,
 * rounded up. */
extern const struct event_readiness_ops event_select_ops;

#endif
