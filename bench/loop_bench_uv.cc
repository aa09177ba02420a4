// What libuv has of loop_bench.cc, under the same names. Adding and deleting watchers is left out:
// libuv tells the kernel of them in the next turn only.
#include <benchmark/benchmark.h>
#include <uv.h>

#include <thread>

#include "bench/ring.h"

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

class Ring : public RingOf<uv_poll_t> {
 public:
  explicit Ring(int64_t num_pairs) : RingOf(num_pairs) {
    for (auto &link : links()) {
      if (!link.pair.is_open()) return;
      uv_poll_init(loop_, &link.watcher, link.pair.reader());
      link.watcher.data = &link;
      uv_poll_start(&link.watcher, UV_READABLE, OnReadable);
      num_started_++;
    }
  }
  ~Ring() {
    for (size_t i = 0; i < num_started_; i++) Close(&links()[i].watcher);
  }
  void Turn() { uv_run(loop_, UV_RUN_NOWAIT); }

 private:
  static void OnReadable(uv_poll_t *poll, int, int) { PassOn(static_cast<Link *>(poll->data)); }

  Loop loop_;
  size_t num_started_ = 0;
};

void BM_Ring(benchmark::State &state) {
  Ring ring(state.range(0));
  RunRing(state, &ring);
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
