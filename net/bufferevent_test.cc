// Socket bufferevents: reading, writing, callbacks and the getters.
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "net/test_support.h"
#include "util/testing/port_threads.h"

// libevent's include nothing, and are for C.
extern "C" {
#include <event2/bufferevent_compat.h>
#include <event2/event_compat.h>
}

namespace {

class Bufferevent : public ::testing::TestWithParam<Kind> {
 protected:
  Bufferevent() : pair_(GetParam().tcp), bev_(loop_, pair_[0], GetParam().options) {}
  bool deferred() const { return GetParam().options & BEV_OPT_DEFER_CALLBACKS; }

  Loop loop_;
  Pair pair_;
  Bev bev_;
};

INSTANTIATE_TEST_SUITE_P(All, Bufferevent, ::testing::ValuesIn(kKinds), KindName);

TEST_P(Bufferevent, NewOneMayWriteButNotRead) {
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(bev_));
  EXPECT_EQ(pair_[0], bufferevent_getfd(bev_));
  EXPECT_EQ(static_cast<struct event_base *>(loop_), bufferevent_get_base(bev_));
  EXPECT_EQ(nullptr, bufferevent_get_underlying(bev_));
  EXPECT_EQ(0u, bev_.input_len());
  EXPECT_EQ(0u, bev_.output_len());
  EXPECT_EQ(0, bev_.Enable(EV_READ));
  EXPECT_EQ(EV_READ | EV_WRITE, bufferevent_get_enabled(bev_));
  EXPECT_EQ(0, bev_.Disable(EV_READ | EV_WRITE));
  EXPECT_EQ(0, bufferevent_get_enabled(bev_));
  bev_.SetFd(-1);
  EXPECT_EQ(-1, bufferevent_getfd(bev_));
}

// Nothing to do means nothing pending, whatever the kernel has registered.
TEST_P(Bufferevent, AloneDoesNotKeepTheLoop) {
  EXPECT_EQ(1, event_base_dispatch(loop_));
  pair_.Send("waiting");
  EXPECT_EQ(1, event_base_dispatch(loop_));
  bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.received == "waiting"; }));
  bev_.Disable(EV_READ);
  EXPECT_EQ(1, event_base_dispatch(loop_));
  bev_.Write("abc");
  EXPECT_EQ(1, event_base_dispatch(loop_));
  EXPECT_EQ("abc", pair_.Recv());
  EXPECT_EQ(1, bev_.writes);
  bev_.Disable(EV_WRITE);
  bev_.Write("def");
  EXPECT_EQ(1, event_base_dispatch(loop_));
  EXPECT_EQ("", pair_.Recv());
}

TEST_P(Bufferevent, EnabledForReadingKeepsTheLoop) {
  bev_.Enable(EV_READ);
  const struct timeval soon = Ms(10);
  event_base_loopexit(loop_, &soon);
  EXPECT_EQ(0, event_base_dispatch(loop_));
}

TEST_P(Bufferevent, ReadsAndWrites) {
  bev_.Enable(EV_READ);
  pair_.Send("request");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.received == "request"; }));
  EXPECT_EQ(0, bev_.Write("re"));
  EXPECT_EQ(0, bev_.Write("ply"));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
  EXPECT_EQ("reply", pair_.Recv());
  EXPECT_EQ(0u, bev_.output_len());
  EXPECT_TRUE(bev_.events.empty());
}

// Programs that produce output on demand start themselves this way.
TEST_P(Bufferevent, EnablingWritingWithNothingToWriteCallsTheWriteCallback) {
  EXPECT_EQ(0, bev_.writes);
  bev_.Enable(EV_WRITE);
  EXPECT_EQ(1, event_base_dispatch(loop_));
  EXPECT_EQ(1, bev_.writes);
}

TEST_P(Bufferevent, OutputBufferIsWrittenToo) {
  EXPECT_EQ(5, evbuffer_add_printf(bev_.output(), "%d", 12345));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
  EXPECT_EQ("12345", pair_.Recv());
}

TEST_P(Bufferevent, WholeBuffersMove) {
  struct evbuffer *buffer = evbuffer_new();
  evbuffer_add(buffer, "outgoing", 8);
  EXPECT_EQ(0, bufferevent_write_buffer(bev_, buffer));
  EXPECT_EQ(0u, evbuffer_get_length(buffer));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
  EXPECT_EQ("outgoing", pair_.Recv());

  bev_.StopTaking();
  bev_.Enable(EV_READ);
  pair_.Send("incoming");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 8; }));
  EXPECT_EQ(0, bufferevent_read_buffer(bev_, buffer));
  EXPECT_EQ(0u, bev_.input_len());
  EXPECT_EQ(8u, evbuffer_get_length(buffer));
  evbuffer_free(buffer);
  char byte;
  EXPECT_EQ(0u, bufferevent_read(bev_, &byte, 1));
}

