#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <thread>
#include <vector>

#include "util/lock.h"

// Hooks stay for the life of a process, so that each scenario runs in one of its own.
#define IN_OWN_PROCESS(statement) \
  EXPECT_EXIT(                    \
      {                           \
        statement;                \
        exit(0);                  \
      },                          \
      testing::ExitedWithCode(0), "")
#define CHECK_OR_EXIT(condition)            \
  do {                                      \
    if (!(condition)) exit(__LINE__ % 256); \
  } while (0)

static strata_lock NewLock(unsigned locktype) {
  strata_lock lock;
  CHECK_OR_EXIT(strata_lock_init(&lock, locktype) == 0);
  CHECK_OR_EXIT(lock != nullptr);
  return lock;
}

TEST(LockTest, WithoutThreadsThereIsNoLock) {
  strata_lock lock = &lock;
  strata_cond cond = &cond;
  EXPECT_FALSE(strata_threading_enabled());
  EXPECT_EQ(0, strata_lock_init(&lock, EVTHREAD_LOCKTYPE_RECURSIVE));
  EXPECT_EQ(nullptr, lock);
  strata_lock_acquire(lock);
  EXPECT_EQ(0, strata_lock_try(lock));
  EXPECT_TRUE(strata_lock_is_held(lock));
  strata_lock_release(lock);
  strata_lock_destroy(&lock, EVTHREAD_LOCKTYPE_RECURSIVE);
  EXPECT_EQ(0, strata_cond_init(&cond));
  EXPECT_EQ(nullptr, cond);
  strata_cond_broadcast(cond);
  EXPECT_EQ(0, strata_cond_wait(cond, lock));
  strata_cond_destroy(&cond);
  EXPECT_EQ(0ul, strata_thread_id());
}

static void Count(strata_lock lock, int *counter) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        strata_lock_acquire(lock);
        strata_lock_acquire(lock);
        ++*counter;
        strata_lock_release(lock);
        strata_lock_release(lock);
      }
    });
  for (std::thread &thread : threads) thread.join();
}

static void Exclusion(bool debugging) {
  if (debugging) evthread_enable_lock_debugging();
#if defined(EVTHREAD_USE_PTHREADS_WITH_FLAGS_IMPLEMENTED)
  CHECK_OR_EXIT(evthread_use_pthreads_with_flags(debugging ? 0 : EVTHREAD_PTHREAD_PRIO_INHERIT) ==
                0);
#else
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
#endif
  CHECK_OR_EXIT(strata_threading_enabled());
  strata_lock lock = NewLock(EVTHREAD_LOCKTYPE_RECURSIVE);
  int counter = 0;
  Count(lock, &counter);
  CHECK_OR_EXIT(counter == 4000);
  strata_lock_acquire(lock);
  int taken = 0;
  std::thread([&] { taken = strata_lock_try(lock); }).join();
  CHECK_OR_EXIT(taken != 0);
  CHECK_OR_EXIT(strata_lock_try(lock) == 0);
  strata_lock_release(lock);
  strata_lock_release(lock);
  strata_lock_destroy(&lock, EVTHREAD_LOCKTYPE_RECURSIVE);
  CHECK_OR_EXIT(lock == nullptr);
}

TEST(LockTest, Exclusion) {
  IN_OWN_PROCESS(Exclusion(false));
}
TEST(LockTest, ExclusionWhileDebugging) {
  IN_OWN_PROCESS(Exclusion(true));
}

static void Conditions(bool debugging) {
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
  if (debugging) evthread_enable_lock_debugging();
  strata_lock lock = NewLock(0);
  strata_cond cond;
  CHECK_OR_EXIT(strata_cond_init(&cond) == 0 && cond);
  bool ready = false;
  strata_lock_acquire(lock);
  std::thread other([&] {
    strata_lock_acquire(lock);
    ready = true;
    strata_cond_broadcast(cond);
    strata_lock_release(lock);
  });
  while (!ready) CHECK_OR_EXIT(strata_cond_wait(cond, lock) == 0);
  CHECK_OR_EXIT(strata_lock_is_held(lock));
  strata_lock_release(lock);
  other.join();
  strata_cond_destroy(&cond);
  strata_lock_destroy(&lock, 0);
}

TEST(LockTest, Conditions) {
  IN_OWN_PROCESS(Conditions(false));
}
TEST(LockTest, ConditionsWhileDebugging) {
  IN_OWN_PROCESS(Conditions(true));
}

static void TimedWait() {
  struct timeval short_time = {0, 1000};
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
  strata_lock lock = NewLock(0);
  strata_cond cond;
  CHECK_OR_EXIT(strata_cond_init(&cond) == 0);
  strata_lock_acquire(lock);
  int result;
  do {
    result = strata_cond_hooks.wait_condition(cond, lock, &short_time);
  } while (result == 0);
  CHECK_OR_EXIT(result == 1);
  strata_lock_release(lock);
  strata_cond_destroy(&cond);
  strata_lock_destroy(&lock, 0);
}

TEST(LockTest, TimedWaitEnds) {
  IN_OWN_PROCESS(TimedWait());
}

