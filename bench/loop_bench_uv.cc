// What libuv has of loop_bench.cc, under the same names. Adding and deleting watchers is left out:
// libuv tells the kernel of them in the next turn only.
#include <benchmark/benchmark.h>
#include <uv.h>

#include <thread>
#include <vector>

#include "bench/socket_pair.h"

namespace {

template <typename Handle>
void Close(Handle *handle) {
  uv_close(reinterpret_cast<uv_handle_t *>(handle), nullptr);
}

class Loop {
 public:
  Loop() { uv_loop_init(&loop_); }
  // Every handle has been given to Close.
  ~Loop() {
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }
  Loop(const Loop &) = delete;
  Loop &operator=(const Loop &) = delete;

  operator uv_loop_t *() { return &loop_; }

 private:
  uv_loop_t loop_;
};

class Ring {
 public:
  explicit Ring(int64_t num_pairs) : links_(static_cast<size_t>(num_pairs)) {
    for (auto &link : links_) {
      if (!link.pair.is_open()) return;
      uv_poll_init(loop_, &link.poll, link.pair.reader());
      link.poll.data = &link;
      link.ring = this;
      uv_poll_start(&link.poll, UV_READABLE, OnReadable);
      num_open_++;
    }
  }
  ~Ring() {
    for (size_t i = 0; i < num_open_; i++) Close(&links_[i].poll);
  }
  Ring(const Ring &) = delete;
  Ring &operator=(const Ring &) = delete;

  bool is_open() const { return num_open_ == links_.size(); }

  bool RunOnce(int num_active) {
    num_writes_left_ = kNumRingWrites;
    num_reads_ = 0;
    failed_ = false;
    const size_t step = links_.size() / static_cast<size_t>(num_active);
    for (int i = 0; i < num_active; i++) Send(static_cast<size_t>(i) * step);
    while (num_reads_ < kNumRingWrites + num_active && !failed_) uv_run(loop_, UV_RUN_NOWAIT);
    return !failed_;
  }

 private:
  struct Link {
    SocketPair pair;
    uv_poll_t poll;
    Ring *ring;
  };

  static void OnReadable(uv_poll_t *poll, int, int) {
    auto *link = static_cast<Link *>(poll->data);
    Ring *ring = link->ring;
    if (!link->pair.TakeByte()) return;
    ring->num_reads_++;
    if (ring->num_writes_left_ == 0) return;
    ring->num_writes_left_--;
    const size_t next = static_cast<size_t>(link - ring->links_.data()) + 1;
    ring->Send(next < ring->links_.size() ? next : 0);
  }
  void Send(size_t index) { failed_ = !links_[index].pair.SendByte() || failed_; }

  std::vector<Link> links_;
  Loop loop_;
  size_t num_open_ = 0;
  int num_writes_left_ = 0;
  int num_reads_ = 0;
  bool failed_ = false;
};

void BM_Ring(benchmark::State &state) {
  const int num_active = static_cast<int>(state.range(1));
  Ring ring(state.range(0));
  if (!ring.is_open()) return state.SkipWithError("no more descriptors");
  for (auto _ : state) {
    if (!ring.RunOnce(num_active)) state.SkipWithError("a socket is full");
  }
  state.SetItemsProcessed(state.iterations() * (kNumRingWrites + num_active));
}
BENCHMARK(BM_Ring)->Apply(RingSizesWithoutTimeouts);

void BM_EmptyTurn(benchmark::State &state) {
  Loop loop;
  SocketPair pair;
  uv_poll_t poll;
  uv_poll_init(loop, &poll, pair.reader());
  uv_poll_start(&poll, UV_READABLE, [](uv_poll_t *, int, int) {});
  for (auto _ : state) uv_run(loop, UV_RUN_NOWAIT);
  Close(&poll);
}
BENCHMARK(BM_EmptyTurn);

void BM_WakeUpRoundTrip(benchmark::State &state) {
  Loop here, there;
  uv_async_t pong, ping, stop;
  uv_async_init(here, &pong, [](uv_async_t *async) { uv_stop(async->loop); });
  uv_async_init(there, &ping,
                [](uv_async_t *async) { uv_async_send(static_cast<uv_async_t *>(async->data)); });
  uv_async_init(there, &stop, [](uv_async_t *async) { uv_stop(async->loop); });
  ping.data = &pong;
  std::thread thread([&] { uv_run(there, UV_RUN_DEFAULT); });
  for (auto _ : state) {
    uv_async_send(&ping);
    uv_run(here, UV_RUN_DEFAULT);
  }
  uv_async_send(&stop);
  thread.join();
  Close(&pong);
  Close(&ping);
  Close(&stop);
}
BENCHMARK(BM_WakeUpRoundTrip)->UseRealTime();

}  // namespace
