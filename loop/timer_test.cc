// Timers: when they fire, in which order, how persistent ones are scheduled, and the cached time.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "loop/test_support.h"

namespace {

// libevent's default clock ticks every few milliseconds, so a timer may look early by that much.
const long long kTickUsec = 15000;

TEST(Timer, FiresOnceAndNotEarly) {
  Loop loop;
  Ev ev(loop, -1, 0);
  const long long start = WallUsec();
  ev.AddMs(50);
  EXPECT_EQ(EV_TIMEOUT, ev.Pending(EV_TIMEOUT));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_GE(WallUsec() - start, 50000 - kTickUsec);
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_TIMEOUT, ev.last_what);
  EXPECT_EQ(-1, ev.last_fd);
  EXPECT_EQ(0, ev.Pending(EV_TIMEOUT));
}

TEST(Timer, ZeroFiresInTheNextTurn) {
  Loop loop;
  Ev ev(loop, -1, 0);
  ev.AddMs(0);
  loop.Turn();
  EXPECT_EQ(1, ev.calls);
}

TEST(Timer, FireInOrderOfDeadline) {
  Loop loop;
  std::vector<int> order;
  std::vector<std::unique_ptr<Ev>> events;
  const int kNum = 60;
  for (int i = 0; i < kNum; i++) {
    events.emplace_back(new Ev(loop, -1, 0, [&order, i](int, short) { order.push_back(i); }));
  }
  // Deadlines lie 5 ms apart and the slow start makes many of them due at once.
  const long long start = WallUsec();
  for (int i = 0; i < kNum; i++) events[(i * 37) % kNum]->AddMs(1 + 5 * ((i * 37) % kNum));
  if (WallUsec() - start > 4000) GTEST_SKIP() << "adding took too long to know the order";
  SpinUntil(start + 150000);
  EXPECT_EQ(1, loop.Dispatch());
  ASSERT_EQ(static_cast<size_t>(kNum), order.size());
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Timer, DeletedTimerDoesNotFire) {
  Loop loop;
  Ev gone(loop, -1, 0);
  Ev stays(loop, -1, 0);
  gone.AddMs(1);
  stays.AddMs(10);
  EXPECT_EQ(0, gone.Del());
  EXPECT_EQ(0, gone.Del());
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(0, gone.calls);
  EXPECT_EQ(1, stays.calls);
}

TEST(Timer, DueTogetherFirstDeletesTheOthers) {
  Loop loop;
  std::vector<std::unique_ptr<Ev>> events;
  int calls = 0;
  for (int i = 0; i < 20; i++) {
    events.emplace_back(new Ev(loop, -1, 0, [&](int, short) {
      calls++;
      for (auto &event : events) event->Del();
    }));
    events.back()->AddMs(1);
  }
  SpinUntil(WallUsec() + 30000);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, calls);
}

TEST(Timer, RearmingWithZeroDoesNotStarveDescriptors) {
  Loop loop;
  Pair pair;
  pair.Send(1, "x");
  Ev *self = nullptr;
  Ev timer(loop, -1, 0, [&](int, short) { self->AddMs(0); });
  self = &timer;
  Ev read(loop, pair[0], EV_READ, [&](int, short) { event_base_loopbreak(loop); });
  timer.AddMs(0);
  read.Add();
  EXPECT_EQ(0, loop.Dispatch());
  EXPECT_EQ(1, read.calls);
}

TEST(Timer, PersistentFiresAgainAndAgain) {
  Loop loop;
  Ev *self = nullptr;
  Ev ev(loop, -1, EV_PERSIST, [&](int, short what) {
    EXPECT_EQ(EV_TIMEOUT, what);
    EXPECT_EQ(EV_TIMEOUT, self->Pending(EV_TIMEOUT));  // Armed again before the callback runs.
    if (self->calls == 5) self->Del();
  });
  self = &ev;
  const long long start = WallUsec();
  ev.AddMs(10);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(5, ev.calls);
  EXPECT_GE(WallUsec() - start, 50000 - kTickUsec);
}

long long DeadlineOf(const Ev &ev) {
  struct timeval tv = {0, 0};
  EXPECT_EQ(EV_TIMEOUT, event_pending(ev.get(), EV_TIMEOUT, &tv));
  return Usec(tv);
}

