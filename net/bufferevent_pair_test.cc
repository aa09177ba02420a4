// Pairs of bufferevents, against what event2/bufferevent.h documents.
#include <event2/thread.h>

#include <atomic>
#include <memory>
#include <thread>

#include "net/test_support.h"

namespace {

const bool g_has_threads = evthread_use_pthreads() == 0;

struct Flavour {
  const char *name;
  int options;
};

const Flavour kFlavours[] = {
    {"Plain", 0},
    {"Threadsafe", BEV_OPT_THREADSAFE},
    {"Unlocked", BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS},
};

void PrintTo(const Flavour &flavour, std::ostream *out) {
  *out << flavour.name;
}

// Two partners that record what happens to them.
struct Partners {
  Partners(struct event_base *base, int options) {
    struct bufferevent *pair[2] = {nullptr, nullptr};
    EXPECT_EQ(0, bufferevent_pair_new(base, options, pair));
    for (int i = 0; i < 2; i++) end[i] = std::make_unique<Bev>(pair[i]);
  }
  Bev &operator[](int i) { return *end[i]; }
  void EnableBoth() {
    for (int i = 0; i < 2; i++) EXPECT_EQ(0, end[i]->Enable(EV_READ | EV_WRITE));
  }

  std::unique_ptr<Bev> end[2];
};

class BuffereventPair : public ::testing::TestWithParam<Flavour> {
 protected:
  void SetUp() override { ASSERT_TRUE(g_has_threads); }

  Loop loop_;
  Partners pair_{loop_, GetParam().options};
};

INSTANTIATE_TEST_SUITE_P(, BuffereventPair, ::testing::ValuesIn(kFlavours),
                         [](const auto &info) { return std::string(info.param.name); });

TEST_P(BuffereventPair, StartsAsDocumented) {
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(pair_[i]));
    EXPECT_EQ(-1, bufferevent_getfd(pair_[i]));
    EXPECT_EQ(-1, bufferevent_setfd(pair_[i], 0));
    EXPECT_EQ(-1, bufferevent_priority_set(pair_[i], 0));
    EXPECT_EQ(nullptr, bufferevent_get_underlying(pair_[i]));
    EXPECT_EQ(loop_, bufferevent_get_base(pair_[i]));
    EXPECT_EQ(pair_[1 - i].get(), bufferevent_pair_get_partner(pair_[i]));
  }
}

TEST_P(BuffereventPair, MovesInsideTheCallAndCallsBackFromTheLoop) {
  pair_.EnableBoth();
  loop_.Settle();
  for (int i = 0; i < 2; i++) {
    pair_[i].writes = 0;
    pair_[i].Write("hello");
    EXPECT_EQ(0u, pair_[i].output_len());
    EXPECT_EQ(5u, pair_[1 - i].input_len());
    loop_.Settle();
    EXPECT_EQ("hello", pair_[1 - i].received);
    EXPECT_EQ(1, pair_[1 - i].reads);
    EXPECT_EQ(1, pair_[i].writes);
  }
  EXPECT_TRUE(pair_[0].events.empty());
}

TEST_P(BuffereventPair, WaitsForTheReader) {
  pair_[0].Write("one ");
  pair_[0].Write("two");
  loop_.Settle();
  EXPECT_EQ(7u, pair_[0].output_len());
  EXPECT_EQ(0u, pair_[1].input_len());
  EXPECT_EQ(0, pair_[0].writes);
  pair_[1].Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return pair_[1].received == "one two"; }));
  pair_[1].Disable(EV_READ);
  pair_[0].Write("three");
  EXPECT_EQ(5u, pair_[0].output_len());
}

TEST_P(BuffereventPair, WaitsForTheWriter) {
  pair_[1].Enable(EV_READ);
  pair_[0].Disable(EV_WRITE);
  pair_[0].Write("late");
  loop_.Settle();
  EXPECT_EQ(4u, pair_[0].output_len());
  pair_[0].Enable(EV_WRITE);
  EXPECT_TRUE(loop_.RunUntil([&] { return pair_[1].received == "late"; }));
}

