#include <event2/thread.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#if defined(STRATA_ORACLE)
static const bool kOnLibevent = true;
#else
static const bool kOnLibevent = false;
#endif

// Hooks stay for the life of a process, so each test runs in one of its own: it exits with 0, or
// with the line of the first expectation that failed.
#define CHECK_OR_EXIT(condition)            \
  do {                                      \
    if (!(condition)) exit(__LINE__ % 256); \
  } while (0)

static char object;

static void *Alloc(unsigned) {
  return &object;
}
static void Free(void *, unsigned) {}
static int Lock(unsigned, void *) {
  return 0;
}
static void *AllocCondition(unsigned) {
  return &object;
}
static void FreeCondition(void *) {}
static int Signal(void *, int) {
  return 0;
}
static int Wait(void *, void *, const struct timeval *) {
  return 0;
}

static struct evthread_lock_callbacks LockCallbacks() {
  return {EVTHREAD_LOCK_API_VERSION, EVTHREAD_LOCKTYPE_RECURSIVE, Alloc, Free, Lock, Lock};
}

static struct evthread_condition_callbacks ConditionCallbacks() {
  return {EVTHREAD_CONDITION_API_VERSION, AllocCondition, FreeCondition, Signal, Wait};
}

static void SetLocks() {
  struct evthread_lock_callbacks callbacks = LockCallbacks(), other = callbacks;
  other.alloc = nullptr;
  CHECK_OR_EXIT(evthread_set_lock_callbacks(&other) == -1);
  CHECK_OR_EXIT(evthread_set_lock_callbacks(&callbacks) == 0);
  CHECK_OR_EXIT(evthread_set_lock_callbacks(&callbacks) == 0);
  other = callbacks;
  other.supported_locktypes |= EVTHREAD_LOCKTYPE_READWRITE;
  CHECK_OR_EXIT(evthread_set_lock_callbacks(&other) == -1);
  CHECK_OR_EXIT(evthread_set_lock_callbacks(nullptr) == 0);
  exit(0);
}

TEST(ThreadTest, LockHooksAreSetOnce) {
  EXPECT_EXIT(SetLocks(), testing::ExitedWithCode(0), "");
}

static void SetConditions() {
  struct evthread_condition_callbacks callbacks = ConditionCallbacks(), other = callbacks;
  other.wait_condition = nullptr;
  // libevent takes no notice of the gap and reports success without installing anything.
  if (!kOnLibevent) CHECK_OR_EXIT(evthread_set_condition_callbacks(&other) == -1);
  CHECK_OR_EXIT(evthread_set_condition_callbacks(&callbacks) == 0);
  CHECK_OR_EXIT(evthread_set_condition_callbacks(&callbacks) == 0);
  CHECK_OR_EXIT(evthread_set_condition_callbacks(&other) == -1);
  CHECK_OR_EXIT(evthread_set_condition_callbacks(nullptr) == 0);
  CHECK_OR_EXIT(evthread_set_condition_callbacks(&callbacks) == 0);
  exit(0);
}

TEST(ThreadTest, ConditionHooksAreSetOnce) {
  EXPECT_EXIT(SetConditions(), testing::ExitedWithCode(0), "");
}

static void UsePthreads() {
  struct evthread_lock_callbacks callbacks = LockCallbacks();
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
  CHECK_OR_EXIT(evthread_set_lock_callbacks(&callbacks) == -1);
  exit(0);
}

TEST(ThreadTest, PthreadsMayBeAskedForTwice) {
  EXPECT_EXIT(UsePthreads(), testing::ExitedWithCode(0), "");
}

static void UsePthreadsAfterOthers() {
  struct evthread_lock_callbacks callbacks = LockCallbacks();
  CHECK_OR_EXIT(evthread_set_lock_callbacks(&callbacks) == 0);
  // libevent says 0 though the hooks are refused.
  CHECK_OR_EXIT(evthread_use_pthreads() == (kOnLibevent ? 0 : -1));
  exit(0);
}

TEST(ThreadTest, PthreadsDoNotReplaceOtherHooks) {
  EXPECT_EXIT(UsePthreadsAfterOthers(), testing::ExitedWithCode(0), "");
}

#if defined(EVTHREAD_USE_PTHREADS_WITH_FLAGS_IMPLEMENTED)
static void UsePthreadsWithFlags() {
  CHECK_OR_EXIT(evthread_use_pthreads_with_flags(0x4000) == -1);
  CHECK_OR_EXIT(evthread_use_pthreads_with_flags(EVTHREAD_PTHREAD_PRIO_INHERIT) == 0);
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
  exit(0);
}

TEST(ThreadTest, PthreadsWithFlags) {
  EXPECT_EXIT(UsePthreadsWithFlags(), testing::ExitedWithCode(0), "");
}
#endif

static void DebugThenThreads() {
  evthread_enable_lock_debugging();
  evthread_enable_lock_debuging();
  CHECK_OR_EXIT(evthread_use_pthreads() == 0);
  exit(0);
}

TEST(ThreadTest, DebuggingMayComeFirst) {
  EXPECT_EXIT(DebugThenThreads(), testing::ExitedWithCode(0), "");
}
