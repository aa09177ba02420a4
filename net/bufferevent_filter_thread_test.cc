// Filters used from several threads.
#include <atomic>
#include <thread>

#include "net/filter_testing.h"

namespace {

using namespace filter_testing;

using BuffereventFilterThreads = FilterTest;

INSTANTIATE_FILTER_TESTS(BuffereventFilterThreads);

void CountInput(struct bufferevent *bev, void *arg) {
  struct evbuffer *input = bufferevent_get_input(bev);
  char block[4096];
  int len;
  while ((len = evbuffer_remove(input, block, sizeof(block))) > 0)
    *static_cast<std::atomic<size_t> *>(arg) += static_cast<size_t>(len);
}

// Filters over both partners of a pair, or over both ends of a connection, written to from two
// threads while the loop reads.
TEST_P(BuffereventFilterThreads, WritersOnBothSides) {
  // libevent stalls now and then.
  if (kOnLibevent || !(GetParam().options & BEV_OPT_THREADSAFE)) GTEST_SKIP();
  const size_t kNumWrites = 1000;
  const std::string message = Pattern(100);
  struct bufferevent *below[2] = {below_, peer_->get()};
  struct bufferevent *filter[2];
  std::atomic<size_t> received_len[2] = {{0}, {0}};
  for (int i = 0; i < 2; i++) {
    filter[i] =
        bufferevent_filter_new(below[i], nullptr, nullptr, GetParam().options, nullptr, nullptr);
    ASSERT_NE(nullptr, filter[i]);
    bufferevent_setcb(filter[i], CountInput, nullptr, nullptr, &received_len[i]);
    bufferevent_enable(filter[i], EV_READ | EV_WRITE);
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; i++) {
    threads.emplace_back([&, i] {
      for (size_t k = 0; k < kNumWrites; k++)
        bufferevent_write(filter[i], message.data(), message.size());
    });
  }
  EXPECT_TRUE(loop_.RunUntil([&] {
    const struct timeval soon = {0, 1000};
    event_base_once(
        loop_, -1, EV_TIMEOUT, [](evutil_socket_t, short, void *) {}, nullptr, &soon);
    return received_len[0] == kNumWrites * message.size() &&
           received_len[1] == kNumWrites * message.size();
  }));
  for (std::thread &thread : threads) thread.join();
  for (struct bufferevent *bev : filter) bufferevent_free(bev);
  bufferevent_free(below_);
}

TEST_P(BuffereventFilterThreads, FreedFromAnotherThreadWhileTheLoopRuns) {
  // libevent's filters race with their underlying here.
  if (kOnLibevent || !(GetParam().options & BEV_OPT_THREADSAFE)) GTEST_SKIP();
  bufferevent_free(below_);
  peer_->Free();
  std::thread runner([&] { event_base_loop(loop_, EVLOOP_NO_EXIT_ON_EMPTY); });
  std::atomic<size_t> received_len{0};
  for (int round = 0; round < 100; round++) {
    struct bufferevent *ends[2];
    if (GetParam().over_pair) {
      ASSERT_EQ(0, bufferevent_pair_new(loop_, GetParam().options, ends));
    } else {
      Pair sockets;
      for (int i = 0; i < 2; i++)
        ends[i] = bufferevent_socket_new(loop_, sockets.Release(i),
                                         GetParam().options | BEV_OPT_CLOSE_ON_FREE);
    }
    struct bufferevent *filter = bufferevent_filter_new(
        ends[0], nullptr, nullptr, GetParam().options | BEV_OPT_CLOSE_ON_FREE, nullptr, nullptr);
    bufferevent_setcb(filter, CountInput, nullptr, nullptr, &received_len);
    bufferevent_enable(filter, EV_READ);
    bufferevent_enable(ends[1], EV_READ);
    std::thread other([&] {
      bufferevent_write(ends[1], "other", 5);
      bufferevent_free(ends[1]);
    });
    bufferevent_write(filter, "this", 4);
    bufferevent_free(filter);
    other.join();
  }
  event_base_loopexit(loop_, nullptr);
  runner.join();
}

// The filter gives the underlying a lock.
TEST_P(BuffereventFilterThreads, ThreadsafeOverOneThatIsNot) {
  if (GetParam().options) GTEST_SKIP();
  if (kOnLibevent) GTEST_SKIP() << "the buffers below stay without a lock";
  auto filter =
      Over(below_, nullptr, nullptr, &context_, BEV_OPT_THREADSAFE | BEV_OPT_CLOSE_ON_FREE);
  filter->Enable(EV_READ);
  const size_t kNumWrites = 1000;
  std::thread writer([&] {
    for (size_t k = 0; k < kNumWrites; k++) bufferevent_write(*filter, "0123456789", 10);
  });
  // Over a pair, the partner has a lock now too.
  EXPECT_TRUE(loop_.RunUntil([&] {
    const struct timeval soon = {0, 1000};
    event_base_once(
        loop_, -1, EV_TIMEOUT, [](evutil_socket_t, short, void *) {}, nullptr, &soon);
    return peer_->received.size() == 10 * kNumWrites;
  }));
  writer.join();
}

// Its callback would release a lock that was not there when it began.
TEST_P(BuffereventFilterThreads, ThreadsafeOverOneThatIsNotAndIsInUse) {
  if (GetParam().options) GTEST_SKIP();
  if (kOnLibevent) GTEST_SKIP() << "makes the lock";
  if (OnCompletions() && !GetParam().over_pair) GTEST_SKIP() << "has a lock from the first";
  auto below = std::make_unique<Bev>(below_);
  struct bufferevent *filter = nullptr;
  below->on_read = [&] {
    filter = bufferevent_filter_new(*below, nullptr, nullptr, BEV_OPT_THREADSAFE, nullptr, nullptr);
  };
  below->Enable(EV_READ);
  peer_->Write("abc");
  ASSERT_TRUE(loop_.RunUntil([&] { return below->received == "abc"; }));
  EXPECT_EQ(nullptr, filter);
  // It is as it was.
  peer_->Write("def");
  EXPECT_TRUE(loop_.RunUntil([&] { return below->received == "abcdef"; }));
}

}  // namespace
