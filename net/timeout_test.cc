// Read and write timeouts in detail: what postpones them, what starts them anew, what takes them
// away, and what they leave behind. Time is measured only from below: a timeout may come late on a
// busy machine, but never early.
#include <memory>

#include "net/timeouts_testing.h"

namespace {

const long kHourMs = 3600 * 1000;
// Clocks that tick in milliseconds, and a loop that looks at the time once a turn.
const long long kClockSlackUsec = 5000;

class Timeout : public WithTimeouts {
 protected:
  bool AwaitEvents(size_t num_events) {
    return loop_.RunUntil([&] { return bev_.events.size() >= num_events; });
  }
};

INSTANTIATE_TEST_SUITE_P(All, Timeout, ::testing::ValuesIn(kKinds), KindName);

// ---- Progress ----

// Both directions see progress at intervals far below the timeout for longer than the timeout.
TEST_P(Timeout, ProgressPostpones) {
  const long kTimeoutMs = 400;
  Clog(64 << 20);
  bev_.Enable(EV_READ);
  EXPECT_EQ(0, Set(bev_, kTimeoutMs, kTimeoutMs));
  const long long begin = WallUsec();
  long long last = begin;
  long long longest = 0;
  while (WallUsec() - begin < kTimeoutMs * 1500) {
    pair_.Send("x");
    pair_.Recv(300000);
    Pass(20);
    longest = std::max(longest, WallUsec() - last);
    last = WallUsec();
  }
  EXPECT_GT(bev_.output_len(), 0u);
  // A machine that stood still for so long proves nothing.
  if (longest > kTimeoutMs * 1000 / 2) GTEST_SKIP() << "the machine stood still";
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(Timeout, CountsFromTheLastProgress) {
  EXPECT_EQ(0, Set(bev_, 60, 0));
  bev_.Enable(EV_READ);
  long long sent = 0;
  for (int i = 0; i < 4; i++) {
    Pass(15);
    sent = WallUsec();
    pair_.Send("x");
    EXPECT_TRUE(loop_.RunUntil([&] { return bev_.reads > i || !bev_.events.empty(); }));
  }
  EXPECT_TRUE(AwaitEvents(1));
  EXPECT_EQ(std::vector<short>{kReadTimeout}, bev_.events);
  if (bev_.received.size() < 4) GTEST_SKIP() << "the machine stood still";
  EXPECT_GE(WallUsec() - sent, 60000 - kClockSlackUsec);
}

// What the kernel holds counts before the time that has passed: a loop that was kept busy beyond
// the timeout reads first.
TEST_P(Timeout, DataThatWaitsBeatsTheTimeout) {
  // libevent lets the direction time out first, and reads only when it is enabled again.
  if (kOnLibevent) GTEST_SKIP();
  EXPECT_EQ(0, Set(bev_, 20, 0));
  bev_.Enable(EV_READ);
  loop_.Settle();
  if (!bev_.events.empty()) GTEST_SKIP() << "the machine stood still";
  pair_.Send("x");
  ASSERT_TRUE(WaitForArrival(pair_[0]));
  const long long begin = WallUsec();
  while (WallUsec() - begin < 40000) continue;
  loop_.Settle(1);
  EXPECT_EQ("x", bev_.received);
  EXPECT_TRUE(bev_.events.empty());
  EXPECT_TRUE(AwaitEvents(1));
  EXPECT_EQ(kReadTimeout, bev_.events[0]);
}

// ---- Directions that do not wait ----

TEST_P(Timeout, EnabledAnewStartsAnew) {
  EXPECT_EQ(0, Set(bev_, 60, 0));
  for (int round = 0; round < 3; round++) {
    bev_.Enable(EV_READ);
    Pass(20);
    bev_.Disable(EV_READ);
    Pass(25);
  }
  if (!bev_.events.empty()) GTEST_SKIP() << "the machine stood still";
  const long long enabled = WallUsec();
  bev_.Enable(EV_READ);
  EXPECT_TRUE(AwaitEvents(1));
  EXPECT_GE(WallUsec() - enabled, 60000 - kClockSlackUsec);
  EXPECT_EQ(std::vector<short>{kReadTimeout}, bev_.events);
}

TEST_P(Timeout, NotWhileDisabledThoughArmed) {
  EXPECT_EQ(0, Set(bev_, 20, 20));
  bev_.Enable(EV_READ);
  Clog();
  if (!bev_.events.empty()) GTEST_SKIP() << "the machine stood still";
  bev_.Disable(EV_READ | EV_WRITE);
  Pass(60);
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(Timeout, SuspendedThenResumedStartsAnew) {
  bev_.StopTaking();
  bev_.Watermark(EV_READ, 0, 4);
  EXPECT_EQ(0, Set(bev_, 40, 0));
  pair_.Send("abcd");
  bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 4; }));
  Pass(100);
  EXPECT_TRUE(bev_.events.empty());
  const long long resumed = WallUsec();
  bev_.Take();
  EXPECT_TRUE(AwaitEvents(1));
  EXPECT_GE(WallUsec() - resumed, 40000 - kClockSlackUsec);
  EXPECT_EQ(std::vector<short>{kReadTimeout}, bev_.events);
}

