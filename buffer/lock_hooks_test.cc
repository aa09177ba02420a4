// Buffers under lock hooks that this program installs: they count, and have no lock to give.
#include <event2/thread.h>
#include <gtest/gtest.h>

#include "buffer/evbuffer_internal.h"

namespace {

int num_acquired, num_released;

class ForeignLock : public ::testing::Test {
 protected:
  void SetUp() override {
    struct evthread_lock_callbacks hooks = {};
    hooks.lock_api_version = EVTHREAD_LOCK_API_VERSION;
    hooks.supported_locktypes = EVTHREAD_LOCKTYPE_RECURSIVE;
    hooks.alloc = [](unsigned) -> void * { return nullptr; };
    hooks.free = [](void *, unsigned) {};
    hooks.lock = [](unsigned, void *lock) { return *static_cast<int *>(lock) = ++num_acquired, 0; };
    hooks.unlock = [](unsigned, void *) { return ++num_released, 0; };
    ASSERT_EQ(0, evthread_set_lock_callbacks(&hooks));
    num_acquired = num_released = 0;
  }
  void TearDown() override { ASSERT_EQ(0, evthread_set_lock_callbacks(nullptr)); }
  int lock_ = 0;
};

TEST_F(ForeignLock, OfTheParentIsTakenForEachOperation) {
  struct evbuffer *buf = evbuffer_new();
  evbuffer_set_lock_(buf, &lock_);
  evbuffer_add(buf, "abc", 3);
  EXPECT_GT(lock_, 0);
  const int acquired_before = num_acquired;
  evbuffer_drain(buf, 3);
  EXPECT_GT(num_acquired, acquired_before);
  EXPECT_EQ(num_acquired, num_released);
  evbuffer_free(buf);
  EXPECT_EQ(num_acquired, num_released);
}

TEST_F(ForeignLock, NoneToBeHadIsAnError) {
  struct evbuffer *buf = evbuffer_new();
  EXPECT_EQ(-1, evbuffer_enable_locking(buf, nullptr));
  EXPECT_EQ(nullptr, evbuffer_chain_pool_new());
  evbuffer_add(buf, "abc", 3);
  EXPECT_EQ(0, num_acquired) << "works on without one";
  EXPECT_EQ(3u, evbuffer_get_length(buf));
  evbuffer_free(buf);
}

}  // namespace
