// Corners of the loop's behaviour that went wrong once: each test is about one of them.
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "loop/test_support.h"

namespace {

// --- The flags of the loop ---

// Without EVLOOP_ONCE the loop looks again until it finds nothing ready.
TEST(CornerLoop, NonBlockGoesOnWhileSomethingIsReady) {
  Loop loop;
  Pair pair;
  Ev reader(loop, pair[0], EV_READ | EV_PERSIST, [&](int, short) {
    pair.Recv(0);
    if (reader.calls < 5) pair.Send(1, "again");
  });
  reader.Add();
  pair.Send(1, "x");
  EXPECT_EQ(0, event_base_loop(loop, EVLOOP_NONBLOCK));
  EXPECT_EQ(5, reader.calls);
}

TEST(CornerLoop, NonBlockTellsThatTheLastEventIsDone) {
  Loop loop;
  Ev ev(loop, -1, 0);
  ev.AddMs(0);
  EXPECT_EQ(1, event_base_loop(loop, EVLOOP_NONBLOCK));
  EXPECT_EQ(1, ev.calls);
}

// --- Timeouts ---

TEST(CornerTimeout, NegativeIsDueAtOnce) {
  Loop loop;
  for (struct timeval tv : {timeval{-1, 0}, timeval{-3600, 5}}) {
    Ev ev(loop, -1, 0);
    EXPECT_EQ(0, event_add(ev.get(), &tv));
    loop.Turn();
    EXPECT_EQ(1, ev.calls);
  }
}

// Must not be activated again and again in the turn that found it due.
TEST(CornerTimeout, PersistentCommonTimeoutOfNothing) {
  Loop loop;
  const struct timeval nothing = {0, 0};
  Ev ev(loop, -1, EV_PERSIST, [&](int, short) {
    if (ev.calls == 3) ev.Del();
  });
  event_add(ev.get(), event_base_init_common_timeout(loop, &nothing));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(3, ev.calls);
}

TEST(CornerTimeout, FarFutureHasAWallTime) {
  Loop loop;
  Ev ev(loop, -1, 0);
  struct timeval far = {std::numeric_limits<int32_t>::max(), 0};
  if (sizeof(far.tv_sec) > sizeof(int32_t)) far.tv_sec *= 1000;
  EXPECT_EQ(0, event_add(ev.get(), &far));
  struct timeval due = {0, 0};
  EXPECT_EQ(EV_TIMEOUT, event_pending(ev.get(), EV_TIMEOUT, &due));
  EXPECT_GT(Usec(due), WallUsec() + 1000000LL * 3600 * 24 * 365);
}

TEST(CornerTimeout, ActivatedByDescriptor) {
  Loop loop;
  Pair pair;
  Ev timed(loop, pair[0], EV_READ | EV_PERSIST), plain(loop, pair[0], EV_READ | EV_PERSIST);
  timed.AddMs(3600000);
  plain.Add();
  event_base_active_by_fd(loop, pair[0], EV_TIMEOUT);
  loop.Turn();
  EXPECT_EQ(1, timed.calls);
  EXPECT_EQ(EV_TIMEOUT, timed.last_what);
  EXPECT_EQ(0, plain.calls);
}

TEST(CornerTimeout, RemovedFromAnActiveSignalEvent) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  ev.AddMs(3600000);
  event_active(ev.get(), EV_SIGNAL, 2);
  event_remove_timer(ev.get());
  loop.Turn();
  // libevent keeps the persistent timeout where a signal event keeps its calls, and clears both.
  EXPECT_EQ(kOnLibevent ? 0 : 2, ev.calls);
}