// A firing that comes late does not shift the ones after it.
TEST(Timer, PersistentIsScheduledFromItsDeadline) {
  for (int attempt = 0; attempt < 10; attempt++) {
    Loop loop;
    long long second = 0;
    bool overslept = false;
    long long first = 0;
    Ev *self = nullptr;
    Ev periodic(loop, -1, EV_PERSIST, [&](int, short) {
      second = DeadlineOf(*self);
      overslept = WallUsec() > first + 80000;
      self->Del();
    });
    self = &periodic;
    Ev blocker(loop, -1, 0, [&](int, short) { SpinUntil(first + 50000); });
    periodic.AddMs(100);
    first = DeadlineOf(periodic);
    blocker.AddMs(60);
    loop.Dispatch();
    if (overslept) continue;  // A busy machine; try again.
    EXPECT_NEAR(static_cast<double>(first + 100000), static_cast<double>(second), 25000);
    return;
  }
}

TEST(Timer, PersistentThatMissedPeriodsFiresOnceAndGoesOnFromNow) {
  Loop loop;
  long long next = 0;
  long long now = 0;
  Ev *self = nullptr;
  Ev periodic(loop, -1, EV_PERSIST, [&](int, short) {
    now = WallUsec();
    next = DeadlineOf(*self);
    self->Del();
  });
  self = &periodic;
  const long long start = WallUsec();
  periodic.AddMs(20);
  SpinUntil(start + 150000);
  loop.Dispatch();
  EXPECT_EQ(1, periodic.calls);
  EXPECT_GE(next, start + 150000 - kTickUsec);
  EXPECT_LE(next, now + 20000 + kTickUsec);
}

TEST(Timer, ActivityResetsThePersistentTimeout) {
  Loop loop;
  Pair pair;
  Ev *self = nullptr;
  std::vector<short> seen;
  long long first = 0;
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST, [&](int, short what) {
    seen.push_back(what);
    if (what & EV_READ) {
      pair.Recv(0);
      EXPECT_GT(DeadlineOf(*self), first);
    } else {
      self->Del();
    }
  });
  self = &ev;
  ev.AddMs(400);
  first = DeadlineOf(ev);
  Ev sender(loop, -1, 0, [&](int, short) { pair.Send(1, "x"); });
  sender.AddMs(20);
  EXPECT_EQ(1, loop.Dispatch());
  ASSERT_EQ(2u, seen.size());
  EXPECT_EQ(EV_READ, seen[0]);
  EXPECT_EQ(EV_TIMEOUT, seen[1]);
}

TEST(Timer, PersistentReaddedWithAnotherPeriod) {
  Loop loop;
  Ev *self = nullptr;
  Ev ev(loop, -1, EV_PERSIST, [&](int, short) {
    if (self->calls == 1) self->AddMs(2);
    if (self->calls == 3) self->Del();
  });
  self = &ev;
  ev.AddMs(1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(3, ev.calls);
}

TEST(Timer, RemoveTimerStopsThePeriod) {
  Loop loop;
  Pair pair;
  Ev *self = nullptr;
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST,
        [&](int, short) { EXPECT_EQ(0, event_remove_timer(self->get())); });
  self = &ev;
  ev.AddMs(1);
  Ev stop(loop, -1, 0, [&](int, short) { event_base_loopbreak(loop); });
  stop.AddMs(60);
  EXPECT_EQ(0, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_READ, ev.Pending(EV_READ | EV_TIMEOUT));
}

TEST(Timer, FarFutureDoesNotFire) {
  Loop loop;
  std::vector<std::unique_ptr<Ev>> far;
  const long seconds[] = {3600, 86400 * 365L, 0x7fffffffL};
  for (long sec : seconds) {
    far.emplace_back(new Ev(loop, -1, 0));
    struct timeval tv = {sec, 999999};
    EXPECT_EQ(0, event_add(far.back()->get(), &tv));
  }
  Ev near(loop, -1, 0);
  near.AddMs(5);
  EXPECT_EQ(0, loop.Once());
  EXPECT_EQ(1, near.calls);
  for (auto &ev : far) EXPECT_EQ(0, ev->calls);
}

