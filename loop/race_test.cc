// Several threads at one base, where what one of them waits for may change meanwhile.
#include <event2/thread.h>
#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "loop/test_support.h"

namespace {

// A number of a scene that threads play together: one waits until another has set it.
class Cue {
 public:
  void Set(int number) {
    std::lock_guard<std::mutex> lock(mutex_);
    number_ = number;
    changed_.notify_all();
  }
  void WaitFor(int number) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return number_ >= number; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int number_ = 0;
};

class Race : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(0, evthread_use_pthreads()); }

  // Returns once the loop of `base`, which another thread runs, has begun to turn.
  static void WaitUntilRunning(struct event_base *base) {
    Cue cue;
    event_base_once(
        base, -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void *arg) { static_cast<Cue *>(arg)->Set(1); }, &cue, nullptr);
    cue.WaitFor(1);
  }
};

// The caller frees the event's memory next. libevent 2.1 leaves it in the timer heap.
TEST_F(Race, DeletedWhileItsCallbackAddsItAgain) {
  if (kOnLibevent) GTEST_SKIP();
  for (int i = 0; i < 50; i++) {
    Loop loop;
    Ev keeps_going(loop, -1, EV_PERSIST);
    keeps_going.AddMs(3600000);
    Cue cue;
    Pair pair;
    // Adds itself without a pause, so that one of them comes while the deletion waits.
    Ev ev(loop, pair[0], EV_READ | EV_PERSIST, [&](int, short) {
      cue.Set(1);
      for (int n = 0; n < 200; n++) ev.AddMs(3600000);
    });
    ev.Add();
    ev.Active(EV_READ);
    std::thread thread([&] { loop.Dispatch(); });
    cue.WaitFor(1);
    ev.Del();
    EXPECT_EQ(0, ev.Pending(EV_READ | EV_TIMEOUT));
    event_base_loopbreak(loop);
    thread.join();
    EXPECT_EQ(0, ev.Pending(EV_READ | EV_TIMEOUT));
  }
}

TEST_F(Race, DeletingTheLastEventEndsTheLoop) {
  // libevent 2.1 wakes the loop only for events of descriptors and signals.
  const bool timers_too = !kOnLibevent;
  for (int kind = 0; kind < (timers_too ? 3 : 1); kind++) {
    Loop loop;
    Pair pair;
    Ev ev(loop, kind == 0 ? pair[0] : -1, EV_PERSIST | (kind == 0 ? EV_READ : 0));
    if (kind == 0) {
      ev.Add();
    } else {
      ev.AddMs(3600000);
    }
    std::thread thread([&] { EXPECT_EQ(1, loop.Dispatch()); });
    WaitUntilRunning(loop);
    if (kind == 2) {
      event_remove_timer(ev.get());
    } else {
      ev.Del();
    }
    thread.join();
  }
}

// What another thread asks for while the loop waits must not become the time that timeouts count
// from. libevent 2.1 fills its cache with the time of the call.
TEST_F(Race, TimeIsNotCachedDuringAWait) {
  if (kOnLibevent) GTEST_SKIP();
  Loop loop;
  Ev keeps_going(loop, -1, EV_PERSIST);
  keeps_going.AddMs(3600000);
  std::thread thread([&] { loop.Dispatch(); });
  WaitUntilRunning(loop);
  for (int i = 0; i < 5; i++) {
    EXPECT_EQ(0, event_base_update_cache_time(loop));
    SpinUntil(WallUsec() + 20000);
    Cue cue;
    struct timeval before, after;
    Ev ev(loop, -1, 0, [&](int, short) {
      event_gettime_monotonic(loop, &after);
      cue.Set(1);
    });
    event_gettime_monotonic(loop, &before);
    ev.AddMs(15);
    cue.WaitFor(1);
    EXPECT_GE(Usec(after) - Usec(before), 15000);
  }
  event_base_loopbreak(loop);
  thread.join();
}

// Signal events are called several times for one activation: others may activate, add and delete
// them between the calls. libevent 2.1 waits for the callback in the middle of an activation, and
// then may queue what another thread has queued meanwhile.
TEST_F(Race, SignalEventsActivatedFromManyThreads) {
  if (kOnLibevent) GTEST_SKIP();
  Loop loop;
  Ev keeps_going(loop, -1, EV_PERSIST);
  keeps_going.AddMs(3600000);
  std::atomic<int> calls{0};
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST, [&](int, short) { calls++; });
  Ev other(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST, [&](int, short) { calls++; });
  ev.Add();
  other.Add();
  event_active(ev.get(), EV_SIGNAL, 1);
  std::thread thread([&] { loop.Dispatch(); });
  while (calls == 0) std::this_thread::yield();  // Until the loop runs.
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; i++) {
        switch ((i + t) % 5) {
          case 0:
            event_base_active_by_signal(loop, SIGUSR1);
            break;
          case 1:
            other.Del();
            break;
          case 2:
            other.AddMs(1);
            break;
          default:
            event_active(ev.get(), EV_SIGNAL, 3);
            break;
        }
      }
    });
  }
  for (std::thread &each : threads) each.join();
  ev.Del();
  other.Del();
  const int settled = calls;
  event_base_loopbreak(loop);
  thread.join();
  EXPECT_EQ(settled, calls);
  EXPECT_GT(settled, 0);
}

// Bases in several threads share the process's signal handlers.
TEST_F(Race, SignalEventsInManyBases) {
  QuietLog quiet;
  std::vector<std::thread> threads;
  const int kSignals[] = {SIGUSR1, SIGUSR2, SIGTERM};
  for (int signal : kSignals) {
    threads.emplace_back([signal] {
      for (int i = 0; i < 200; i++) {
        Loop loop;
        Ev ev(loop, signal, EV_SIGNAL | EV_PERSIST);
        EXPECT_EQ(0, ev.Add());
        loop.Turn();
        ev.Active(EV_SIGNAL);
        loop.Turn();
        EXPECT_EQ(1, ev.calls);
      }
    });
  }
  for (std::thread &each : threads) each.join();
}

}  // namespace
