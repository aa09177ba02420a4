// Prepare, check and idle watchers. Not for the installed libevent: 2.1 has none.
#include <event2/thread.h>
#include <event2/watch.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/sim/sim.h"
#include "loop/test_support.h"
#include "util/clock.h"
#include "util/testing/counting_memory.h"

namespace {

constexpr int64_t kSecond = STRATA_NS_PER_SECOND;

// A watcher that counts its calls and then runs a function. Freed with the object.
class Watcher {
 public:
  typedef std::function<void()> Fn;

  static Watcher *Prepare(struct event_base *base, Fn fn = Fn()) {
    Watcher *self = new Watcher(std::move(fn));
    self->watch_ = evwatch_prepare_new(base, OnPrepare, self);
    return self;
  }
  static Watcher *Check(struct event_base *base, Fn fn = Fn()) {
    Watcher *self = new Watcher(std::move(fn));
    self->watch_ = evwatch_check_new(base, OnCheck, self);
    return self;
  }
  static Watcher *Idle(struct event_base *base, int priority, Fn fn = Fn()) {
    Watcher *self = new Watcher(std::move(fn));
    self->watch_ = evwatch_idle_new(base, priority, OnIdle, self);
    return self;
  }
  ~Watcher() { Free(); }

  void Free() {
    if (watch_ != nullptr) evwatch_free(watch_);
    watch_ = nullptr;
  }
  // The base is gone, and the watcher with it.
  void Forget() { watch_ = nullptr; }
  struct evwatch *get() const {
    return watch_;
  }

  int calls = 0;
  bool has_timeout = false;
  long long timeout_usec = -1;

 private:
  explicit Watcher(Fn fn) : fn_(std::move(fn)) {}

  void Run() {
    calls++;
    if (fn_) fn_();
  }
  static void OnPrepare(struct evwatch *watch, const struct evwatch_prepare_cb_info *info,
                        void *arg) {
    Watcher *self = static_cast<Watcher *>(arg);
    EXPECT_EQ(self->watch_, watch);
    struct timeval tv = {-1, 0};
    self->has_timeout = evwatch_prepare_get_timeout(info, &tv);
    self->timeout_usec = self->has_timeout ? Usec(tv) : -1;
    self->Run();
  }
  static void OnCheck(struct evwatch *, const struct evwatch_check_cb_info *, void *arg) {
    static_cast<Watcher *>(arg)->Run();
  }
  static void OnIdle(struct evwatch *, const struct evwatch_idle_cb_info *, void *arg) {
    static_cast<Watcher *>(arg)->Run();
  }

  Fn fn_;
  struct evwatch *watch_ = nullptr;
};

typedef std::unique_ptr<Watcher> WatcherPtr;

class Watch : public ::testing::Test {
 protected:
  ~Watch() override {
    if (base_ != nullptr) event_base_free(base_);
    strata_sim_free(sim_);
  }
  std::function<void()> Note(const char *what) {
    return [this, what] { log_ += what; };
  }
  WatcherPtr Prepare(Watcher::Fn fn = {}) { return WatcherPtr(Watcher::Prepare(base_, fn)); }
  WatcherPtr Check(Watcher::Fn fn = {}) { return WatcherPtr(Watcher::Check(base_, fn)); }
  WatcherPtr Idle(int priority, Watcher::Fn fn = {}) {
    return WatcherPtr(Watcher::Idle(base_, priority, fn));
  }
  int Run(int flags) { return event_base_loop(base_, flags); }
  int Turn() { return Run(EVLOOP_ONCE | EVLOOP_NONBLOCK); }
  void Break() { event_base_loopbreak(base_); }

