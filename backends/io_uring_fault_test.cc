// What a base over io_uring makes of system calls that fail (util/testing/faults.h): it is not
// there and another backend is, or it goes on and nothing gets lost.
#include "backends/testing/completion_fixture.h"
#include "util/platform.h"
#include "util/testing/faults.h"

using completion_testing::Op;
using completion_testing::Pattern;

namespace {

// A plan for one scope.
struct Plan {
  explicit Plan(const std::string &plan) { EXPECT_EQ(0, strata_faults_set(plan.c_str())) << plan; }
  ~Plan() { strata_faults_set(nullptr); }
};

constexpr int kLook = EVLOOP_ONCE | EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY;

class IoUringFault : public ::testing::Test {
 protected:
  void SetUp() override {
    event_set_log_callback([](int, const char *) {});
    MakeBase(EVENT_BASE_FLAG_COMPLETION);
  }
  void TearDown() override {
    FreeBase();
    event_set_log_callback(nullptr);
  }

  void FreeBase() {
    if (base_ != nullptr) event_base_free(base_);
    base_ = nullptr;
  }
  void MakeBase(int flags) {
    FreeBase();
    struct event_config *config = event_config_new();
    EXPECT_EQ(0, event_config_set_flag(config, flags));
    base_ = event_base_new_with_config(config);
    event_config_free(config);
    ASSERT_NE(nullptr, base_);
  }
  bool HasPort() const { return event_base_port_features(base_) != 0; }
  bool RunUntil(const std::function<bool()> &done) {
    const long long begin = WallUsec();
    while (!done() && WallUsec() - begin < 20000000) {
      if (event_base_loop(base_, kLook) < 0) num_failed_++;
    }
    return done();
  }
  // Bytes of a pair through operations of each kind of receive, and an event.
  void Exchange(int num_rounds) {
    Pair pair, repeated_pair, watched;
    Op recv, send, repeated;
    Ev event(base_, watched[0], EV_READ | EV_PERSIST,
             [&](evutil_socket_t, short) { EXPECT_EQ("w", watched.Recv(0)); });
    event.Add();
    ASSERT_EQ(0, repeated.RecvRepeatedly(repeated_pair[0]).Launch(base_));
    for (int i = 1; i <= num_rounds; i++) {
      const std::string message = Pattern(100, static_cast<unsigned>(i));
      i % 2 ? recv.Recv(pair[0]) : recv.RecvInto(pair[0], {60, 60});
      ASSERT_EQ(0, recv.Launch(base_));
      ASSERT_EQ(0, send.Send(pair[1], {message}).Launch(base_));
      repeated_pair.Send(1, "r");
      watched.Send(1, "w");
      ASSERT_TRUE(RunUntil([&] {
        return recv.IsDone() && send.IsDone() && event.calls == i &&
               repeated.stream.size() == static_cast<size_t>(i);
      })) << i;
      EXPECT_EQ(message, recv.bytes);
      if (i % 4) continue;
      event.Del();
      event.Add();
    }
    repeated.Cancel();
    ASSERT_TRUE(RunUntil([&] { return repeated.IsDone(); }));
  }

