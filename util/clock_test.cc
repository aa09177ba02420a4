#include "util/clock.h"

#include <gtest/gtest.h>
#include <time.h>

TEST(ClockTest, MonotonicNeverGoesBack) {
  int64_t last_ns = strata_monotonic_ns();
  for (int i = 0; i < 10000; ++i) {
    int64_t now_ns = strata_monotonic_ns();
    ASSERT_GE(now_ns, last_ns);
    last_ns = now_ns;
  }
}

TEST(ClockTest, WallClockIsTheSystems) {
  time_t before = time(nullptr);
  int64_t now_ns = strata_wall_ns();
  // time(2) may read a coarser clock than clock_gettime(2).
  EXPECT_GE(now_ns / STRATA_NS_PER_SECOND, before);
  EXPECT_LE(now_ns / STRATA_NS_PER_SECOND, time(nullptr) + 1);
}

TEST(ClockTest, TimevalToNanoseconds) {
  struct timeval tv = {2, 500000};
  EXPECT_EQ(2500000000LL, strata_timeval_to_ns(&tv));
}

TEST(ClockTest, LongTimevalsSaturate) {
  using Seconds = decltype(timeval::tv_sec);
  if (sizeof(Seconds) < 8) GTEST_SKIP() << "no struct timeval is that long";
  const int64_t longest = INT64_MAX / STRATA_NS_PER_SECOND;
  struct timeval tv = {static_cast<Seconds>(longest), 0};
  EXPECT_EQ(INT64_MAX, strata_timeval_to_ns(&tv));
  tv = {static_cast<Seconds>(longest - 1), 999999};
  EXPECT_GT(strata_timeval_to_ns(&tv), 0);
}

TEST(ClockTest, NanosecondsToTimeval) {
  struct timeval tv = strata_ns_to_timeval(1999999999);
  EXPECT_EQ(1, tv.tv_sec);
  EXPECT_EQ(999999, tv.tv_usec);
}

TEST(ClockTest, SumsSaturate) {
  EXPECT_EQ(5, strata_ns_add(2, 3));
  EXPECT_EQ(INT64_MAX, strata_ns_add(INT64_MAX - 1, 2));
}