TEST_P(BuffereventPair, HighWatermarkBoundsTheInput) {
  const std::string bytes = Pattern(100000);
  pair_[1].StopTaking();
  pair_[1].Watermark(EV_READ, 0, 1000);
  pair_.EnableBoth();
  pair_[0].Write(bytes);
  while (pair_[1].received.size() < bytes.size()) {
    ASSERT_LE(pair_[1].input_len(), 1000u);
    const size_t before = pair_[1].received.size();
    pair_[1].Take(700);
    ASSERT_LT(before, pair_[1].received.size());
    loop_.Settle(1);
  }
  EXPECT_EQ(bytes, pair_[1].received);
  EXPECT_EQ(0u, pair_[0].output_len());
}

TEST_P(BuffereventPair, RaisingTheHighWatermarkLetsMoreIn) {
  pair_[1].StopTaking();
  pair_[1].Watermark(EV_READ, 0, 10);
  pair_.EnableBoth();
  pair_[0].Write(std::string(100, 'x'));
  EXPECT_EQ(10u, pair_[1].input_len());
  pair_[1].Watermark(EV_READ, 0, 0);
  loop_.Settle();
  EXPECT_EQ(100u, pair_[1].input_len());
}

TEST_P(BuffereventPair, LowWatermarksDelayTheCallbacks) {
  pair_[1].Watermark(EV_READ, 6, 0);
  pair_.EnableBoth();
  loop_.Settle();
  pair_[0].Write("12345");
  loop_.Settle();
  EXPECT_EQ(0, pair_[1].reads);
  pair_[0].Write("6");
  loop_.Settle();
  EXPECT_EQ(1, pair_[1].reads);
  EXPECT_EQ("123456", pair_[1].received);
  // Writing: what stays behind the partner's watermark is more than the low one.
  pair_[1].StopTaking();
  pair_[1].Watermark(EV_READ, 0, 10);
  pair_[0].Watermark(EV_WRITE, 4, 0);
  pair_[0].writes = 0;
  pair_[0].Write(std::string(20, 'x'));
  loop_.Settle();
  EXPECT_EQ(0, pair_[0].writes);
  pair_[1].Take(6);
  loop_.Settle();
  EXPECT_EQ(1, pair_[0].writes);
  EXPECT_EQ(4u, pair_[0].output_len());
}

TEST_P(BuffereventPair, FlushMovesWhateverIsEnabled) {
  pair_[0].Write("hello");
  EXPECT_EQ(0, bufferevent_flush(pair_[0], EV_WRITE, BEV_NORMAL));
  EXPECT_EQ(5u, pair_[0].output_len());
  const int result = bufferevent_flush(pair_[0], EV_WRITE, BEV_FLUSH);
  // libevent returns 0, against its own documentation.
  EXPECT_EQ(kOnLibevent ? 0 : 1, result);
  EXPECT_EQ(5u, pair_[1].input_len());
  loop_.Settle();
  EXPECT_EQ("hello", pair_[1].received);
  pair_[1].Write("there");
  EXPECT_LE(0, bufferevent_flush(pair_[0], EV_READ, BEV_FLUSH));
  loop_.Settle();
  EXPECT_EQ("there", pair_[0].received);
  EXPECT_TRUE(pair_[0].events.empty());
  EXPECT_TRUE(pair_[1].events.empty());
}

TEST_P(BuffereventPair, FlushPassesTheHighWatermark) {
  if (kOnLibevent) GTEST_SKIP() << "fills the input up to the watermark only";
  pair_[1].StopTaking();
  pair_[1].Watermark(EV_READ, 0, 10);
  pair_[0].Write(std::string(100, 'x'));
  EXPECT_EQ(1, bufferevent_flush(pair_[0], EV_WRITE, BEV_FINISHED));
  EXPECT_EQ(100u, pair_[1].input_len());
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{kEof}, pair_[1].events);
}

TEST_P(BuffereventPair, FinishedTellsThePartnerAfterTheBytes) {
  std::string seen_at_end;
  pair_[1].on_event = [&](short) { seen_at_end = pair_[1].received; };
  pair_.EnableBoth();
  pair_[0].Write("bye");
  EXPECT_LE(0, bufferevent_flush(pair_[0], EV_WRITE, BEV_FINISHED));
  EXPECT_TRUE(pair_[1].events.empty());
  EXPECT_TRUE(loop_.RunUntil([&] { return !pair_[1].events.empty(); }));
  EXPECT_EQ("bye", seen_at_end);
  EXPECT_EQ(std::vector<short>{kEof}, pair_[1].events);
  pair_[1].events.clear();
  bufferevent_flush(pair_[0], EV_READ, BEV_FINISHED);
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_WRITING | BEV_EVENT_EOF}, pair_[1].events);
  EXPECT_TRUE(pair_[0].events.empty());
}

