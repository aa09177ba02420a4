// Read and write timeouts: they run only while the bufferevent is willing to read or write.
#include "net/timeouts_testing.h"

namespace {

class BuffereventTimeout : public WithTimeouts {
 protected:
  void SetTimeouts(long read_ms, long write_ms) { EXPECT_EQ(0, Set(bev_, read_ms, write_ms)); }
};

INSTANTIATE_TEST_SUITE_P(All, BuffereventTimeout, ::testing::ValuesIn(kKinds), KindName);

TEST_P(BuffereventTimeout, ReadingTimesOutAndIsDisabled) {
  SetTimeouts(20, 0);
  bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kReadTimeout}, bev_.events);
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(bev_));
  Pass(50);
  EXPECT_EQ(1u, bev_.events.size());
  // Nothing was lost: enabling it again reads on, and times out again.
  pair_.Send("late");
  bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.received == "late"; }));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.events.size() == 2; }));
  EXPECT_EQ(kReadTimeout, bev_.events[1]);
}

TEST_P(BuffereventTimeout, SetAfterEnabling) {
  bev_.Enable(EV_READ);
  loop_.Settle();
  SetTimeouts(10, 0);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kReadTimeout}, bev_.events);
}

TEST_P(BuffereventTimeout, TakenAwayAgain) {
  SetTimeouts(10, 10);
  bev_.Enable(EV_READ);
  SetTimeouts(0, 0);
  Pass(50);
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(BuffereventTimeout, WritingTimesOutWhenThePeerDoesNotRead) {
  Clog();
  SetTimeouts(0, 20);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kWriteTimeout}, bev_.events);
  EXPECT_EQ(0, bufferevent_get_enabled(bev_) & EV_WRITE);
  const size_t left = bev_.output_len();
  // A long one, not none: libevent would go on with the old one after the first write.
  SetTimeouts(0, 3600000);
  bev_.Enable(EV_WRITE);
  std::string got;
  EXPECT_TRUE(Drain(&loop_, &pair_, &got, 8 << 20));
  EXPECT_GT(left, 0u);
}

// Enabled with nothing to write, a bufferevent waits to call the write callback: not for progress.
TEST_P(BuffereventTimeout, WritingTimesOutThoughItWasEnabledBefore) {
  bev_.Enable(EV_WRITE);
  SetTimeouts(0, 20);
  Clog();
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kWriteTimeout}, bev_.events);
}

TEST_P(BuffereventTimeout, NothingToWriteNoWriteTimeout) {
  SetTimeouts(0, 40);
  bev_.Write("abc");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
  Pass(100);
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(BuffereventTimeout, NotWhileDisabled) {
  SetTimeouts(5, 5);
  bev_.Disable(EV_READ | EV_WRITE);
  bev_.Write("abc");
  Pass(50);
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(BuffereventTimeout, NotWhileSuspendedByTheWatermark) {
  bev_.StopTaking();
  bev_.Watermark(EV_READ, 0, 3);
  bev_.Enable(EV_READ);
  pair_.Send("abcdef");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 3; }));
  SetTimeouts(5, 0);
  Pass(50);
  EXPECT_TRUE(bev_.events.empty());
  bev_.Take();
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 3; }));
  bev_.Take();
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kReadTimeout}, bev_.events);
}

TEST_P(BuffereventTimeout, ActivityStartsItAfresh) {
  SetTimeouts(200, 0);
  bev_.Enable(EV_READ);
  Pass(100);
  const long long sent = WallUsec();
  pair_.Send("x");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.reads == 1; }));
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_GE(WallUsec() - sent, 200000 - 20000);  // Coarse clocks tick in milliseconds.
}

TEST_P(BuffereventTimeout, BothDirections) {
  Clog();
  SetTimeouts(10, 10);
  bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] {
    short all = 0;
    for (const short what : bev_.events) all = static_cast<short>(all | what);
    return all == (kReadTimeout | kWriteTimeout);
  }));
  EXPECT_EQ(0, bufferevent_get_enabled(bev_));
}

}  // namespace
