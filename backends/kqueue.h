#ifndef STRATA_BACKENDS_KQUEUE_H_
#define STRATA_BACKENDS_KQUEUE_H_

#include "loop/readiness.h"

/* kqueue(2) of macOS and the BSDs. Level and edge triggering (EV_CLEAR), EV_CLOSED through EV_EOF,
 * waits to the nanosecond, other threads' wake-ups through EVFILT_USER where the system has it.
 * Every change takes effect at once; where the base batches changes, they go to the kernel together
 * with the first look for events. Signals come by EVFILT_SIGNAL, with the number of their arrivals;
 * each base that asks for one hears of it. */
extern const struct event_readiness_ops event_kqueue_ops;

#endif