// libevent 2.1 deletes the event when its timeout comes, and adds it again only if the timeout was
// of some length and the event is not a signal's. strata's persistent events stay.
TEST(CornerTimeout, PersistentEventsStayPending) {
  if (kOnLibevent) GTEST_SKIP();
  Loop loop;
  Pair pair;
  Ev reader(loop, pair[0], EV_READ | EV_PERSIST), on_signal(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  reader.AddMs(0);
  on_signal.AddMs(0);
  loop.Turn();
  EXPECT_EQ(1, reader.calls);
  EXPECT_EQ(1, on_signal.calls);
  EXPECT_EQ(EV_READ, reader.Pending(EV_READ | EV_TIMEOUT));
  EXPECT_EQ(EV_SIGNAL, on_signal.Pending(EV_SIGNAL | EV_TIMEOUT));
  raise(SIGUSR1);
  EXPECT_TRUE(loop.RunUntil([&] { return on_signal.calls == 2; }));
}

// libevent 2.1 takes an event that is active for its descriptor out of the queue when its timeout
// comes in the same turn, and tells only of the timeout: an edge would be lost.
TEST(CornerTimeout, ComesTogetherWithTheCondition) {
  Loop loop;
  Pair pair;
  Ev ev(loop, pair[0], EV_READ);
  ev.AddMs(1);
  pair.Send(1, "x");
  SpinUntil(WallUsec() + 50000);  // libevent's clock may be some milliseconds behind.
  loop.Turn();
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(kOnLibevent ? EV_TIMEOUT : EV_READ | EV_TIMEOUT, ev.last_what);
}

// libevent 2.1 sets the next deadline when the callback runs. strata sets it when the event comes
// due, so that it keeps its place among the timers.
TEST(CornerTimeout, NextDeadlineIsSetBeforeTheCallbackRuns) {
  Loop loop;
  event_base_priority_init(loop, 2);
  Ev beat(loop, -1, EV_PERSIST);
  auto deadline = [&] {
    struct timeval tv = {0, 0};
    EXPECT_EQ(EV_TIMEOUT, event_pending(beat.get(), EV_TIMEOUT, &tv));
    return Usec(tv);
  };
  long long in_callback = 0;
  Ev urgent(loop, -1, 0, [&](int, short) { in_callback = deadline(); });
  event_priority_set(urgent.get(), 0);
  event_priority_set(beat.get(), 1);
  beat.AddMs(100);
  urgent.AddMs(1);
  const long long at_add = deadline();
  SpinUntil(WallUsec() + 150000);  // Both come due in one turn.
  loop.Turn();
  EXPECT_EQ(1, urgent.calls);
  // Half an interval, as the clocks that are compared need not agree to the microsecond.
  EXPECT_EQ(!kOnLibevent, in_callback >= at_add + 50000) << in_callback - at_add;
}

// libevent's clock has ticks of some milliseconds unless EVENT_BASE_FLAG_PRECISE_TIMER is set.
TEST(CornerTimeout, ClockIsPreciseWithoutAsking) {
  Loop loop;
  auto now = [&] {
    struct timeval tv = {0, 0};
    EXPECT_EQ(0, event_gettime_monotonic(loop, &tv));
    return Usec(tv);
  };
  long long smallest_step = std::numeric_limits<long long>::max();
  for (int i = 0; i < 5; i++) {
    const long long before = now();
    long long after;
    do {
      after = now();
    } while (after == before);
    smallest_step = std::min(smallest_step, after - before);
  }
  EXPECT_EQ(!kOnLibevent, smallest_step < 900) << smallest_step;
}

TEST(CornerTimeout, ShortTimersAreNotEarly) {
  if (kOnLibevent) GTEST_SKIP();  // By its own clock they are not; this asks another one.
  Loop loop;
  for (int round = 0; round < 20; round++) {
    Ev ev(loop, -1, 0);
    const auto begin = std::chrono::steady_clock::now();
    ev.AddMs(2);
    loop.Dispatch();
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(2));
    EXPECT_EQ(1, ev.calls);
  }
}

// --- Callbacks that become active while callbacks run ---

TEST(CornerActive, RunsInTheSameTurn) {
  Loop loop;
  Ev second(loop, -1, 0), first(loop, -1, 0, [&](int, short) { second.Active(EV_READ); });
  first.Active(EV_READ);
  loop.Turn();
  EXPECT_EQ(1, first.calls);
  EXPECT_EQ(1, second.calls);
}

// libevent 2.1 goes on for as long as there is something active, and looks at no descriptor.
TEST(CornerActive, OneThatActivatesItselfDoesNotStarveDescriptors) {
  Loop loop;
  Pair pair;
  const int kMany = 10000;
  int when_read = 0;
  Ev spinner(loop, -1, 0, [&](int, short) {
    if (spinner.calls == 1) pair.Send(1, "x");
    if (spinner.calls < kMany && when_read == 0) spinner.Active(EV_READ);
  });
  Ev reader(loop, pair[0], EV_READ, [&](int, short) { when_read = spinner.calls; });
  reader.Add();
  spinner.Active(EV_READ);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, reader.calls);
  EXPECT_EQ(kOnLibevent, when_read == kMany) << when_read;
}

