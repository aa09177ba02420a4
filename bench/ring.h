#ifndef STRATA_BENCH_RING_H_
#define STRATA_BENCH_RING_H_

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdint>
#include <vector>

#include "bench/socket_pair.h"

// BM_Ring, as it is for every loop: some pairs get a byte to begin with; whoever reads one sends
// one to the next pair, until kNumRingWrites were sent that way.

// How many bytes are passed on in a run, besides those that it begins with.
constexpr int kNumRingWrites = 1000;

// Of a loop that watches a descriptor by a Watcher. Who derives from it has the loop call
// PassOn(&link) when a link's reader can be read.
template <typename Watcher>
class RingOf {
 public:
  explicit RingOf(int64_t num_pairs) : links_(static_cast<size_t>(num_pairs)) {
    for (auto &link : links_) link.ring = this;
  }
  RingOf(const RingOf &) = delete;
  RingOf &operator=(const RingOf &) = delete;

  bool is_open() const { return links_.back().pair.is_open(); }

  // False when a byte could not be sent. `turn` lets the loop run for a turn without waiting.
  template <typename Turn>
  bool RunOnce(int num_active, const Turn &turn) {
    num_writes_left_ = kNumRingWrites;
    num_reads_ = 0;
    failed_ = false;
    const size_t step = links_.size() / static_cast<size_t>(num_active);
    for (int i = 0; i < num_active; i++) Send(static_cast<size_t>(i) * step);
    while (num_reads_ < kNumRingWrites + num_active && !failed_) turn();
    return !failed_;
  }

 protected:
  struct Link {
    SocketPair pair;
    Watcher watcher;
    RingOf *ring;
  };

  static void PassOn(Link *link) {
    RingOf *ring = link->ring;
    if (!link->pair.TakeByte()) return;
    ring->num_reads_++;
    if (ring->num_writes_left_ == 0) return;
    ring->num_writes_left_--;
    const size_t next = static_cast<size_t>(link - ring->links_.data()) + 1;
    ring->Send(next < ring->links_.size() ? next : 0);
  }
  std::vector<Link> &links() { return links_; }

 private:
  void Send(size_t index) { failed_ = !links_[index].pair.SendByte() || failed_; }

  std::vector<Link> links_;
  int num_writes_left_ = 0;
  int num_reads_ = 0;
  bool failed_ = false;
};

// The benchmark with a ring that is there; it has a Turn().
template <typename Ring>
void RunRing(benchmark::State &state, Ring *ring) {
  const int num_active = static_cast<int>(state.range(1));
  if (!ring->is_open()) return state.SkipWithError("no more descriptors");
  for (auto _ : state) {
    if (!ring->RunOnce(num_active, [ring] { ring->Turn(); })) {
      state.SkipWithError("a socket is full");
    }
  }
  state.SetItemsProcessed(state.iterations() * (kNumRingWrites + num_active));
}

// The same with churn, as the classic benchmark of pipes has it: all watchers are deleted and added
// again before each run, AddAgain().
template <typename Ring>
void RunChurningRing(benchmark::State &state, Ring *ring) {
  const int num_active = static_cast<int>(state.range(1));
  if (!ring->is_open()) return state.SkipWithError("no more descriptors");
  for (auto _ : state) {
    ring->AddAgain();
    if (!ring->RunOnce(num_active, [ring] { ring->Turn(); })) {
      state.SkipWithError("a socket is full");
    }
  }
  state.SetItemsProcessed(state.iterations() * (kNumRingWrites + num_active));
}

// As many pairs as the process may have descriptors for.
inline void AddRingSizes(benchmark::internal::Benchmark *benchmark,
                         const std::vector<int64_t> &timeouts) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  benchmark->ArgNames({"pairs", "active", "timeouts"});
  for (const int64_t num_pairs : {100, 1000, 8000}) {
    if (static_cast<rlim_t>(2 * num_pairs + 100) > limit.rlim_cur) continue;
    benchmark->ArgsProduct({{num_pairs}, {1, 100}, timeouts});
  }
}
inline void RingSizes(benchmark::internal::Benchmark *benchmark) {
  AddRingSizes(benchmark, {0, 1});
}
inline void RingSizesWithoutTimeouts(benchmark::internal::Benchmark *benchmark) {
  AddRingSizes(benchmark, {0});
}

#endif
