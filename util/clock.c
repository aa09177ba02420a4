#include "util/clock.h"

#include "util/memory.h"

struct evutil_monotonic_timer {
  int fallback;
  int64_t last_ns;   /* the newest result */
  int64_t offset_ns; /* fallback: what to add to the wall clock so that it does not go back */
};

struct evutil_monotonic_timer *evutil_monotonic_timer_new(void) {
  return strata_calloc(1, sizeof(struct evutil_monotonic_timer));
}

void evutil_monotonic_timer_free(struct evutil_monotonic_timer *timer) {
  strata_free(timer);
}

int evutil_configure_monotonic_time(struct evutil_monotonic_timer *timer, int flags) {
  /* EV_MONOT_PRECISE asks for what is always used: reading the precise clock costs no system
   * call, so a coarse one, which is milliseconds behind, would save next to nothing. */
  timer->fallback = (flags & EV_MONOT_FALLBACK) != 0;
  timer->last_ns = 0;
  timer->offset_ns = 0;
  return 0;
}

static int64_t adjusted_wall_ns(struct evutil_monotonic_timer *timer) {
  int64_t now_ns = strata_wall_ns() + timer->offset_ns;
  if (now_ns < timer->last_ns) {
    timer->offset_ns += timer->last_ns - now_ns;
    now_ns = timer->last_ns;
  }
  timer->last_ns = now_ns;
  return now_ns;
}

int evutil_gettime_monotonic(struct evutil_monotonic_timer *timer, struct timeval *tp) {
  *tp = strata_ns_to_timeval(timer->fallback ? adjusted_wall_ns(timer) : strata_monotonic_ns());
  return 0;
}
