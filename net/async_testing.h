// What the tests of bufferevents and of listeners over a completion port share.
#ifndef NET_ASYNC_TESTING_H_
#define NET_ASYNC_TESTING_H_

#include "net/test_support.h"

extern "C" {
#include "loop/completion.h"
}

class Async : public ::testing::Test {
 protected:
  Async() {
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_COMPLETION);
    base_ = event_base_new_with_config(config);
    event_config_free(config);
    if (event_base_port_features(base_) == 0) event_base_free(std::exchange(base_, nullptr));
  }
  void SetUp() override {
    if (base_ == nullptr) GTEST_SKIP() << "this system has no completion port";
  }
  ~Async() override { FreeBase(); }
  void FreeBase() {
    if (base_ != nullptr) event_base_free(std::exchange(base_, nullptr));
  }
  void Settle(int turns = 5) {
    for (int i = 0; i < turns; i++) event_base_loop(base_, kLook);
  }
  bool RunUntil(const std::function<bool()> &done) {
    const long long begin = WallUsec();
    while (!done() && WallUsec() - begin < 20000000) event_base_loop(base_, kLook);
    return done();
  }

  static constexpr int kLook = EVLOOP_ONCE | EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY;
  struct event_base *base_;
};

#endif  // NET_ASYNC_TESTING_H_
