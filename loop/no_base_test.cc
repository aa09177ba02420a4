// Events that belong to no base: a program that never made one, and calls event_set().
#include <event2/event_compat.h>

#include <string>

#include "loop/test_support.h"

namespace {

std::string messages;

void Collect(int, const char *message) {
  messages += message;
  messages += '\n';
}

class NoBase : public ::testing::Test {
 protected:
  void SetUp() override {
    messages.clear();
    event_set_log_callback(Collect);
    event_set(&ev_, -1, EV_READ, Fail, nullptr);
    ASSERT_EQ(nullptr, event_get_base(&ev_));
  }
  void TearDown() override { event_set_log_callback(nullptr); }
  static void Fail(evutil_socket_t, short, void *) { FAIL(); }

  // How often something was said since the last time.
  static int NumMessages() {
    int num = 0;
    for (char c : messages) num += c == '\n';
    messages.clear();
    return num;
  }

  struct event ev_;
};

TEST_F(NoBase, EventCannotBeUsed) {
  const struct timeval at_once = {0, 0};
  EXPECT_EQ(-1, event_add(&ev_, &at_once));
  EXPECT_EQ(1, NumMessages());
  EXPECT_EQ(-1, event_del(&ev_));
  EXPECT_EQ(1, NumMessages());
  event_active(&ev_, EV_READ, 1);
  EXPECT_EQ(1, NumMessages());
  EXPECT_EQ(0, event_pending(&ev_, EV_READ | EV_TIMEOUT, nullptr));
  EXPECT_EQ(1, NumMessages());
  EXPECT_EQ(-1, event_finalize(0, &ev_, [](struct event *, void *) { FAIL(); }));
  EXPECT_EQ(1, NumMessages());
}

TEST_F(NoBase, EventMayBeGivenOne) {
  Loop loop;
  EXPECT_EQ(0, event_base_set(loop, &ev_));
  EXPECT_EQ(0, event_pending(&ev_, EV_READ, nullptr));
  EXPECT_EQ(0, NumMessages());
}

TEST_F(NoBase, FreeingNoneIsReported) {
  event_base_free(nullptr);
  EXPECT_EQ(1, NumMessages());
}

}  // namespace
