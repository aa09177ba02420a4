// Buffers shared by threads. Runs on strata and on the installed libevent.
#include <event2/buffer.h>
#include <event2/thread.h>
#include <gtest/gtest.h>

#ifndef _WIN32
#include <pthread.h>
#endif

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#ifndef STRATA_ORACLE
#define STRATA_ORACLE 0
#endif

namespace {

class Locking : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(0, evthread_use_pthreads()); }
};

TEST_F(Locking, IsEnabledOnce) {
  struct evbuffer *buf = evbuffer_new();
  EXPECT_EQ(0, evbuffer_enable_locking(buf, nullptr));
  EXPECT_EQ(-1, evbuffer_enable_locking(buf, nullptr));
  evbuffer_lock(buf);
  evbuffer_lock(buf);
  evbuffer_add(buf, "abc", 3);
  EXPECT_EQ(3u, evbuffer_get_length(buf));
  evbuffer_unlock(buf);
  evbuffer_unlock(buf);
  evbuffer_free(buf);
}

// What the hooks take for a lock, recursive.
#ifdef _WIN32
class NativeLock {
 public:
  NativeLock() { InitializeCriticalSection(&section_); }
  ~NativeLock() { DeleteCriticalSection(&section_); }
  bool TryLock() { return TryEnterCriticalSection(&section_); }
  void Unlock() { LeaveCriticalSection(&section_); }
  void *get() { return &section_; }

 private:
  CRITICAL_SECTION section_;
};
#else
class NativeLock {
 public:
  NativeLock() {
    pthread_mutexattr_t recursive;
    EXPECT_EQ(0, pthread_mutexattr_init(&recursive));
    EXPECT_EQ(0, pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE));
    EXPECT_EQ(0, pthread_mutex_init(&mutex_, &recursive));
    pthread_mutexattr_destroy(&recursive);
  }
  ~NativeLock() { EXPECT_EQ(0, pthread_mutex_destroy(&mutex_)); }
  bool TryLock() { return pthread_mutex_trylock(&mutex_) == 0; }
  void Unlock() { pthread_mutex_unlock(&mutex_); }
  void *get() { return &mutex_; }

 private:
  pthread_mutex_t mutex_;
};
#endif

TEST_F(Locking, LockOfTheCallers) {
  NativeLock lock;
  struct evbuffer *buf = evbuffer_new();
  EXPECT_EQ(0, evbuffer_enable_locking(buf, lock.get()));
  EXPECT_EQ(-1, evbuffer_enable_locking(buf, lock.get()));
  auto is_taken = [&] {
    bool taken = false;
    std::thread([&] {
      taken = !lock.TryLock();
      if (!taken) lock.Unlock();
    }).join();
    return taken;
  };
  EXPECT_FALSE(is_taken());
  evbuffer_lock(buf);
  EXPECT_TRUE(is_taken());
  evbuffer_add(buf, "abc", 3);
  EXPECT_TRUE(is_taken());
  evbuffer_unlock(buf);
  EXPECT_FALSE(is_taken());
  evbuffer_free(buf);
  EXPECT_FALSE(is_taken()) << "not freed with the buffer";
}

TEST_F(Locking, WritersDoNotMixTheirRecords) {
  constexpr int kNumThreads = 4, kNumRecords = 3000;
  struct evbuffer *buf = evbuffer_new();
  ASSERT_EQ(0, evbuffer_enable_locking(buf, nullptr));
  std::vector<std::thread> threads;
  for (int t = 0; t < kNumThreads; t++) {
    threads.emplace_back([buf, t] {
      char record[16];
      memset(record, 'a' + t, sizeof(record));
      for (int i = 0; i < kNumRecords; i++) evbuffer_add(buf, record, sizeof(record));
    });
  }
  int num_read = 0;
  while (num_read < kNumThreads * kNumRecords) {
    char record[16];
    evbuffer_lock(buf);
    if (evbuffer_get_length(buf) >= sizeof(record)) {
      EXPECT_EQ(16, evbuffer_remove(buf, record, sizeof(record)));
      for (char c : record) ASSERT_EQ(record[0], c);
      num_read++;
    }
    evbuffer_unlock(buf);
  }
  for (std::thread &thread : threads) thread.join();
  evbuffer_free(buf);
}

TEST_F(Locking, MovesBothWaysDoNotDeadlock) {
  struct evbuffer *a = evbuffer_new();
  struct evbuffer *b = evbuffer_new();
  ASSERT_EQ(0, evbuffer_enable_locking(a, nullptr));
  ASSERT_EQ(0, evbuffer_enable_locking(b, nullptr));
  for (int i = 0; i < 100; i++) evbuffer_add_reference(a, "0123456789", 10, nullptr, nullptr);
  std::thread there([a, b] {
    for (int i = 0; i < 5000; i++) evbuffer_remove_buffer(a, b, 25);
  });
  std::thread back([a, b] {
    for (int i = 0; i < 5000; i++) evbuffer_add_buffer(a, b);
  });
  there.join();
  back.join();
  EXPECT_EQ(1000u, evbuffer_get_length(a) + evbuffer_get_length(b));
  evbuffer_free(a);
  evbuffer_free(b);
}

#if !STRATA_ORACLE
// libevent's references race with the buffer that they refer to (see model_test.cc).
TEST_F(Locking, ReferencesAreFreedFromAnyThread) {
  static std::atomic<int> num_cleanups;
  num_cleanups = 0;
  constexpr int kNum = 200;
  for (int i = 0; i < kNum; i++) {
    struct evbuffer *source = evbuffer_new();
    struct evbuffer *views[2] = {evbuffer_new(), evbuffer_new()};
    evbuffer_add_reference(
        source, "0123456789", 10, [](const void *, size_t, void *) { num_cleanups++; }, nullptr);
    evbuffer_add(source, "abc", 3);
    for (struct evbuffer *view : views) evbuffer_add_buffer_reference(view, source);
    std::vector<std::thread> threads;
    for (struct evbuffer *view : views) {
      threads.emplace_back([view] {
        EXPECT_EQ(0, memcmp(evbuffer_pullup(view, 13), "0123456789abc", 13));
        evbuffer_free(view);
      });
    }
    evbuffer_add(source, "def", 3);
    evbuffer_free(source);
    for (std::thread &thread : threads) thread.join();
  }
  EXPECT_EQ(kNum, num_cleanups);
}
#endif

}  // namespace
