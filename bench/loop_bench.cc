// The loop and descriptors, through the public API only: built against strata and against the
// installed libevent. loop_bench_ev.cc and loop_bench_uv.cc have what libev and libuv have of it,
// under the same names.
#include <thread>
#include <vector>

#include "bench/loop_support.h"
#include "bench/ring.h"

namespace {

void DoNothing(evutil_socket_t, short, void *) {}

// --- Many socket pairs, a few of them active ---

class Ring : public RingOf<struct event> {
 public:
  Ring(int64_t num_pairs, const struct timeval *timeout) : RingOf(num_pairs) {
    for (auto &link : links()) {
      if (!link.pair.is_open()) return;
      event_assign(&link.watcher, base_, link.pair.reader(), EV_READ | EV_PERSIST, OnReadable,
                   &link);
      event_add(&link.watcher, timeout);
    }
  }
  void Turn() { event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK); }
  void AddAgain() {
    for (auto &link : links()) {
      event_del(&link.watcher);
      event_add(&link.watcher, nullptr);
    }
  }

 private:
  static void OnReadable(evutil_socket_t, short, void *arg) { PassOn(static_cast<Link *>(arg)); }

  Base base_;  // freed before the links, to which it points
};

void BM_Ring(benchmark::State &state) {
  const struct timeval timeout = {60, 0};
  Ring ring(state.range(0), state.range(2) ? &timeout : nullptr);
  RunRing(state, &ring);
}

BENCHMARK(BM_Ring)->Apply(RingSizes);

void BM_RingChurn(benchmark::State &state) {
  Ring ring(state.range(0), nullptr);
  RunChurningRing(state, &ring);
}
BENCHMARK(BM_RingChurn)->Apply(RingSizesWithoutTimeouts);

// --- Adding and deleting events ---

void BM_EventNewFree(benchmark::State &state) {
  Base base;
  for (auto _ : state) event_free(event_new(base, 0, EV_READ, DoNothing, nullptr));
}
BENCHMARK(BM_EventNewFree);

// The kernel hears of each.
void BM_FdAddDel(benchmark::State &state) {
  Base base(state.range(0));
  SocketPair pair;
  struct event event;
  event_assign(&event, base, pair.reader(), EV_READ, DoNothing, nullptr);
  for (auto _ : state) {
    event_add(&event, nullptr);
    event_del(&event);
  }
}
BENCHMARK(BM_FdAddDel)->ArgName("locked")->Arg(0);

// Another event watches the same descriptor all the time: nothing changes for the kernel.
void BM_FdAddDelSecond(benchmark::State &state) {
  Base base(state.range(0));
  SocketPair pair;
  struct event first, second;
  event_assign(&first, base, pair.reader(), EV_READ | EV_PERSIST, DoNothing, nullptr);
  event_assign(&second, base, pair.reader(), EV_READ | EV_PERSIST, DoNothing, nullptr);
  event_add(&first, nullptr);
  for (auto _ : state) {
    event_add(&second, nullptr);
    event_del(&second);
  }
  event_del(&first);
}
BENCHMARK(BM_FdAddDelSecond)->ArgName("locked")->Arg(0);

// Changes its mind between EV_READ and EV_READ | EV_WRITE, as a connection with pending output.
void BM_FdAddDelWrite(benchmark::State &state) {
  Base base;
  SocketPair pair;
  struct event reading, writing;
  event_assign(&reading, base, pair.reader(), EV_READ | EV_PERSIST, DoNothing, nullptr);
  event_assign(&writing, base, pair.reader(), EV_WRITE | EV_PERSIST, DoNothing, nullptr);
  event_add(&reading, nullptr);
  for (auto _ : state) {
    event_add(&writing, nullptr);
    event_del(&writing);
  }
  event_del(&reading);
}
BENCHMARK(BM_FdAddDelWrite);

// An event that is added already: nothing to do but to find that out.
void BM_FdAddAgain(benchmark::State &state) {
  Base base(state.range(0));
  SocketPair pair;
  struct event event;
  event_assign(&event, base, pair.reader(), EV_READ | EV_PERSIST, DoNothing, nullptr);
  event_add(&event, nullptr);
  for (auto _ : state) event_add(&event, nullptr);
  event_del(&event);
}
BENCHMARK(BM_FdAddAgain)->ArgName("locked")->Arg(0);

