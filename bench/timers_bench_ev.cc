// What libev has of timers_bench.cc, under the same names. libev takes the time of its last turn
// for every new timer, so inside and outside of the loop are one: "inside" is always 1 here.
#include <benchmark/benchmark.h>
#include <ev.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "bench/random.h"
#include "bench/timer_counts.h"

namespace {

constexpr unsigned kNumDelays = 4096;
constexpr double kHour = 3600;

class Delays {
 public:
  Delays(double first, double span) {
    Random random;
    for (auto &delay : delays_) delay = first + span * random.Below(1000000) / 1e6;
  }
  double Next() { return delays_[next_++ % kNumDelays]; }

 private:
  double delays_[kNumDelays];
  unsigned next_ = 0;
};

void DoNothing(struct ev_loop *, ev_timer *, int) {}

class Timers {
 public:
  explicit Timers(int64_t num_timers)
      : loop_(ev_loop_new(EVFLAG_AUTO)), timers_(static_cast<size_t>(num_timers)) {
    for (auto &timer : timers_) ev_timer_init(&timer, DoNothing, 0., 0.);
  }
  ~Timers() { ev_loop_destroy(loop_); }
  Timers(const Timers &) = delete;
  Timers &operator=(const Timers &) = delete;

  void AddAll(Delays *delays) {
    ev_now_update(loop_);
    for (auto &timer : timers_) Add(&timer, delays->Next());
  }
  void DelAll() {
    for (auto &timer : timers_) ev_timer_stop(loop_, &timer);
  }
  void Add(ev_timer *timer, double delay) {
    ev_timer_set(timer, delay, 0.);
    ev_timer_start(loop_, timer);
  }
  // Also while the timer is pending.
  void ReArm(ev_timer *timer, double delay) {
    timer->repeat = delay;
    ev_timer_again(loop_, timer);
  }
  ev_timer *Pick(Random *random) {
    return &timers_[random->Below(static_cast<unsigned>(timers_.size()))];
  }
  struct ev_loop *loop() const {
    return loop_;
  }
  std::vector<ev_timer> &timers() { return timers_; }

 private:
  struct ev_loop *loop_;
  std::vector<ev_timer> timers_;
};

void NumbersInside(benchmark::internal::Benchmark *benchmark) {
  benchmark->ArgNames({"timers", "inside"})->ArgsProduct({NumbersOfTimers(), {1}});
}

void Numbers(benchmark::internal::Benchmark *benchmark) {
  benchmark->ArgName("timers")->ArgsProduct({NumbersOfTimers()});
}

void BM_TimerAddDel(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHour, kHour);
  timers.AddAll(&delays);
  ev_timer timer;
  ev_timer_init(&timer, DoNothing, 0., 0.);
  for (auto _ : state) {
    timers.Add(&timer, delays.Next());
    ev_timer_stop(timers.loop(), &timer);
  }
}
BENCHMARK(BM_TimerAddDel)->Apply(NumbersInside);

void BM_TimerReArm(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHour, kHour);
  timers.AddAll(&delays);
  Random random;
  for (auto _ : state) timers.ReArm(timers.Pick(&random), delays.Next());
}
BENCHMARK(BM_TimerReArm)->Apply(NumbersInside);

void BM_TimerReArmSameTimeout(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHour, kHour);
  timers.AddAll(&delays);
  Random random;
  for (auto _ : state) timers.ReArm(timers.Pick(&random), 2 * kHour);
}
BENCHMARK(BM_TimerReArmSameTimeout)->Apply(NumbersInside);

void BM_TimerAddAll(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHour, kHour);
  for (auto _ : state) {
    timers.AddAll(&delays);
    state.PauseTiming();
    timers.DelAll();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_TimerAddAll)->Apply(NumbersInside);

void BM_TimerDelAll(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHour, kHour);
  for (auto _ : state) {
    state.PauseTiming();
    timers.AddAll(&delays);
    state.ResumeTiming();
    timers.DelAll();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_TimerDelAll)->Apply(NumbersInside);

void BM_TimerFireAll(benchmark::State &state) {
  Timers timers(state.range(0));
  const double span_us = static_cast<double>(state.range(0)) / 10;
  Delays delays(0, span_us / 1e6);
  for (auto _ : state) {
    state.PauseTiming();
    timers.AddAll(&delays);
    usleep(static_cast<useconds_t>(span_us + 5000));
    state.ResumeTiming();
    ev_run(timers.loop(), 0);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_TimerFireAll)->Apply(Numbers);

struct Firing {
  benchmark::State *state;
  Timers *timers;
  Delays delays;
  bool is_over;
};

void AddAgain(struct ev_loop *loop, ev_timer *timer, int) {
  auto *firing = static_cast<Firing *>(timer->data);
  // ev_break() lets the callbacks that are due be called still.
  if (firing->is_over) return;
  firing->timers->Add(timer, firing->delays.Next());
  firing->is_over = !firing->state->KeepRunning();
  if (firing->is_over) ev_break(loop, EVBREAK_ALL);
}

void BM_TimerFireAndAddAgain(benchmark::State &state) {
  Timers timers(state.range(0));
  const long span_us = std::max<long>(state.range(0) / 20, 2);
  Firing firing = {&state, &timers, Delays(1e-6, static_cast<double>(span_us) / 1e6), false};
  for (auto &timer : timers.timers()) {
    ev_timer_init(&timer, AddAgain, 0., 0.);
    timer.data = &firing;
  }
  timers.AddAll(&firing.delays);
  ev_run(timers.loop(), 0);
  timers.DelAll();
}
BENCHMARK(BM_TimerFireAndAddAgain)->Apply(Numbers);

}  // namespace
