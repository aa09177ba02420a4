// Signals as events.
#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include <memory>
#include <thread>

#include "loop/test_support.h"

namespace {

// What is done about a signal; it stays so.
void (*HandlerOf(int number))(int) {
#ifdef _WIN32
  void (*const handler)(int) = signal(number, SIG_DFL);
  signal(number, handler);
  return handler;
#else
  struct sigaction action;
  sigaction(number, nullptr, &action);
  return action.sa_handler;
#endif
}

TEST(Signal, RaisedSignalReachesItsEvent) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  ASSERT_EQ(0, ev.Add());
  EXPECT_EQ(EV_SIGNAL, ev.Pending(EV_SIGNAL | EV_READ | EV_TIMEOUT));
  raise(SIGUSR1);
  EXPECT_TRUE(loop.RunUntil([&] { return ev.calls > 0; }));
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_SIGNAL, ev.last_what);
  EXPECT_EQ(SIGUSR1, ev.last_fd);
}

TEST(Signal, KeepsTheLoopAliveWhilePending) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  ev.Add();
  Ev timer(loop, -1, 0, [&](int, short) { ev.Del(); });
  timer.AddMs(5);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, timer.calls);
  EXPECT_EQ(0, ev.calls);
}

TEST(Signal, NonPersistentFiresOnce) {
  signal(SIGUSR1, SIG_IGN);
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL);
  ev.Add();
  raise(SIGUSR1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(SIG_IGN, HandlerOf(SIGUSR1));
  signal(SIGUSR1, SIG_DFL);
}

TEST(Signal, EveryDeliveryIsCounted) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  ev.Add();
  for (int i = 0; i < 3; i++) raise(SIGUSR1);
  EXPECT_TRUE(loop.RunUntil([&] { return ev.calls > 2; }));
  loop.Turn();
  EXPECT_EQ(3, ev.calls);
}

TEST(Signal, DeletingStopsTheRemainingCalls) {
  Loop loop;
  Ev *self = nullptr;
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST, [&](int, short) { self->Del(); });
  self = &ev;
  ev.Add();
  for (int i = 0; i < 3; i++) raise(SIGUSR1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
}

TEST(Signal, FreeingStopsTheRemainingCalls) {
  Loop loop;
  Ev *self = nullptr;
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST, [&](int, short) { self->Free(); });
  self = &ev;
  ev.Add();
  for (int i = 0; i < 3; i++) raise(SIGUSR1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
}

TEST(Signal, ActivatedByHandWithANumberOfCalls) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  ev.Add();
  event_active(ev.get(), EV_SIGNAL, 4);
  loop.Turn();
  EXPECT_EQ(4, ev.calls);
}

