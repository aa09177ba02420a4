// event_enable_debug_mode(): misuse is noticed, proper use is not disturbed, in many threads too.
// Debug mode has to be turned on before anything else is done, so this test has a binary of its
// own.
#include <event2/thread.h>
#include <stdlib.h>

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

// A program that wants to write its own report, or to end in its own way.
TEST(DebugModeDeathTest, FatalCallbackIsAsked) {
  Loop loop;
  struct event ev;
  memset(&ev, 0, sizeof(ev));
  ev.ev_base = loop;
  EXPECT_EXIT(
      {
        const int means_abort = static_cast<int>(0xdeaddead);
        event_set_fatal_callback([](int error) { exit(error == means_abort ? 42 : 1); });
        event_add(&ev, nullptr);
      },
      testing::ExitedWithCode(42), "");
}

TEST(DebugMode, LevelAndEdgeDoNotMix) {
  QuietLog quiet;
  Loop loop;
  if (!(event_base_get_features(loop) & EV_FEATURE_ET)) GTEST_SKIP();
  Pair pair;
  Ev level(loop, pair[0], EV_READ | EV_PERSIST), edge(loop, pair[0], EV_READ | EV_PERSIST | EV_ET);
  Ev other_edge(loop, pair[0], EV_WRITE | EV_PERSIST | EV_ET);
  EXPECT_EQ(0, level.Add());
  EXPECT_EQ(-1, edge.Add());
  level.Del();
  EXPECT_EQ(0, edge.Add());
  EXPECT_EQ(0, other_edge.Add());
  EXPECT_EQ(-1, level.Add());
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

// What is still known then is forgotten, and not leaked; debug mode is off, and may come again.
void ShutDownWithEventsKnown() {
  struct event events[100];
  struct event_base *base = event_base_new();
  for (struct event &ev : events) event_assign(&ev, base, -1, 0, Ignore, nullptr);
  event_base_free(base);
  libevent_global_shutdown();
  event_enable_debug_mode();
  event_set_fatal_callback([](int) { exit(42); });
  events[0].ev_base = base = event_base_new();
  event_add(&events[0], nullptr);
  exit(0);
}

TEST(DebugModeDeathTest, GlobalShutdownForgetsEvents) {
  if (kOnLibevent) GTEST_SKIP() << "libevent ends the program: it remembers that there was a base";
  EXPECT_EXIT(ShutDownWithEventsKnown(), testing::ExitedWithCode(42), "");
}

}  // namespace
