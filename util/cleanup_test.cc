#include "util/cleanup.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

static std::string calls;

static void CallA() {
  calls += 'a';
}
static void CallB() {
  calls += 'b';
}

static struct strata_cleanup cleanup_a = STRATA_CLEANUP_INIT(CallA);
static struct strata_cleanup cleanup_b = STRATA_CLEANUP_INIT(CallB);
static struct strata_cleanup cleanup_again;

static void CallAndRegister() {
  calls += 'r';
  strata_cleanup_register(&cleanup_again);
}

class CleanupTest : public testing::Test {
 protected:
  void SetUp() override { calls.clear(); }
};

TEST_F(CleanupTest, LastRegisteredRunsFirstAndOnce) {
  strata_cleanup_register(&cleanup_a);
  strata_cleanup_register(&cleanup_b);
  strata_cleanup_register(&cleanup_a);
  strata_cleanup_run_all();
  EXPECT_EQ("ba", calls);
  strata_cleanup_run_all();
  EXPECT_EQ("ba", calls);
  strata_cleanup_register(&cleanup_a);
  strata_cleanup_run_all();
  EXPECT_EQ("baa", calls);
}

TEST_F(CleanupTest, MayRegisterItselfAnew) {
  cleanup_again.function = CallAndRegister;
  strata_cleanup_register(&cleanup_again);
  strata_cleanup_run_all();
  EXPECT_EQ("r", calls);
  cleanup_again.function = CallA;
  strata_cleanup_run_all();
  EXPECT_EQ("ra", calls);
}

TEST_F(CleanupTest, ThreadsRegisterTogether) {
  struct strata_cleanup cleanups[8];
  std::vector<std::thread> threads;
  for (struct strata_cleanup &cleanup : cleanups) {
    cleanup = STRATA_CLEANUP_INIT(CallB);
    for (int i = 0; i < 2; ++i)
      threads.emplace_back([&cleanup] { strata_cleanup_register(&cleanup); });
  }
  for (std::thread &thread : threads) thread.join();
  strata_cleanup_run_all();
  EXPECT_EQ("bbbbbbbb", calls);
}