static void TimedWaitThatIsWoken() {
  // Nearly a whole second, so that the fractions add up to more than one.
  struct timeval long_time = {3600, 999999};
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
  strata_lock lock = NewLock(0);
  strata_cond cond;
  CHECK_OR_EXIT(strata_cond_init(&cond) == 0);
  bool ready = false;
  strata_lock_acquire(lock);
  std::thread other([&] {
    strata_lock_acquire(lock);
    ready = true;
    CHECK_OR_EXIT(strata_cond_hooks.signal_condition(cond, 0) == 0);
    strata_lock_release(lock);
  });
  while (!ready) CHECK_OR_EXIT(strata_cond_hooks.wait_condition(cond, lock, &long_time) == 0);
  strata_lock_release(lock);
  other.join();
  strata_cond_destroy(&cond);
  strata_lock_destroy(&lock, 0);
}

TEST(LockTest, TimedWaitIsWoken) {
  IN_OWN_PROCESS(TimedWaitThatIsWoken());
}

static void ThreadIds() {
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
  unsigned long other = 0;
  std::thread([&] { other = strata_thread_id(); }).join();
  CHECK_OR_EXIT(strata_thread_id() == strata_thread_id());
  CHECK_OR_EXIT(strata_thread_id() != other);
}

TEST(LockTest, ThreadIdsDiffer) {
  IN_OWN_PROCESS(ThreadIds());
}

static void *RefuseLock(unsigned) {
  return nullptr;
}

static void FailingHooks() {
  struct evthread_lock_callbacks callbacks = {};
  callbacks.alloc = RefuseLock;
  callbacks.free = [](void *, unsigned) {};
  callbacks.lock = callbacks.unlock = [](unsigned, void *) { return 0; };
  CHECK_OR_EXIT(evthread_set_lock_callbacks(&callbacks) == 0);
  strata_lock lock;
  CHECK_OR_EXIT(strata_lock_init(&lock, 0) == -1);
  evthread_enable_lock_debugging();
  CHECK_OR_EXIT(strata_lock_init(&lock, 0) == -1);
}

TEST(LockTest, FailingHooksAreReported) {
  IN_OWN_PROCESS(FailingHooks());
}

// ---- what debugging reports ----

static strata_lock DebuggedLock(unsigned locktype) {
  evthread_enable_lock_debugging();
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
  return NewLock(locktype);
}

static void ReleaseWhatIsNotHeld() {
  strata_lock_release(DebuggedLock(EVTHREAD_LOCKTYPE_RECURSIVE));
}

static void ReleaseWhatAnotherHolds() {
  strata_lock lock = DebuggedLock(EVTHREAD_LOCKTYPE_RECURSIVE);
  strata_lock_acquire(lock);
  std::thread([&] { strata_lock_release(lock); }).join();
}

static void TakePlainLockTwice() {
  strata_lock lock = DebuggedLock(0);
  strata_lock_acquire(lock);
  strata_lock_acquire(lock);
}

static void FreeWhileHeld() {
  strata_lock lock = DebuggedLock(0);
  strata_lock_acquire(lock);
  strata_lock_destroy(&lock, 0);
}

static void FreeAsAnotherType() {
  strata_lock lock = DebuggedLock(0);
  strata_lock_destroy(&lock, EVTHREAD_LOCKTYPE_RECURSIVE);
}

static void UseModeOfReadWriteLock() {
  strata_lock lock = DebuggedLock(0);
  strata_lock_hooks.lock(EVTHREAD_READ, lock);
}

static void WaitWithoutTheLock() {
  strata_lock lock = DebuggedLock(0);
  strata_cond cond;
  CHECK_OR_EXIT(strata_cond_init(&cond) == 0);
  strata_cond_wait(cond, lock);
}

static void ReleaseWithoutThreads() {
  evthread_enable_lock_debugging();
  strata_lock_release(NewLock(0));
}

TEST(LockDebugTest, MisuseEndsTheProgram) {
  EXPECT_DEATH(ReleaseWhatIsNotHeld(), "Assertion held_by_me");
  EXPECT_DEATH(ReleaseWhatAnotherHolds(), "Assertion held_by_me");
  EXPECT_DEATH(TakePlainLockTwice(), "Assertion .*RECURSIVE");
  EXPECT_DEATH(FreeWhileHeld(), "Assertion .*num_held");
  EXPECT_DEATH(FreeAsAnotherType(), "Assertion .*locktype");
  EXPECT_DEATH(UseModeOfReadWriteLock(), "Assertion .*mode");
  EXPECT_DEATH(WaitWithoutTheLock(), "Assertion held_by_me");
  EXPECT_DEATH(ReleaseWithoutThreads(), "Assertion held_by_me");
}

static void KnowsTheHolder() {
  strata_lock lock = DebuggedLock(EVTHREAD_LOCKTYPE_RECURSIVE);
  CHECK_OR_EXIT(!strata_lock_is_held(lock));
  strata_lock_acquire(lock);
  CHECK_OR_EXIT(strata_lock_is_held(lock));
  int held_by_other = 1;
  std::thread([&] { held_by_other = strata_lock_is_held(lock); }).join();
  CHECK_OR_EXIT(!held_by_other);
  strata_lock_release(lock);
  CHECK_OR_EXIT(!strata_lock_is_held(lock));
  strata_lock_destroy(&lock, EVTHREAD_LOCKTYPE_RECURSIVE);
}

TEST(LockDebugTest, KnowsTheHolder) {
  IN_OWN_PROCESS(KnowsTheHolder());
}