TEST_P(Timeout, WritingWaitsOnlyWithOutput) {
  EXPECT_EQ(0, Set(bev_, 0, 30));
  bev_.Enable(EV_WRITE);
  Pass(80);
  EXPECT_TRUE(bev_.events.empty());
  // What was written is no output any more, though the timer may be armed still.
  bev_.Write("abc");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.output_len() == 0; }));
  Pass(80);
  EXPECT_TRUE(bev_.events.empty());
  const long long clogged = WallUsec();
  Clog();
  EXPECT_TRUE(AwaitEvents(1));
  EXPECT_GE(WallUsec() - clogged, 30000 - kClockSlackUsec);
  EXPECT_EQ(std::vector<short>{kWriteTimeout}, bev_.events);
  EXPECT_EQ(0, bufferevent_get_enabled(bev_) & EV_WRITE);
}

TEST_P(Timeout, NothingAfterTheEndOfData) {
  EXPECT_EQ(0, Set(bev_, 20, 0));
  bev_.Enable(EV_READ);
  pair_.ShutdownWrite();
  EXPECT_TRUE(AwaitEvents(1));
  if (bev_.events[0] != (BEV_EVENT_READING | BEV_EVENT_EOF)) GTEST_SKIP() << "too slow a machine";
  Pass(60);
  EXPECT_EQ(1u, bev_.events.size());
}

TEST_P(Timeout, NothingWithoutASocket) {
  // libevent lets a bufferevent that has no socket time out, depending on the order of the calls.
  if (kOnLibevent) GTEST_SKIP();
  Bev early(loop_, -1, GetParam().options);
  Bev late(loop_, -1, GetParam().options);
  EXPECT_EQ(0, Set(early, 10, 10));
  early.Enable(EV_READ);
  early.Write("abc");
  late.Enable(EV_READ);
  late.Write("abc");
  EXPECT_EQ(0, Set(late, 10, 10));
  Pass(40);
  EXPECT_TRUE(early.events.empty());
  EXPECT_TRUE(late.events.empty());
  EXPECT_EQ(0, Set(early, 10, kHourMs));  // Other threads may take longer than that to write.
  early.SetFd(pair_[0]);
  EXPECT_TRUE(loop_.RunUntil([&] { return !early.events.empty(); }));
  EXPECT_EQ(std::vector<short>{kReadTimeout}, early.events);
}

TEST_P(Timeout, AnotherSocketStartsAnew) {
  Pair other(GetParam().tcp);
  EXPECT_EQ(0, Set(bev_, 60, 0));
  bev_.Enable(EV_READ);
  Pass(30);
  if (!bev_.events.empty()) GTEST_SKIP() << "the machine stood still";
  const long long set = WallUsec();
  bev_.SetFd(other[0]);
  EXPECT_TRUE(AwaitEvents(1));
  EXPECT_GE(WallUsec() - set, 60000 - kClockSlackUsec);
}

// ---- Changing them ----

TEST_P(Timeout, ShortenedWhileArmed) {
  EXPECT_EQ(0, Set(bev_, kHourMs, kHourMs));
  bev_.Enable(EV_READ);
  Clog();
  EXPECT_EQ(0, Set(bev_, 20, kHourMs));
  EXPECT_TRUE(AwaitEvents(1));
  EXPECT_EQ(0, Set(bev_, kHourMs, 20));
  EXPECT_TRUE(AwaitEvents(2));
  EXPECT_EQ((std::vector<short>{kReadTimeout, kWriteTimeout}), bev_.events);
}

