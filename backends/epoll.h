#ifndef STRATA_BACKENDS_EPOLL_H_
#define STRATA_BACKENDS_EPOLL_H_

#include "loop/readiness.h"

/* epoll(7). Level and edge triggering, EV_CLOSED through EPOLLRDHUP; every change is one
 * epoll_ctl(2) and takes effect at once, or before the next wait where the base batches changes.
 * Waits to the millisecond, rounded up; to the nanosecond with EVENT_BASE_FLAG_PRECISE_TIMER where
 * the kernel has epoll_pwait2(2). */
extern const struct event_readiness_ops event_epoll_ops;

#endif
