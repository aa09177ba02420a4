// What libev has of loop_bench.cc, under the same names. Adding and deleting watchers is left out:
// libev tells the kernel of them in the next turn only.
#include <benchmark/benchmark.h>
#include <ev.h>

#include <thread>

#include "bench/ring.h"

namespace {

class Ring : public RingOf<ev_io> {
 public:
  explicit Ring(int64_t num_pairs) : RingOf(num_pairs) {
    for (auto &link : links()) {
      if (!link.pair.is_open()) return;
      ev_io_init(&link.watcher, OnReadable, link.pair.reader(), EV_READ);
      link.watcher.data = &link;
      ev_io_start(loop_, &link.watcher);
    }
  }
  ~Ring() { ev_loop_destroy(loop_); }
  void Turn() { ev_run(loop_, EVRUN_NOWAIT); }
  void AddAgain() {
    for (auto &link : links()) {
      ev_io_stop(loop_, &link.watcher);
      ev_io_start(loop_, &link.watcher);
    }
  }

 private:
  static void OnReadable(struct ev_loop *, ev_io *io, int) {
    PassOn(static_cast<Link *>(io->data));
  }

  struct ev_loop *loop_ = ev_loop_new(EVFLAG_AUTO);
};

void BM_Ring(benchmark::State &state) {
  Ring ring(state.range(0));
  RunRing(state, &ring);
}
BENCHMARK(BM_Ring)->Apply(RingSizesWithoutTimeouts);

void BM_RingChurn(benchmark::State &state) {
  Ring ring(state.range(0));
  RunChurningRing(state, &ring);
}
BENCHMARK(BM_RingChurn)->Apply(RingSizesWithoutTimeouts);

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