TEST_P(BuffereventPair, OutlivesItsPartner) {
  pair_.EnableBoth();
  pair_[0].Write("last words");
  pair_[0].Free();
  // libevent keeps a freed partner linked until its queued callbacks have been looked at.
  if (kOnLibevent) loop_.Settle();
  EXPECT_EQ(nullptr, bufferevent_pair_get_partner(pair_[1]));
  EXPECT_EQ(-1, bufferevent_flush(pair_[1], EV_WRITE, BEV_FLUSH));
  loop_.Settle();
  EXPECT_EQ("last words", pair_[1].received);
  EXPECT_TRUE(pair_[1].events.empty());
  pair_[1].Write("anyone?");
  loop_.Settle();
  EXPECT_EQ(7u, pair_[1].output_len());
  EXPECT_EQ(0, pair_[0].reads);
}

TEST_P(BuffereventPair, NoCallbackAfterFree) {
  pair_.EnableBoth();
  pair_[0].Write("x");
  pair_[1].Write("y");
  pair_[0].Free();
  pair_[1].Free();
  loop_.Settle();
  EXPECT_EQ(0, pair_[0].reads + pair_[0].writes + pair_[1].reads + pair_[1].writes);
}

TEST_P(BuffereventPair, AnsweringCallbacksPlayPingPong) {
  int num_left = 1000;
  for (int i = 0; i < 2; i++) {
    pair_[i].on_read = [&, i] {
      if (num_left-- > 0) bufferevent_write(pair_[i], "ball", 4);
    };
  }
  pair_.EnableBoth();
  pair_[0].Write("ball");
  EXPECT_TRUE(loop_.RunUntil([&] { return num_left < 0; }));
  EXPECT_EQ(4004u, pair_[0].received.size() + pair_[1].received.size());
}

// What a callback writes right before it frees its bufferevent has gone over.
TEST_P(BuffereventPair, WriteThenFreeInACallback) {
  pair_.EnableBoth();
  pair_[0].on_read = [&] {
    bufferevent_write(pair_[0], "answer", 6);
    pair_[0].Free();
  };
  pair_[1].Write("question");
  EXPECT_TRUE(loop_.RunUntil([&] { return pair_[1].received == "answer"; }));
}

TEST_P(BuffereventPair, CallbacksMayFreeEither) {
  for (int which = 1; which < 4; which++) {
    Partners pair(loop_, GetParam().options);
    int num_calls = 0;
    const auto free_them = [&] {
      num_calls++;
      if (which & 1) pair[0].Free();
      if (which & 2) pair[1].Free();
    };
    pair[1].on_read = free_them;
    pair[0].on_write = free_them;
    pair[1].on_event = [&](short) { free_them(); };
    pair.EnableBoth();
    bufferevent_write(pair[0], "x", 1);
    bufferevent_write(pair[1], "y", 1);
    bufferevent_flush(pair[0], EV_WRITE, BEV_FINISHED);
    loop_.Settle();
    EXPECT_LE(1, num_calls);
    if (which == 3) {
      EXPECT_EQ(1, num_calls);
    }
  }
}

TEST_P(BuffereventPair, EvbufferCallbacksMayFreeBoth) {
  if (kOnLibevent) GTEST_SKIP() << "uses freed memory";
  for (int where = 0; where < 2; where++) {
    for (int how = 0; how < 3; how++) {
      Partners pair(loop_, GetParam().options);
      struct evbuffer *watched = where ? pair[0].output() : pair[1].input();
      bufferevent_setwatermark(pair[1], EV_READ, 0, 4);
      if (how == 0) pair.EnableBoth();
      if (how == 2) {  // Draining a full input makes the rest move.
        pair.EnableBoth();
        pair[0].Write("12345678");
      }
      if (how == 1) pair[0].Write("x");
      evbuffer_add_cb(
          watched,
          [](struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
            Partners *both = static_cast<Partners *>(arg);
            if (!info->n_added && !info->n_deleted) return;
            (*both)[0].Free();
            (*both)[1].Free();
          },
          &pair);
      if (how == 0) bufferevent_write(pair[0], "x", 1);
      if (how == 1) bufferevent_enable(pair[1], EV_READ);
      if (how == 2) evbuffer_drain(pair[1].input(), 2);
      EXPECT_EQ(nullptr, pair[0].get());
    }
  }
}

