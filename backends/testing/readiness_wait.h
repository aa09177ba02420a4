// Readiness suite: deadlines, signals, many descriptors, and the lock around the wait.
#ifndef BACKENDS_TESTING_READINESS_WAIT_H_
#define BACKENDS_TESTING_READINESS_WAIT_H_

#ifndef _WIN32
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#endif

#include <cstdlib>
#include <set>
#include <string>
#include <thread>

#include "backends/testing/readiness_fixture.h"

namespace readiness_testing {

// Whether so many pairs can be open beside what the test program has. Windows has no such limit.
inline bool HasRoomForPairs(size_t num) {
#ifdef _WIN32
  (void)num;
  return true;
#else
  struct rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
         static_cast<size_t>(limit.rlim_cur) >= 2 * num + 64;
#endif
}

}  // namespace readiness_testing

// --- Deadlines ---

TEST_P(ReadinessConformance, PastDeadlineDoesNotWait) {
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  Sink sink;
  EXPECT_EQ(0, backend_.WaitUntil(&sink, 0));
  EXPECT_EQ(0, backend_.WaitUntil(&sink, backend_.Now()));
  EXPECT_TRUE(sink.reports.empty());
  readiness_testing::Send(pair.b);
  EXPECT_EQ(0, backend_.WaitUntil(&sink, 0));
  EXPECT_EQ(EV_READ, sink.WhatOf(pair.a));
}

// Also with no descriptor at all, and never early: the base would turn in vain until it is time.
TEST_P(ReadinessConformance, WaitsUntilTheDeadline) {
  const int flag_sets[] = {0, EVENT_BASE_FLAG_PRECISE_TIMER};
  for (int flags : flag_sets) {
    Backend backend(GetParam(), flags);
    Sink sink;
    for (long long wait_ns : {1LL, 300 * STRATA_NS_PER_US, 15 * STRATA_NS_PER_MS}) {
      const int64_t deadline_ns = backend.Now() + wait_ns;
      // Each ring of io_uring that was closed in this process may interrupt a wait, as signals do.
      int num_waits = 0;
      do {
        EXPECT_EQ(0, backend.WaitUntil(&sink, deadline_ns));
        num_waits++;
      } while (backend.Now() < deadline_ns);
      EXPECT_LE(num_waits, 100);
    }
    EXPECT_TRUE(sink.reports.empty());
  }
}

TEST_P(ReadinessConformance, FarDeadlineIsEndedByAnEvent) {
  const int flag_sets[] = {0, EVENT_BASE_FLAG_PRECISE_TIMER};
  for (int flags : flag_sets) {
    Backend backend(GetParam(), flags);
    Pair pair;
    readiness_testing::Send(pair.b);
    ASSERT_EQ(0, backend.Change(pair.a, EV_READ));
    const int64_t in_forty_days = backend.Now() + 40 * 86400 * STRATA_NS_PER_SECOND;
    for (int64_t deadline_ns :
         {readiness_testing::kForever, readiness_testing::kForever - 1, in_forty_days}) {
      Sink sink;
      EXPECT_EQ(0, backend.WaitUntil(&sink, deadline_ns));
      EXPECT_EQ(EV_READ, sink.WhatOf(pair.a));
    }
  }
}

TEST_P(ReadinessConformance, EventEndsAWaitThatIsGoingOn) {
  const int64_t far_ns = backend_.Now() + readiness_testing::kPatienceNs * 100;
  for (int64_t deadline_ns : {readiness_testing::kForever, far_ns}) {
    Pair pair;
    ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
    Sink sink;
    std::thread sender;
    sink.on_unlock = [&] { sender = std::thread([&] { readiness_testing::Send(pair.b); }); };
    while (sink.reports.empty()) {
      ASSERT_EQ(0, backend_.WaitUntil(&sink, deadline_ns));
      sink.on_unlock = nullptr;
    }
    sender.join();
    EXPECT_EQ(EV_READ, sink.WhatOf(pair.a));
    EXPECT_EQ(0, backend_.Change(pair.a, 0));
  }
}

TEST_P(ReadinessConformance, LiveChangeReachesAWaitThatIsGoingOn) {
  READINESS_NEEDS(STRATA_READINESS_LIVE_CHANGES);
  Pair idle, pair;
  readiness_testing::Send(pair.b);
  ASSERT_EQ(0, backend_.Change(idle.a, EV_READ));
  std::mutex lock;
  Sink sink;
  sink.lock = &lock;
  std::thread changer;
  sink.on_unlock = [&] {
    changer = std::thread([&] {
      std::lock_guard<std::mutex> guard(lock);
      EXPECT_EQ(0, backend_.Change(pair.a, EV_READ));
    });
  };
  lock.lock();
  while (sink.reports.empty()) {
    ASSERT_EQ(0, backend_.WaitUntil(&sink, readiness_testing::kForever));
    sink.on_unlock = nullptr;
  }
  lock.unlock();
  changer.join();
  EXPECT_EQ(EV_READ, sink.WhatOf(pair.a));
}

