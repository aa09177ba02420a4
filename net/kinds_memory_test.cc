// Out of memory at every allocation in turn while pairs and filters are made and used: a call may
// fail, what was accepted arrives, and nothing leaks. libevent is not put to this.
#include <event2/thread.h>

#include "net/test_support.h"
#include "util/testing/counting_memory.h"

namespace {

// From the program's start on: a block must be freed by the allocator that made it.
const bool g_installed = [] {
  CountingMemory::Install(event_set_mem_functions);
  return evthread_use_pthreads() == 0;
}();

// Bytes that went through; every call that may fail is made again.
std::string Relay(struct event_base *base, const std::string &bytes, size_t read_high) {
  std::string received;
  struct bufferevent *pair[2] = {nullptr, nullptr};
  while (bufferevent_pair_new(base, BEV_OPT_THREADSAFE, pair) < 0) {
  }
  struct bufferevent *filter = nullptr;
  while (filter == nullptr)
    filter =
        bufferevent_filter_new(pair[0], nullptr, nullptr, BEV_OPT_CLOSE_ON_FREE, nullptr, nullptr);
  // Without memory a watermark may be left out, with a warning.
  const QuietLog quiet;
  bufferevent_setwatermark(pair[1], EV_READ, 0, read_high);
  while (bufferevent_enable(pair[1], EV_READ) < 0) {
  }
  while (bufferevent_write(filter, bytes.data(), bytes.size()) < 0) {
  }
  for (int turn = 0; received.size() < bytes.size() && turn < 100; turn++) {
    char block[1024];
    size_t len;
    // A filter that met no memory has said so, and stopped writing.
    while (bufferevent_enable(filter, EV_WRITE) < 0) {
    }
    event_base_loop(base, EVLOOP_NONBLOCK);
    while ((len = bufferevent_read(pair[1], block, sizeof(block))) > 0) received.append(block, len);
  }
  bufferevent_free(filter);
  bufferevent_free(pair[1]);
  return received;
}

TEST(KindsMemory, NothingIsLostAndNothingLeaks) {
  ASSERT_TRUE(g_installed);
  if (kOnLibevent) GTEST_SKIP() << "crashes";
  const std::string bytes = Pattern(5000);
  for (const size_t read_high : {size_t{0}, size_t{700}}) {
    for (long n = 1;; n++) {
      struct event_base *base = event_base_new();
      EXPECT_EQ(bytes, Relay(base, bytes, read_high));  // Fills what the base keeps.
      const long num_blocks = CountingMemory::num_blocks();
      CountingMemory::Begin(n);
      const std::string received = Relay(base, bytes, read_high);
      CountingMemory::StopFailing();
      ASSERT_EQ(bytes, received) << "allocation " << n;
      // The pool of the base may have got fewer blocks, not more.
      EXPECT_GE(num_blocks + 4, CountingMemory::num_blocks()) << "allocation " << n;
      event_base_free(base);
      if (!CountingMemory::has_failed()) break;
    }
  }
}

}  // namespace