  struct event_base *base_ = nullptr;
  int num_failed_ = 0;
};

// What is logged, with debug messages, while there is one. Severity and text.
class Logged {
 public:
  Logged() {
    Lines().clear();
    event_enable_debug_logging(EVENT_DBG_ALL);
    event_set_log_callback(
        [](int severity, const char *text) { Lines().emplace_back(severity, text); });
  }
  ~Logged() {
    event_set_log_callback([](int, const char *) {});
    event_enable_debug_logging(EVENT_DBG_NONE);
  }
  static std::vector<std::pair<int, std::string>> &Lines() {
    static std::vector<std::pair<int, std::string>> lines;
    return lines;
  }
};

// A program that asks for completions hears of it only if it asked for debug messages.
TEST_F(IoUringFault, AnotherBackendWhenThereIsNone) {
  if (!HasPort()) GTEST_SKIP() << "the system has no io_uring";
  const std::vector<std::pair<int, std::string>> told = {
      {EVENT_LOG_DEBUG, "event_base_new: no completion port is available"}};
  for (const char *error : {"enosys", "eperm", "enomem", "emfile"}) {
    // Memory may be enough for a smaller ring.
    const unsigned num_tried = strcmp(error, "enomem") == 0 ? 2 : 1;
    const Plan plan(std::string(error) + ":on=open:rate=100:count=" + std::to_string(num_tried));
    {
      const Logged logged;
      MakeBase(EVENT_BASE_FLAG_COMPLETION);
      EXPECT_EQ(told, logged.Lines()) << error;
    }
    EXPECT_EQ(num_tried, strata_faults_total()) << error;
    EXPECT_STRNE("io_uring", event_base_get_method(base_));
    EXPECT_FALSE(HasPort());
    Pair pair;
    Ev event(base_, pair[0], EV_READ);
    event.Add();
    pair.Send(1, "x");
    EXPECT_TRUE(RunUntil([&] { return event.calls == 1; }));
    Op recv;
    EXPECT_EQ(-1, recv.Recv(pair[0]).Launch(base_));
    EXPECT_EQ(ENOTSUP, errno);
  }
}

TEST_F(IoUringFault, ASmallerRingWhenMemoryIsShort) {
  if (!HasPort()) GTEST_SKIP();
  const Plan plan("enomem:on=open:rate=100:count=1");
  MakeBase(EVENT_BASE_FLAG_COMPLETION);
  EXPECT_TRUE(HasPort());
  Exchange(20);
}

// The child of a fork(2) whose ring can't be made hears of it.
TEST_F(IoUringFault, NoRingInAChild) {
  if (!HasPort()) GTEST_SKIP();
  const pid_t child = fork();
  ASSERT_NE(-1, child);
  if (child == 0) {
    strata_faults_set("enomem:on=open:rate=100:count=2");
    const bool failed = event_reinit(base_) == -1;
    const bool has_recovered = event_reinit(base_) == 0 && event_base_loop(base_, kLook) >= 0;
    _exit(failed && has_recovered ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
}

TEST_F(IoUringFault, EnterIsInterrupted) {
  if (!HasPort()) GTEST_SKIP();
  const Plan plan("eintr:on=wait:rate=50");
  // Only waits that may sleep.
  Pair pair;
  for (int i = 0; i < 50; i++) {
    Op recv;
    Ev timer(base_, -1, 0, [&](evutil_socket_t, short) { pair.Send(1, "x"); });
    timer.AddMs(1);
    ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
    while (!recv.IsDone())
      ASSERT_NE(-1, event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY));
    EXPECT_EQ("x", recv.bytes);
  }
  EXPECT_GT(strata_faults_total(), 0u);
}

TEST_F(IoUringFault, EnterTakesNothingForNow) {
  if (!HasPort()) GTEST_SKIP();
  const Plan plan("eagain,ebusy:on=wait:rate=40");
  Exchange(200);
  EXPECT_GT(strata_faults_total(), 0u);
  EXPECT_EQ(0, num_failed_);
}

// The loop tells, and goes on when it is asked to.
TEST_F(IoUringFault, EnterIsOutOfMemory) {
  if (!HasPort()) GTEST_SKIP();
  const Plan plan("enomem:on=wait:rate=20");
  Exchange(200);
  EXPECT_GT(strata_faults_total(), 0u);
  EXPECT_GT(num_failed_, 0);
}

// Whatever the kernel has is waited for, and each function runs once.
TEST_F(IoUringFault, EnterIsOutOfMemoryWhenTheBaseIsFreed) {
  if (!HasPort()) GTEST_SKIP();
  Pair pair, later_pair;
  Op recv, later;
  ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
  event_base_loop(base_, kLook);
  ASSERT_EQ(0, later.Recv(later_pair[0]).Launch(base_));
  const Plan plan("enomem:on=wait:rate=100:count=3");
  FreeBase();
  EXPECT_EQ(3u, strata_faults_total());
  for (Op *op : {&recv, &later}) {
    EXPECT_EQ(1, op->num_done);
    EXPECT_TRUE(op->IsCancelled());
    EXPECT_FALSE(op->IsPending());
  }
}

// As on a kernel before Linux 5.19.
TEST_F(IoUringFault, NoRingOfBuffers) {
  if (!HasPort()) GTEST_SKIP();
  for (const char *error : {"einval", "enomem"}) {
    MakeBase(EVENT_BASE_FLAG_COMPLETION);
    const Plan plan(std::string(error) + ":on=open:rate=100:count=1");
    Exchange(50);
    EXPECT_EQ(1u, strata_faults_total()) << error;
  }
}

// epoll's own: a precise wait falls back to one in milliseconds, or goes on.
TEST_F(IoUringFault, PreciseWaitsOfEpoll) {
  for (const char *error : {"enosys", "eperm", "eintr"}) {
    MakeBase(EVENT_BASE_FLAG_PRECISE_TIMER);
    if (strcmp(event_base_get_method(base_), "epoll") != 0) GTEST_SKIP();
    const Plan plan(std::string(error) + ":on=wait:rate=100:count=2");
    Ev timer(base_, -1, 0);
    for (int i = 1; i <= 3; i++) {
      const long long begin = WallUsec();
      timer.AddMs(2);
      while (timer.calls < i) ASSERT_NE(-1, event_base_loop(base_, EVLOOP_ONCE));
      EXPECT_GE(WallUsec() - begin, 1900);
    }
    // Nobody refuses the wait in milliseconds, which a portable build does from the start.
    const bool happens = STRATA_HAVE_EPOLL_PWAIT2 || strcmp(error, "eintr") == 0;
    EXPECT_EQ(happens, strata_faults_total() > 0) << error;
  }
}

}  // namespace
