// Ending, breaking and restarting the loop, and its flags and return values.
#include <memory>
#include <vector>

#include "loop/test_support.h"

namespace {

TEST(LoopControl, EmptyBaseReturnsOne) {
  Loop loop;
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, loop.Once());
  EXPECT_EQ(1, loop.Turn());
  EXPECT_FALSE(event_base_got_exit(loop));
  EXPECT_FALSE(event_base_got_break(loop));
}

TEST(LoopControl, NonBlockReturnsZeroWhenNothingIsReady) {
  Loop loop;
  Ev ev(loop, -1, 0);
  ev.AddMs(3600000);
  EXPECT_EQ(0, event_base_loop(loop, EVLOOP_NONBLOCK));
  EXPECT_EQ(0, loop.Turn());
  EXPECT_EQ(0, ev.calls);
}

TEST(LoopControl, NoExitOnEmptyReturnsZero) {
  Loop loop;
  EXPECT_EQ(0, event_base_loop(loop, EVLOOP_NO_EXIT_ON_EMPTY | EVLOOP_NONBLOCK));
  const struct timeval soon = Ms(5);
  event_base_loopexit(loop, &soon);
  EXPECT_EQ(0, event_base_loop(loop, EVLOOP_NO_EXIT_ON_EMPTY));
  EXPECT_TRUE(event_base_got_exit(loop));
}

TEST(LoopControl, OnceWaitsForTheFirstEvent) {
  Loop loop;
  Ev first(loop, -1, 0);
  Ev second(loop, -1, 0);
  first.AddMs(10);
  second.AddMs(3600000);
  EXPECT_EQ(0, loop.Once());
  EXPECT_EQ(1, first.calls);
  EXPECT_EQ(0, second.calls);
}

TEST(LoopControl, OnceRunsEveryActiveEventOfAllPriorities) {
  Loop loop;
  event_base_priority_init(loop, 3);
  Ev keep(loop, -1, 0);
  keep.AddMs(3600000);
  std::vector<std::unique_ptr<Ev>> events;
  for (int i = 0; i < 3; i++) {
    events.emplace_back(new Ev(loop, -1, 0));
    event_priority_set(events.back()->get(), i);
    events.back()->Active(EV_READ);
  }
  EXPECT_EQ(0, loop.Once());
  for (auto &ev : events) EXPECT_EQ(1, ev->calls);
}

TEST(LoopControl, ExitAfterAllActiveEvents) {
  Loop loop;
  Pair pair;
  Ev first(loop, -1, 0, [&](int, short) { EXPECT_EQ(0, event_base_loopexit(loop, nullptr)); });
  Ev second(loop, -1, 0);
  Ev read(loop, pair[0], EV_READ);
  read.Add();
  first.Active(EV_READ);
  second.Active(EV_READ);
  EXPECT_EQ(0, loop.Dispatch());
  EXPECT_EQ(1, second.calls);
  EXPECT_TRUE(event_base_got_exit(loop));
  EXPECT_FALSE(event_base_got_break(loop));
  EXPECT_EQ(0, loop.Turn());
  EXPECT_FALSE(event_base_got_exit(loop));
}

TEST(LoopControl, ExitAfterATime) {
  Loop loop;
  int ticks = 0;
  Ev ev(loop, -1, EV_PERSIST, [&](int, short) { ticks++; });
  ev.AddMs(5);
  const struct timeval later = Ms(60);
  const long long start = WallUsec();
  EXPECT_EQ(0, event_base_loopexit(loop, &later));
  EXPECT_EQ(0, loop.Dispatch());
  EXPECT_GE(WallUsec() - start, 45000);
  EXPECT_GE(ticks, 1);
  EXPECT_TRUE(event_base_got_exit(loop));
}

TEST(LoopControl, ExitAskedForBeforeTheLoopRuns) {
  Loop loop;
  Ev keep(loop, -1, 0);
  keep.AddMs(3600000);
  event_base_loopexit(loop, nullptr);
  EXPECT_EQ(0, loop.Dispatch());
  EXPECT_TRUE(event_base_got_exit(loop));
}

TEST(LoopControl, DispatchesAgainAfterAnExit) {
  Loop loop;
  Ev ev(loop, -1, 0, [&](int, short) { event_base_loopexit(loop, nullptr); });
  Ev keep(loop, -1, 0);
  keep.AddMs(3600000);
  for (int i = 1; i <= 3; i++) {
    ev.AddMs(1);
    EXPECT_EQ(0, loop.Dispatch());
    EXPECT_EQ(i, ev.calls);
  }
}