// Random adds, deletes and re-adds against a map of what must fire and when.
TEST(Timer, ManyAgainstAModel) {
  Loop loop;
  std::mt19937 random(7);
  const int kNum = 2000;
  std::vector<std::unique_ptr<Ev>> events;
  // Between which wall times each is due.
  std::map<int, std::pair<long long, long long>> model;
  std::vector<int> fired;
  for (int i = 0; i < kNum; i++) {
    events.emplace_back(new Ev(loop, -1, 0, [&, i](int, short) { fired.push_back(i); }));
  }
  for (int op = 0; op < 20000; op++) {
    const int i = static_cast<int>(random() % kNum);
    if (random() % 3 == 0) {
      EXPECT_EQ(0, events[i]->Del());
      model.erase(i);
    } else {
      const long ms = 200 + static_cast<long>(random() % 400);
      const long long before = WallUsec();
      EXPECT_EQ(0, events[i]->AddMs(ms));
      model[i] = {before + ms * 1000, WallUsec() + ms * 1000};
    }
  }
  for (int i = 0; i < kNum; i++) {
    EXPECT_EQ(model.count(i) ? EV_TIMEOUT : 0, events[i]->Pending(EV_TIMEOUT));
  }
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(model.size(), fired.size());
  long long latest = 0;
  for (int i : fired) {
    ASSERT_EQ(1u, model.count(i));
    EXPECT_EQ(1, events[i]->calls);
    EXPECT_GE(model[i].second, latest - kTickUsec);
    latest = std::max(latest, model[i].first);
  }
}

TEST(Timer, RandomChangesWhileRunning) {
  Loop loop;
  std::mt19937 random(11);
  const int kNum = 300;
  std::vector<std::unique_ptr<Ev>> events;
  std::vector<bool> armed(kNum, false);
  int budget = 5000;
  for (int i = 0; i < kNum; i++) {
    events.emplace_back(new Ev(loop, -1, 0, [&, i](int, short) {
      EXPECT_TRUE(armed[i]);
      armed[i] = false;
      for (int k = 0; k < 3 && budget > 0; k++, budget--) {
        const int j = static_cast<int>(random() % kNum);
        if (random() % 3 == 0) {
          events[j]->Del();
          armed[j] = false;
        } else {
          events[j]->AddMs(static_cast<long>(random() % 4));
          armed[j] = true;
        }
      }
    }));
  }
  for (int i = 0; i < kNum; i++) {
    events[i]->AddMs(static_cast<long>(random() % 10));
    armed[i] = true;
  }
  EXPECT_EQ(1, loop.Dispatch());
  for (int i = 0; i < kNum; i++) EXPECT_FALSE(armed[i]);
}

TEST(CachedTime, StandsStillInsideACallback) {
  Loop loop;
  Ev ev(loop, -1, 0, [&](int, short) {
    struct timeval first, second, third;
    EXPECT_EQ(0, event_base_gettimeofday_cached(loop, &first));
    SpinUntil(WallUsec() + 40000);
    EXPECT_EQ(0, event_base_gettimeofday_cached(loop, &second));
    EXPECT_EQ(Usec(first), Usec(second));
    EXPECT_EQ(0, event_base_update_cache_time(loop));
    EXPECT_EQ(0, event_base_gettimeofday_cached(loop, &third));
    EXPECT_GE(Usec(third), Usec(first) + 40000 - kTickUsec);
  });
  ev.Active(EV_READ);
  loop.Dispatch();
  EXPECT_EQ(1, ev.calls);
}

TEST(CachedTime, OutsideTheLoopIsTheTime) {
  Loop loop;
  struct timeval tv;
  const long long before = WallUsec();
  EXPECT_EQ(0, event_base_gettimeofday_cached(loop, &tv));
  EXPECT_GE(Usec(tv), before - kTickUsec);
  EXPECT_LE(Usec(tv), WallUsec() + kTickUsec);
  EXPECT_EQ(0, event_base_update_cache_time(loop));
}

TEST(CachedTime, FlagTurnsTheCacheOff) {
  struct event_config *config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
  Loop loop(event_base_new_with_config(config));
  event_config_free(config);
  Ev ev(loop, -1, 0, [&](int, short) {
    struct timeval first, second;
    event_base_gettimeofday_cached(loop, &first);
    SpinUntil(WallUsec() + 40000);
    event_base_gettimeofday_cached(loop, &second);
    EXPECT_GT(Usec(second), Usec(first));
  });
  ev.AddMs(1);
  loop.Dispatch();
  EXPECT_EQ(1, ev.calls);
}

TEST(CachedTime, MonotonicNeverGoesBack) {
  Loop loop;
  struct timeval last = {0, 0};
  for (int i = 0; i < 1000; i++) {
    struct timeval now;
    ASSERT_EQ(0, event_gettime_monotonic(loop, &now));
    EXPECT_GE(Usec(now), Usec(last));
    last = now;
  }
  EXPECT_GT(Usec(last), 0);
}

}  // namespace
