#ifndef STRATA_LOOP_BASE_CLOCK_H_
#define STRATA_LOOP_BASE_CLOCK_H_

#include <stdint.h>

struct event_base;
struct timeval;

/* Nanoseconds on the base's clock: the time at which the turn that is going on collected its
 * events, or the present time outside of one. */
int64_t event_base_loop_time_ns(struct event_base *base);

/* How long a timeout is that a user gave, maybe one of event_base_init_common_timeout(). */
int64_t event_base_duration_ns(struct event_base *base, const struct timeval *duration);

#endif