TEST_P(BuffereventPair, ReadTimeout) {
  const struct timeval soon = Ms(20);
  pair_.EnableBoth();
  EXPECT_EQ(0, bufferevent_set_timeouts(pair_[1], &soon, nullptr));
  EXPECT_TRUE(loop_.RunUntil([&] { return !pair_[1].events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_TIMEOUT}, pair_[1].events);
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(pair_[1]));
  // It starts anew with the direction.
  bufferevent_enable(pair_[1], EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return pair_[1].events.size() == 2; }));
}

TEST_P(BuffereventPair, WriteTimeoutNeedsOutput) {
  const struct timeval soon = Ms(20);
  pair_.EnableBoth();
  EXPECT_EQ(0, bufferevent_set_timeouts(pair_[0], nullptr, &soon));
  pair_[0].Write("goes through");
  bool waited = false;
  const struct timeval longer = Ms(60);
  event_base_once(
      loop_, -1, EV_TIMEOUT,
      [](evutil_socket_t, short, void *arg) { *static_cast<bool *>(arg) = true; }, &waited,
      &longer);
  EXPECT_TRUE(loop_.RunUntil([&] { return waited; }));
  EXPECT_TRUE(pair_[0].events.empty());
  if (kOnLibevent) return;  // Starts the timer only when EV_WRITE is enabled with output there.
  pair_[1].Disable(EV_READ);
  pair_[0].Write("stuck");
  EXPECT_TRUE(loop_.RunUntil([&] { return !pair_[0].events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_WRITING | BEV_EVENT_TIMEOUT}, pair_[0].events);
  EXPECT_EQ(5u, pair_[0].output_len());
}

TEST_P(BuffereventPair, TimeoutsKeepTheLoopRunning) {
  const struct timeval soon = Ms(20);
  EXPECT_EQ(0, bufferevent_set_timeouts(pair_[1], &soon, nullptr));
  pair_[1].Enable(EV_READ);
  EXPECT_EQ(1, event_base_dispatch(loop_));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_TIMEOUT}, pair_[1].events);
  EXPECT_EQ(0, bufferevent_set_timeouts(pair_[0], nullptr, &soon));
  pair_[0].Write("stuck");
  pair_[0].Enable(EV_WRITE);
  EXPECT_EQ(1, event_base_dispatch(loop_));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_WRITING | BEV_EVENT_TIMEOUT}, pair_[0].events);
}

// libevent's timers are not tied to the watermark, nor to the output.
TEST_P(BuffereventPair, TimeoutsKeepTheLoopRunningOnlyWhileTheyRun) {
  if (kOnLibevent) GTEST_SKIP();
  const struct timeval hour = {3600, 0};
  auto set = [&](const struct timeval *timeout) {
    for (int i = 0; i < 2; i++) EXPECT_EQ(0, bufferevent_set_timeouts(pair_[i], timeout, timeout));
  };
  auto is_kept_going = [&] {
    const struct timeval now = {0, 0};
    event_base_loop(loop_, EVLOOP_NONBLOCK);  // What is deferred.
    event_base_loopexit(loop_, &now);
    event_base_loop(loop_, EVLOOP_ONCE);
    return event_base_loop(loop_, EVLOOP_NONBLOCK) == 0;
  };
  set(&hour);
  EXPECT_FALSE(is_kept_going()) << "nothing to read or write";
  pair_[1].StopTaking();
  pair_[1].Enable(EV_READ);
  EXPECT_TRUE(is_kept_going());
  pair_[1].Disable(EV_READ);
  EXPECT_FALSE(is_kept_going()) << "disabled";
  pair_[0].Write("abc");
  EXPECT_TRUE(is_kept_going());
  pair_[0].Disable(EV_WRITE);
  EXPECT_FALSE(is_kept_going()) << "disabled with output";
  pair_[0].Enable(EV_WRITE);
  pair_[1].Watermark(EV_READ, 0, 3);
  pair_[1].Enable(EV_READ);
  EXPECT_EQ(3u, pair_[1].input_len());
  EXPECT_FALSE(is_kept_going()) << "full";
  pair_[1].Take();
  EXPECT_TRUE(is_kept_going());
  set(nullptr);
  EXPECT_FALSE(is_kept_going()) << "no timeouts";
  set(&hour);
  EXPECT_TRUE(is_kept_going());
  struct bufferevent *reading = pair_[1];
  bufferevent_incref(reading);
  pair_[1].Free();
  EXPECT_FALSE(is_kept_going()) << "freed";
  bufferevent_decref(reading);
}

