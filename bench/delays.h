#ifndef STRATA_BENCH_DELAYS_H_
#define STRATA_BENCH_DELAYS_H_

#include "bench/random.h"

constexpr long kHourUs = 3600L * 1000000;

// Random delays, drawn beforehand, as the loop takes them: kFromUs makes one of microseconds.
template <auto kFromUs>
class DelaysOf {
 public:
  DelaysOf(long first_us, long span_us) {
    Random random;
    for (auto &delay : delays_) {
      delay = kFromUs(first_us + random.Below(static_cast<unsigned>(span_us)));
    }
  }
  const auto &Next() { return delays_[next_++ % kNumDelays]; }

 private:
  static constexpr unsigned kNumDelays = 4096;
  decltype(kFromUs(0L)) delays_[kNumDelays];
  unsigned next_ = 0;
};

#endif
