// evthread_use_windows_threads: locks, condition variables, thread ids. What holds for any threads
// library is in lock_test.cc and thread_test.cc.
#include <event2/thread.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "util/clock.h"
#include "util/lock.h"

// Hooks stay for the life of a process.
#define CHECK_OR_EXIT(condition)            \
  do {                                      \
    if (!(condition)) exit(__LINE__ % 256); \
  } while (0)

#define EXPECT_CLEAN_EXIT(call) EXPECT_EXIT(call, testing::ExitedWithCode(0), "")

static strata_lock NewLock(unsigned locktype) {
  strata_lock lock;
  CHECK_OR_EXIT(strata_lock_init(&lock, locktype) == 0 && lock);
  return lock;
}

// 0: another thread could take the lock.
static int TryElsewhere(strata_lock lock) {
  int result = -1;
  std::thread([&] {
    result = strata_lock_try(lock);
    if (result == 0) strata_lock_release(lock);
  }).join();
  return result;
}

static void TakeTwice() {
  CHECK_OR_EXIT(evthread_use_windows_threads() == 0);
  CHECK_OR_EXIT(evthread_use_windows_threads() == 0);
  strata_lock lock = NewLock(EVTHREAD_LOCKTYPE_RECURSIVE);
  CHECK_OR_EXIT(TryElsewhere(lock) == 0);
  strata_lock_acquire(lock);
  strata_lock_acquire(lock);
  CHECK_OR_EXIT(strata_lock_try(lock) == 0);
  strata_lock_release(lock);
  strata_lock_release(lock);
  CHECK_OR_EXIT(TryElsewhere(lock) != 0);
  strata_lock_release(lock);
  CHECK_OR_EXIT(TryElsewhere(lock) == 0);
  strata_lock_destroy(&lock, EVTHREAD_LOCKTYPE_RECURSIVE);
  exit(0);
}

TEST(WindowsThreadsTest, LocksAreRecursive) {
  EXPECT_CLEAN_EXIT(TakeTwice());
}

static void CountTogether() {
  CHECK_OR_EXIT(evthread_use_windows_threads() == 0);
  strata_lock lock = NewLock(0);
  int counter = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 10000; ++j) {
        strata_lock_acquire(lock);
        ++counter;
        strata_lock_release(lock);
      }
    });
  for (std::thread &thread : threads) thread.join();
  CHECK_OR_EXIT(counter == 40000);
  strata_lock_destroy(&lock, 0);
  exit(0);
}

TEST(WindowsThreadsTest, OneAtATime) {
  EXPECT_CLEAN_EXIT(CountTogether());
}

static void WaitInVain() {
  CHECK_OR_EXIT(evthread_use_windows_threads() == 0);
  strata_lock lock = NewLock(EVTHREAD_LOCKTYPE_RECURSIVE);
  strata_cond cond;
  CHECK_OR_EXIT(strata_cond_init(&cond) == 0 && cond);
  strata_lock_acquire(lock);
  for (long timeout_us : {0L, 1L, 30000L}) {
    struct timeval timeout = {0, timeout_us};
    int64_t before_ns = strata_monotonic_ns();
    int result = 0;
    do {  // waking without a reason is allowed
      result = strata_cond_hooks.wait_condition(cond, lock, &timeout);
    } while (result == 0);
    CHECK_OR_EXIT(result == 1);
    // The system's timer may be a tick early.
    CHECK_OR_EXIT(strata_monotonic_ns() - before_ns >= timeout_us * 1000 - 16000000);
    CHECK_OR_EXIT(TryElsewhere(lock) != 0);
  }
  strata_lock_release(lock);
  CHECK_OR_EXIT(TryElsewhere(lock) == 0);
  strata_cond_destroy(&cond);
  strata_lock_destroy(&lock, EVTHREAD_LOCKTYPE_RECURSIVE);
  exit(0);
}

TEST(WindowsThreadsTest, ConditionTimesOut) {
  EXPECT_CLEAN_EXIT(WaitInVain());
}

// `timeout` is NULL or longer than the test.
static void WakeAll(const struct timeval *timeout) {
  strata_lock lock = NewLock(EVTHREAD_LOCKTYPE_RECURSIVE);
  strata_cond cond;
  CHECK_OR_EXIT(strata_cond_init(&cond) == 0);
  bool go = false;
  int num_waiting = 0, num_woken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      strata_lock_acquire(lock);
      ++num_waiting;
      while (!go) CHECK_OR_EXIT(strata_cond_hooks.wait_condition(cond, lock, timeout) == 0);
      ++num_woken;
      strata_lock_release(lock);
    });
  for (bool all_wait = false; !all_wait; std::this_thread::yield()) {
    strata_lock_acquire(lock);
    all_wait = num_waiting == 3;
    strata_lock_release(lock);
  }
  strata_lock_acquire(lock);
  go = true;
  strata_cond_broadcast(cond);
  strata_lock_release(lock);
  for (std::thread &thread : threads) thread.join();
  CHECK_OR_EXIT(num_woken == 3);
  strata_cond_destroy(&cond);
  strata_lock_destroy(&lock, EVTHREAD_LOCKTYPE_RECURSIVE);
}

