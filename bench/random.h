#ifndef STRATA_BENCH_RANDOM_H_
#define STRATA_BENCH_RANDOM_H_

#include <cstdint>

// Random numbers that cost next to nothing, so that they may be drawn while the clock runs; the
// same ones in each run.
class Random {
 public:
  unsigned Below(unsigned limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<unsigned>((state_ >> 32) * limit >> 32);
  }

 private:
  uint64_t state_ = 0x9e3779b97f4a7c15;
};

#endif
