#ifndef STRATA_UTIL_CLOCK_H_
#define STRATA_UTIL_CLOCK_H_

#include <stdint.h>
#include <time.h>

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Time in 64-bit nanoseconds. */
#define STRATA_NS_PER_SECOND 1000000000LL
#define STRATA_NS_PER_MS 1000000LL
#define STRATA_NS_PER_US 1000LL

/* Never goes back; counts from an arbitrary point (clock_gettime(2), CLOCK_MONOTONIC; on
 * Windows QueryPerformanceCounter). */
int64_t strata_monotonic_ns(void);
/* Since 1970-01-01 UTC; may jump. */
int64_t strata_wall_ns(void);

/* Saturates at INT64_MAX instead of overflowing. tv may not be negative. */
static inline int64_t strata_timeval_to_ns(const struct timeval *tv) {
  int64_t seconds = tv->tv_sec; /* may be shorter */
  if (seconds >= INT64_MAX / STRATA_NS_PER_SECOND) return INT64_MAX;
  return seconds * STRATA_NS_PER_SECOND + (int64_t)tv->tv_usec * STRATA_NS_PER_US;
}

/* Rounds down to whole microseconds, and to what tv_sec can hold. ns may not be negative. */
static inline struct timeval strata_ns_to_timeval(int64_t ns) {
  struct timeval tv;
  int64_t seconds = ns / STRATA_NS_PER_SECOND;
  if (sizeof(tv.tv_sec) < sizeof(seconds) && seconds > INT32_MAX) seconds = INT32_MAX;
  tv.tv_sec = seconds;
  tv.tv_usec = (long)(ns % STRATA_NS_PER_SECOND / STRATA_NS_PER_US);
  return tv;
}

/* gmtime(3), safe in threads. */
static inline struct tm strata_utc(time_t seconds) {
  struct tm tm;
#if defined(_WIN32)
  gmtime_s(&tm, &seconds);
#else
  gmtime_r(&seconds, &tm);
#endif
  return tm;
}

static inline int64_t strata_ns_add(int64_t a, int64_t b) {
  return a > INT64_MAX - b ? INT64_MAX : a + b;
}

#ifdef __cplusplus
}
#endif

#endif
