// Queues for equal timeouts: the same behaviour as other timers, in the order they were added.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "loop/test_support.h"

namespace {

const struct timeval *Common(struct event_base *base, long ms) {
  const struct timeval tv = Ms(ms);
  return event_base_init_common_timeout(base, &tv);
}

TEST(CommonTimeout, OneValuePerDuration) {
  Loop loop;
  const struct timeval *ten = Common(loop, 10);
  const struct timeval *twenty = Common(loop, 20);
  ASSERT_NE(nullptr, ten);
  ASSERT_NE(nullptr, twenty);
  EXPECT_NE(ten, twenty);
  EXPECT_EQ(ten, Common(loop, 10));
  EXPECT_EQ(ten, event_base_init_common_timeout(loop, ten));
  EXPECT_EQ(1, loop.Dispatch());  // The queues alone do not keep the loop.
}

TEST(CommonTimeout, UnnormalisedDurationIsAccepted) {
  Loop loop;
  const struct timeval odd = {1, 2500000};
  const struct timeval even = {3, 500000};
  EXPECT_EQ(event_base_init_common_timeout(loop, &odd),
            event_base_init_common_timeout(loop, &even));
}

TEST(CommonTimeout, NumberOfQueuesIsLimited) {
  QuietLog quiet;
  Loop loop;
  std::set<const struct timeval *> values;
  for (long ms = 1; ms <= 256; ms++) {
    const struct timeval *tv = Common(loop, ms);
    ASSERT_NE(nullptr, tv);
    values.insert(tv);
  }
  EXPECT_EQ(256u, values.size());
  EXPECT_EQ(nullptr, Common(loop, 257));
  EXPECT_NE(nullptr, Common(loop, 7));
}

TEST(CommonTimeout, FireInTheOrderAdded) {
  Loop loop;
  const struct timeval *tv = Common(loop, 20);
  std::vector<int> order;
  std::vector<std::unique_ptr<Ev>> events;
  for (int i = 0; i < 1000; i++) {
    events.emplace_back(new Ev(loop, -1, 0, [&order, i](int, short what) {
      EXPECT_EQ(EV_TIMEOUT, what);
      order.push_back(i);
    }));
    ASSERT_EQ(0, event_add(events.back()->get(), tv));
  }
  for (int i = 0; i < 1000; i += 3) events[i]->Del();
  const long long start = WallUsec();
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_LT(WallUsec() - start, 20000000);
  EXPECT_EQ(666u, order.size());
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  for (int i : order) EXPECT_NE(0, i % 3);
}

TEST(CommonTimeout, PendingTellsAnOrdinaryTime) {
  Loop loop;
  const struct timeval *tv = Common(loop, 90500);
  Ev ev(loop, -1, 0);
  const long long before = WallUsec();
  event_add(ev.get(), tv);
  struct timeval deadline;
  ASSERT_EQ(EV_TIMEOUT, event_pending(ev.get(), EV_TIMEOUT, &deadline));
  EXPECT_LT(deadline.tv_usec, 1000000);
  EXPECT_NEAR(static_cast<double>(before + 90500000), static_cast<double>(Usec(deadline)), 1e6);
}

TEST(CommonTimeout, MixesWithOrdinaryTimers) {
  Loop loop;
  const struct timeval *ten = Common(loop, 10);
  const struct timeval *forty = Common(loop, 40);
  std::string order;
  Ev a(loop, -1, 0, [&](int, short) { order += 'a'; });
  Ev b(loop, -1, 0, [&](int, short) { order += 'b'; });
  Ev c(loop, -1, 0, [&](int, short) { order += 'c'; });
  Ev d(loop, -1, 0, [&](int, short) { order += 'd'; });
  const long long start = WallUsec();
  event_add(d.get(), forty);
  c.AddMs(27);
  event_add(a.get(), ten);
  b.AddMs(18);
  if (WallUsec() - start > 4000) GTEST_SKIP() << "adding took too long to know the order";
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("abcd", order);
}

TEST(CommonTimeout, ReaddingMovesToTheEnd) {
  Loop loop;
  const struct timeval *tv = Common(loop, 30);
  std::string order;
  Ev a(loop, -1, 0, [&](int, short) { order += 'a'; });
  Ev b(loop, -1, 0, [&](int, short) { order += 'b'; });
  Ev c(loop, -1, 0, [&](int, short) { order += 'c'; });
  event_add(a.get(), tv);
  event_add(b.get(), tv);
  event_add(c.get(), tv);
  event_add(a.get(), tv);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("bca", order);
}

TEST(CommonTimeout, ChangingBetweenKinds) {
  Loop loop;
  Pair pair;
  const struct timeval *far = Common(loop, 3600000);
  const struct timeval *near = Common(loop, 5);
  Ev ev(loop, pair[0], EV_READ);
  event_add(ev.get(), far);
  event_add(ev.get(), near);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
  event_add(ev.get(), far);
  ev.AddMs(5);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(2, ev.calls);
  ev.AddMs(5);
  event_add(ev.get(), far);
  EXPECT_EQ(0, event_remove_timer(ev.get()));
  EXPECT_EQ(EV_READ, ev.Pending(EV_READ | EV_TIMEOUT));
  pair.Send(1, "x");
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_READ, ev.last_what);
}

