// Timers, through the public API only: built against strata and against the installed libevent, so
// that the ratio of the two comes from one machine and one moment. timers_bench_ev.cc and
// timers_bench_uv.cc have what libev and libuv have of it, under the same names.
//
// "inside" is 1 where the calls are made from a callback, with the loop's cached time, and 0 where
// they are made outside of the loop, which reads the clock for each.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "bench/delays.h"
#include "bench/loop_support.h"
#include "bench/random.h"
#include "bench/timer_counts.h"

namespace {

constexpr struct timeval TimevalOfUs(int64_t us) {
  return {static_cast<decltype(timeval::tv_sec)>(us / 1000000),
          static_cast<decltype(timeval::tv_usec)>(us % 1000000)};
}
using Delays = DelaysOf<TimevalOfUs>;

void DoNothing(evutil_socket_t, short, void *) {}

// A base with timers that aren't pending yet.
class Timers {
 public:
  explicit Timers(int64_t num_timers, bool with_lock = false)
      : events_(static_cast<size_t>(num_timers)), base_(with_lock) {
    Assign(0, DoNothing, nullptr);
  }
  void Assign(short flags, event_callback_fn callback, void *arg) {
    for (auto &event : events_) event_assign(&event, base_, -1, flags, callback, arg);
  }
  void AddAll(Delays *delays) {
    for (auto &event : events_) event_add(&event, &delays->Next());
  }
  struct event *Pick(Random *random) {
    return &events_[random->Below(static_cast<unsigned>(events_.size()))];
  }
  std::vector<struct event> &events() { return events_; }
  struct event_base *base() const {
    return base_;
  }

 private:
  std::vector<struct event> events_;  // freed after the base, which points to them
  Base base_;
};

// Timers of which all are pending, to be left so. Kept from one run to the next: a million of them
// take longer to make than most runs last.
Timers *PendingTimers(int64_t num_timers) {
  static std::unique_ptr<Timers> timers;
  if (!timers || timers->events().size() != static_cast<size_t>(num_timers)) {
    timers.reset();
    timers = std::make_unique<Timers>(num_timers);
    Delays delays(kHourUs, kHourUs);
    timers->AddAll(&delays);
  }
  return timers.get();
}

template <typename Body>
void RunWhereAsked(const benchmark::State &state, struct event_base *base, const Body &body) {
  if (state.range(1)) {
    RunInsideLoop(base, body);
  } else {
    body();
  }
}

void NumbersAndPlaces(benchmark::internal::Benchmark *benchmark) {
  benchmark->ArgNames({"timers", "inside"})->ArgsProduct({NumbersOfTimers(), {0, 1}});
}

// --- One timer among many ---

// As a request that is answered before its timeout.
void BM_TimerAddDel(benchmark::State &state) {
  Timers *timers = PendingTimers(state.range(0));
  Delays delays(kHourUs, kHourUs);
  struct event event;
  event_assign(&event, timers->base(), -1, 0, DoNothing, nullptr);
  RunWhereAsked(state, timers->base(), [&] {
    for (auto _ : state) {
      event_add(&event, &delays.Next());
      event_del(&event);
    }
  });
}
BENCHMARK(BM_TimerAddDel)->Apply(NumbersAndPlaces);

// Any of the pending timers gets any new time.
void BM_TimerReArm(benchmark::State &state) {
  Timers *timers = PendingTimers(state.range(0));
  Delays delays(kHourUs, kHourUs);
  Random random;
  RunWhereAsked(state, timers->base(), [&] {
    for (auto _ : state) event_add(timers->Pick(&random), &delays.Next());
  });
}
BENCHMARK(BM_TimerReArm)->Apply(NumbersAndPlaces);

// Any of the pending timers starts anew with the one timeout that all have, as connections do that
// are closed when idle.
void BM_TimerReArmSameTimeout(benchmark::State &state) {
  Timers *timers = PendingTimers(state.range(0));
  const struct timeval timeout = {2 * 3600, 0};
  Random random;
  RunWhereAsked(state, timers->base(), [&] {
    for (auto _ : state) event_add(timers->Pick(&random), &timeout);
  });
}
BENCHMARK(BM_TimerReArmSameTimeout)->Apply(NumbersAndPlaces);

// The same with event_base_init_common_timeout.
void BM_TimerReArmCommonTimeout(benchmark::State &state) {
  Timers timers(state.range(0));
  const struct timeval two_hours = {2 * 3600, 0};
  const struct timeval *timeout = event_base_init_common_timeout(timers.base(), &two_hours);
  for (auto &event : timers.events()) event_add(&event, timeout);
  Random random;
  RunWhereAsked(state, timers.base(), [&] {
    for (auto _ : state) event_add(timers.Pick(&random), timeout);
  });
}
BENCHMARK(BM_TimerReArmCommonTimeout)->Apply(NumbersAndPlaces);

// --- All of many timers ---

void BM_TimerAddAll(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHourUs, kHourUs);
  RunWhereAsked(state, timers.base(), [&] {
    for (auto _ : state) {
      timers.AddAll(&delays);
      state.PauseTiming();
      for (auto &event : timers.events()) event_del(&event);
      state.ResumeTiming();
    }
  });
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_TimerAddAll)->Apply(NumbersAndPlaces);

