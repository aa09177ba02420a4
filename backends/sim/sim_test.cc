// The simulated backend itself: what tests that stand on it may rely on.
#include "backends/sim/sim.h"

#include <errno.h>

#include <memory>
#include <string>
#include <vector>

#include "loop/test_support.h"
#include "util/clock.h"

namespace {

constexpr int64_t kSecond = STRATA_NS_PER_SECOND;

class Sim : public ::testing::Test {
 protected:
  Sim() {
    start_ns_ = strata_sim_now_ns(sim_);
    EXPECT_NE(nullptr, base_);
  }
  ~Sim() override {
    event_base_free(base_);
    strata_sim_free(sim_);
  }
  int64_t Now() const { return strata_sim_now_ns(sim_) - start_ns_; }
  int Dispatch() { return event_base_dispatch(base_); }
  void Turn() { event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK); }

  struct strata_sim *sim_ = strata_sim_new();
  struct event_base *base_ = strata_sim_base_new(sim_, nullptr);
  int64_t start_ns_;
};

TEST_F(Sim, SaysWhatItIs) {
  EXPECT_STREQ("sim", event_base_get_method(base_));
  EXPECT_TRUE(event_base_get_features(base_) & EV_FEATURE_ET);
  EXPECT_LT(0, start_ns_);
}

TEST_F(Sim, TimeMovesToTheDeadline) {
  Ev ev(base_, -1, 0);
  ev.AddMs(86400 * 1000);
  EXPECT_EQ(1, Dispatch());
  EXPECT_EQ(86400 * kSecond, Now());
  EXPECT_EQ(1, strata_sim_num_waits(sim_));
}

TEST_F(Sim, TimeStandsStillWithoutAWait) {
  Ev ev(base_, -1, 0);
  ev.AddMs(1000);
  Turn();
  EXPECT_EQ(0, Now());
  strata_sim_advance(sim_, kSecond - 1000);
  Turn();
  EXPECT_EQ(0, ev.calls);
  strata_sim_advance(sim_, 1000);
  Turn();
  EXPECT_EQ(1, ev.calls);
}

TEST_F(Sim, ScriptHappensInItsOrderAndTime) {
  std::string log;
  std::vector<int64_t> times;
  auto note = [&](int fd, short) {
    log += static_cast<char>('0' + fd);
    times.push_back(Now() / kSecond);
    strata_sim_lower(sim_, fd, EV_READ);
  };
  std::vector<std::unique_ptr<Ev>> events;
  for (int fd = 1; fd <= 4; fd++) {
    events.emplace_back(new Ev(base_, fd, EV_READ, note));
    events.back()->Add();
  }
  for (int fd : {4, 2}) strata_sim_raise_at(sim_, start_ns_ + 7 * kSecond, fd, EV_READ);
  strata_sim_raise_at(sim_, start_ns_ + 9 * kSecond, 1, EV_READ);
  strata_sim_raise_at(sim_, start_ns_ + 3 * kSecond, 3, EV_READ);
  EXPECT_EQ(1, Dispatch());
  EXPECT_EQ("3421", log);
  EXPECT_EQ((std::vector<int64_t>{3, 7, 7, 9}), times);
}

TEST_F(Sim, ScriptTakesReadinessBack) {
  Ev ev(base_, 5, EV_READ | EV_PERSIST), timer(base_, -1, 0);
  timer.AddMs(10000);
  strata_sim_raise_at(sim_, start_ns_ + kSecond, 5, EV_READ);
  strata_sim_lower_at(sim_, start_ns_ + 2 * kSecond, 5, EV_READ);
  strata_sim_advance(sim_, 3 * kSecond);
  ev.Add();
  event_base_loop(base_, EVLOOP_ONCE);
  EXPECT_EQ(0, ev.calls);  // Both happened before the first look.
  EXPECT_EQ(1, timer.calls);
}

TEST_F(Sim, LevelIsReportedUntilItIsLowered) {
  Ev ev(base_, 5, EV_READ | EV_PERSIST);
  ev.Add();
  EXPECT_EQ(EV_READ, strata_sim_interest(sim_, 5));
  strata_sim_raise(sim_, 5, EV_READ | EV_WRITE);
  for (int turn = 1; turn <= 3; turn++) {
    Turn();
    EXPECT_EQ(turn, ev.calls);
    EXPECT_EQ(EV_READ, ev.last_what);
  }
  strata_sim_lower(sim_, 5, EV_READ);
  Turn();
  EXPECT_EQ(3, ev.calls);
}