TEST(Signal, SeveralEventsForOneSignal) {
  Loop loop;
  Ev first(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  Ev second(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  Ev third(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  first.Add();
  second.Add();
  third.Add();
  raise(SIGUSR1);
  EXPECT_TRUE(loop.RunUntil([&] { return first.calls && second.calls && third.calls; }));
  second.Del();
  raise(SIGUSR1);
  EXPECT_TRUE(loop.RunUntil([&] { return first.calls == 2 && third.calls == 2; }));
  EXPECT_EQ(1, second.calls);
}

TEST(Signal, TwoSignals) {
  Loop loop;
  Ev usr1(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  Ev usr2(loop, SIGUSR2, EV_SIGNAL | EV_PERSIST);
  usr1.Add();
  usr2.Add();
  raise(SIGUSR2);
  EXPECT_TRUE(loop.RunUntil([&] { return usr2.calls == 1; }));
  EXPECT_EQ(0, usr1.calls);
  raise(SIGUSR1);
  raise(SIGUSR2);
  EXPECT_TRUE(loop.RunUntil([&] { return usr1.calls == 1 && usr2.calls == 2; }));
  EXPECT_EQ(SIGUSR1, usr1.last_fd);
  EXPECT_EQ(SIGUSR2, usr2.last_fd);
}

void OwnHandler(int) {}

class SignalHandlers : public ::testing::Test {
 protected:
  void SetUp() override { signal(SIGUSR1, OwnHandler); }
  void TearDown() override { signal(SIGUSR1, SIG_DFL); }
  static bool OwnIsInstalled() { return HandlerOf(SIGUSR1) == OwnHandler; }
};

TEST_F(SignalHandlers, RestoredByTheLastDeletion) {
  Loop loop;
  Ev first(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  Ev second(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  first.Add();
  EXPECT_FALSE(OwnIsInstalled());
  second.Add();
  first.Del();
  EXPECT_FALSE(OwnIsInstalled());
  second.Del();
  EXPECT_TRUE(OwnIsInstalled());
  first.Add();
  EXPECT_FALSE(OwnIsInstalled());
  first.Del();
  EXPECT_TRUE(OwnIsInstalled());
}

TEST_F(SignalHandlers, RestoredWhenTheBaseIsFreed) {
  struct event ev;
  {
    Loop loop;
    event_assign(
        &ev, loop, SIGUSR1, EV_SIGNAL | EV_PERSIST, [](evutil_socket_t, short, void *) {}, nullptr);
    event_add(&ev, nullptr);
    EXPECT_FALSE(OwnIsInstalled());
  }
  EXPECT_TRUE(OwnIsInstalled());
}

TEST_F(SignalHandlers, OneBaseAfterAnother) {
  for (int i = 0; i < 3; i++) {
    Loop loop;
    Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
    ev.Add();
    raise(SIGUSR1);
    EXPECT_TRUE(loop.RunUntil([&] { return ev.calls == 1; }));
  }
  EXPECT_TRUE(OwnIsInstalled());
}

#ifndef _WIN32
// Nothing but the program itself sends signals on Windows, and they interrupt nothing.
TEST_F(SignalHandlers, ForeignSignalsDoNotEndTheLoop) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = OwnHandler;  // Without SA_RESTART: the wait is interrupted.
  sigaction(SIGALRM, &action, nullptr);
  struct itimerval interval = {{0, 3000}, {0, 3000}};
  setitimer(ITIMER_REAL, &interval, nullptr);
  Loop loop;
  Ev timer(loop, -1, 0);
  timer.AddMs(60);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, timer.calls);
  memset(&interval, 0, sizeof(interval));
  setitimer(ITIMER_REAL, &interval, nullptr);
  signal(SIGALRM, SIG_DFL);
}

TEST(Signal, InterruptsABlockingWait) {
  Loop loop;
  Ev ev(loop, SIGALRM, EV_SIGNAL);
  ev.Add();
  struct itimerval once = {{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &once, nullptr);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
}

#endif

// Where the console's signals come from on Windows.
TEST(Signal, RaisedInAnotherThread) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL);
  ev.Add();
  std::thread raiser([] { raise(SIGUSR1); });
  EXPECT_EQ(1, loop.Dispatch());
  raiser.join();
  EXPECT_EQ(1, ev.calls);
}

TEST(Signal, TimeoutBesideASignal) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL);
  ev.AddMs(5);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_TIMEOUT, ev.last_what);
  ev.AddMs(600000);
  raise(SIGUSR1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_SIGNAL, ev.last_what);
  EXPECT_EQ(2, ev.calls);
}

TEST(Signal, RaisedInsideACallback) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL);
  ev.Add();
  Ev timer(loop, -1, 0, [](int, short) { raise(SIGUSR1); });
  timer.AddMs(0);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
}

TEST(Signal, ActiveBySignal) {
  Loop loop;
  Ev first(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  Ev second(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  Ev idle(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  Ev other(loop, SIGUSR2, EV_SIGNAL | EV_PERSIST);
  first.Add();
  second.Add();
  other.Add();
  event_base_active_by_signal(loop, SIGUSR1);
  event_base_active_by_signal(loop, SIGTERM);  // Nobody waits for it.
  loop.Turn();
  EXPECT_EQ(1, first.calls);
  EXPECT_EQ(EV_SIGNAL, first.last_what);
  EXPECT_EQ(1, second.calls);
  EXPECT_EQ(0, idle.calls);
  EXPECT_EQ(0, other.calls);
}

TEST(Signal, ImpossibleSignalsAreRefused) {
  QuietLog quiet;
  Loop loop;
#ifdef _WIN32
  const int kNobodyCatches = 9;
#else
  const int kNobodyCatches = SIGKILL;
#endif
  Ev kill_event(loop, kNobodyCatches, EV_SIGNAL | EV_PERSIST);
  EXPECT_EQ(-1, kill_event.Add());
  EXPECT_EQ(0, kill_event.Pending(EV_SIGNAL));
  Ev beyond(loop, 100000, EV_SIGNAL | EV_PERSIST);
  EXPECT_EQ(-1, beyond.Add());
  EXPECT_EQ(1, loop.Dispatch());
}

TEST(Signal, ManyDeliveriesWhileTheLoopRuns) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  ev.Add();
  Ev *self = nullptr;
  Ev ticker(loop, -1, EV_PERSIST, [&](int, short) {
    raise(SIGUSR1);
    if (self->calls == 50) self->Del();
  });
  self = &ticker;
  ticker.AddMs(1);
  EXPECT_TRUE(loop.RunUntil([&] { return ev.calls == 50; }));
}

}  // namespace