  struct strata_sim *sim_ = strata_sim_new();
  struct event_base *base_ = strata_sim_base_new(sim_, nullptr);
  std::string log_;
};

// --- Prepare and check ---

TEST_F(Watch, RunAroundTheWaitAndBeforeTheCallbacks) {
  WatcherPtr p = Prepare(Note("p")), c = Check(Note("c")), q = Prepare(Note("q"));
  Ev ev(base_, -1, 0, [&](int, short) { log_ += "e"; });
  ev.AddMs(1000);
  EXPECT_EQ(1, Run(0));
  EXPECT_EQ("pqce", log_);
}

TEST_F(Watch, KeepNoLoopGoing) {
  WatcherPtr p = Prepare(), c = Check();
  EXPECT_EQ(1, Run(0));
  EXPECT_EQ(0, p->calls + c->calls);
  EXPECT_EQ(0, event_base_get_num_events(base_, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_VIRTUAL));
}

TEST_F(Watch, KnowTheirBase) {
  WatcherPtr p = Prepare(), c = Check(), i = Idle(0);
  for (Watcher *w : {p.get(), c.get(), i.get()}) EXPECT_EQ(base_, evwatch_base(w->get()));
}

TEST_F(Watch, TimeoutIsTheTimeToTheNextTimer) {
  WatcherPtr p = Prepare();
  Ev ev(base_, -1, 0);
  const struct timeval tv = {5, 250000};
  event_add(ev.get(), &tv);
  strata_sim_advance(sim_, kSecond);
  Run(EVLOOP_ONCE);
  EXPECT_TRUE(p->has_timeout);
  EXPECT_EQ(4250000, p->timeout_usec);
}

TEST_F(Watch, TimeoutIsZeroWhereTheLoopWillNotWait) {
  WatcherPtr p = Prepare();
  Ev timer(base_, -1, 0), active(base_, -1, 0);
  timer.AddMs(1000);
  Turn();
  EXPECT_EQ(0, p->timeout_usec);
  active.Active(EV_READ);
  Run(EVLOOP_ONCE);
  EXPECT_EQ(0, p->timeout_usec);
  strata_sim_advance(sim_, 5 * kSecond);
  Run(EVLOOP_ONCE);
  EXPECT_EQ(0, p->timeout_usec);
  EXPECT_EQ(1, timer.calls);
}

TEST_F(Watch, NoTimerNoTimeout) {
  WatcherPtr p = Prepare();
  Ev ev(base_, 5, EV_READ);
  ev.Add();
  strata_sim_raise_at(sim_, strata_sim_now_ns(sim_) + kSecond, 5, EV_READ);
  EXPECT_EQ(1, Run(0));
  EXPECT_EQ(1, p->calls);
  EXPECT_FALSE(p->has_timeout);
}

TEST_F(Watch, WhatPrepareAddsBoundsTheWait) {
  Ev far(base_, -1, 0), near(base_, -1, 0);
  far.AddMs(3600 * 1000);
  const int64_t began = strata_sim_now_ns(sim_);
  WatcherPtr p = Prepare([&] { near.AddMs(1000); });
  WatcherPtr q = Prepare();
  Run(EVLOOP_ONCE);
  EXPECT_EQ(3600 * 1000000LL, p->timeout_usec);
  EXPECT_EQ(1000000, q->timeout_usec);
  EXPECT_EQ(1, near.calls);
  EXPECT_EQ(began + kSecond, strata_sim_now_ns(sim_));
}

TEST_F(Watch, WhatPrepareActivatesEndsTheWait) {
  Ev far(base_, -1, 0), active(base_, -1, 0);
  far.AddMs(3600 * 1000);
  const int64_t began = strata_sim_now_ns(sim_);
  WatcherPtr p = Prepare([&] { active.Active(EV_READ); });
  Run(EVLOOP_ONCE);
  EXPECT_EQ(1, active.calls);
  EXPECT_EQ(began, strata_sim_now_ns(sim_));
}

// Nothing would ever end the wait.
TEST_F(Watch, PrepareTakesTheLastEventAway) {
  Ev ev(base_, 5, EV_READ);
  ev.Add();
  WatcherPtr p = Prepare([&] { ev.Del(); });
  EXPECT_EQ(1, Run(0));
  EXPECT_EQ(1, p->calls);
}

TEST_F(Watch, LoopbreakStopsEverythingElse) {
  Ev ev(base_, -1, 0);
  ev.Active(EV_READ);
  WatcherPtr p = Prepare([&] { Break(); });
  WatcherPtr q = Prepare(), c = Check(), i = Idle(0);
  EXPECT_EQ(0, Run(0));
  EXPECT_EQ(0, q->calls + c->calls + i->calls + ev.calls);
  EXPECT_TRUE(event_base_got_break(base_));
  p->Free();
  WatcherPtr d = Check([&] { Break(); });
  Run(0);
  EXPECT_EQ(0, ev.calls + i->calls);
  d->Free();
  i->Free();
  EXPECT_EQ(1, Run(0));
  EXPECT_EQ(1, ev.calls);
}

TEST_F(Watch, LoopexitFromPrepareDoesNotWait) {
  Ev ev(base_, 5, EV_READ);
  ev.Add();
  WatcherPtr p = Prepare([&] { event_base_loopexit(base_, nullptr); });
  EXPECT_EQ(0, Run(0));
  EXPECT_TRUE(event_base_got_exit(base_));
}

TEST_F(Watch, MadeByACallbackRunsFromTheNextTurn) {
  std::vector<WatcherPtr> made;
  WatcherPtr p = Prepare([&] {
    if (made.size() < 3) made.push_back(Prepare(Note("n")));
  });
  Ev ev(base_, 5, EV_READ);
  ev.Add();
  for (const char *expected : {"", "n", "nnn", "nnnnnn"}) {
    Turn();
    EXPECT_EQ(expected, log_);
  }
}

// Which watchers of four a callback of one of them frees: each choice, in each kind.
class Freeing : public Watch, public ::testing::WithParamInterface<int> {};

TEST_P(Freeing, InACallback) {
  for (int runner = 0; runner < 4; runner++) {
    for (unsigned freed = 0; freed < 16; freed++) {
      std::vector<WatcherPtr> watchers(4);
      auto on_call = [&, runner, freed](int i) {
        if (i != runner) return;
        for (int k = 0; k < 4; k++)
          if (freed >> k & 1) watchers[k]->Free();
      };
      for (int i = 0; i < 4; i++) {
        auto fn = [&, i] { on_call(i); };
        watchers[i] = GetParam() == 0 ? Prepare(fn) : GetParam() == 1 ? Check(fn) : Idle(0, fn);
      }
      Ev keeps_going(base_, 5, EV_READ);
      keeps_going.Add();
      Turn();
      Turn();
      for (int i = 0; i < 4; i++) {
        const bool is_freed = freed >> i & 1;
        EXPECT_EQ(!is_freed ? 2 : i <= runner ? 1 : 0, watchers[i]->calls) << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Freeing, ::testing::Range(0, 3));

TEST_F(Watch, FreedByCallbacksOfOtherKindsAndOfEvents) {
  WatcherPtr i = Idle(0), c = Check([&] { i->Free(); }), p = Prepare([&] { c->Free(); });
  Ev ev(base_, -1, 0, [&](int, short) { p->Free(); });
  ev.Active(EV_READ);
  Turn();
  EXPECT_EQ(0, c->calls);
  EXPECT_EQ(1, p->calls);
  ev.Active(EV_READ);
  Turn();
  EXPECT_EQ(1, p->calls);
}

TEST_F(Watch, FreedWithTheBase) {
  WatcherPtr p = Prepare(), c = Check(), i = Idle(0);
  event_base_free(base_);
  base_ = nullptr;
  for (Watcher *w : {p.get(), c.get(), i.get()}) {
    EXPECT_EQ(0, w->calls);
    w->Forget();
  }
}

// --- Idle ---

TEST_F(Watch, IdleRunsOnceATurnWithoutWaiting) {
  const int64_t began = strata_sim_now_ns(sim_);
  Ev far(base_, -1, 0);
  far.AddMs(3600 * 1000);
  WatcherPtr i;
  i = Idle(0, [&] {
    if (i->calls == 5) Break();
  });
  WatcherPtr p = Prepare();
  Run(0);
  EXPECT_EQ(5, i->calls);
  EXPECT_EQ(5, p->calls);
  EXPECT_EQ(0, p->timeout_usec);
  EXPECT_EQ(began, strata_sim_now_ns(sim_));
}

TEST_F(Watch, IdleKeepsTheLoopGoing) {
  WatcherPtr i;
  i = Idle(0, [&] {
    if (i->calls == 3) i->Free();
  });
  EXPECT_EQ(1, event_base_get_num_events(base_, EVENT_BASE_COUNT_VIRTUAL));
  EXPECT_EQ(1, Run(0));
  EXPECT_EQ(3, i->calls);
  EXPECT_EQ(0, event_base_get_num_events(base_, EVENT_BASE_COUNT_VIRTUAL));
}

TEST_F(Watch, IdleAndTheFlags) {
  WatcherPtr i = Idle(0);
  EXPECT_EQ(0, Run(EVLOOP_ONCE));
  EXPECT_EQ(1, i->calls);
  EXPECT_EQ(0, Run(EVLOOP_NONBLOCK));
  EXPECT_EQ(2, i->calls);
  EXPECT_EQ(0, Turn());
  EXPECT_EQ(3, i->calls);
}

TEST_F(Watch, IdleWaitsForItsOwnAndMoreUrgentPriorities) {
  event_base_priority_init(base_, 3);
  Ev ev(base_, -1, 0, [&](int, short) { log_ += "e"; });
  WatcherPtr i = Idle(1, Note("i"));
  for (const auto &expected : {std::make_pair(0, "e"), {1, "e"}, {2, "ie"}}) {
    event_priority_set(ev.get(), expected.first);
    ev.Active(EV_READ);
    log_.clear();
    Turn();
    EXPECT_EQ(expected.second, log_) << expected.first;
    log_.clear();
    Turn();
    EXPECT_EQ("i", log_);
  }
}

TEST_F(Watch, DueTimersAndReadyDescriptorsAreNotIdleness) {
  Ev timer(base_, -1, 0, [&](int, short) { log_ += "t"; });
  Ev readable(base_, 5, EV_READ, [&](int, short) { log_ += "r"; });
  readable.Add();
  timer.AddMs(1000);
  WatcherPtr i = Idle(0, Note("i"));
  Turn();
  strata_sim_advance(sim_, kSecond);
  Turn();
  strata_sim_raise(sim_, 5, EV_READ);
  Turn();
  Turn();
  EXPECT_EQ("itri", log_);
}

TEST_F(Watch, OnlyTheMostUrgentIdleWatchersRun) {
  event_base_priority_init(base_, 3);
  WatcherPtr low = Idle(2, Note("l")), a = Idle(1, Note("a")), b = Idle(1, Note("b"));
  Turn();
  EXPECT_EQ("ab", log_);
  a->Free();
  b->Free();
  Turn();
  EXPECT_EQ("abl", log_);
}

TEST_F(Watch, IdleActivatesAnEvent) {
  Ev ev(base_, -1, 0, [&](int, short) { log_ += "e"; });
  WatcherPtr i = Idle(0, [&] {
    log_ += "i";
    ev.Active(EV_READ);
  });
  Turn();
  Turn();
  EXPECT_EQ("ieie", log_);
}

TEST_F(Watch, LoopcontinueInEveryIdleCallbackStarvesNobody) {
  event_base_priority_init(base_, 2);
  WatcherPtr i = Idle(0, [&] { event_base_loopcontinue(base_); });
  Ev ev(base_, -1, 0);
  event_priority_set(ev.get(), 1);
  ev.Active(EV_READ);
  Turn();
  EXPECT_EQ(1, ev.calls);
}

TEST_F(Watch, PriorityMustExist) {
  EXPECT_EQ(nullptr, evwatch_idle_new(base_, -1, nullptr, nullptr));
  EXPECT_EQ(nullptr, evwatch_idle_new(base_, 1, nullptr, nullptr));
  event_base_priority_init(base_, 2);
  WatcherPtr i = Idle(1, Note("i"));
  EXPECT_NE(nullptr, i->get());
  event_base_priority_init(base_, 1);  // The watcher stays, less urgent than everything.
  Ev ev(base_, -1, 0, [&](int, short) { log_ += "e"; });
  ev.Active(EV_READ);
  Turn();
  Turn();
  EXPECT_EQ("ei", log_);
}

TEST_F(Watch, SurvivesReinit) {
  WatcherPtr p = Prepare(), i = Idle(0);
  EXPECT_EQ(0, event_reinit(base_));
  Turn();
  EXPECT_EQ(1, p->calls);
  EXPECT_EQ(1, i->calls);
}

// --- Memory that runs out ---

TEST(WatchMemory, RunsOut) {
  struct strata_sim *sim = strata_sim_new();
  struct event_base *base = strata_sim_base_new(sim, nullptr);
  CountingMemory::Install(event_set_mem_functions);
  for (int limit = 0; limit < 2; limit++) {
    // The first watcher takes two allocations; what the first of them made stays.
    CountingMemory::Begin(limit + 1, CountingMemory::kAll);
    EXPECT_EQ(nullptr, evwatch_idle_new(base, 0, nullptr, nullptr));
    EXPECT_EQ(0, event_base_get_num_events(base, EVENT_BASE_COUNT_VIRTUAL));
  }
  CountingMemory::Begin(2, CountingMemory::kAll);
  struct evwatch *watch = evwatch_check_new(base, nullptr, nullptr);
  EXPECT_NE(nullptr, watch);
  evwatch_free(watch);
  event_base_free(base);
  strata_sim_free(sim);
  event_set_mem_functions(nullptr, nullptr, nullptr);
}

// --- Threads ---

TEST(WatchThreads, IdleMadeElsewhereWakesTheLoop) {
  evthread_use_pthreads();
  Loop loop;
  Ev keeps_going(loop, -1, EV_PERSIST);
  keeps_going.AddMs(3600 * 1000);
  std::thread thread;
  Watcher *idle = nullptr;
  Ev start(loop, -1, 0, [&](int, short) {
    thread =
        std::thread([&] { idle = Watcher::Idle(loop, 0, [&] { event_base_loopbreak(loop); }); });
  });
  start.Active(EV_READ);
  loop.Dispatch();
  thread.join();
  EXPECT_LE(1, idle->calls);
  delete idle;
}

TEST(WatchThreads, FreedElsewhereWhileTheyRun) {
  evthread_use_pthreads();
  Loop loop;
  std::thread thread;
  std::vector<struct evwatch *> watches;
  auto on_prepare = [](struct evwatch *watch, const struct evwatch_prepare_cb_info *, void *) {
    EXPECT_NE(nullptr, evwatch_base(watch));
  };
  auto on_idle = [](struct evwatch *watch, const struct evwatch_idle_cb_info *, void *) {
    EXPECT_NE(nullptr, evwatch_base(watch));
  };
  for (int i = 0; i < 200; i++) {
    watches.push_back(evwatch_prepare_new(loop, on_prepare, nullptr));
    watches.push_back(evwatch_idle_new(loop, 0, on_idle, nullptr));
  }
  Ev start(loop, -1, 0, [&](int, short) {
    thread = std::thread([&] {
      for (struct evwatch *watch : watches) evwatch_free(watch);
    });
  });
  start.Active(EV_READ);
  EXPECT_EQ(1, loop.Dispatch());  // Ends when the last idle watcher is gone.
  thread.join();
}

}  // namespace
