// A wall clock that is set back: this program's own clock_gettime stands in for the C library's.
#include <dlfcn.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <time.h>

static long wall_offset_s;

extern "C" int clock_gettime(clockid_t clock, struct timespec *out_time) noexcept {
  static int (*const real)(clockid_t, struct timespec *) =
      reinterpret_cast<int (*)(clockid_t, struct timespec *)>(dlsym(RTLD_NEXT, "clock_gettime"));
  int result = real(clock, out_time);
  if (result == 0 && clock == CLOCK_REALTIME) out_time->tv_sec += wall_offset_s;
  return result;
}

static long long NowUs(struct evutil_monotonic_timer *timer) {
  struct timeval now;
  EXPECT_EQ(0, evutil_gettime_monotonic(timer, &now));
  return now.tv_sec * 1000000LL + now.tv_usec;
}

// With EV_MONOT_FALLBACK the time comes from the wall clock, and still may not go back.
TEST(ClockBackTest, FallbackGoesOnFromWhereItWas) {
  struct evutil_monotonic_timer *timer = evutil_monotonic_timer_new();
  ASSERT_NE(nullptr, timer);
  ASSERT_EQ(0, evutil_configure_monotonic_time(timer, EV_MONOT_FALLBACK));
  long long before = NowUs(timer);
  wall_offset_s = -3600;
  long long after = NowUs(timer);
  EXPECT_GE(after, before);
  EXPECT_LT(after, before + 1800 * 1000000LL);
  // From here on it follows the clock again: an hour forward is an hour.
  wall_offset_s = 0;
  EXPECT_GE(NowUs(timer), after + 3600 * 1000000LL);
  evutil_monotonic_timer_free(timer);
}

TEST(ClockBackTest, TheMonotonicClockTakesNoNotice) {
  struct evutil_monotonic_timer *timer = evutil_monotonic_timer_new();
  ASSERT_NE(nullptr, timer);
  ASSERT_EQ(0, evutil_configure_monotonic_time(timer, 0));
  long long before = NowUs(timer);
  wall_offset_s = 7200;
  EXPECT_LT(NowUs(timer), before + 3600 * 1000000LL);
  wall_offset_s = 0;
  evutil_monotonic_timer_free(timer);
}
