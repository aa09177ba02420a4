#include "util/memory.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int num_live;
static bool refuse;

static void *CountingMalloc(size_t size) {
  if (refuse) return nullptr;
  ++num_live;
  void *block = malloc(size);
  memset(block, 0xa5, size);
  return block;
}
static void *CountingRealloc(void *block, size_t size) {
  if (refuse) return nullptr;
  if (!block) ++num_live;
  return realloc(block, size);
}
static void CountingFree(void *block) {
  --num_live;
  free(block);
}

class MemoryTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    num_live = 0;
    refuse = false;
    if (GetParam()) strata_set_mem_functions(CountingMalloc, CountingRealloc, CountingFree);
  }
  void TearDown() override {
    strata_set_mem_functions(nullptr, nullptr, nullptr);
    EXPECT_EQ(0, num_live);
  }
};
INSTANTIATE_TEST_SUITE_P(DefaultAndHooks, MemoryTest, testing::Bool());

TEST_P(MemoryTest, MallocAndRealloc) {
  char *block = (char *)strata_malloc(3);
  ASSERT_NE(nullptr, block);
  memcpy(block, "abc", 3);
  block = (char *)strata_realloc(block, 1000);
  ASSERT_NE(nullptr, block);
  EXPECT_EQ(0, memcmp(block, "abc", 3));
  strata_free(block);
}

TEST_P(MemoryTest, NothingIsNotAnError) {
  void *blocks[] = {strata_malloc(0), strata_calloc(0, 8), strata_calloc(8, 0),
                    strata_realloc(nullptr, 0)};
  for (void *block : blocks) {
    EXPECT_NE(nullptr, block);
    strata_free(block);
  }
  strata_free(nullptr);
}

TEST_P(MemoryTest, CallocIsZeroed) {
  unsigned char *bytes = (unsigned char *)strata_calloc(16, 16);
  ASSERT_NE(nullptr, bytes);
  for (int i = 0; i < 256; ++i) ASSERT_EQ(0, bytes[i]);
  strata_free(bytes);
}

TEST_P(MemoryTest, CallocRefusesOverflow) {
  errno = 0;
  EXPECT_EQ(nullptr, strata_calloc(SIZE_MAX / 4 + 1, 4));
  EXPECT_EQ(ENOMEM, errno);
}

TEST_P(MemoryTest, Strings) {
  char *whole = strata_strdup("hello"), *part = strata_strndup("hello", 2);
  char *empty = strata_strndup(nullptr, 0);
  EXPECT_STREQ("hello", whole);
  EXPECT_STREQ("he", part);
  EXPECT_STREQ("", empty);
  strata_free(whole);
  strata_free(part);
  strata_free(empty);
  EXPECT_EQ(nullptr, strata_strndup("", SIZE_MAX));
}

TEST(MemoryFaultTest, FailureIsNullAndEnomem) {
  strata_set_mem_functions(CountingMalloc, CountingRealloc, CountingFree);
  void *block = strata_malloc(8);
  refuse = true;
  errno = 0;
  EXPECT_EQ(nullptr, strata_malloc(8));
  EXPECT_EQ(ENOMEM, errno);
  EXPECT_EQ(nullptr, strata_calloc(1, 8));
  EXPECT_EQ(nullptr, strata_strdup("x"));
  EXPECT_EQ(nullptr, strata_realloc(block, 16));
  refuse = false;
  strata_free(block);
  strata_set_mem_functions(nullptr, nullptr, nullptr);
  EXPECT_EQ(0, num_live);
}
