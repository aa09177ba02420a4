// A base used from several threads: everything that another thread does wakes the loop, and what
// event_del promises while the callback runs elsewhere.
#include <event2/thread.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "loop/loop_thread_testing.h"
#include "loop/test_support.h"

namespace {

class Threads : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(0, evthread_use_pthreads()); }
};

TEST_F(Threads, AddedTimerWakesTheLoop) {
  LoopThread running;
  Gate fired;
  Ev ev(running, -1, 0, [&](int, short) {
    EXPECT_EQ(running.id(), std::this_thread::get_id());
    fired.Open();
  });
  ev.AddMs(1);
  EXPECT_TRUE(fired.Wait());
  EXPECT_EQ(0, running.Stop());
}

TEST_F(Threads, EarlierTimerShortensTheWait) {
  LoopThread running;
  Ev far(running, -1, 0);
  far.AddMs(3600000);
  Gate fired;
  Ev ev(running, -1, 0, [&](int, short) { fired.Open(); });
  ev.AddMs(5);
  EXPECT_TRUE(fired.Wait());
  running.Stop();
  EXPECT_EQ(0, far.calls);
}

TEST_F(Threads, AddedDescriptorIsWatched) {
  LoopThread running;
  Pair pair;
  Gate fired;
  Ev ev(running, pair[0], EV_READ, [&](int, short) { fired.Open(); });
  ev.Add();
  pair.Send(1, "x");
  EXPECT_TRUE(fired.Wait());
  running.Stop();
}

TEST_F(Threads, AddedSignalIsDelivered) {
  LoopThread running;
  Gate fired;
  Ev ev(running, SIGUSR1, EV_SIGNAL | EV_PERSIST, [&](int, short) { fired.Open(); });
  ev.Add();
  raise(SIGUSR1);
  EXPECT_TRUE(fired.Wait());
  running.Stop();
}

TEST_F(Threads, ActivationWakesTheLoop) {
  LoopThread running;
  Gate fired;
  Ev ev(running, -1, 0, [&](int, short what) {
    EXPECT_EQ(EV_WRITE, what);
    fired.Open();
  });
  ev.Active(EV_WRITE);
  EXPECT_TRUE(fired.Wait());
  running.Stop();
}

TEST_F(Threads, ActivationByDescriptorWakesTheLoop) {
  LoopThread running;
  Pair pair;
  Gate fired;
  Ev ev(running, pair[0], EV_READ | EV_PERSIST, [&](int, short) { fired.Open(); });
  ev.Add();
  event_base_active_by_fd(running, pair[0], EV_READ);
  EXPECT_TRUE(fired.Wait());
  running.Stop();
}

TEST_F(Threads, BreakWakesTheLoop) {
  LoopThread running;
  event_base_loopbreak(running);
  running.Join();
  EXPECT_TRUE(event_base_got_break(running));
}

TEST_F(Threads, ExitWakesTheLoop) {
  LoopThread running;
  const struct timeval soon = Ms(5);
  event_base_loopexit(running, &soon);
  running.Join();
  EXPECT_TRUE(event_base_got_exit(running));
}

TEST_F(Threads, DeletingTheLastEventEndsTheLoop) {
  Loop loop;
  Pair pair;
  Gate running;
  Ev last(loop, pair[0], EV_READ | EV_PERSIST);
  last.Add();
  event_base_once(
      loop, -1, EV_TIMEOUT,
      [](evutil_socket_t, short, void *arg) { static_cast<Gate *>(arg)->Open(); }, &running,
      nullptr);
  std::thread deleter([&] {
    EXPECT_TRUE(running.Wait());
    last.Del();
    // libevent 2.1 does not wake the loop for a deletion alone.
    const struct timeval none = {0, 0};
    event_base_once(
        loop, -1, EV_TIMEOUT, [](evutil_socket_t, short, void *) {}, nullptr, &none);
  });
  EXPECT_EQ(1, loop.Dispatch());
  deleter.join();
  EXPECT_EQ(0, last.calls);
}

// A callback that waits inside the loop's thread until it is released.
struct Held {
  explicit Held(struct event_base *base, short flags = 0)
      : ev(base, -1, flags, [this](int, short) {
          entered.Open();
          EXPECT_TRUE(release.Wait());
          finished = true;
        }) {}
  Gate entered;
  Gate release;
  std::atomic<bool> finished{false};
  Ev ev;
};

TEST_F(Threads, DeletionWaitsForTheCallback) {
  LoopThread running;
  Held held(running);
  held.ev.Active(EV_READ);
  ASSERT_TRUE(held.entered.Wait());
  std::thread releaser([&] {
    std::this_thread::yield();
    held.release.Open();
  });
  EXPECT_EQ(0, held.ev.Del());
  EXPECT_TRUE(held.finished);
  releaser.join();
  running.Stop();
}

TEST_F(Threads, DeletionCanDeclineToWait) {
  LoopThread running;
  Held held(running);
  held.ev.Active(EV_READ);
  ASSERT_TRUE(held.entered.Wait());
  EXPECT_EQ(0, event_del_noblock(held.ev.get()));
  EXPECT_FALSE(held.finished);
  held.release.Open();
  EXPECT_EQ(0, event_del_block(held.ev.get()));
  running.Stop();
  EXPECT_TRUE(held.finished);
}

