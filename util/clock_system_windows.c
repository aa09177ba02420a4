#include <stdatomic.h>

#include "util/clock.h"

/* FILETIME counts 100 ns since 1601-01-01. */
#define NS_PER_FILETIME_TICK 100
#define FILETIME_TICKS_AT_1970 116444736000000000LL

/* The frequency is fixed when the system starts; 0: not asked yet. */
static int64_t ticks_per_second(void) {
  static atomic_llong known;
  int64_t frequency = atomic_load_explicit(&known, memory_order_relaxed);
  if (frequency) return frequency;
  LARGE_INTEGER answer;
  QueryPerformanceFrequency(&answer);
  atomic_store_explicit(&known, answer.QuadPart, memory_order_relaxed);
  return answer.QuadPart;
}

/* Neither call fails since Windows XP (QueryPerformanceCounter). */
int64_t strata_monotonic_ns(void) {
  int64_t frequency = ticks_per_second();
  LARGE_INTEGER ticks;
  QueryPerformanceCounter(&ticks);
  /* In two parts: ticks times 10^9 would overflow within hours. */
  return ticks.QuadPart / frequency * STRATA_NS_PER_SECOND +
         ticks.QuadPart % frequency * STRATA_NS_PER_SECOND / frequency;
}

int64_t strata_wall_ns(void) {
  FILETIME time;
  GetSystemTimePreciseAsFileTime(&time);
  int64_t ticks = (int64_t)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime);
  return (ticks - FILETIME_TICKS_AT_1970) * NS_PER_FILETIME_TICK;
}

int evutil_gettimeofday(struct timeval *tv, struct timezone *tz) {
  (void)tz;
  if (tv) *tv = strata_ns_to_timeval(strata_wall_ns());
  return 0;
}