TEST(CommonTimeout, PersistentStaysInItsQueue) {
  Loop loop;
  const struct timeval *tv = Common(loop, 5);
  std::vector<std::unique_ptr<Ev>> events;
  for (int i = 0; i < 5; i++) {
    events.emplace_back(new Ev(loop, -1, EV_PERSIST, [&events, i](int, short) {
      if (events[i]->calls == 4) events[i]->Del();
    }));
    event_add(events.back()->get(), tv);
  }
  EXPECT_EQ(1, loop.Dispatch());
  for (auto &ev : events) EXPECT_EQ(4, ev->calls);
}

TEST(CommonTimeout, FirstDeletesTheOthersInTheSameTurn) {
  Loop loop;
  const struct timeval *tv = Common(loop, 2);
  std::vector<std::unique_ptr<Ev>> events;
  int calls = 0;
  for (int i = 0; i < 50; i++) {
    events.emplace_back(new Ev(loop, -1, 0, [&](int, short) {
      calls++;
      for (auto &event : events) event->Free();
    }));
    event_add(events.back()->get(), tv);
  }
  SpinUntil(WallUsec() + 30000);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, calls);
}

TEST(CommonTimeout, RandomAddsAndDeletes) {
  Loop loop;
  std::mt19937 random(5);
  const struct timeval *tvs[] = {Common(loop, 30), Common(loop, 50), Common(loop, 70)};
  const int kNum = 500;
  std::vector<std::unique_ptr<Ev>> events;
  std::set<int> model;
  for (int i = 0; i < kNum; i++) {
    events.emplace_back(new Ev(loop, -1, 0, [&, i](int, short) { model.erase(i); }));
  }
  for (int op = 0; op < 5000; op++) {
    const int i = static_cast<int>(random() % kNum);
    switch (random() % 4) {
      case 0:
        events[i]->Del();
        model.erase(i);
        break;
      case 1:
        events[i]->AddMs(static_cast<long>(30 + random() % 50));
        model.insert(i);
        break;
      default:
        event_add(events[i]->get(), tvs[random() % 3]);
        model.insert(i);
    }
  }
  const size_t expected = model.size();
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_TRUE(model.empty());
  size_t fired = 0;
  for (auto &ev : events) fired += static_cast<size_t>(ev->calls);
  EXPECT_EQ(expected, fired);
}

TEST(CommonTimeout, OnceAcceptsThem) {
  Loop loop;
  const struct timeval *tv = Common(loop, 3);
  int calls = 0;
  EXPECT_EQ(0,
            event_base_once(
                loop, -1, EV_TIMEOUT,
                [](evutil_socket_t, short, void *arg) { ++*static_cast<int *>(arg); }, &calls, tv));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, calls);
}

TEST(CommonTimeout, BaseFreedWhileQueued) {
  struct event events[10];
  struct event_base *base = event_base_new();
  const struct timeval *tv = Common(base, 3600000);
  for (struct event &ev : events) {
    evtimer_assign(
        &ev, base, [](evutil_socket_t, short, void *) {}, nullptr);
    event_add(&ev, tv);
  }
  event_base_free(base);
}

}  // namespace
