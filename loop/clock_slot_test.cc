// A base over a simulated backend: time is the backend's, so hours pass without waiting; and how a
// base is made from a table of backends.
#include <errno.h>
#include <event2/thread.h>
#include <stdlib.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

extern "C" {
#include "loop/base_clock.h"
#include "loop/readiness.h"
#include "util/clock.h"
}

#include "loop/test_support.h"

namespace {

constexpr int64_t kSecond = STRATA_NS_PER_SECOND;
constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kStart = 1000 * kHour;

// What the simulated backends do, and what they were asked. One world at a time.
struct World {
  World() { current = this; }
  ~World() { current = nullptr; }

  int64_t now_ns = kStart;
  bool init_fails = false;
  int wait_error = 0;  // errno of every wait that fails.
  int num_inits = 0;
  int num_destroys = 0;
  std::vector<int64_t> deadlines;          // Of every wait.
  std::map<evutil_socket_t, short> masks;  // Of every registered descriptor.
  std::map<evutil_socket_t, uint32_t> generations;
  struct Report {
    evutil_socket_t fd;
    uint32_t generation;
    short what;
  };
  std::vector<Report> next_reports;  // Of the next wait.

  static World *current;
};
World *World::current;

void *Init(int) {
  if (World::current->init_fails) return nullptr;
  World::current->num_inits++;
  return new char;
}

void Destroy(void *state) {
  World::current->num_destroys++;
  delete static_cast<char *>(state);
}

int Change(void *, const struct event_readiness_change *change) {
  World *world = World::current;
  EXPECT_EQ(world->masks[change->fd], change->old_mask);
  world->masks[change->fd] = change->new_mask;
  world->generations[change->fd] = change->generation;
  return 0;
}

// Nothing happens by itself here, so it is at once as late as one may wait.
int Wait(void *, int64_t now_ns, int64_t deadline_ns, struct event_readiness_sink *sink) {
  World *world = World::current;
  // The clock is only read when the length of the wait depends on it.
  if (deadline_ns > now_ns && deadline_ns != INT64_MAX) {
    EXPECT_EQ(world->now_ns, now_ns);
  }
  world->deadlines.push_back(deadline_ns);
  if (world->wait_error != 0) {
    errno = world->wait_error;
    return -1;
  }
  sink->unlock(sink);
  sink->lock(sink);
  if (!world->next_reports.empty()) {
    for (const World::Report &report : world->next_reports)
      sink->ready(sink, report.fd, report.generation, report.what);
    world->next_reports.clear();
    return 0;
  }
  EXPECT_NE(INT64_MAX, deadline_ns) << "this would wait for ever";
  if (deadline_ns == INT64_MAX) return -1;
  if (deadline_ns > now_ns) world->now_ns = deadline_ns;
  return 0;
}

int64_t Now(void *) {
  return World::current->now_ns;
}

struct event_readiness_ops Ops(const char *name, unsigned features = EV_FEATURE_O1) {
  struct event_readiness_ops ops;
  memset(&ops, 0, sizeof(ops));
  ops.name = name;
  ops.features = features;
  ops.fork_needs_reinit = 1;
  ops.init = Init;
  ops.change = Change;
  ops.wait = Wait;
  ops.destroy = Destroy;
  ops.now = Now;
  return ops;
}

const struct event_readiness_ops *const *Table() {
  static const struct event_readiness_ops ops = Ops("simulated");
  static const struct event_readiness_ops *const table[] = {&ops, nullptr};
  return table;
}

class ClockSlot : public ::testing::Test {
 protected:
  World world_;
  Loop loop_{event_base_new_with_backends(nullptr, Table())};
};

struct timeval Seconds(long seconds) {
  struct timeval tv = {seconds, 0};
  return tv;
}

int AddSeconds(const Ev &ev, long seconds) {
  const struct timeval tv = Seconds(seconds);
  return event_add(ev.get(), &tv);
}

// --- Timers ---

TEST_F(ClockSlot, TimersFireAtTheirTimeOnTheSimulatedClock) {
  std::vector<int64_t> fired;
  auto note = [&](int, short) { fired.push_back((world_.now_ns - kStart) / kSecond); };
  Ev third(loop_, -1, 0, note), first(loop_, -1, 0, note), second(loop_, -1, 0, note);
  AddSeconds(third, 86400 * 365);
  AddSeconds(first, 3600);
  AddSeconds(second, 7200);
  EXPECT_EQ(1, loop_.Dispatch());
  EXPECT_EQ((std::vector<int64_t>{3600, 7200, 86400 * 365}), fired);
}

TEST_F(ClockSlot, TheBackendIsToldTheNextDeadline) {
  Ev ev(loop_, -1, 0);
  AddSeconds(ev, 5);
  loop_.Turn();  // Does not wait.
  EXPECT_EQ(0, ev.calls);
  loop_.Dispatch();
  ASSERT_EQ(2u, world_.deadlines.size());
  EXPECT_GE(kStart, world_.deadlines[0]);
  EXPECT_EQ(kStart + 5 * kSecond, world_.deadlines[1]);
}

TEST_F(ClockSlot, NoWaitWhileSomethingIsActive) {
  Ev timer(loop_, -1, 0), active(loop_, -1, 0);
  AddSeconds(timer, 3600);
  active.Active(EV_READ);
  loop_.Once();
  EXPECT_EQ(1, active.calls);
  EXPECT_EQ(kStart, world_.now_ns);
}

TEST_F(ClockSlot, NothingIsDueBeforeItsTime) {
  Ev ev(loop_, -1, 0);
  AddSeconds(ev, 10);
  world_.now_ns += 10 * kSecond - STRATA_NS_PER_US;
  loop_.Turn();
  EXPECT_EQ(0, ev.calls);
  world_.now_ns += STRATA_NS_PER_US;
  loop_.Turn();
  EXPECT_EQ(1, ev.calls);
}

TEST_F(ClockSlot, PersistentTimerKeepsItsBeat) {
  std::vector<int64_t> fired;
  Ev ev(loop_, -1, EV_PERSIST, [&](int, short) {
    fired.push_back((world_.now_ns - kStart) / kSecond);
    world_.now_ns += 30 * kSecond;  // The callback takes its time; the beat does not shift.
    if (fired.size() == 4) event_base_loopbreak(loop_);
  });
  AddSeconds(ev, 100);
  loop_.Dispatch();
  EXPECT_EQ((std::vector<int64_t>{100, 200, 300, 400}), fired);
}

TEST_F(ClockSlot, PersistentTimerThatMissedBeatsGoesOnFromNow) {
  std::vector<int64_t> fired;
  Ev ev(loop_, -1, EV_PERSIST, [&](int, short) {
    fired.push_back((world_.now_ns - kStart) / kSecond);
    if (fired.size() == 1) world_.now_ns += 350 * kSecond;
    if (fired.size() == 3) event_base_loopbreak(loop_);
  });
  AddSeconds(ev, 100);
  loop_.Dispatch();
  EXPECT_EQ((std::vector<int64_t>{100, 450, 550}), fired);
}

// An interval of nothing at all is due in every turn, and in no turn twice.
TEST_F(ClockSlot, PersistentTimersOfNoDuration) {
  const struct timeval nothing = {0, 0}, less = {-5, 0};
  Ev common(loop_, -1, EV_PERSIST), negative(loop_, -1, EV_PERSIST);
  event_add(common.get(), event_base_init_common_timeout(loop_, &nothing));
  event_add(negative.get(), &less);
  for (int turn = 1; turn <= 3; turn++) {
    loop_.Turn();
    EXPECT_EQ(turn, common.calls);
    EXPECT_EQ(turn, negative.calls);
    world_.now_ns += kSecond;
  }
}

TEST_F(ClockSlot, NegativeTimeoutIsDueAtOnce) {
  Ev ev(loop_, -1, 0);
  for (struct timeval tv : {timeval{-1, 0}, timeval{-1, 999999}, timeval{0, -1},
                            timeval{std::numeric_limits<decltype(timeval::tv_sec)>::min(), 0}}) {
    ev.calls = 0;
    EXPECT_EQ(0, event_add(ev.get(), &tv));
    loop_.Turn();
    EXPECT_EQ(1, ev.calls);
  }
}

TEST_F(ClockSlot, CommonTimeoutsFollowIt) {
  const struct timeval plain = Seconds(60);
  const struct timeval *common = event_base_init_common_timeout(loop_, &plain);
  std::vector<int64_t> fired;
  auto note = [&](int, short) { fired.push_back((world_.now_ns - kStart) / kSecond); };
  Ev one(loop_, -1, 0, note), two(loop_, -1, 0, note);
  event_add(one.get(), common);
  world_.now_ns += 15 * kSecond;
  event_add(two.get(), common);
  loop_.Dispatch();
  EXPECT_EQ((std::vector<int64_t>{60, 75}), fired);
}

TEST_F(ClockSlot, DispatchIntervalIsMeasuredOnIt) {
  struct event_config *config = event_config_new();
  const struct timeval interval = Seconds(10);
  event_config_set_max_dispatch_interval(config, &interval, -1, 0);
  Loop loop(event_base_new_with_backends(config, Table()));
  event_config_free(config);
  Ev a(loop, -1, 0, [&](int, short) { world_.now_ns += 6 * kSecond; });
  Ev b(loop, -1, 0, [&](int, short) { world_.now_ns += 6 * kSecond; });
  Ev c(loop, -1, 0);
  for (Ev *ev : {&a, &b, &c}) ev->Active(EV_READ);
  const size_t waits_before = world_.deadlines.size();
  loop.Dispatch();
  EXPECT_EQ(1, c.calls);
  EXPECT_EQ(waits_before + 2, world_.deadlines.size());  // A look at the kernel before c.
}

// --- Asking for the time ---

TEST_F(ClockSlot, MonotonicTimeIsTheBackends) {
  struct timeval tv;
  ASSERT_EQ(0, event_gettime_monotonic(loop_, &tv));
  EXPECT_EQ(kStart / kSecond, tv.tv_sec);
  world_.now_ns += kHour + 5 * STRATA_NS_PER_US;
  ASSERT_EQ(0, event_gettime_monotonic(loop_, &tv));
  EXPECT_EQ((kStart + kHour) / kSecond, tv.tv_sec);
  EXPECT_EQ(5, tv.tv_usec);
}

// The time at which an event is due, which is told as wall time, comes nearer with the simulated
// clock. Compared loosely: the wall clock goes on meanwhile.
TEST_F(ClockSlot, PendingTimeComesNearer) {
  Ev ev(loop_, -1, 0);
  AddSeconds(ev, 7200);
  auto seconds_left = [&] {
    struct timeval due = {0, 0};
    EXPECT_EQ(EV_TIMEOUT, event_pending(ev.get(), EV_TIMEOUT, &due));
    return (Usec(due) - WallUsec()) / 1000000.0;
  };
  EXPECT_NEAR(7200, seconds_left(), 100);
  world_.now_ns += kHour;
  EXPECT_NEAR(3600, seconds_left(), 100);
  loop_.Dispatch();
  EXPECT_EQ(kStart + 2 * kHour, world_.now_ns);
}

TEST_F(ClockSlot, TimeStandsStillInsideACallback) {
  bool has_run = false;
  Ev ev(loop_, -1, 0, [&](int, short) {
    has_run = true;
    const int64_t began = world_.now_ns;
    EXPECT_EQ(began, event_base_loop_time_ns(loop_));
    struct timeval before, after;
    event_base_gettimeofday_cached(loop_, &before);
    world_.now_ns += 2 * kSecond;
    EXPECT_EQ(began, event_base_loop_time_ns(loop_));
    event_base_gettimeofday_cached(loop_, &after);
    EXPECT_EQ(Usec(before), Usec(after));
    EXPECT_EQ(0, event_base_update_cache_time(loop_));
    EXPECT_EQ(world_.now_ns, event_base_loop_time_ns(loop_));
    event_base_gettimeofday_cached(loop_, &after);
    EXPECT_EQ(Usec(before) + 2000000, Usec(after));
  });
  AddSeconds(ev, 60);
  loop_.Dispatch();
  EXPECT_TRUE(has_run);
  world_.now_ns += kHour;
  EXPECT_EQ(world_.now_ns, event_base_loop_time_ns(loop_));  // Outside of the loop.
}

TEST_F(ClockSlot, TimeoutsSetByACallbackCountFromTheCachedTime) {
  std::vector<int64_t> fired;
  Ev second(loop_, -1, 0, [&](int, short) { fired.push_back((world_.now_ns - kStart) / kSecond); });
  Ev first(loop_, -1, 0, [&](int, short) {
    world_.now_ns += 5 * kSecond;
    AddSeconds(second, 60);
  });
  AddSeconds(first, 100);
  loop_.Dispatch();
  EXPECT_EQ((std::vector<int64_t>{160}), fired);
}

// With nothing cached, updating must not begin a cache: the loop may wait long before the next
// turn.
TEST_F(ClockSlot, UpdatingTheCacheOutsideTheLoopDoesNothing) {
  EXPECT_EQ(0, event_base_update_cache_time(loop_));
  world_.now_ns += kHour;
  EXPECT_EQ(world_.now_ns, event_base_loop_time_ns(loop_));
}

TEST_F(ClockSlot, FarFutureIsWellDefined) {
  Ev ev(loop_, -1, EV_PERSIST);
  struct timeval far = {std::numeric_limits<decltype(timeval::tv_sec)>::max(), 999999},
                 due = {0, 0};
  EXPECT_EQ(0, event_add(ev.get(), &far));
  EXPECT_EQ(EV_TIMEOUT, event_pending(ev.get(), EV_TIMEOUT, &due));
  EXPECT_GT(Usec(due), WallUsec());
  loop_.Turn();
  EXPECT_EQ(0, ev.calls);
}

// --- Reports ---

TEST_F(ClockSlot, ReportReachesTheEventAndAStaleOneNobody) {
  Ev ev(loop_, 5, EV_READ | EV_PERSIST);
  ASSERT_EQ(0, ev.Add());
  const uint32_t stale = world_.generations[5];
  world_.next_reports = {{5, stale, EV_READ}};
  loop_.Turn();
  EXPECT_EQ(1, ev.calls);
  ev.Del();
  EXPECT_EQ(0, world_.masks[5]);
  ASSERT_EQ(0, ev.Add());
  EXPECT_NE(stale, world_.generations[5]);
  world_.next_reports = {{5, stale, EV_READ}};
  loop_.Turn();
  EXPECT_EQ(1, ev.calls);
  world_.next_reports = {{5, world_.generations[5], EV_READ | STRATA_EV_HANGUP}};
  loop_.Turn();
  EXPECT_EQ(2, ev.calls);
  EXPECT_EQ(EV_READ, ev.last_what);  // The mark is not for users.
}

TEST_F(ClockSlot, ReportsOfUnknownDescriptorsAreIgnored) {
  Ev ev(loop_, 5, EV_READ | EV_PERSIST);
  ASSERT_EQ(0, ev.Add());
  world_.next_reports = {{6, 0, EV_READ}, {100000, 0, EV_READ}, {-1, 0, EV_READ}};
  loop_.Turn();
  EXPECT_EQ(0, ev.calls);
}

TEST_F(ClockSlot, EdgeTriggeringIsNotAskedOfWhoDoesNotKnowIt) {
  Ev ev(loop_, 5, EV_READ | EV_ET);
  ASSERT_EQ(0, ev.Add());
  EXPECT_EQ(EV_READ, world_.masks[5]);
}

TEST_F(ClockSlot, FailingWaitEndsTheLoop) {
  QuietLog quiet;
  Ev ev(loop_, -1, 0);
  AddSeconds(ev, 1);
  world_.wait_error = EBADF;
  EXPECT_EQ(-1, loop_.Dispatch());
  world_.wait_error = 0;
  EXPECT_EQ(1, loop_.Dispatch());
  EXPECT_EQ(1, ev.calls);
}

// Who can be woken needs no descriptor for that.
TEST_F(ClockSlot, WakeTakesThePlaceOfADescriptor) {
  struct event_readiness_ops ops = Ops("waking");
  const struct event_readiness_ops *const table[] = {&ops, nullptr};
  for (bool can_wake : {false, true}) {
    if (can_wake) ops.wake = [](void *) { return 0; };
    world_.masks.clear();
    Loop loop(event_base_new_with_backends(nullptr, table));
    EXPECT_EQ(0, evthread_make_base_notifiable(loop));
    EXPECT_EQ(can_wake ? 0u : 1u, world_.masks.size());
  }
}

#ifndef _WIN32
// --- After a fork ---

TEST_F(ClockSlot, ReinitRegistersEverythingAnew) {
  Ev ev(loop_, 5, EV_READ | EV_PERSIST);
  ASSERT_EQ(0, ev.Add());
  world_.masks.clear();
  EXPECT_EQ(0, event_reinit(loop_));
  EXPECT_EQ(2, world_.num_inits);
  EXPECT_EQ(1, world_.num_destroys);
  EXPECT_EQ(EV_READ, world_.masks[5]);
}

TEST_F(ClockSlot, ReinitThatFailsChangesNothing) {
  QuietLog quiet;
  Ev ev(loop_, 5, EV_READ | EV_PERSIST);
  ASSERT_EQ(0, ev.Add());
  world_.init_fails = true;
  EXPECT_EQ(-1, event_reinit(loop_));
  world_.init_fails = false;
  EXPECT_EQ(0, world_.num_destroys);
  world_.next_reports = {{5, world_.generations[5], EV_READ}};
  loop_.Turn();
  EXPECT_EQ(1, ev.calls);
}

#endif

// --- Making a base from a table ---

void *InitThatFails(int) {
  return nullptr;
}

class Backends : public ::testing::Test {
 protected:
  Backends() {
    broken_.init = InitThatFails;
    config_ = event_config_new();
  }
  ~Backends() override { event_config_free(config_); }