TEST_P(BuffereventPair, AnIdlePairKeepsNoLoopRunning) {
  pair_.EnableBoth();
  loop_.Settle();
  EXPECT_EQ(1, event_base_loop(loop_, 0));
}

TEST_P(BuffereventPair, ReferencesKeepTheMemory) {
  struct bufferevent *bev = pair_[0].get();
  bufferevent_incref(bev);
  pair_[0].Free();
  // libevent unlinks with the last reference only.
  if (!kOnLibevent) {
    EXPECT_EQ(nullptr, bufferevent_pair_get_partner(pair_[1]));
  }
  EXPECT_EQ(1, bufferevent_decref(bev));
  EXPECT_EQ(nullptr, bufferevent_pair_get_partner(pair_[1]));
}

// ---- Threads ----

class PairThreads : public ::testing::TestWithParam<int> {
 protected:
  Loop loop_;
};

INSTANTIATE_TEST_SUITE_P(, PairThreads,
                         ::testing::Values(0, BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS));

struct Counter {
  std::atomic<size_t> received_len{0};
};

void CountInput(struct bufferevent *bev, void *arg) {
  struct evbuffer *input = bufferevent_get_input(bev);
  char block[4096];
  int len;
  while ((len = evbuffer_remove(input, block, sizeof(block))) > 0)
    static_cast<Counter *>(arg)->received_len += static_cast<size_t>(len);
}

// Two threads write to the partners, a third turns reading off and on, and the loop reads.
TEST_P(PairThreads, WritersOnBothSides) {
  const size_t kNumWrites = 2000;
  const std::string message = Pattern(100);
  struct bufferevent *pair[2];
  Counter counters[2];
  ASSERT_EQ(0, bufferevent_pair_new(loop_, BEV_OPT_THREADSAFE | GetParam(), pair));
  for (int i = 0; i < 2; i++) {
    bufferevent_setcb(pair[i], CountInput, nullptr, nullptr, &counters[i]);
    bufferevent_enable(pair[i], EV_READ | EV_WRITE);
  }
  bufferevent_setwatermark(pair[1], EV_READ, 0, 512);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; i++) {
    threads.emplace_back([&, i] {
      for (size_t k = 0; k < kNumWrites; k++)
        bufferevent_write(pair[i], message.data(), message.size());
    });
  }
  threads.emplace_back([&] {
    for (int k = 0; k < 500; k++) {
      bufferevent_disable(pair[0], EV_READ);
      bufferevent_enable(pair[0], EV_READ);
    }
  });
  const size_t total_len = kNumWrites * message.size();
  EXPECT_TRUE(loop_.RunUntil([&] {
    const struct timeval soon = {0, 1000};
    event_base_once(
        loop_, -1, EV_TIMEOUT, [](evutil_socket_t, short, void *) {}, nullptr, &soon);
    return counters[0].received_len == total_len && counters[1].received_len == total_len;
  }));
  for (std::thread &thread : threads) thread.join();
  bufferevent_free(pair[0]);
  bufferevent_free(pair[1]);
}

TEST_P(PairThreads, PartnersFreedFromTwoThreadsWhileTheLoopRuns) {
  std::thread runner([&] { event_base_loop(loop_, EVLOOP_NO_EXIT_ON_EMPTY); });
  Counter counter;
  for (int round = 0; round < 200; round++) {
    struct bufferevent *pair[2];
    ASSERT_EQ(0, bufferevent_pair_new(loop_, BEV_OPT_THREADSAFE | GetParam(), pair));
    for (int i = 0; i < 2; i++) {
      bufferevent_setcb(pair[i], CountInput, nullptr, nullptr, &counter);
      bufferevent_enable(pair[i], EV_READ | EV_WRITE);
    }
    std::thread other([&] {
      bufferevent_write(pair[1], "other", 5);
      bufferevent_free(pair[1]);
    });
    bufferevent_write(pair[0], "this", 4);
    bufferevent_free(pair[0]);
    other.join();
  }
  event_base_loopexit(loop_, nullptr);
  runner.join();
}

}  // namespace