TEST(LoopControl, BreakLeavesTheRestActive) {
  Loop loop;
  Ev first(loop, -1, 0, [&](int, short) { EXPECT_EQ(0, event_base_loopbreak(loop)); });
  Ev second(loop, -1, 0);
  first.Active(EV_READ);
  second.Active(EV_READ);
  EXPECT_EQ(0, loop.Dispatch());
  EXPECT_EQ(1, first.calls);
  EXPECT_EQ(0, second.calls);
  EXPECT_TRUE(event_base_got_break(loop));
  EXPECT_FALSE(event_base_got_exit(loop));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, first.calls);
  EXPECT_EQ(1, second.calls);
  EXPECT_FALSE(event_base_got_break(loop));
}

TEST(LoopControl, BreakOutsideTheLoopIsForgotten) {
  Loop loop;
  Ev ev(loop, -1, 0);
  ev.AddMs(1);
  EXPECT_EQ(0, event_base_loopbreak(loop));
  EXPECT_TRUE(event_base_got_break(loop));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
  EXPECT_FALSE(event_base_got_break(loop));
}

TEST(LoopControl, BreakDuringRepeatedSignalCallsOrTimers) {
  Loop loop;
  std::vector<std::unique_ptr<Ev>> timers;
  int calls = 0;
  for (int i = 0; i < 10; i++) {
    timers.emplace_back(new Ev(loop, -1, 0, [&](int, short) {
      calls++;
      event_base_loopbreak(loop);
    }));
    timers.back()->AddMs(0);
  }
  for (int i = 1; i <= 10; i++) {
    EXPECT_EQ(0, loop.Dispatch());
    EXPECT_EQ(i, calls);
  }
  EXPECT_EQ(1, loop.Dispatch());
}

TEST(LoopControl, ContinueLooksForUrgentEventsAtOnce) {
  Loop loop;
  event_base_priority_init(loop, 2);
  Pair pair;
  std::string order;
  Ev urgent(loop, pair[0], EV_READ, [&](int, short) { order += 'u'; });
  Ev first(loop, -1, 0, [&](int, short) {
    order += '1';
    pair.Send(1, "x");
    EXPECT_EQ(0, event_base_loopcontinue(loop));
  });
  Ev second(loop, -1, 0, [&](int, short) { order += '2'; });
  event_priority_set(urgent.get(), 0);
  event_priority_set(first.get(), 1);
  event_priority_set(second.get(), 1);
  urgent.Add();
  first.Active(EV_READ);
  second.Active(EV_READ);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("1u2", order);
}

TEST(LoopControl, ContinueOutsideTheLoopDoesNothing) {
  Loop loop;
  EXPECT_EQ(0, event_base_loopcontinue(loop));
  Ev first(loop, -1, 0);
  Ev second(loop, -1, 0);
  first.Active(EV_READ);
  second.Active(EV_READ);
  EXPECT_EQ(0, loop.Once());
  EXPECT_EQ(1, first.calls);
  EXPECT_EQ(1, second.calls);
}

TEST(LoopControl, NestedLoopIsRefused) {
  QuietLog quiet;
  Loop loop;
  int nested = 5;
  Ev ev(loop, -1, 0, [&](int, short) { nested = loop.Dispatch(); });
  ev.Active(EV_READ);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(-1, nested);
}

TEST(LoopControl, LoopOfAnotherBaseInsideACallback) {
  Loop outer;
  Loop inner;
  Ev inner_ev(inner, -1, 0);
  Ev outer_ev(outer, -1, 0, [&](int, short) {
    inner_ev.AddMs(1);
    EXPECT_EQ(1, inner.Dispatch());
  });
  outer_ev.AddMs(1);
  EXPECT_EQ(1, outer.Dispatch());
  EXPECT_EQ(1, inner_ev.calls);
}

TEST(LoopControl, BaseFreedWithPendingEvents) {
  struct event timer, read;
  Pair pair;
  auto nothing = [](evutil_socket_t, short, void *) {};
  struct event_base *base = event_base_new();
  evtimer_assign(&timer, base, nothing, nullptr);
  event_assign(&read, base, pair[0], EV_READ | EV_PERSIST, nothing, nullptr);
  const struct timeval later = Ms(100000);
  event_add(&timer, &later);
  event_add(&read, &later);
  event_active(&read, EV_READ, 1);
  event_base_loopexit(base, &later);
  event_base_free(base);
}

}  // namespace