// --- Events that free themselves ---

TEST(CornerRunning, OnceHasAnEventWhileItRuns) {
  struct Context {
    struct event_base *base;
    bool has_event;
  };
  Loop loop;
  Context context = {loop, false};
  event_base_once(
      loop, -1, EV_TIMEOUT,
      [](evutil_socket_t, short, void *arg) {
        Context *context = static_cast<Context *>(arg);
        struct event *running = event_base_get_running_event(context->base);
        context->has_event = running != nullptr && event_get_base(running) == context->base;
      },
      &context, nullptr);
  loop.Dispatch();
  EXPECT_TRUE(context.has_event);
}

// libevent 2.1 returns the pointer to the freed event.
TEST(CornerRunning, FreedEventIsNotTheRunningOne) {
  if (kOnLibevent) GTEST_SKIP();
  Loop loop;
  Ev ev(loop, -1, 0, [&](int, short) {
    EXPECT_EQ(ev.get(), event_base_get_running_event(loop));
    ev.Free();
    EXPECT_EQ(nullptr, event_base_get_running_event(loop));
  });
  ev.AddMs(0);
  loop.Dispatch();
  EXPECT_EQ(1, ev.calls);
}

// libevent 2.1 goes on reading the queues that it has freed.
TEST(CornerPriority, ChangedInsideACallback) {
  if (kOnLibevent) GTEST_SKIP();
  Loop loop;
  for (int num_priorities : {3, 1, 100}) {
    Ev ev(loop, -1, 0,
          [&](int, short) { EXPECT_EQ(0, event_base_priority_init(loop, num_priorities)); });
    ev.AddMs(0);
    EXPECT_EQ(1, loop.Dispatch());
    EXPECT_EQ(1, ev.calls);
    EXPECT_EQ(num_priorities, event_base_get_npriorities(loop));
  }
}

// --- Signals and several bases ---

TEST(CornerSignal, RunningABaseGivesItTheSignals) {
  QuietLog quiet;
  Loop a, b;
  Ev in_a(a, SIGUSR1, EV_SIGNAL | EV_PERSIST), in_b(b, SIGUSR2, EV_SIGNAL | EV_PERSIST);
  in_a.Add();
  in_b.Add();
  a.Turn();
  raise(SIGUSR1);
  EXPECT_TRUE(a.RunUntil([&] { return in_a.calls == 1; }));
  b.Turn();
  raise(SIGUSR2);
  EXPECT_TRUE(b.RunUntil([&] { return in_b.calls == 1; }));
  EXPECT_EQ(1, in_a.calls);
}

TEST(CornerSignal, ABaseGoesOnAfterAnotherWasFreed) {
  QuietLog quiet;
  Loop a;
  Ev in_a(a, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  in_a.Add();
  {
    Loop b;
    Ev in_b(b, SIGUSR2, EV_SIGNAL | EV_PERSIST);
    in_b.Add();
    raise(SIGUSR2);
    EXPECT_TRUE(b.RunUntil([&] { return in_b.calls == 1; }));
  }
  a.Turn();
  raise(SIGUSR1);
  EXPECT_TRUE(a.RunUntil([&] { return in_a.calls == 1; }));
}

// A callback that frees the event and puts another one into its place is not called for the calls
// that the first one had left.
TEST(CornerSignal, ReplacedInsideItsCallback) {
  Loop loop;
  struct Context {
    struct event_base *base;
    struct event event;
    int first_calls, second_calls;
  } context = {};
  context.base = loop;
  const event_callback_fn second = [](evutil_socket_t, short, void *arg) {
    static_cast<Context *>(arg)->second_calls++;
  };
  static event_callback_fn second_fn;
  second_fn = second;
  event_assign(
      &context.event, loop, SIGUSR1, EV_SIGNAL | EV_PERSIST,
      [](evutil_socket_t, short, void *arg) {
        Context *context = static_cast<Context *>(arg);
        context->first_calls++;
        event_del(&context->event);
        event_assign(&context->event, context->base, SIGUSR1, EV_SIGNAL | EV_PERSIST, second_fn,
                     context);
        event_active(&context->event, EV_SIGNAL, 2);
      },
      &context);
  event_active(&context.event, EV_SIGNAL, 5);
  loop.Turn();
  EXPECT_EQ(1, context.first_calls);
  EXPECT_EQ(2, context.second_calls);
  event_del(&context.event);
}

}  // namespace
