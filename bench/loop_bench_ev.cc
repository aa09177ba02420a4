// What libev has of loop_bench.cc, under the same names. Adding and deleting watchers is left out:
// libev tells the kernel of them in the next turn only.
#include <benchmark/benchmark.h>
#include <ev.h>

#include <thread>
#include <vector>

#include "bench/socket_pair.h"

namespace {

class Ring {
 public:
  explicit Ring(int64_t num_pairs) : links_(static_cast<size_t>(num_pairs)) {
    for (auto &link : links_) {
      is_open_ = is_open_ && link.pair.is_open();
      if (!is_open_) return;
      ev_io_init(&link.io, OnReadable, link.pair.reader(), EV_READ);
      link.io.data = &link;
      link.ring = this;
      ev_io_start(loop_, &link.io);
    }
  }
  ~Ring() { ev_loop_destroy(loop_); }
  Ring(const Ring &) = delete;
  Ring &operator=(const Ring &) = delete;

  bool is_open() const { return is_open_; }

  bool RunOnce(int num_active) {
    num_writes_left_ = kNumRingWrites;
    num_reads_ = 0;
    failed_ = false;
    const size_t step = links_.size() / static_cast<size_t>(num_active);
    for (int i = 0; i < num_active; i++) Send(static_cast<size_t>(i) * step);
    while (num_reads_ < kNumRingWrites + num_active && !failed_) ev_run(loop_, EVRUN_NOWAIT);
    return !failed_;
  }

 private:
  struct Link {
    SocketPair pair;
    ev_io io;
    Ring *ring;
  };

  static void OnReadable(struct ev_loop *, ev_io *io, int) {
    auto *link = static_cast<Link *>(io->data);
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
  struct ev_loop *loop_ = ev_loop_new(EVFLAG_AUTO);
  bool is_open_ = true;
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

void BM_FdChurnWithRead(benchmark::State &state) {
  struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
  for (auto _ : state) {
    SocketPair pair;
    ev_io io;
    ev_io_init(
        &io,
        [](struct ev_loop *, ev_io *each, int) {
          static_cast<SocketPair *>(each->data)->TakeByte();
        },
        pair.reader(), EV_READ);
    io.data = &pair;
    ev_io_start(loop, &io);
    pair.SendByte();
    ev_run(loop, EVRUN_ONCE);
    ev_io_stop(loop, &io);
  }
  ev_loop_destroy(loop);
}
BENCHMARK(BM_FdChurnWithRead);

void BM_EmptyTurn(benchmark::State &state) {
  struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
  SocketPair pair;
  ev_io io;
  ev_io_init(
      &io, [](struct ev_loop *, ev_io *, int) {}, pair.reader(), EV_READ);
  ev_io_start(loop, &io);
  for (auto _ : state) ev_run(loop, EVRUN_NOWAIT);
  ev_io_stop(loop, &io);
  ev_loop_destroy(loop);
}
BENCHMARK(BM_EmptyTurn);

// One loop of the round trip: what it waits for, and whom it wakes.
struct Side {
  struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
  ev_async async;
  ev_async stop;
  Side *other = nullptr;
};

void BM_WakeUpRoundTrip(benchmark::State &state) {
  Side here, there;
  there.other = &here;
  ev_async_init(&here.async,
                [](struct ev_loop *loop, ev_async *, int) { ev_break(loop, EVBREAK_ONE); });
  ev_async_init(&there.async, [](struct ev_loop *, ev_async *async, int) {
    Side *other = static_cast<Side *>(async->data)->other;
    ev_async_send(other->loop, &other->async);
  });
  there.async.data = &there;
  ev_async_init(&there.stop,
                [](struct ev_loop *loop, ev_async *, int) { ev_break(loop, EVBREAK_ALL); });
  ev_async_start(here.loop, &here.async);
  ev_async_start(there.loop, &there.async);
  ev_async_start(there.loop, &there.stop);
  std::thread thread([&] { ev_run(there.loop, 0); });
  for (auto _ : state) {
    ev_async_send(there.loop, &there.async);
    ev_run(here.loop, 0);
  }
  ev_async_send(there.loop, &there.stop);
  thread.join();
  ev_loop_destroy(here.loop);
  ev_loop_destroy(there.loop);
}
BENCHMARK(BM_WakeUpRoundTrip)->UseRealTime();

}  // namespace
