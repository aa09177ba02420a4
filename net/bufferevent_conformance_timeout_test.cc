// Every kind of bufferevent: read and write timeouts.
#include "net/conformance_testing.h"

namespace conformance {
namespace {

const short kReadTimeout = BEV_EVENT_READING | BEV_EVENT_TIMEOUT;
const short kWriteTimeout = BEV_EVENT_WRITING | BEV_EVENT_TIMEOUT;

class ConformanceTimeout : public Conformance {
 protected:
  static void SetTimeouts(struct bufferevent *bev, long read_ms, long write_ms) {
    const struct timeval read = Ms(read_ms);
    const struct timeval write = Ms(write_ms);
    EXPECT_EQ(
        0, bufferevent_set_timeouts(bev, read_ms ? &read : nullptr, write_ms ? &write : nullptr));
  }
};

INSTANTIATE_TEST_SUITE_P(All, ConformanceTimeout, ::testing::ValuesIn(AllFlavours()), FlavourName);

TEST_P(ConformanceTimeout, ReadingTimesOutAndIsDisabled) {
  SetTimeouts(b_, 20, 0);
  b_.Enable(EV_READ);
  ASSERT_TRUE(Until([&] { return !b_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kReadTimeout}, b_.events);
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(b_));
  Pass(40);
  EXPECT_EQ(1u, b_.events.size());
  EXPECT_TRUE(a_.events.empty());
  // Nothing is lost: enabled again it reads on, and times out again.
  a_.Write("late");
  Settle();
  EXPECT_EQ("", b_.received);
  EXPECT_TRUE(Until([&] {
    b_.Enable(EV_READ);  // Again, where the machine stood still.
    return b_.received.size() >= 4;
  }));
  EXPECT_EQ("late", b_.received);
  const size_t num_events = b_.events.size();
  EXPECT_TRUE(Until([&] { return b_.events.size() > num_events; }));
}

// Whatever it lies over: nothing else is in the loop.
TEST_P(ConformanceTimeout, FiresInALoopOfItsOwn) {
  SetTimeouts(b_, 20, 0);
  b_.on_event = [&](short) { event_base_loopexit(loop_, nullptr); };
  b_.Enable(EV_READ);
  event_base_dispatch(loop_);
  EXPECT_EQ(std::vector<short>{kReadTimeout}, b_.events);
}

TEST_P(ConformanceTimeout, SetAfterEnabling) {
  b_.Enable(EV_READ);
  Settle();
  SetTimeouts(b_, 10, 0);
  ASSERT_TRUE(Until([&] { return !b_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kReadTimeout}, b_.events);
}

TEST_P(ConformanceTimeout, TakenAwayAgain) {
  SetTimeouts(b_, 10, 10);
  b_.Enable(EV_READ);
  SetTimeouts(b_, 0, 0);
  Pass(40);
  EXPECT_TRUE(b_.events.empty());
}

TEST_P(ConformanceTimeout, WritingTimesOutWhenThePeerDoesNotRead) {
  const std::string bytes = Clog();
  SetTimeouts(a_, 0, 20);
  ASSERT_TRUE(Until([&] { return !a_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kWriteTimeout}, a_.events);
  EXPECT_EQ(0, bufferevent_get_enabled(a_));
  EXPECT_GT(a_.output_len(), 0u);
  // A long one, not none: libevent would go on with the old one after the first write.
  SetTimeouts(a_, 0, 3600000);
  b_.Enable(EV_READ);
  a_.Enable(EV_WRITE);
  ASSERT_TRUE(Receives(b_, bytes.size()));
  EXPECT_TRUE(bytes == b_.received);
  EXPECT_EQ(1u, a_.events.size());
}

TEST_P(ConformanceTimeout, NothingToWriteNoWriteTimeout) {
  if (kOnLibevent && flavour().has_filter()) GTEST_SKIP() << "its filters time out all the same";
  SetTimeouts(a_, 0, 25);
  b_.Enable(EV_READ);
  a_.Write("abc");
  ASSERT_TRUE(Receives(b_, 3));
  Pass(60);
  EXPECT_TRUE(a_.events.empty());
}

// Having written once must not start a clock either, nor enabling with nothing to write.
TEST_P(ConformanceTimeout, NothingToWriteAfterEnabling) {
  if (kOnLibevent && flavour().has_filter()) GTEST_SKIP() << "its filters time out all the same";
  SetTimeouts(a_, 0, 5);
  a_.Disable(EV_WRITE);
  a_.Enable(EV_WRITE);
  Pass(40);
  EXPECT_TRUE(a_.events.empty());
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(a_));
}

TEST_P(ConformanceTimeout, NotWhileDisabled) {
  SetTimeouts(a_, 5, 5);
  a_.Disable(EV_READ | EV_WRITE);
  a_.Write("abc");
  Pass(40);
  EXPECT_TRUE(a_.events.empty());
}

TEST_P(ConformanceTimeout, NotWhileSuspendedByTheWatermark) {
  b_.StopTaking();
  b_.Watermark(EV_READ, 0, 3);
  b_.Enable(EV_READ);
  a_.Write("abcdef");
  ASSERT_TRUE(Until([&] { return b_.input_len() >= 3; }));
  Settle();
  SetTimeouts(b_, 5, 0);
  Pass(40);
  EXPECT_TRUE(b_.events.empty());
  b_.Watermark(EV_READ, 0, 0);
  EXPECT_TRUE(Until([&] { return !b_.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kReadTimeout}, b_.events);
}

TEST_P(ConformanceTimeout, ActivityStartsItAfresh) {
  SetTimeouts(b_, 60, 0);
  b_.Enable(EV_READ);
  Pass(30);
  if (!b_.events.empty()) return;  // A slow machine.
  const long long sent = WallUsec();
  a_.Write("x");
  ASSERT_TRUE(Until([&] { return !b_.events.empty(); }));
  // A slow machine.
  if (b_.received.empty()) return;
  EXPECT_GE(WallUsec() - sent, 60000 - 15000);  // Coarse clocks tick in milliseconds.
}

TEST_P(ConformanceTimeout, ActivityOfTheWriterStartsItAfresh) {
  const std::string bytes = Clog();
  SetTimeouts(a_, 0, 3600000);
  b_.Enable(EV_READ);
  ASSERT_TRUE(Receives(b_, bytes.size()));
  EXPECT_TRUE(a_.events.empty());
}

TEST_P(ConformanceTimeout, BothDirections) {
  Clog();
  SetTimeouts(a_, 10, 10);
  a_.Enable(EV_READ);
  EXPECT_TRUE(Until([&] {
    short all = 0;
    for (const short what : a_.events) all = static_cast<short>(all | what);
    return all == (kReadTimeout | kWriteTimeout);
  }));
  EXPECT_EQ(0, bufferevent_get_enabled(a_));
}

TEST_P(ConformanceTimeout, FreedByItsCallback) {
  SetTimeouts(b_, 5, 5);
  b_.on_event = [&](short) { b_.Free(); };
  b_.Enable(EV_READ);
  EXPECT_TRUE(Until([&] { return b_.get() == nullptr; }));
  Settle();
  EXPECT_EQ(1u, b_.events.size());
}

TEST_P(ConformanceTimeout, FreedBeforeItIsDue) {
  SetTimeouts(b_, 10, 10);
  b_.Enable(EV_READ);
  Settle();
  const size_t num_events = b_.events.size();  // None, unless that took longer.
  b_.Free();
  Pass(30);
  EXPECT_EQ(num_events, b_.events.size());
}

// A timeout of what is under a filter is the filter's to tell.
TEST_P(ConformanceTimeout, BelowAFilter) {
  if (!flavour().has_filter()) GTEST_SKIP();
  SetTimeouts(link_.bottom(1), 10, 0);
  b_.Enable(EV_READ);
  ASSERT_TRUE(Until([&] { return !b_.events.empty(); }));
  EXPECT_EQ(kReadTimeout, b_.events[0]);
}

}  // namespace
}  // namespace conformance
