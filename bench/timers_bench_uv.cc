// What libuv has of timers_bench.cc, under the same names. libuv takes the time of its last turn
// for every new timer, so inside and outside of the loop are one: "inside" is always 1 here. Its
// timers count milliseconds.
#include <benchmark/benchmark.h>
#include <uv.h>

#include <vector>

#include "bench/peer_timers.h"

namespace {

constexpr uint64_t MsOfUs(int64_t us) {
  return static_cast<uint64_t>(us / 1000);
}

void DoNothing(uv_timer_t *) {}

class Timers {
 public:
  using Delays = DelaysOf<MsOfUs>;
  static constexpr uint64_t kTwoHours = 2 * 3600 * 1000;
  static constexpr long kTickUs = 1000;

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
    for (auto &timer : timers_) ReArm(&timer, delays->Next());
  }
  void DelAll() {
    for (auto &timer : timers_) uv_timer_stop(&timer);
  }
  void ReArm(uv_timer_t *timer, uint64_t delay_ms) {
    uv_timer_start(timer, DoNothing, delay_ms, 0);
  }
  uv_timer_t *Pick(Random *random) {
    return &timers_[random->Below(static_cast<unsigned>(timers_.size()))];
  }
  void Run() { uv_run(&loop_, UV_RUN_DEFAULT); }

 private:
  uv_loop_t loop_;
  std::vector<uv_timer_t> timers_;
};

void BM_TimerAddDel(benchmark::State &state) {
  Timers timers(state.range(0) + 1);
  Timers::Delays delays(kHourUs, kHourUs);
  timers.AddAll(&delays);
  Random first;
  uv_timer_t *timer = timers.Pick(&first);
  for (auto _ : state) {
    uv_timer_stop(timer);
    timers.ReArm(timer, delays.Next());
  }
}
BENCHMARK(BM_TimerAddDel)->Apply(NumbersInside);

const bool is_registered = RegisterPeerTimers<Timers>();

}  // namespace
