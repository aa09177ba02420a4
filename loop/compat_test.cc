// The functions that name no base: they go to the one that event_init() made last.
#include <event2/event_compat.h>

#include <string>

#include "loop/test_support.h"

namespace {

class Compat : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(nullptr, base_); }
  void TearDown() override { event_base_free(base_); }
  static void Count(evutil_socket_t, short, void *arg) { ++*static_cast<int *>(arg); }

  struct event_base *base_ = event_init();
  int calls_ = 0;
};

TEST_F(Compat, EventBelongsToTheCurrentBase) {
  struct event ev;
  event_set(&ev, -1, EV_TIMEOUT, Count, &calls_);
  EXPECT_EQ(base_, event_get_base(&ev));
  const struct timeval at_once = {0, 0};
  EXPECT_EQ(0, event_add(&ev, &at_once));
  EXPECT_EQ(1, event_dispatch());
  EXPECT_EQ(1, calls_);
  Loop other;
  EXPECT_EQ(0, event_base_set(other, &ev));
  EXPECT_EQ(other, event_get_base(&ev));
}

TEST_F(Compat, LoopAndOnce) {
  EXPECT_EQ(1, event_loop(EVLOOP_NONBLOCK)) << "there is nothing";
  EXPECT_EQ(0, event_once(-1, EV_TIMEOUT, Count, &calls_, nullptr));
  event_loop(EVLOOP_ONCE);
  EXPECT_EQ(1, calls_);
}

TEST_F(Compat, LoopExit) {
  struct event late;
  event_set(&late, -1, EV_TIMEOUT, Count, &calls_);
  const struct timeval hour = {3600, 0}, soon = {0, 1000};
  event_add(&late, &hour);
  EXPECT_EQ(0, event_loopexit(&soon));
  EXPECT_EQ(0, event_dispatch());
  EXPECT_EQ(0, event_loopexit(nullptr));
  EXPECT_EQ(0, event_dispatch());
  EXPECT_TRUE(event_base_got_exit(base_));
  EXPECT_EQ(0, calls_);
  event_del(&late);
}

TEST_F(Compat, LoopBreak) {
  struct event first, second;
  event_set(
      &first, -1, EV_TIMEOUT,
      [](evutil_socket_t, short, void *) { EXPECT_EQ(0, event_loopbreak()); }, nullptr);
  event_set(&second, -1, EV_TIMEOUT, Count, &calls_);
  event_active(&first, EV_TIMEOUT, 1);
  event_active(&second, EV_TIMEOUT, 1);
  EXPECT_EQ(0, event_dispatch());
  EXPECT_TRUE(event_base_got_break(base_));
  EXPECT_EQ(0, calls_);
  EXPECT_EQ(1, event_dispatch());
  EXPECT_EQ(1, calls_);
}

TEST_F(Compat, MethodAndPriorities) {
  EXPECT_EQ(std::string(event_base_get_method(base_)), event_get_method());
  EXPECT_EQ(0, event_priority_init(5));
  EXPECT_EQ(5, event_base_get_npriorities(base_));
}

}  // namespace
