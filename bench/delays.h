#ifndef STRATA_BENCH_DELAYS_H_
#define STRATA_BENCH_DELAYS_H_

#include <cstdint>

#include "bench/random.h"

constexpr int64_t kHourUs = int64_t{3600} * 1000000;

// Random delays, drawn beforehand, as the loop takes them: kFromUs makes one of microseconds.
template <auto kFromUs>
class DelaysOf {
 public:
  DelaysOf(int64_t first_us, int64_t span_us) {
    Random random;
    for (auto &delay : delays_) {
      delay = kFromUs(first_us + random.Below(static_cast<unsigned>(span_us)));
    }
  }
  const auto &Next() { return delays_[next_++ % kNumDelays]; }

 private:
  static constexpr unsigned kNumDelays = 4096;
  decltype(kFromUs(int64_t{0})) delays_[kNumDelays];
  unsigned next_ = 0;
};

#endif
