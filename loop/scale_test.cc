// Many timers and many descriptors through the loop, on the simulated backend: what is slow here is
// the loop's own. Passing in the test's time is the point; the figures are in docs/benchmarks.md.
#include <event2/event.h>
#include <event2/event_struct.h>

#include <memory>
#include <random>

#include "backends/sim/sim.h"
#include "gtest/gtest.h"
#include "util/clock.h"

#if defined(__has_feature)
#define SCALE_HAS_FEATURE(feature) __has_feature(feature)
#else
#define SCALE_HAS_FEATURE(feature) 0
#endif

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    SCALE_HAS_FEATURE(address_sanitizer) || SCALE_HAS_FEATURE(thread_sanitizer)
constexpr int kNumTimers = 100 * 1000, kNumFds = 50 * 1000;
#elif !defined(__OPTIMIZE__)
constexpr int kNumTimers = 1000 * 1000, kNumFds = 1000 * 1000;
#else
constexpr int kNumTimers = 10 * 1000 * 1000, kNumFds = 1000 * 1000;
#endif

class Scale : public ::testing::Test {
 protected:
  ~Scale() override {
    event_base_free(base_);
    strata_sim_free(sim_);
  }
  struct strata_sim *sim_ = strata_sim_new();
  struct event_base *base_ = strata_sim_base_new(sim_, nullptr);
  std::mt19937 random_{1};
};

// --- Timers ---

struct Timers {
  struct strata_sim *sim;
  int64_t began_ns;
  int num_fired = 0, num_at_a_wrong_time = 0;
};

// The timeout is in microseconds what the event keeps as its descriptor: no memory besides.
void OnTimer(evutil_socket_t duration_usec, short, void *arg) {
  Timers *timers = static_cast<Timers *>(arg);
  const int64_t passed_ns = strata_sim_now_ns(timers->sim) - timers->began_ns;
  timers->num_fired++;
  if (passed_ns != duration_usec * STRATA_NS_PER_US) timers->num_at_a_wrong_time++;
}

TEST_F(Scale, Timers) {
  Timers timers = {sim_, strata_sim_now_ns(sim_)};
  std::unique_ptr<struct event[]> events(new struct event[kNumTimers]);
  auto add = [&](int i) {
    const int usec = static_cast<int>(random_() % 60000000);
    const struct timeval tv = {usec / 1000000, usec % 1000000};
    ASSERT_EQ(0, event_assign(&events[i], base_, usec, 0, OnTimer, &timers));
    ASSERT_EQ(0, event_add(&events[i], &tv));
  };
  for (int i = 0; i < kNumTimers; i++) add(i);
  for (int i = 0; i < kNumTimers;
       i += 3) {  // Deleted from everywhere in the heap, and added again.
    event_del(&events[i]);
    add(i);
  }
  EXPECT_EQ(kNumTimers, event_base_get_num_events(base_, EVENT_BASE_COUNT_ADDED));
  EXPECT_EQ(1, event_base_dispatch(base_));
  EXPECT_EQ(kNumTimers, timers.num_fired);
  EXPECT_EQ(0, timers.num_at_a_wrong_time);
}

// --- Descriptors ---

struct Fds {
  struct strata_sim *sim;
  int num_fired = 0;
};

void OnReadable(evutil_socket_t fd, short, void *arg) {
  Fds *fds = static_cast<Fds *>(arg);
  fds->num_fired++;
  strata_sim_lower(fds->sim, fd, EV_READ);
}

TEST_F(Scale, Descriptors) {
  Fds fds = {sim_};
  std::unique_ptr<struct event[]> events(new struct event[kNumFds]);
  for (int fd = 0; fd < kNumFds; fd++) {
    ASSERT_EQ(0, event_assign(&events[fd], base_, fd, EV_READ | EV_PERSIST, OnReadable, &fds));
    ASSERT_EQ(0, event_add(&events[fd], nullptr));
  }
  // All at once,
  for (int fd = 0; fd < kNumFds; fd++) strata_sim_raise(sim_, fd, EV_READ);
  event_base_loop(base_, EVLOOP_ONCE);
  EXPECT_EQ(kNumFds, fds.num_fired);
  // and turns in which few of them are: those that are not cost nothing.
  const long num_changes = strata_sim_num_changes(sim_);
  constexpr int kNumTurns = 200 * 1000;
  for (int turn = 0; turn < kNumTurns; turn++) {
    strata_sim_raise(sim_, static_cast<evutil_socket_t>(random_() % kNumFds), EV_READ);
    event_base_loop(base_, EVLOOP_ONCE);
  }
  EXPECT_EQ(kNumFds + kNumTurns, fds.num_fired);
  EXPECT_EQ(num_changes, strata_sim_num_changes(sim_));
  for (int fd = 0; fd < kNumFds; fd++) event_del(&events[fd]);
  EXPECT_EQ(0, event_base_get_num_events(base_, EVENT_BASE_COUNT_ADDED));
}

}  // namespace