TEST_P(Bufferevent, ReadTakesWhatFits) {
  bev_.StopTaking();
  bev_.Enable(EV_READ);
  pair_.Send("abcdef");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 6; }));
  char block[4];
  EXPECT_EQ(4u, bufferevent_read(bev_, block, 4));
  EXPECT_EQ("abcd", std::string(block, 4));
  EXPECT_EQ(2u, bufferevent_read(bev_, block, 4));
}

// The read callback runs again only when something new arrives, not because input is left.
TEST_P(Bufferevent, LeftInputIsNotAnnouncedAgain) {
  bev_.StopTaking();
  struct Count {
    int reads = 0;
    size_t len = 0;
  } count;
  bufferevent_setcb(
      bev_,
      [](struct bufferevent *bev, void *arg) {
        static_cast<Count *>(arg)->reads++;
        static_cast<Count *>(arg)->len = evbuffer_get_length(bufferevent_get_input(bev));
      },
      nullptr, nullptr, &count);
  bev_.Enable(EV_READ);
  pair_.Send("abc");
  EXPECT_TRUE(loop_.RunUntil([&] { return count.len == 3; }));
  loop_.Settle();
  const int reads = count.reads;
  loop_.Settle();
  EXPECT_EQ(reads, count.reads);
  pair_.Send("def");
  EXPECT_TRUE(loop_.RunUntil([&] { return count.len == 6; }));
  EXPECT_GT(count.reads, reads);
}

TEST_P(Bufferevent, HalfClosedByThePeer) {
  bev_.Enable(EV_READ);
  pair_.Send("last words");
  pair_.ShutdownWrite();
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ("last words", bev_.received);
  EXPECT_EQ(std::vector<short>{kEof}, bev_.events);
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(bev_));  // The end disables reading.
  bev_.Write("answer");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
  EXPECT_EQ("answer", pair_.Recv());
  loop_.Settle();
  EXPECT_EQ(1u, bev_.events.size());
}

TEST_P(Bufferevent, HalfClosedByUs) {
  bev_.Enable(EV_READ);
  bev_.Write("request");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
  ASSERT_EQ(0, shutdown(pair_[0], SHUT_WR));
  EXPECT_EQ("request", pair_.Recv());
  pair_.Send("response");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.received == "response"; }));
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(Bufferevent, DataComesBeforeTheEnd) {
  std::string order;
  bev_.on_read = [&] { order += 'r'; };
  bev_.on_event = [&](short) { order += 'e'; };
  pair_.Send("abc");
  pair_.ShutdownWrite();
  bev_.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ("re", order);
}

TEST_P(Bufferevent, WriteErrorIsReported) {
  pair_.Close(1);
  // Over TCP the first write still succeeds and only provokes the reset.
  for (int i = 0; i < 100 && bev_.events.empty(); i++) {
    bev_.Write("abc");
    loop_.Settle();
  }
  ASSERT_EQ(1u, bev_.events.size());
  EXPECT_EQ(BEV_EVENT_WRITING | BEV_EVENT_ERROR, bev_.events[0]);
  EXPECT_TRUE(bev_.errors[0] == EPIPE || bev_.errors[0] == ECONNRESET);
  EXPECT_FALSE(bufferevent_get_enabled(bev_) & EV_WRITE);
}

#ifndef _WIN32
// The output stays in the file until it is sent.
TEST_P(Bufferevent, FileThatShrinksIsAWriteError) {
  if (kOnLibevent) GTEST_SKIP() << "libevent tries for ever to send what is not there";
  if (OnCompletions()) GTEST_SKIP() << "a port sends what is mapped";
  std::unique_ptr<FILE, int (*)(FILE *)> file(tmpfile(), fclose);
  ASSERT_NE(nullptr, file);
  ASSERT_EQ(0, ftruncate(fileno(file.get()), 1 << 20));
  ASSERT_EQ(0, evbuffer_add_file(bev_.output(), dup(fileno(file.get())), 0, -1));
  ASSERT_EQ(0, ftruncate(fileno(file.get()), 1));
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev_.events.empty(); }));
  EXPECT_EQ(BEV_EVENT_WRITING | BEV_EVENT_ERROR, bev_.events[0]);
  EXPECT_EQ(EIO, bev_.errors[0]);
}
#endif

