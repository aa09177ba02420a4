// What libev has of timers_bench.cc, under the same names. libev takes the time of its last turn
// for every new timer, so inside and outside of the loop are one: "inside" is always 1 here.
#include <benchmark/benchmark.h>
#include <ev.h>

#include <algorithm>
#include <vector>

#include "bench/peer_timers.h"

namespace {

constexpr double SecondsOfUs(int64_t us) {
  return static_cast<double>(us) / 1e6;
}

void DoNothing(struct ev_loop *, ev_timer *, int) {}

class Timers {
 public:
  using Delays = DelaysOf<SecondsOfUs>;
  static constexpr double kTwoHours = 2 * 3600;
  static constexpr long kTickUs = 1;

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
  void ReArm(ev_timer *timer, double delay) {
    timer->repeat = delay;
    ev_timer_again(loop_, timer);
  }
  ev_timer *Pick(Random *random) {
    return &timers_[random->Below(static_cast<unsigned>(timers_.size()))];
  }
  void Run() { ev_run(loop_, 0); }
  struct ev_loop *loop() const {
    return loop_;
  }
  std::vector<ev_timer> &timers() { return timers_; }

 private:
  struct ev_loop *loop_;
  std::vector<ev_timer> timers_;
};

void BM_TimerAddDel(benchmark::State &state) {
  Timers timers(state.range(0));
  Timers::Delays delays(kHourUs, kHourUs);
  timers.AddAll(&delays);
  ev_timer timer;
  ev_timer_init(&timer, DoNothing, 0., 0.);
  for (auto _ : state) {
    timers.Add(&timer, delays.Next());
    ev_timer_stop(timers.loop(), &timer);
  }
}
BENCHMARK(BM_TimerAddDel)->Apply(NumbersInside);

const bool is_registered = RegisterPeerTimers<Timers>();

struct Firing {
  benchmark::State *state;
  Timers *timers;
  Timers::Delays delays;
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
  Firing firing = {&state, &timers, Timers::Delays(1, span_us), false};
  for (auto &timer : timers.timers()) {
    ev_timer_init(&timer, AddAgain, 0., 0.);
    timer.data = &firing;
  }
  timers.AddAll(&firing.delays);
  timers.Run();
  timers.DelAll();
}
BENCHMARK(BM_TimerFireAndAddAgain)->Apply(Numbers);

}  // namespace
