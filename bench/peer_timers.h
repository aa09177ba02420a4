#ifndef STRATA_BENCH_PEER_TIMERS_H_
#define STRATA_BENCH_PEER_TIMERS_H_

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>

#include "bench/delays.h"
#include "bench/random.h"
#include "bench/timer_counts.h"

// What timers_bench_ev.cc and timers_bench_uv.cc share. `Timers` is many timers of a loop, with
//   Delays                   a DelaysOf<>
//   kTwoHours                as one of them
//   kTickUs                  what the loop's clock tells apart
//   AddAll(&delays), DelAll()
//   ReArm(timer, delay)      also while the timer is pending
//   Pick(&random)            any of them
//   Run()                    until none is pending

inline void NumbersInside(benchmark::internal::Benchmark *benchmark) {
  benchmark->ArgNames({"timers", "inside"})->ArgsProduct({NumbersOfTimers(), {1}});
}

template <typename Timers>
void ReArm(benchmark::State &state) {
  Timers timers(state.range(0));
  typename Timers::Delays delays(kHourUs, kHourUs);
  timers.AddAll(&delays);
  Random random;
  for (auto _ : state) timers.ReArm(timers.Pick(&random), delays.Next());
}

template <typename Timers>
void ReArmSameTimeout(benchmark::State &state) {
  Timers timers(state.range(0));
  typename Timers::Delays delays(kHourUs, kHourUs);
  timers.AddAll(&delays);
  Random random;
  for (auto _ : state) timers.ReArm(timers.Pick(&random), Timers::kTwoHours);
}

template <typename Timers>
void AddAll(benchmark::State &state) {
  Timers timers(state.range(0));
  typename Timers::Delays delays(kHourUs, kHourUs);
  for (auto _ : state) {
    timers.AddAll(&delays);
    state.PauseTiming();
    timers.DelAll();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

template <typename Timers>
void DelAll(benchmark::State &state) {
  Timers timers(state.range(0));
  typename Timers::Delays delays(kHourUs, kHourUs);
  for (auto _ : state) {
    state.PauseTiming();
    timers.AddAll(&delays);
    state.ResumeTiming();
    timers.DelAll();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

template <typename Timers>
void FireAll(benchmark::State &state) {
  Timers timers(state.range(0));
  const long span_us = std::max<long>(state.range(0) / 10, Timers::kTickUs);
  typename Timers::Delays delays(0, span_us);
  for (auto _ : state) {
    state.PauseTiming();
    timers.AddAll(&delays);
    usleep(static_cast<useconds_t>(span_us + 5000));
    state.ResumeTiming();
    timers.Run();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// Under the names of timers_bench.cc. For an initializer.
template <typename Timers>
bool RegisterPeerTimers() {
  benchmark::RegisterBenchmark("BM_TimerReArm", ReArm<Timers>)->Apply(NumbersInside);
  benchmark::RegisterBenchmark("BM_TimerReArmSameTimeout", ReArmSameTimeout<Timers>)
      ->Apply(NumbersInside);
  benchmark::RegisterBenchmark("BM_TimerAddAll", AddAll<Timers>)->Apply(NumbersInside);
  benchmark::RegisterBenchmark("BM_TimerDelAll", DelAll<Timers>)->Apply(NumbersInside);
  benchmark::RegisterBenchmark("BM_TimerFireAll", FireAll<Timers>)->Apply(Numbers);
  return true;
}

#endif