TEST_P(Bufferevent, CallbacksCanBeChangedAndRead) {
  bufferevent_data_cb read, write;
  bufferevent_event_cb event;
  void *arg;
  bufferevent_getcb(bev_, &read, &write, &event, &arg);
  EXPECT_NE(nullptr, read);
  EXPECT_NE(nullptr, write);
  EXPECT_NE(nullptr, event);
  EXPECT_EQ(&bev_, arg);
  bufferevent_getcb(bev_, nullptr, nullptr, nullptr, nullptr);
  int other_reads = 0;
  bev_.on_read = [&] {
    bufferevent_setcb(
        bev_,
        [](struct bufferevent *bev, void *arg) {
          ++*static_cast<int *>(arg);
          evbuffer_drain(bufferevent_get_input(bev), SIZE_MAX);
        },
        nullptr, nullptr, &other_reads);
  };
  bev_.Enable(EV_READ);
  pair_.Send("first");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.reads == 1; }));
  pair_.Send("second");
  EXPECT_TRUE(loop_.RunUntil([&] { return other_reads == 1; }));
  EXPECT_EQ(1, bev_.reads);
  bufferevent_setcb(bev_, nullptr, nullptr, nullptr, nullptr);
  pair_.Send("third");
  pair_.ShutdownWrite();
  EXPECT_EQ(1, event_base_dispatch(loop_));  // Read up to the end without any callback.
  EXPECT_EQ(5u, bev_.input_len());
}

TEST_P(Bufferevent, TriggeredByHand) {
  bufferevent_trigger(bev_, EV_READ | EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS);
  EXPECT_EQ(deferred() ? 0 : 1, bev_.reads);
  EXPECT_EQ(deferred() ? 0 : 1, bev_.writes);
  loop_.Settle();
  EXPECT_EQ(1, bev_.reads);
  EXPECT_EQ(1, bev_.writes);
  bufferevent_trigger(bev_, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
  EXPECT_EQ(1, bev_.reads);
  loop_.Settle();
  EXPECT_EQ(2, bev_.reads);
  bev_.Watermark(EV_READ, 10, 0);
  bufferevent_trigger(bev_, EV_READ, 0);
  loop_.Settle();
  EXPECT_EQ(2, bev_.reads);
  bufferevent_trigger_event(bev_, BEV_EVENT_TIMEOUT, 0);
  EXPECT_EQ(deferred() ? 0u : 1u, bev_.events.size());
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_TIMEOUT}, bev_.events);
}

TEST_P(Bufferevent, DeferredEventsArriveTogether) {
  bufferevent_trigger_event(bev_, BEV_EVENT_READING, BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger_event(bev_, BEV_EVENT_WRITING | BEV_EVENT_TIMEOUT, BEV_TRIG_DEFER_CALLBACKS);
  EXPECT_TRUE(bev_.events.empty());
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_WRITING | BEV_EVENT_TIMEOUT},
            bev_.events);
}

TEST_P(Bufferevent, CallbacksTakenAwayBeforeTheyRan) {
  bufferevent_trigger(bev_, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger_event(bev_, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_setcb(bev_, nullptr, nullptr, nullptr, nullptr);
  loop_.Settle();
  EXPECT_EQ(0, bev_.reads);
  EXPECT_TRUE(bev_.events.empty());
}

TEST_P(Bufferevent, FlushOfASocketDoesNothing) {
  bev_.Write("abc");
  EXPECT_EQ(0, bufferevent_flush(bev_, EV_READ | EV_WRITE, BEV_NORMAL));
  EXPECT_EQ(0, bufferevent_flush(bev_, EV_WRITE, BEV_FLUSH));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.writes > 0; }));
}

TEST_P(Bufferevent, SingleReadAndWriteLimits) {
  const ev_ssize_t read_default = bufferevent_get_max_single_read(bev_);
  const ev_ssize_t write_default = bufferevent_get_max_single_write(bev_);
  EXPECT_GT(read_default, 0);
  EXPECT_GT(write_default, 0);
  EXPECT_EQ(0, bufferevent_set_max_single_read(bev_, 100));
  EXPECT_EQ(0, bufferevent_set_max_single_write(bev_, 200));
  EXPECT_EQ(100, bufferevent_get_max_single_read(bev_));
  EXPECT_EQ(200, bufferevent_get_max_single_write(bev_));
  bufferevent_set_max_single_read(bev_, 0);
  bufferevent_set_max_single_write(bev_, 0);
  EXPECT_EQ(read_default, bufferevent_get_max_single_read(bev_));
  EXPECT_EQ(write_default, bufferevent_get_max_single_write(bev_));
}

TEST_P(Bufferevent, MovesToAnotherBase) {
  Loop other;
  bev_.Disable(EV_WRITE);
  EXPECT_EQ(0, bufferevent_base_set(other, bev_));
  EXPECT_EQ(static_cast<struct event_base *>(other), bufferevent_get_base(bev_));
  bev_.Enable(EV_READ | EV_WRITE);
  pair_.Send("abc");
  EXPECT_EQ(1, event_base_dispatch(loop_));
  if (!deferred()) {  // What is deferred still runs in the first base on libevent.
    EXPECT_TRUE(other.RunUntil([&] { return bev_.received == "abc"; }));
  }
  bev_.Free();
  loop_.Settle();
  other.Settle();
}

