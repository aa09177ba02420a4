#include <time.h>

#include "util/clock.h"

static int64_t timespec_ns(const struct timespec *ts) {
  return (int64_t)ts->tv_sec * STRATA_NS_PER_SECOND + ts->tv_nsec;
}

int64_t strata_monotonic_ns(void) {
  struct timespec ts;
  /* Cannot fail: POSIX systems without this clock are not supported. */
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return timespec_ns(&ts);
}

int64_t strata_wall_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return timespec_ns(&ts);
}
