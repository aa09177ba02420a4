#include <event2/util.h>
#include <gtest/gtest.h>

#include <string>

static struct timeval Timeval(long sec, long usec) {
  struct timeval tv;
  tv.tv_sec = sec;
  tv.tv_usec = usec;
  return tv;
}

TEST(TimeTest, AddCarries) {
  struct timeval a = Timeval(1, 600000), b = Timeval(2, 400000), sum;
  evutil_timeradd(&a, &b, &sum);
  EXPECT_EQ(4, sum.tv_sec);
  EXPECT_EQ(0, sum.tv_usec);
}

TEST(TimeTest, SubtractBorrows) {
  struct timeval a = Timeval(3, 100000), b = Timeval(1, 200000), difference;
  evutil_timersub(&a, &b, &difference);
  EXPECT_EQ(1, difference.tv_sec);
  EXPECT_EQ(900000, difference.tv_usec);
}

TEST(TimeTest, Compare) {
  struct timeval a = Timeval(1, 5), b = Timeval(1, 6), c = Timeval(2, 0);
  EXPECT_TRUE(evutil_timercmp(&a, &b, <));
  EXPECT_TRUE(evutil_timercmp(&c, &b, >));
  EXPECT_TRUE(evutil_timercmp(&a, &a, ==));
  EXPECT_TRUE(evutil_timercmp(&a, &a, <=));
  EXPECT_TRUE(evutil_timercmp(&a, &b, !=));
  EXPECT_FALSE(evutil_timercmp(&a, &c, >=));
}

TEST(TimeTest, ClearAndIsSet) {
  struct timeval tv = Timeval(0, 1);
  EXPECT_TRUE(evutil_timerisset(&tv));
  evutil_timerclear(&tv);
  EXPECT_FALSE(evutil_timerisset(&tv));
}

TEST(TimeTest, WallClock) {
  struct timeval tv;
  ASSERT_EQ(0, evutil_gettimeofday(&tv, nullptr));
  EXPECT_GT(tv.tv_sec, 1500000000);
}

class MonotonicTest : public testing::TestWithParam<int> {};

TEST_P(MonotonicTest, NeverGoesBack) {
  struct evutil_monotonic_timer *timer = evutil_monotonic_timer_new();
  ASSERT_NE(nullptr, timer);
  ASSERT_EQ(0, evutil_configure_monotonic_time(timer, GetParam()));
  struct timeval last;
  ASSERT_EQ(0, evutil_gettime_monotonic(timer, &last));
  for (int i = 0; i < 10000; ++i) {
    struct timeval now;
    ASSERT_EQ(0, evutil_gettime_monotonic(timer, &now));
    ASSERT_TRUE(evutil_timercmp(&now, &last, >=));
    ASSERT_GE(now.tv_usec, 0);
    ASSERT_LT(now.tv_usec, 1000000);
    last = now;
  }
  evutil_monotonic_timer_free(timer);
}

INSTANTIATE_TEST_SUITE_P(Flags, MonotonicTest,
                         testing::Values(0, EV_MONOT_PRECISE, EV_MONOT_FALLBACK));

TEST(TimeTest, FreeingNoTimer) {
  evutil_monotonic_timer_free(nullptr);
}

static struct tm ExampleOfRfc9110() {
  struct tm tm = {};
  tm.tm_year = 94;
  tm.tm_mon = 10;
  tm.tm_mday = 6;
  tm.tm_wday = 0;
  tm.tm_hour = 8;
  tm.tm_min = 49;
  tm.tm_sec = 37;
  return tm;
}

TEST(TimeTest, HttpDate) {
  struct tm tm = ExampleOfRfc9110();
  char text[64];
  EXPECT_EQ(29, evutil_date_rfc1123(text, sizeof(text), &tm));
  EXPECT_STREQ("Sun, 06 Nov 1994 08:49:37 GMT", text);
}

TEST(TimeTest, HttpDateOfNow) {
  char text[64];
  EXPECT_EQ(29, evutil_date_rfc1123(text, sizeof(text), nullptr));
  EXPECT_EQ(" GMT", std::string(text).substr(25));
}

TEST(TimeTest, HttpDateTruncates) {
  struct tm tm = ExampleOfRfc9110();
  char text[9];
  EXPECT_GE(evutil_date_rfc1123(text, sizeof(text), &tm), 9);
  EXPECT_STREQ("Sun, 06 ", text);
}
