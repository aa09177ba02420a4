#ifndef STRATA_BENCH_LOOP_SUPPORT_H_
#define STRATA_BENCH_LOOP_SUPPORT_H_

#include <benchmark/benchmark.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

#include <string>

// What the benchmarks of the loop share; public API only.

// A base of its own. One with a lock turns threading on for good, so benchmarks of such bases are
// registered after those that measure without.
class Base {
 public:
  explicit Base(bool with_lock = false) {
    if (with_lock) evthread_use_pthreads();
    base_ = event_base_new();
  }
  ~Base() { event_base_free(base_); }
  Base(const Base &) = delete;
  Base &operator=(const Base &) = delete;

  operator struct event_base *() const { return base_; }

 private:
  struct event_base *base_;
};

// Runs `body` in a callback of the base's loop, where the time is cached.
template <typename Body>
void RunInsideLoop(struct event_base *base, const Body &body) {
  const auto call = [](evutil_socket_t, short, void *arg) { (*static_cast<const Body *>(arg))(); };
  event_base_once(base, -1, EV_TIMEOUT, call, const_cast<Body *>(&body), nullptr);
  event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

#ifdef __clang__
constexpr char kCompiler[] = __VERSION__;
#else
constexpr char kCompiler[] = "GCC " __VERSION__;
#endif

// For bench/report: what was measured, in the context of the JSON output.
inline bool AddBuildContext() {
  benchmark::AddCustomContext("compiler", kCompiler);
#ifdef __OPTIMIZE__
  benchmark::AddCustomContext("optimized", "yes");
#else
  benchmark::AddCustomContext("optimized", "no");
#endif
  benchmark::AddCustomContext("api_version", event_get_version());
  return true;
}
static const bool build_context_added = AddBuildContext();

#endif