TEST_F(Sim, EdgeIsReportedOncePerRaise) {
  Ev ev(base_, 5, EV_READ | EV_ET | EV_PERSIST);
  strata_sim_raise(sim_, 5, EV_READ);
  ev.Add();
  Turn();
  Turn();
  EXPECT_EQ(1, ev.calls);  // What was ready at the registration.
  strata_sim_raise(sim_, 5, EV_READ);
  Turn();
  Turn();
  EXPECT_EQ(2, ev.calls);
  strata_sim_raise(sim_, 5, EV_READ);
  strata_sim_lower(sim_, 5, EV_READ);
  Turn();
  EXPECT_EQ(2, ev.calls);  // Gone before anybody looked.
}

TEST_F(Sim, EdgeComesAgainWithAChangeOfInterest) {
  Ev ev(base_, 5, EV_READ | EV_ET | EV_PERSIST), other(base_, 5, EV_WRITE | EV_ET | EV_PERSIST);
  ev.Add();
  strata_sim_raise(sim_, 5, EV_READ);
  Turn();
  other.Add();
  Turn();
  EXPECT_EQ(2, ev.calls);
  EXPECT_EQ(2, strata_sim_num_changes(sim_));
}

TEST_F(Sim, HangUpIsReportedWhateverTheInterest) {
  Ev ev(base_, 5, EV_WRITE | EV_ET | EV_PERSIST);
  ev.Add();
  strata_sim_raise(sim_, 5, STRATA_EV_HANGUP);
  Turn();
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_WRITE | EV_ET, ev.last_what);
  Turn();
  EXPECT_EQ(1, ev.calls);
}

TEST_F(Sim, EarlyClose) {
  Ev ev(base_, 5, EV_CLOSED | EV_PERSIST);
  ev.Add();
  strata_sim_raise(sim_, 5, EV_READ);
  Turn();
  EXPECT_EQ(0, ev.calls);
  strata_sim_raise(sim_, 5, EV_CLOSED);
  Turn();
  EXPECT_EQ(EV_CLOSED, ev.last_what);
}

TEST_F(Sim, RefusedDescriptor) {
  Ev ev(base_, 5, EV_READ);
  strata_sim_refuse(sim_, 5, EPERM);
  EXPECT_EQ(-1, ev.Add());
  EXPECT_EQ(EPERM, errno);
  EXPECT_EQ(0, ev.Pending(EV_READ));
  strata_sim_refuse(sim_, 5, 0);
  EXPECT_EQ(0, ev.Add());
}

TEST_F(Sim, WaitThatFails) {
  QuietLog quiet;
  Ev ev(base_, -1, 0);
  ev.AddMs(1000);
  strata_sim_fail_wait(sim_, ENOMEM);
  EXPECT_EQ(-1, Dispatch());
  EXPECT_EQ(1, Dispatch());
}

TEST_F(Sim, WaitThatNothingWouldEnd) {
  QuietLog quiet;
  Ev ev(base_, 5, EV_READ);
  ev.Add();
  EXPECT_EQ(-1, Dispatch());
  strata_sim_raise_at(sim_, start_ns_, 5, EV_READ);  // A time that is over already.
  EXPECT_EQ(1, Dispatch());
}

TEST_F(Sim, ReinitBringsTheInterestsBack) {
  Ev ev(base_, 5, EV_READ | EV_PERSIST);
  ev.Add();
  strata_sim_raise(sim_, 5, EV_READ);
  EXPECT_EQ(0, event_reinit(base_));
  EXPECT_EQ(EV_READ, strata_sim_interest(sim_, 5));
  Turn();
  EXPECT_EQ(1, ev.calls);
}

TEST_F(Sim, NumbersThatAreNoDescriptors) {
  EXPECT_EQ(-1, strata_sim_raise(sim_, -1, EV_READ));
  EXPECT_EQ(EBADF, errno);
  EXPECT_EQ(0, strata_sim_interest(sim_, -1));
  EXPECT_EQ(0, strata_sim_interest(sim_, 1 << 20));
}

}  // namespace