TEST_P(Timeout, LengthenedWhileArmed) {
  EXPECT_EQ(0, Set(bev_, 50, 50));
  bev_.Enable(EV_READ);
  Clog();
  if (!bev_.events.empty()) GTEST_SKIP() << "the machine stood still";
  EXPECT_EQ(0, Set(bev_, kHourMs, kHourMs));
  Pass(120);
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(Timeout, RemovedWhileArmedAndSetAgain) {
  EXPECT_EQ(0, Set(bev_, 50, 50));
  bev_.Enable(EV_READ);
  Clog();
  if (!bev_.events.empty()) GTEST_SKIP() << "the machine stood still";
  EXPECT_EQ(0, Set(bev_, 0, 0));
  Pass(120);
  EXPECT_TRUE(bev_.events.empty());
  const long long set = WallUsec();
  EXPECT_EQ(0, Set(bev_, 20, 0));
  EXPECT_TRUE(AwaitEvents(1));
  EXPECT_GE(WallUsec() - set, 20000 - kClockSlackUsec);
  EXPECT_EQ(std::vector<short>{kReadTimeout}, bev_.events);
}

TEST_P(Timeout, AZeroTimeIsNone) {
  const struct timeval zero = {0, 0};
  EXPECT_EQ(0, bufferevent_set_timeouts(bev_, &zero, &zero));
  bev_.Enable(EV_READ);
  Pass(30);
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(Timeout, CommonTimeout) {
  const struct timeval plain = Ms(25);
  const struct timeval *const common = event_base_init_common_timeout(loop_, &plain);
  ASSERT_NE(nullptr, common);
  const long long begin = WallUsec();
  EXPECT_EQ(0, bufferevent_set_timeouts(bev_, common, common));
  bev_.Enable(EV_READ);
  Pass(10);
  pair_.Send("x");
  EXPECT_TRUE(AwaitEvents(1));
  EXPECT_GE(WallUsec() - begin, 25000 - kClockSlackUsec);
  EXPECT_EQ(std::vector<short>{kReadTimeout}, bev_.events);
  Clog();
  EXPECT_TRUE(AwaitEvents(2));
  EXPECT_EQ(kWriteTimeout, bev_.events[1]);
}

// ---- Inside the callback ----

TEST_P(Timeout, EnabledAgainInItsCallback) {
  EXPECT_EQ(0, Set(bev_, 10, 0));
  bev_.on_event = [&](short) {
    EXPECT_EQ(0, bufferevent_get_enabled(bev_) & EV_READ);
    if (bev_.events.size() < 3) bev_.Enable(EV_READ);
  };
  const long long begin = WallUsec();
  bev_.Enable(EV_READ);
  EXPECT_TRUE(AwaitEvents(3));
  EXPECT_GE(WallUsec() - begin, 3 * 10000 - kClockSlackUsec);
  EXPECT_EQ((std::vector<short>{kReadTimeout, kReadTimeout, kReadTimeout}), bev_.events);
}

TEST_P(Timeout, FreedInItsCallback) {
  Clog();
  bev_.on_event = [&](short) { bev_.Free(); };
  bev_.Enable(EV_READ);
  // Both are due at once; the second has nobody to tell.
  EXPECT_EQ(0, Set(bev_, 10, 10));
  EXPECT_TRUE(AwaitEvents(1));
  Pass(30);
  EXPECT_EQ(1u, bev_.events.size());
}

TEST_P(Timeout, TwoAtOnceAreTwoEventsUnlessDeferred) {
  Clog();
  bev_.Enable(EV_READ);
  EXPECT_EQ(0, Set(bev_, 10, 10));
  const auto all = [&] {
    short what = 0;
    for (const short event : bev_.events) what = static_cast<short>(what | event);
    return what;
  };
  // The system may take some more of the output, and put that timeout off.
  EXPECT_TRUE(loop_.RunUntil([&] { return all() == (kReadTimeout | kWriteTimeout); }));
  if (!(GetParam().options & BEV_OPT_DEFER_CALLBACKS)) {
    EXPECT_EQ((std::vector<short>{kReadTimeout, kWriteTimeout}), bev_.events);
  }
  EXPECT_EQ(0, bufferevent_get_enabled(bev_));
}

TEST_P(Timeout, CallbacksChangedBeforeItIsDue) {
  EXPECT_EQ(0, Set(bev_, 10, 0));
  bev_.Enable(EV_READ);
  bufferevent_setcb(bev_, nullptr, nullptr, nullptr, nullptr);
  Pass(40);
  EXPECT_TRUE(bev_.events.empty());
  EXPECT_EQ(0, bufferevent_get_enabled(bev_) & EV_READ);  // It is disabled nevertheless.
}

// ---- The loop ----

TEST_P(Timeout, EndsATurnOfTheLoop) {
  EXPECT_EQ(0, Set(bev_, 10, 0));
  bev_.Enable(EV_READ);
  // Another event keeps the loop from ending for lack of any.
  struct event *other = event_new(
      loop_, -1, 0, [](evutil_socket_t, short, void *) {}, nullptr);
  const struct timeval later = Ms(10000);
  event_add(other, &later);
  const long long begin = WallUsec();
  while (bev_.events.empty() && WallUsec() - begin < 10000000) event_base_loop(loop_, EVLOOP_ONCE);
  EXPECT_LT(WallUsec() - begin, 9000000);
  event_free(other);
}

TEST_P(Timeout, TimerOfAnInactiveDirectionDoesNotKeepTheLoop) {
  EXPECT_EQ(0, Set(bev_, kHourMs, kHourMs));
  bev_.Enable(EV_READ | EV_WRITE);
  bev_.Write("abc");
  loop_.Settle();
  EXPECT_EQ(0u, bev_.output_len());
  bev_.Disable(EV_READ);
  const long long begin = WallUsec();
  EXPECT_EQ(1, event_base_dispatch(loop_));
  EXPECT_LT(WallUsec() - begin, 60000000);
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(Timeout, TimerOfAnActiveDirectionKeepsTheLoop) {
  EXPECT_EQ(0, Set(bev_, 30, 0));
  bev_.Enable(EV_READ);
  const long long begin = WallUsec();
  EXPECT_EQ(1, event_base_dispatch(loop_));  // Until reading has timed out and is disabled.
  EXPECT_GE(WallUsec() - begin, 30000 - kClockSlackUsec);
  EXPECT_EQ(std::vector<short>{kReadTimeout}, bev_.events);
}

TEST_P(Timeout, FreedWhileArmed) {
  for (int round = 0; round < 20; round++) {
    Pair pair(GetParam().tcp);
    Bev bev(loop_, pair[0], GetParam().options);
    EXPECT_EQ(0, Set(bev, 1 + round % 3, 1 + round % 2));
    bev.Enable(EV_READ);
    bev.Write("abc");
    if (round % 2) Pass(1);
    bev.Free();
  }
  Pass(10);
}

TEST_P(Timeout, ManyAtOnce) {
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Bev>> bevs;
  for (int i = 0; i < 50; i++) {
    pairs.push_back(std::make_unique<Pair>());
    bevs.push_back(std::make_unique<Bev>(loop_, (*pairs.back())[0], GetParam().options));
    EXPECT_EQ(0, Set(*bevs.back(), 10 + i % 7, 0));
    bevs.back()->Enable(EV_READ);
  }
  EXPECT_TRUE(loop_.RunUntil([&] {
    return std::all_of(bevs.begin(), bevs.end(),
                       [](const std::unique_ptr<Bev> &bev) { return !bev->events.empty(); });
  }));
  for (const auto &bev : bevs) EXPECT_EQ(std::vector<short>{kReadTimeout}, bev->events);
}

// ---- Connecting ----

TEST_P(Timeout, WhileConnecting) {
  if (!GetParam().tcp) GTEST_SKIP();
  const SilentListener listener;
  struct sockaddr_in sin = listener.address();
  // Whether writing is enabled makes no difference.
  for (const bool is_enabled : {true, false}) {
    Bev bev(loop_, -1, GetParam().options | BEV_OPT_CLOSE_ON_FREE);
    if (!is_enabled) bev.Disable(EV_WRITE);
    EXPECT_EQ(0, Set(bev, 0, 30));
    const long long begin = WallUsec();
    ASSERT_EQ(
        0, bufferevent_socket_connect(bev, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
    ASSERT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
    if (bev.events[0] == BEV_EVENT_CONNECTED) continue;
    EXPECT_EQ(kWriteTimeout, bev.events[0]);
    EXPECT_GE(WallUsec() - begin, 30000 - kClockSlackUsec);
    EXPECT_EQ(0, bufferevent_get_enabled(bev) & EV_WRITE);
    // It is told once; libevent tells it again and again.
    Pass(100);
    if (kOnLibevent) {
      EXPECT_LE(2u, bev.events.size());
      continue;
    }
    EXPECT_EQ(1u, bev.events.size());
    bev.Enable(EV_WRITE);  // Who enables it waits on.
    ASSERT_TRUE(loop_.RunUntil([&] { return bev.events.size() == 2; }));
    EXPECT_TRUE(bev.events[1] == kWriteTimeout || bev.events[1] == BEV_EVENT_CONNECTED);
  }
}

}  // namespace