static void WakeAllWaiters() {
  CHECK_OR_EXIT(evthread_use_windows_threads() == 0);
  WakeAll(nullptr);
  // Longer than the milliseconds of a DWORD.
  struct timeval timeout = {5000000, 999999};
  WakeAll(&timeout);
  timeout.tv_sec = 2147483647;
  WakeAll(&timeout);
  exit(0);
}

TEST(WindowsThreadsTest, BroadcastWakesAll) {
  EXPECT_CLEAN_EXIT(WakeAllWaiters());
}

static void WakeOneByOne() {
  CHECK_OR_EXIT(evthread_use_windows_threads() == 0);
  strata_lock lock = NewLock(0);
  strata_cond cond;
  CHECK_OR_EXIT(strata_cond_init(&cond) == 0);
  int num_tokens = 0;
  std::atomic<int> num_done(0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      strata_lock_acquire(lock);
      while (num_tokens == 0) CHECK_OR_EXIT(strata_cond_wait(cond, lock) == 0);
      --num_tokens;
      strata_lock_release(lock);
      ++num_done;
    });
  for (int i = 0; i < 3; ++i) {
    strata_lock_acquire(lock);
    ++num_tokens;
    CHECK_OR_EXIT(strata_cond_hooks.signal_condition(cond, 0) == 0);
    strata_lock_release(lock);
  }
  for (std::thread &thread : threads) thread.join();
  CHECK_OR_EXIT(num_done == 3);
  exit(0);
}

TEST(WindowsThreadsTest, SignalWakesOne) {
  EXPECT_CLEAN_EXIT(WakeOneByOne());
}

static void CompareIds() {
  CHECK_OR_EXIT(strata_thread_id() == 0);
  CHECK_OR_EXIT(evthread_use_windows_threads() == 0);
  unsigned long mine = strata_thread_id(), other = 0;
  std::thread([&] { other = strata_thread_id(); }).join();
  CHECK_OR_EXIT(mine == GetCurrentThreadId());
  CHECK_OR_EXIT(mine == strata_thread_id());
  CHECK_OR_EXIT(other != 0 && other != mine);
  exit(0);
}

TEST(WindowsThreadsTest, IdsTellThreadsApart) {
  EXPECT_CLEAN_EXIT(CompareIds());
}

// The order of older programs: objects first, threads afterwards. (With a base: loop/ and net/.)
static void ThreadsAfterObjects() {
  strata_lock early;
  strata_cond early_cond;
  CHECK_OR_EXIT(strata_lock_init(&early, EVTHREAD_LOCKTYPE_RECURSIVE) == 0 && !early);
  CHECK_OR_EXIT(strata_cond_init(&early_cond) == 0 && !early_cond);
  strata_lock_acquire(early);
  CHECK_OR_EXIT(evthread_use_windows_threads() == 0);
  CHECK_OR_EXIT(strata_threading_enabled());
  strata_lock_release(early);
  strata_lock_acquire(early);
  CHECK_OR_EXIT(strata_cond_wait(early_cond, early) == 0);
  strata_cond_broadcast(early_cond);
  strata_lock_release(early);
  strata_lock late = NewLock(EVTHREAD_LOCKTYPE_RECURSIVE);
  strata_lock_acquire(late);
  CHECK_OR_EXIT(TryElsewhere(late) != 0);
  strata_lock_release(late);
  strata_lock_destroy(&late, EVTHREAD_LOCKTYPE_RECURSIVE);
  strata_lock_destroy(&early, EVTHREAD_LOCKTYPE_RECURSIVE);
  strata_cond_destroy(&early_cond);
  exit(0);
}

TEST(WindowsThreadsTest, ObjectsMadeBeforeStayWithoutLocks) {
  EXPECT_CLEAN_EXIT(ThreadsAfterObjects());
}

static void *OtherAlloc(unsigned) {
  return nullptr;
}
static void OtherFree(void *, unsigned) {}
static int OtherLock(unsigned, void *) {
  return 0;
}

static void AfterOtherHooks() {
  struct evthread_lock_callbacks other = {EVTHREAD_LOCK_API_VERSION,
                                          EVTHREAD_LOCKTYPE_RECURSIVE,
                                          OtherAlloc,
                                          OtherFree,
                                          OtherLock,
                                          OtherLock};
  CHECK_OR_EXIT(evthread_set_lock_callbacks(&other) == 0);
  CHECK_OR_EXIT(evthread_use_windows_threads() == -1);
  exit(0);
}

TEST(WindowsThreadsTest, DoNotReplaceOtherHooks) {
  EXPECT_CLEAN_EXIT(AfterOtherHooks());
}
