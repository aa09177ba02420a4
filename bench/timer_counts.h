#ifndef STRATA_BENCH_TIMER_COUNTS_H_
#define STRATA_BENCH_TIMER_COUNTS_H_

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

// With how many timers a benchmark runs. Under `bazel test`, which sets TEST_TMPDIR, no million:
// setting them up takes minutes where nothing is optimized, and finds no more bugs.
inline std::vector<int64_t> NumbersOfTimers() {
  if (std::getenv("TEST_TMPDIR")) return {1000, 100000};
  return {1000, 100000, 1000000};
}

inline void Numbers(benchmark::internal::Benchmark *benchmark) {
  benchmark->ArgName("timers")->ArgsProduct({NumbersOfTimers()});
}

#endif