#ifndef _WIN32
// A signal may end the wait early, which is no error. Signals are sent until one has come in time.
TEST_P(ReadinessConformance, SignalEndsTheWaitWithoutAnError) {
  struct sigaction action = {}, old_action;
  action.sa_handler = [](int) {};
  ASSERT_EQ(0, sigaction(SIGUSR2, &action, &old_action));  // Without SA_RESTART.
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  const pthread_t waiter = pthread_self();
  std::atomic<bool> has_returned{false};
  Sink sink;
  std::thread sender;
  sink.on_unlock = [&] {
    sender = std::thread([&] {
      while (!has_returned) {
        pthread_kill(waiter, SIGUSR2);
        usleep(1000);
      }
    });
  };
  EXPECT_EQ(0, backend_.WaitUntil(&sink, backend_.Now() + readiness_testing::kPatienceNs));
  has_returned = true;
  sender.join();
  EXPECT_TRUE(sink.reports.empty());
  EXPECT_EQ(0, sigaction(SIGUSR2, &old_action, nullptr));
}
#endif

// --- Many descriptors ---

TEST_P(ReadinessConformance, ManyReadyDescriptorsAreAllReported) {
  const size_t kNum = 300;
  if (!readiness_testing::HasRoomForPairs(kNum)) GTEST_SKIP() << "too few descriptors";
  std::vector<Pair> pairs(kNum);
  for (size_t i = 0; i < kNum; i++) {
    backend_.SetGeneration(pairs[i].a, static_cast<uint32_t>(i));
    ASSERT_EQ(0, backend_.Change(pairs[i].a, EV_READ));
    readiness_testing::Send(pairs[i].b);
  }
  std::map<evutil_socket_t, uint32_t> seen;
  for (size_t turn = 0; turn < kNum && seen.size() < kNum; turn++) {
    Sink sink;
    ASSERT_EQ(0, backend_.Poll(&sink));
    ASSERT_FALSE(sink.reports.empty());
    for (const Report &report : sink.reports) {
      EXPECT_EQ(EV_READ, report.what);
      seen[report.fd] = report.generation;
      readiness_testing::Drain(report.fd);
    }
  }
  for (size_t i = 0; i < kNum; i++) EXPECT_EQ(i, seen[pairs[i].a]);
}

#ifndef _WIN32  // A socket cannot be given a number.
// Far beyond FD_SETSIZE, and with a gap that nobody registered below them.
TEST_P(ReadinessConformance, HighDescriptors) {
  if (getenv("STRATA_RUNNER") != nullptr && std::string(GetParam()->name) == "select")
    GTEST_SKIP() << "select(2) of qemu-user ends the program beyond FD_SETSIZE";
  struct rlimit limit;
  ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
  const evutil_socket_t kHigh = 5000;
  struct rlimit raised = limit;
  if (raised.rlim_cur <= kHigh + 1) raised.rlim_cur = kHigh + 2;
  if (setrlimit(RLIMIT_NOFILE, &raised) != 0) GTEST_SKIP() << "too few descriptors";
  {
    Pair pair, other;
    Fd high(dup2(pair.a, kHigh)), higher(dup2(other.a, kHigh + 1));
    ASSERT_EQ(kHigh, high);
    ASSERT_EQ(kHigh + 1, higher);
    ASSERT_EQ(0, backend_.Change(high, EV_READ));
    ASSERT_EQ(0, backend_.Change(higher, EV_WRITE));
    EXPECT_EQ(0, backend_.PollOf(high));
    EXPECT_EQ(EV_WRITE, backend_.PollOf(higher));
    readiness_testing::Send(pair.b);
    EXPECT_EQ(EV_READ, backend_.PollOf(high));
    ASSERT_EQ(0, backend_.Change(higher, 0));
    Sink sink;
    EXPECT_EQ(0, backend_.Poll(&sink));
    ASSERT_EQ(1u, sink.reports.size());
    EXPECT_EQ(kHigh, sink.reports[0].fd);
    ASSERT_EQ(0, backend_.Change(high, 0));
  }
  EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}
#endif

