// Out of memory at every point: in each scenario the n-th allocation fails, for every n. Each call
// then fails as documented, nothing is lost that was accepted, nothing leaks.
#include <event2/thread.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <functional>

#include "loop/test_support.h"
#include "util/testing/counting_memory.h"

namespace {

class AllocFailure : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (kOnLibevent) return;
    CountingMemory::Install(event_set_mem_functions);
    ASSERT_EQ(0, evthread_use_pthreads());
  }

  // libevent 2.1 ends the process or follows NULL in some of these.
  void SetUp() override {
    if (kOnLibevent) GTEST_SKIP();
  }

  // Runs the scenario with the first, second, ... allocation failing until none fails any more. The
  // scenario returns true when all of its calls succeeded.
  static void Sweep(const std::function<bool()> &scenario) {
    for (int n = 0; n < 10000; n++) {
      const long live_before = CountingMemory::num_blocks();
      CountingMemory::Begin(n + 1);
      const bool succeeded = scenario();
      CountingMemory::StopFailing();
      EXPECT_EQ(live_before, CountingMemory::num_blocks()) << "allocation " << n << " failed";
      if (!CountingMemory::has_failed()) {
        EXPECT_TRUE(succeeded);
        EXPECT_GT(n, 0);
        return;
      }
    }
    FAIL() << "there is no end to the allocations";
  }

  // Counts calls in the int that `arg` points to.
  static void Count(evutil_socket_t, short, void *arg) { ++*static_cast<int *>(arg); }

  QuietLog quiet_;
};

TEST_F(AllocFailure, MakingABase) {
  Sweep([] {
    struct event_config *config = event_config_new();
    if (config == nullptr) return false;
    bool succeeded = event_config_avoid_method(config, "no-such-method") == 0;
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    if (base == nullptr) return false;
    if (event_base_priority_init(base, 5) == 0) {
      EXPECT_EQ(5, event_base_get_npriorities(base));
    } else {
      EXPECT_EQ(1, event_base_get_npriorities(base));
      succeeded = false;
    }
    event_base_free(base);
    return succeeded;
  });
}

// What could be added fires; what could not is not pending.
TEST_F(AllocFailure, AddingEvents) {
  Sweep([] {
    struct event_base *base = event_base_new();
    if (base == nullptr) return false;
    Pair pair;
    pair.Send(1, "x");
    bool succeeded = true;
    int expected_calls = 0, calls = 0;
    struct event *events[4];
    const struct timeval at_once = {0, 0}, ten = {0, 10};
    const struct timeval *common = event_base_init_common_timeout(base, &ten);
    succeeded &= common != nullptr;
    events[0] = event_new(base, pair[0], EV_READ, Count, &calls);
    events[1] = event_new(base, -1, 0, Count, &calls);
    events[2] = event_new(base, -1, 0, Count, &calls);
    events[3] = event_new(base, SIGUSR1, EV_SIGNAL, Count, &calls);
    const struct timeval *timeouts[4] = {nullptr, &at_once, common ? common : &ten, nullptr};
    for (int i = 0; i < 4; i++) {
      if (events[i] == nullptr) {
        succeeded = false;
      } else if (event_add(events[i], timeouts[i]) == 0) {
        expected_calls++;
      } else {
        EXPECT_EQ(0, event_pending(events[i], EV_READ | EV_TIMEOUT | EV_SIGNAL, nullptr));
        succeeded = false;
      }
    }
    if (events[3] != nullptr && event_pending(events[3], EV_SIGNAL, nullptr)) raise(SIGUSR1);
    event_base_dispatch(base);
    EXPECT_EQ(expected_calls, calls);
    for (struct event *event : events)
      if (event != nullptr) event_free(event);
    event_base_free(base);
    return succeeded;
  });
}

TEST_F(AllocFailure, Once) {
  Sweep([] {
    struct event_base *base = event_base_new();
    if (base == nullptr) return false;
    Pair pair, unready;
    pair.Send(1, "x");
    int expected_calls = 0, calls = 0;
    const struct timeval soon = {0, 1}, late = {3600, 0};
    if (event_base_once(base, pair[0], EV_READ, Count, &calls, &soon) == 0) expected_calls++;
    if (event_base_once(base, -1, EV_TIMEOUT, Count, &calls, &soon) == 0) expected_calls++;
    if (event_base_once(base, -1, EV_TIMEOUT, Count, &calls, nullptr) == 0) expected_calls++;
    event_base_dispatch(base);
    EXPECT_EQ(expected_calls, calls);
    const bool left_over = event_base_once(base, unready[0], EV_READ, Count, &calls, &late) == 0;
    event_base_free(base);
    return expected_calls == 3 && left_over;
  });
}

int DuplicateWithAHighNumber(evutil_socket_t fd) {
#ifdef _WIN32
  return dup(fd);  // Whichever comes.
#else
  return fcntl(fd, F_DUPFD, 500);
#endif
}

TEST_F(AllocFailure, ManyTimersAndDescriptors) {
  Sweep([] {
    struct event_base *base = event_base_new();
    if (base == nullptr) return false;
    int expected_calls = 0, calls = 0;
    struct event events[300];
    const struct timeval at_once = {0, 0};
    for (struct event &event : events) {
      event_assign(&event, base, -1, 0, Count, &calls);
      if (event_add(&event, &at_once) == 0) expected_calls++;
    }
    Pair pair;
    const int high_fd = DuplicateWithAHighNumber(pair[0]);  // Needs a larger map.
    struct event reader;
    event_assign(&reader, base, high_fd, EV_WRITE, Count, &calls);
    if (event_add(&reader, nullptr) == 0) expected_calls++;
    event_base_dispatch(base);
    EXPECT_EQ(expected_calls, calls);
    event_base_free(base);
    close(high_fd);
    return expected_calls == 301;
  });
}

// When it fails as a whole the events are still there; that of the backend may have succeeded.
TEST_F(AllocFailure, Reinit) {
  Sweep([] {
    struct event_base *base = event_base_new();
    if (base == nullptr) return false;
    Pair pair;
    int calls = 0;
    struct event reader, on_signal;
    event_assign(&reader, base, pair[0], EV_READ | EV_PERSIST, Count, &calls);
    event_assign(&on_signal, base, SIGUSR1, EV_SIGNAL | EV_PERSIST, Count, &calls);
    bool succeeded = event_add(&reader, nullptr) == 0 && event_add(&on_signal, nullptr) == 0;
    if (event_pending(&reader, EV_READ, nullptr)) {
      succeeded &= event_reinit(base) == 0;
      pair.Send(1, "x");
      event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
      EXPECT_EQ(1, calls);
    }
    event_del(&reader);
    event_del(&on_signal);
    event_base_free(base);
    return succeeded;
  });
}

}  // namespace