// A reply that is larger than the socket's buffers, while a request of the same size comes in.
TEST_P(Bufferevent, SixteenMegabytesBothWays) {
  const std::string bytes_to_peer = Pattern(16 << 20, 1);
  const std::string bytes_from_peer = Pattern(16 << 20, 2);
  Bev peer(loop_, pair_[1], GetParam().options);
  bev_.Enable(EV_READ);
  peer.Enable(EV_READ);
  bev_.Write(bytes_to_peer);
  peer.Write(bytes_from_peer);
  EXPECT_TRUE(loop_.RunUntil(
      [&] {
        return bev_.received.size() >= bytes_from_peer.size() &&
               peer.received.size() >= bytes_to_peer.size();
      },
      120000));
  EXPECT_TRUE(bytes_to_peer == peer.received);
  EXPECT_TRUE(bytes_from_peer == bev_.received);
  EXPECT_TRUE(bev_.events.empty());
  EXPECT_TRUE(peer.events.empty());
}

TEST_P(Bufferevent, EchoThroughCallbacks) {
  Bev peer(loop_, pair_[1], GetParam().options);
  size_t echoed = 0;
  peer.on_read = [&] {
    peer.Write(peer.received.substr(echoed));
    echoed = peer.received.size();
  };
  int rounds = 0;
  bev_.on_read = [&] {
    if (bev_.received.size() % 4 == 0 && ++rounds < 1000) bev_.Write("ping");
  };
  bev_.Enable(EV_READ);
  peer.Enable(EV_READ);
  bev_.Write("ping");
  // Under Wine each round is dozens of switches between processes, which take their time on a busy
  // machine: the limit is for one that stands still.
  for (int target = 100; target <= 1000; target += 100)
    ASSERT_TRUE(loop_.RunUntil([&] { return rounds >= target; })) << rounds;
}

TEST(BuffereventPriority, DecidesWhoIsServedFirst) {
  if (HasPortThreads()) GTEST_SKIP() << "the three bytes may reach the loop one after the other";
  Loop loop;
  event_base_priority_init(loop, 5);
  Pair pairs[3];
  std::string order;
  std::unique_ptr<Bev> bevs[3];
  for (int i = 0; i < 3; i++) {
    bevs[i] = std::make_unique<Bev>(loop, pairs[i][0]);
    EXPECT_EQ(2, bufferevent_get_priority(*bevs[i]));
    EXPECT_EQ(0, bufferevent_priority_set(*bevs[i], 4 - 2 * i));
    EXPECT_EQ(4 - 2 * i, bufferevent_get_priority(*bevs[i]));
    bevs[i]->on_read = [&order, i] { order += static_cast<char>('0' + i); };
    bevs[i]->Enable(EV_READ);
  }
  EXPECT_EQ(-1, bufferevent_priority_set(*bevs[0], 5));
  loop.Settle();
  for (Pair &pair : pairs) pair.Send("x");
  EXPECT_TRUE(loop.RunUntil([&] { return order.size() == 3; }));
  EXPECT_EQ("210", order);
}

// bufferevent_new() and its timeouts in seconds, as in programs of before libevent 2.
struct OldProgram {
  int num_read = 0, num_errors = 0;
  short what = 0;
};

TEST(OldBufferevent, OnTheBaseOfEventInit) {
  struct event_base *base = event_init();
  Pair pair;
  OldProgram program;
  struct bufferevent *bev = bufferevent_new(
      pair[0],
      [](struct bufferevent *from, void *arg) {
        char byte;
        while (bufferevent_read(from, &byte, 1) == 1) static_cast<OldProgram *>(arg)->num_read++;
      },
      nullptr,
      [](struct bufferevent *, short what, void *arg) {
        static_cast<OldProgram *>(arg)->num_errors++;
        static_cast<OldProgram *>(arg)->what = what;
        event_loopexit(nullptr);
      },
      &program);
  ASSERT_NE(nullptr, bev);
  bufferevent_settimeout(bev, 1, 0);
  EXPECT_EQ(0, bufferevent_enable(bev, EV_READ));
  EXPECT_EQ(0, bufferevent_write(bev, "abc", 3));
  EXPECT_TRUE(pair.Send("xy") == 2);
  event_dispatch();
  EXPECT_EQ(2, program.num_read);
  EXPECT_EQ(1, program.num_errors);
  EXPECT_EQ(BEV_EVENT_TIMEOUT | BEV_EVENT_READING, program.what);
  EXPECT_EQ("abc", pair.Recv());
  bufferevent_free(bev);
  event_base_free(base);
}

}  // namespace
