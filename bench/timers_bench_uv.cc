// What libuv has of timers_bench.cc, under the same names. libuv takes the time of its last turn
// for every new timer, so inside and outside of the loop are one: "inside" is always 1 here. Its
// timers count milliseconds.
#include <benchmark/benchmark.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <vector>

#include "bench/random.h"
#include "bench/timer_counts.h"

namespace {

constexpr unsigned kNumDelays = 4096;
constexpr uint64_t kHourMs = 3600 * 1000;

class Delays {
 public:
  Delays(uint64_t first_ms, unsigned span_ms) {
    Random random;
    for (auto &delay : delays_) delay = first_ms + random.Below(span_ms);
  }
  uint64_t Next() { return delays_[next_++ % kNumDelays]; }

 private:
  uint64_t delays_[kNumDelays];
  unsigned next_ = 0;
};

void DoNothing(uv_timer_t *) {}

class Timers {
 public:
  explicit Timers(int64_t num_timers) : timers_(static_cast<size_t>(num_timers)) {
    uv_loop_init(&loop_);
    for (auto &timer : timers_) uv_timer_init(&loop_, &timer);
  }
  ~Timers() {
    for (auto &timer : timers_) uv_close(reinterpret_cast<uv_handle_t *>(&timer), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }
  Timers(const Timers &) = delete;
  Timers &operator=(const Timers &) = delete;

  void AddAll(Delays *delays) {
    uv_update_time(&loop_);
    for (auto &timer : timers_) uv_timer_start(&timer, DoNothing, delays->Next(), 0);
  }
  void DelAll() {
    for (auto &timer : timers_) uv_timer_stop(&timer);
  }
  uv_timer_t *Pick(Random *random) {
    return &timers_[random->Below(static_cast<unsigned>(timers_.size()))];
  }
  uv_loop_t *loop() { return &loop_; }

 private:
  uv_loop_t loop_;
  std::vector<uv_timer_t> timers_;
};

void NumbersInside(benchmark::internal::Benchmark *benchmark) {
  benchmark->ArgNames({"timers", "inside"})->ArgsProduct({NumbersOfTimers(), {1}});
}

void Numbers(benchmark::internal::Benchmark *benchmark) {
  benchmark->ArgName("timers")->ArgsProduct({NumbersOfTimers()});
}

void BM_TimerAddDel(benchmark::State &state) {
  Timers timers(state.range(0) + 1);
  Delays delays(kHourMs, kHourMs);
  timers.AddAll(&delays);
  Random first;
  uv_timer_t *timer = timers.Pick(&first);
  for (auto _ : state) {
    uv_timer_stop(timer);
    uv_timer_start(timer, DoNothing, delays.Next(), 0);
  }
}
BENCHMARK(BM_TimerAddDel)->Apply(NumbersInside);

void BM_TimerReArm(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHourMs, kHourMs);
  timers.AddAll(&delays);
  Random random;
  for (auto _ : state) uv_timer_start(timers.Pick(&random), DoNothing, delays.Next(), 0);
}
BENCHMARK(BM_TimerReArm)->Apply(NumbersInside);

void BM_TimerReArmSameTimeout(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHourMs, kHourMs);
  timers.AddAll(&delays);
  Random random;
  for (auto _ : state) uv_timer_start(timers.Pick(&random), DoNothing, 2 * kHourMs, 0);
}
BENCHMARK(BM_TimerReArmSameTimeout)->Apply(NumbersInside);

void BM_TimerAddAll(benchmark::State &state) {
  Timers timers(state.range(0));
  Delays delays(kHourMs, kHourMs);
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
  Delays delays(kHourMs, kHourMs);
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
  const auto span_ms = static_cast<unsigned>(std::max<int64_t>(state.range(0) / 10000, 1));
  Delays delays(0, span_ms);
  for (auto _ : state) {
    state.PauseTiming();
    timers.AddAll(&delays);
    usleep(span_ms * 1000 + 5000);
    state.ResumeTiming();
    uv_run(timers.loop(), UV_RUN_DEFAULT);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_TimerFireAll)->Apply(Numbers);

}  // namespace
