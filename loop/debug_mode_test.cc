// event_enable_debug_mode(): misuse is noticed, proper use is not disturbed, in many threads too.
// Debug mode has to be turned on before anything else is done, so this test has a binary of its
// own.
#include <event2/thread.h>

#include <atomic>
#include <thread>
#include <vector>

#include "loop/test_support.h"

namespace {

class DebugMode : public ::testing::Environment {
 public:
  void SetUp() override {
    event_enable_debug_mode();
    ASSERT_EQ(0, evthread_use_pthreads());
  }
  void TearDown() override { libevent_global_shutdown(); }
};
const ::testing::Environment *const environment =
    ::testing::AddGlobalTestEnvironment(new DebugMode);

void Ignore(evutil_socket_t, short, void *) {}

TEST(DebugModeDeathTest, TurnedOnTwice) {
  EXPECT_DEATH(event_enable_debug_mode(), "");
}

TEST(DebugModeDeathTest, EventThatWasNeverAssigned) {
  Loop loop;
  struct event ev;
  memset(&ev, 0, sizeof(ev));
  ev.ev_base = loop;
  EXPECT_DEATH(event_add(&ev, nullptr), "");
  EXPECT_DEATH(event_active(&ev, EV_READ, 1), "");
  EXPECT_DEATH(event_del(&ev), "");
}

TEST(DebugModeDeathTest, AssignedWhileAdded) {
  Loop loop;
  Ev ev(loop, -1, 0);
  ev.AddMs(3600000);
  EXPECT_DEATH(event_assign(ev.get(), loop, -1, 0, Ignore, nullptr), "");
}

TEST(DebugModeDeathTest, UsedAfterUnassign) {
  Loop loop;
  struct event ev;
  event_assign(&ev, loop, -1, 0, Ignore, nullptr);
  event_debug_unassign(&ev);
  EXPECT_DEATH(event_add(&ev, nullptr), "");
}

// Each is out of use afterwards, so filling it in anew is no misuse.
TEST(DebugMode, AssignedAnewWhenItIsOutOfUse) {
  Loop loop;
  Pair pair;
  struct event ev;
  const struct timeval soon = {0, 0}, late = {3600, 0};
  event_assign(&ev, loop, -1, 0, Ignore, nullptr);
  event_add(&ev, &soon);
  loop.Dispatch();  // Fired.
  event_assign(&ev, loop, pair[0], EV_READ | EV_PERSIST, Ignore, nullptr);
  event_add(&ev, &late);
  event_del(&ev);
  event_assign(&ev, loop, -1, 0, Ignore, nullptr);
  event_add(&ev, &late);
  event_finalize(0, &ev, [](struct event *, void *) {});
  loop.Dispatch();
  event_assign(&ev, loop, -1, 0, Ignore, nullptr);
  event_debug_unassign(&ev);
}

TEST(DebugMode, OnceAndFinalizeNeedNoCare) {
  Loop loop;
  for (int i = 0; i < 100; i++) {
    event_base_once(loop, -1, EV_TIMEOUT, Ignore, nullptr, nullptr);
    struct event *ev = event_new(loop, -1, EV_FINALIZE, Ignore, nullptr);
    const struct timeval late = {3600, 0};
    event_add(ev, &late);
    event_free_finalize(0, ev, [](struct event *, void *) {});
    loop.Dispatch();
  }
}

TEST(DebugMode, ManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> calls{0};
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      Loop loop;
      for (int i = 0; i < 500; i++) {
        Ev a(loop, -1, EV_PERSIST), b(loop, -1, 0, [&](int, short) { calls++; });
        a.AddMs(3600000);
        b.AddMs(0);
        loop.Turn();
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(2000, calls);
}

}  // namespace