TEST_F(Threads, FinalizableEventsDoNotWaitUnlessAsked) {
  LoopThread running;
  Held held(running, EV_FINALIZE);
  held.ev.Active(EV_READ);
  ASSERT_TRUE(held.entered.Wait());
  EXPECT_EQ(0, held.ev.Del());
  EXPECT_FALSE(held.finished);
  std::thread releaser([&] { held.release.Open(); });
  EXPECT_EQ(0, event_del_block(held.ev.get()));
  EXPECT_TRUE(held.finished);
  releaser.join();
  running.Stop();
}

TEST_F(Threads, DeletingAnotherEventDoesNotWait) {
  LoopThread running;
  Held held(running);
  Ev other(running, -1, 0);
  other.AddMs(3600000);
  held.ev.Active(EV_READ);
  ASSERT_TRUE(held.entered.Wait());
  EXPECT_EQ(0, other.Del());
  EXPECT_FALSE(held.finished);
  held.release.Open();
  running.Stop();
}

TEST_F(Threads, FinalizerRunsAfterTheCallback) {
  LoopThread running;
  struct Context {
    Gate entered, release, finalized;
    std::atomic<bool> finished{false};
  } context;
  struct event *ev = event_new(
      running, -1, EV_FINALIZE,
      [](evutil_socket_t, short, void *arg) {
        Context *context = static_cast<Context *>(arg);
        context->entered.Open();
        EXPECT_TRUE(context->release.Wait());
        context->finished = true;
      },
      &context);
  event_active(ev, EV_READ, 1);
  ASSERT_TRUE(context.entered.Wait());
  EXPECT_EQ(0, event_free_finalize(0, ev, [](struct event *, void *arg) {
              Context *context = static_cast<Context *>(arg);
              EXPECT_TRUE(context->finished);
              context->finalized.Open();
            }));
  context.release.Open();
  EXPECT_TRUE(context.finalized.Wait());
  running.Stop();
}

TEST_F(Threads, OnceFromManyThreads) {
  LoopThread running;
  std::atomic<int> calls{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; i++) {
        const struct timeval tv = {0, i % 3};
        EXPECT_EQ(0, event_base_once(
                         running, -1, EV_TIMEOUT,
                         [](evutil_socket_t, short, void *arg) {
                           ++*static_cast<std::atomic<int> *>(arg);
                         },
                         &calls, i % 2 ? &tv : nullptr));
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  Gate done;
  Ev check(running, -1, EV_PERSIST, [&](int, short) {
    if (calls == 4000) done.Open();
  });
  check.AddMs(1);
  EXPECT_TRUE(done.Wait());
  check.Del();
  running.Stop();
}

// Two loops that wake each other: no wake-up may be lost, and each must be far from the 50 ms a
// polling loop would need.
TEST_F(Threads, PingPong) {
  LoopThread left;
  LoopThread right;
  const int kRounds = 2000;
  Gate done;
  Ev *to_left = nullptr;
  Ev ev_right(right, -1, 0, [&](int, short) { to_left->Active(EV_READ); });
  Ev ev_left(left, -1, 0, [&](int, short) {
    if (to_left->calls == kRounds) {
      done.Open();
    } else {
      ev_right.Active(EV_READ);
    }
  });
  to_left = &ev_left;
  const long long start = WallUsec();
  ev_right.Active(EV_READ);
  EXPECT_TRUE(done.Wait());
  EXPECT_LT(WallUsec() - start, kRounds * 50000LL);
  left.Stop();
  right.Stop();
}

TEST_F(Threads, RandomOperationsOnSharedEvents) {
  LoopThread running;
  const int kNum = 16;
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Ev>> events;
  std::atomic<int> calls{0};
  for (int i = 0; i < kNum; i++) {
    pairs.emplace_back(new Pair);
    const bool timer = i % 2;
    events.emplace_back(new Ev(running, timer ? -1 : (*pairs[i])[0],
                               timer ? EV_PERSIST : EV_READ | EV_WRITE,
                               [&](int, short) { calls++; }));
  }
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 3000; i++) {
        Ev &ev = *events[random() % kNum];
        switch (random() % 5) {
          case 0:
            ev.Del();
            break;
          case 1:
            ev.Active(EV_READ);
            break;
          case 2:
            ev.Pending(EV_READ | EV_TIMEOUT);
            break;
          case 3:
            event_del_noblock(ev.get());
            break;
          default:
            ev.AddMs(static_cast<long>(random() % 3));
            break;
        }
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  for (auto &ev : events) ev->Del();
  const int settled = calls;
  running.Stop();
  EXPECT_EQ(settled, calls);
}

TEST_F(Threads, EventsFreedWhileTheLoopRuns) {
  LoopThread running;
  Pair pair;
  pair.Send(1, "x");
  std::atomic<int> calls{0};
  for (int i = 0; i < 500; i++) {
    Ev ev(running, pair[0], EV_READ | EV_PERSIST, [&](int, short) { calls++; });
    ev.Add();
    if (i % 4 == 0) std::this_thread::yield();
    ev.Free();  // Returns only when the callback is not running.
  }
  running.Stop();
}

TEST_F(Threads, BaseCanBeMadeNotifiableByHand) {
  Loop loop;
  EXPECT_EQ(0, evthread_make_base_notifiable(loop));
  EXPECT_EQ(0, evthread_make_base_notifiable(loop));
  EXPECT_EQ(1, loop.Dispatch());
}

TEST_F(Threads, BaseWithoutALock) {
  struct event_config *config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  Loop loop(event_base_new_with_config(config));
  event_config_free(config);
  Ev ev(loop, -1, 0);
  ev.AddMs(1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
}

}  // namespace
