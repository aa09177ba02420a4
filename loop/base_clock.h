#ifndef STRATA_LOOP_BASE_CLOCK_H_
#define STRATA_LOOP_BASE_CLOCK_H_

#include <stdint.h>

struct event_base;

/* Nanoseconds on the base's clock: the time at which the turn that is going on collected its events,
 * or the present time outside of one. */
int64_t event_base_loop_time_ns(struct event_base *base);

#endif