// In another order than that of their times.
void BM_TimerDelAll(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHourUs, kHourUs);
  RunWhereAsked(state, timers.base(), [&] {
    for (auto _ : state) {
      state.PauseTiming();
      timers.AddAll(&delays);
      state.ResumeTiming();
      for (auto &event : timers.events()) event_del(&event);
    }
  });
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_TimerDelAll)->Apply(NumbersAndPlaces);

// --- The loop fires ---

// More than a tick of the coarse clock that libevent goes by: what is due is due to all.
constexpr long kTickUs = 5000;

// All are due; the callbacks do nothing.
void BM_TimerFireAll(benchmark::State &state) {
  Timers timers(state.range(0));
  const long span_us = state.range(0) / 10;
  Delays delays(0, span_us);
  for (auto _ : state) {
    state.PauseTiming();
    timers.AddAll(&delays);
    usleep(static_cast<useconds_t>(span_us + kTickUs));
    state.ResumeTiming();
    event_base_loop(timers.base(), 0);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_TimerFireAll)->Apply(Numbers);

// The next two count each callback as one iteration. Their delays are so short that the loop is
// always behind and never waits, yet some timers are due before others. (A library that goes by a
// coarse clock does wait, between bursts: compare CPU time.)
struct Firing {
  Firing(benchmark::State *firing_state, const Timers &timers)
      : state(firing_state),
        base(timers.base()),
        delays(1, std::max<long>(firing_state->range(0) / 20, 2)) {}

  void CountOne() {
    if (!state->KeepRunning()) event_base_loopbreak(base);
  }

  benchmark::State *state;
  struct event_base *base;
  Delays delays;
};

Firing *firing_now;

void AddAgain(evutil_socket_t, short, void *arg) {
  event_add(static_cast<struct event *>(arg), &firing_now->delays.Next());
  firing_now->CountOne();
}

// Each callback adds its timer again, with another delay.
void BM_TimerFireAndAddAgain(benchmark::State &state) {
  Timers timers(state.range(0));
  Firing firing(&state, timers);
  firing_now = &firing;
  timers.Assign(0, AddAgain, event_self_cbarg());
  timers.AddAll(&firing.delays);
  event_base_loop(timers.base(), 0);
}
BENCHMARK(BM_TimerFireAndAddAgain)->Apply(Numbers);

void BM_TimerFirePersistent(benchmark::State &state) {
  Timers timers(state.range(0));
  Firing firing(&state, timers);
  firing_now = &firing;
  timers.Assign(
      EV_PERSIST, [](evutil_socket_t, short, void *) { firing_now->CountOne(); }, nullptr);
  timers.AddAll(&firing.delays);
  event_base_loop(timers.base(), 0);
}
BENCHMARK(BM_TimerFirePersistent)->Apply(Numbers);

// --- With a lock; last, since threading stays on ---

void BM_TimerReArmLocked(benchmark::State &state) {
  Timers timers(state.range(0), true);
  Delays delays(kHourUs, kHourUs);
  timers.AddAll(&delays);
  Random random;
  RunWhereAsked(state, timers.base(), [&] {
    for (auto _ : state) event_add(timers.Pick(&random), &delays.Next());
  });
}
BENCHMARK(BM_TimerReArmLocked)->ArgNames({"timers", "inside"})->ArgsProduct({{1000}, {0, 1}});

}  // namespace