// No one is passed over for ever while all stay ready, and edges survive being left for later.
TEST_P(ReadinessConformance, ManyThatStayReadyAreAllReported) {
  const size_t kNum = 300;
  if (!readiness_testing::HasRoomForPairs(kNum)) GTEST_SKIP() << "too few descriptors";
  std::vector<short> kinds = {EV_WRITE};
  if (backend_.Has(EV_FEATURE_ET)) kinds.push_back(EV_WRITE | EV_ET);
  for (short mask : kinds) {
    std::vector<Pair> pairs(kNum);
    for (Pair &pair : pairs) ASSERT_EQ(0, backend_.Change(pair.a, mask));
    std::set<evutil_socket_t> seen;
    for (size_t turn = 0; turn < kNum && seen.size() < kNum; turn++) {
      Sink sink;
      ASSERT_EQ(0, backend_.Poll(&sink));
      for (const Report &report : sink.reports) seen.insert(report.fd);
    }
    EXPECT_EQ(kNum, seen.size());
    for (Pair &pair : pairs) ASSERT_EQ(0, backend_.Change(pair.a, 0));
  }
}

// --- The lock ---

TEST_P(ReadinessConformance, LockIsReleasedForTheWait) {
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  Sink sink;
  EXPECT_EQ(0, backend_.WaitUntil(&sink, backend_.Now() + 2 * STRATA_NS_PER_MS));
  EXPECT_EQ(1, sink.num_unlocks);
  EXPECT_TRUE(sink.is_locked);
}

// What other threads may do while one waits. A report is of what was registered before or after,
// never of one descriptor under another's generation.
TEST_P(ReadinessConformance, ChangesWhileTheLockIsReleased) {
  const size_t kNum = 200;
  if (!readiness_testing::HasRoomForPairs(kNum)) GTEST_SKIP() << "too few descriptors";
  std::vector<Pair> pairs(kNum);
  const size_t kNumOld = 20;
  for (size_t i = 0; i < kNum; i++) {
    readiness_testing::Send(pairs[i].b);
    backend_.SetGeneration(pairs[i].a, static_cast<uint32_t>(i));
    if (i >= kNumOld) continue;
    ASSERT_EQ(0, backend_.Change(pairs[i].a, EV_READ));
  }
  Sink sink;
  sink.on_unlock = [&] {
    for (size_t i = 0; i < kNumOld; i++) EXPECT_EQ(0, backend_.Change(pairs[i].a, 0));
    for (size_t i = kNumOld; i < kNum; i++) EXPECT_EQ(0, backend_.Change(pairs[i].a, EV_READ));
  };
  // It may return with nothing, woken by what is no longer wanted.
  ASSERT_EQ(0, backend_.WaitUntil(&sink, readiness_testing::kForever));
  for (const Report &report : sink.reports) {
    ASSERT_LT(report.generation, kNum);
    EXPECT_EQ(pairs[report.generation].a, report.fd);
  }
  std::set<evutil_socket_t> seen;
  for (size_t turn = 0; turn < kNum && seen.size() < kNum - kNumOld; turn++) {
    Sink after;
    ASSERT_EQ(0, backend_.Poll(&after));
    for (const Report &report : after.reports) {
      ASSERT_LT(report.generation, kNum);
      EXPECT_GE(report.generation, kNumOld);
      EXPECT_EQ(pairs[report.generation].a, report.fd);
      seen.insert(report.fd);
    }
  }
  EXPECT_EQ(kNum - kNumOld, seen.size());
}

// Changes from other threads while one waits, which they do under the base's lock. For the thread
// sanitizer, and to see that a report carries a generation that was asked for.
TEST_P(ReadinessConformance, ChangesDuringWaits) {
  READINESS_NEEDS(STRATA_READINESS_LIVE_CHANGES);
  Pair pair;
  std::mutex lock;
  std::atomic<bool> is_done{false};
  std::thread changer([&] {
    for (uint32_t generation = 1; generation <= 2000; generation++) {
      std::lock_guard<std::mutex> guard(lock);
      backend_.SetGeneration(pair.a, generation);
      EXPECT_EQ(0, backend_.Change(pair.a, EV_WRITE));
      EXPECT_EQ(0, backend_.Change(pair.a, 0));
    }
    is_done = true;
  });
  uint32_t newest = 0;
  while (!is_done) {
    Sink sink;
    sink.lock = &lock;
    std::lock_guard<std::mutex> guard(lock);
    if (backend_.Poll(&sink) != 0) break;
    for (const Report &report : sink.reports) {
      EXPECT_GE(report.generation, newest);
      newest = report.generation;
    }
  }
  changer.join();
  EXPECT_LE(newest, 2000u);
  EXPECT_EQ(0, backend_.PollOf(pair.a));
}

#endif  // BACKENDS_TESTING_READINESS_WAIT_H_