  // The method of a base made from the table; empty when there is none.
  std::string Method(const struct event_config *config = nullptr) {
    QuietLog quiet;
    struct event_base *base = event_base_new_with_backends(config, table_);
    if (base == nullptr) return std::string();
    const std::string method = event_base_get_method(base);
    event_base_free(base);
    EXPECT_EQ(world_.num_inits, world_.num_destroys);
    return method;
  }

  World world_;
  struct event_readiness_ops broken_ = Ops("broken", EV_FEATURE_ET);
  struct event_readiness_ops first_ = Ops("first", EV_FEATURE_O1);
  struct event_readiness_ops second_ = Ops("second", EV_FEATURE_ET | EV_FEATURE_O1);
  const struct event_readiness_ops *table_[4] = {&broken_, &first_, &second_, nullptr};
  struct event_config *config_;
};

TEST_F(Backends, TheFirstThatWorksIsTaken) {
  EXPECT_EQ("first", Method());
  EXPECT_EQ("first", Method(config_));
  EXPECT_EQ(2, world_.num_inits);
}

TEST_F(Backends, AvoidedOnesAreSkipped) {
  event_config_avoid_method(config_, "first");
  EXPECT_EQ("second", Method(config_));
  event_config_avoid_method(config_, "second");
  EXPECT_EQ("", Method(config_));
}

TEST_F(Backends, RequiredFeaturesDecide) {
  event_config_require_features(config_, EV_FEATURE_ET);
  EXPECT_EQ("second", Method(config_));
  event_config_require_features(config_, EV_FEATURE_FDS);
  EXPECT_EQ("", Method(config_));
}

TEST_F(Backends, EnvironmentForbidsUnlessIgnored) {
  setenv("EVENT_NOFIRST", "1", 1);
  EXPECT_EQ("second", Method());
  event_config_set_flag(config_, EVENT_BASE_FLAG_IGNORE_ENV);
  EXPECT_EQ("first", Method(config_));
  unsetenv("EVENT_NOFIRST");
}

TEST_F(Backends, NoneThatWorks) {
  world_.init_fails = true;
  EXPECT_EQ("", Method());
  table_[0] = nullptr;
  EXPECT_EQ("", Method());
}

TEST_F(Backends, OwnFlagsAreNotShownAsFeatures) {
  first_.features |= STRATA_READINESS_LIVE_CHANGES;
  Loop loop(event_base_new_with_backends(nullptr, table_));
  EXPECT_EQ(EV_FEATURE_O1, event_base_get_features(loop));
}

}  // namespace