// The same, and its timeout starts anew.
void BM_FdAddAgainWithTimeout(benchmark::State &state) {
  Base base;
  SocketPair pair;
  const struct timeval timeout = {60, 0};
  struct event event;
  event_assign(&event, base, pair.reader(), EV_READ | EV_PERSIST, DoNothing, nullptr);
  for (auto _ : state) event_add(&event, &timeout);
  event_del(&event);
}
BENCHMARK(BM_FdAddAgainWithTimeout);

// --- Descriptors that come and go ---

void BM_FdChurn(benchmark::State &state) {
  Base base;
  for (auto _ : state) {
    SocketPair pair;
    struct event event;
    event_assign(&event, base, pair.reader(), EV_READ | EV_PERSIST, DoNothing, nullptr);
    event_add(&event, nullptr);
    event_del(&event);
  }
}
BENCHMARK(BM_FdChurn);

void TakeByte(evutil_socket_t, short, void *arg) {
  static_cast<SocketPair *>(arg)->TakeByte();
}

// Each pair carries one byte.
void BM_FdChurnWithRead(benchmark::State &state) {
  Base base;
  for (auto _ : state) {
    SocketPair pair;
    struct event event;
    event_assign(&event, base, pair.reader(), EV_READ | EV_PERSIST, TakeByte, &pair);
    event_add(&event, nullptr);
    pair.SendByte();
    event_base_loop(base, EVLOOP_ONCE);
    event_del(&event);
  }
}
BENCHMARK(BM_FdChurnWithRead);

// --- Turns of the loop ---

// Nothing is ready.
void BM_EmptyTurn(benchmark::State &state) {
  Base base;
  SocketPair pair;
  struct event event;
  event_assign(&event, base, pair.reader(), EV_READ | EV_PERSIST, DoNothing, nullptr);
  event_add(&event, nullptr);
  for (auto _ : state) event_base_loop(base, EVLOOP_NONBLOCK);
  event_del(&event);
}
BENCHMARK(BM_EmptyTurn);

// Callbacks activated by hand, a batch a turn.
void BM_ActivateAndRun(benchmark::State &state) {
  Base base(state.range(0));
  std::vector<struct event> events(static_cast<size_t>(state.range(1)));
  for (auto &event : events) event_assign(&event, base, -1, 0, DoNothing, nullptr);
  for (auto _ : state) {
    for (auto &event : events) event_active(&event, EV_READ, 0);
    event_base_loop(base, EVLOOP_NONBLOCK);
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(BM_ActivateAndRun)->ArgNames({"locked", "events"})->ArgsProduct({{0}, {1, 100}});

// --- With locks and threads; last, since threading stays on ---

BENCHMARK(BM_FdAddDel)->ArgName("locked")->Arg(1);
BENCHMARK(BM_FdAddDelSecond)->ArgName("locked")->Arg(1);
BENCHMARK(BM_FdAddAgain)->ArgName("locked")->Arg(1);
BENCHMARK(BM_ActivateAndRun)->ArgNames({"locked", "events"})->ArgsProduct({{1}, {1, 100}});

void Activate(evutil_socket_t, short, void *arg) {
  event_active(static_cast<struct event *>(arg), EV_READ, 0);
}

void SetFlag(evutil_socket_t, short, void *arg) {
  *static_cast<bool *>(arg) = true;
}

// Two loops in two threads wake each other in turn: one iteration is there and back.
void BM_WakeUpRoundTrip(benchmark::State &state) {
  Base here(true), there(true);
  bool came_back = false;
  struct event ping, pong;
  event_assign(&pong, here, -1, 0, SetFlag, &came_back);
  event_assign(&ping, there, -1, 0, Activate, &pong);
  std::thread thread([&] { event_base_loop(there, EVLOOP_NO_EXIT_ON_EMPTY); });
  for (auto _ : state) {
    came_back = false;
    event_active(&ping, EV_READ, 0);
    while (!came_back) event_base_loop(here, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
  }
  event_base_loopbreak(there);
  thread.join();
}
BENCHMARK(BM_WakeUpRoundTrip)->UseRealTime();

}  // namespace
