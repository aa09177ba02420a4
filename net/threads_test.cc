// Bufferevents with locks, used by other threads while their loop runs. What these tests prove
// shows best under ThreadSanitizer.
#include <atomic>
#include <thread>

#include "net/threads_testing.h"

namespace {

class Threads : public ThreadKinds {
 protected:
  struct bufferevent *New(struct event_base *base, evutil_socket_t fd, int more_options = 0) {
    struct bufferevent *bev = bufferevent_socket_new(base, fd, GetParam().options | more_options);
    EXPECT_NE(nullptr, bev);
    return bev;
  }
};

INSTANTIATE_TEST_SUITE_P(All, Threads, ::testing::ValuesIn(kThreadKinds), ThreadKindName);

// Counts what arrives.
struct Sink {
  explicit Sink(size_t expected) : expected_len(expected) {}
  const size_t expected_len;
  std::atomic<size_t> received_len{0};
  std::atomic<bool> has_ended{false};
  Gate complete;
  Gate ended;

  static void OnRead(struct bufferevent *bev, void *arg) {
    Sink *self = static_cast<Sink *>(arg);
    struct evbuffer *input = bufferevent_get_input(bev);
    const size_t len = evbuffer_get_length(input);
    evbuffer_drain(input, len);
    if ((self->received_len += len) >= self->expected_len) self->complete.Open();
  }
  static void OnEvent(struct bufferevent *, short what, void *arg) {
    Sink *self = static_cast<Sink *>(arg);
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
      self->has_ended = true;
      self->ended.Open();
    }
  }
};

// ---- Writing, enabling, disabling ----

TEST_P(Threads, WritesAndTogglesWhileTheLoopEchoes) {
  const int kThreads = 3, kPieces = 400;
  const std::string piece = Pattern(150);
  Sink sink(kThreads * kPieces * piece.size());
  Pair pair;
  LoopThread loop;
  struct bufferevent *left = New(loop, pair[0]);
  struct bufferevent *right = New(loop, pair[1]);
  bufferevent_setcb(left, Sink::OnRead, nullptr, Sink::OnEvent, &sink);
  bufferevent_setcb(right, EchoBack, nullptr, nullptr, nullptr);
  bufferevent_enable(left, EV_READ);
  bufferevent_enable(right, EV_READ);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([&] {
      for (int n = 0; n < kPieces; n++) bufferevent_write(left, piece.data(), piece.size());
    });
  }
  threads.emplace_back([&] {
    for (int n = 0; n < 300; n++) {
      struct bufferevent *const bev = n % 2 ? left : right;
      const short direction = n % 3 ? EV_READ : EV_WRITE;
      bufferevent_disable(bev, direction);
      bufferevent_setwatermark(bev, EV_READ, 0, n % 5 * 100);
      bufferevent_enable(bev, direction);
    }
    for (struct bufferevent *bev : {left, right}) {
      bufferevent_setwatermark(bev, EV_READ, 0, 0);
      bufferevent_enable(bev, EV_READ | EV_WRITE);
    }
  });
  for (std::thread &thread : threads) thread.join();
  EXPECT_TRUE(sink.complete.Wait());
  EXPECT_EQ(sink.expected_len, sink.received_len);
  bufferevent_free(left);
  bufferevent_free(right);
}

TEST_P(Threads, TakingInputInAnotherThreadResumesReading) {
  const size_t kLen = 300000;
  const std::string bytes = Pattern(kLen);
  Pair pair;
  LoopThread loop;
  struct bufferevent *source = New(loop, pair[1]);
  struct bufferevent *bev = New(loop, pair[0]);
  bufferevent_setwatermark(bev, EV_READ, 0, 1000);
  bufferevent_enable(bev, EV_READ);
  bufferevent_write(source, bytes.data(), bytes.size());
  std::string got;
  const long long begin = WallUsec();
  while (got.size() < kLen && WallUsec() - begin < 60000000) {
    char block[700];
    const size_t len = bufferevent_read(bev, block, sizeof(block));
    got.append(block, len);
    if (len == 0) std::this_thread::yield();
  }
  EXPECT_TRUE(bytes == got) << got.size();
  bufferevent_free(bev);
  bufferevent_free(source);
}

TEST_P(Threads, LoopEndsWhenAnotherThreadDisablesTheLast) {
  for (const bool frees : {false, true}) {
    Loop loop;
    Pair pair;
    struct bufferevent *bev = New(loop, pair[0]);
    const struct timeval hour = Ms(3600000);
    bufferevent_set_timeouts(bev, &hour, &hour);
    bufferevent_enable(bev, EV_READ);
    Gate running;
    event_base_once(
        loop, -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void *arg) { static_cast<Gate *>(arg)->Open(); }, &running,
        nullptr);
    Gate ended;
    std::thread thread([&] {
      EXPECT_EQ(1, event_base_dispatch(loop));
      ended.Open();
    });
    EXPECT_TRUE(running.Wait());
    if (frees) {
      bufferevent_free(bev);
    } else {
      bufferevent_disable(bev, EV_READ);
    }
    EXPECT_TRUE(ended.Wait());
    thread.join();
    if (!frees) bufferevent_free(bev);
  }
}

// ---- Callbacks changed ----

// Each pair of callback and argument stays together.
struct Tagged {
  explicit Tagged(int number) : tag(number) {}
  const int tag;
  std::atomic<size_t> *total = nullptr;
  Gate *complete = nullptr;
  size_t expected_len = 0;

  template <int kTag>
  static void OnRead(struct bufferevent *bev, void *arg) {
    Tagged *self = static_cast<Tagged *>(arg);
    EXPECT_EQ(kTag, self->tag);
    struct evbuffer *input = bufferevent_get_input(bev);
    const size_t len = evbuffer_get_length(input);
    evbuffer_drain(input, len);
    if ((*self->total += len) >= self->expected_len) self->complete->Open();
  }
};

TEST_P(Threads, CallbacksSetByAnotherThread) {
  // libevent reads callback and argument apart, without the lock, where callbacks are unlocked.
  if (kOnLibevent && (GetParam().options & BEV_OPT_UNLOCK_CALLBACKS)) GTEST_SKIP();
  const size_t kLen = 2000000;
  std::atomic<size_t> total{0};
  Gate complete;
  Tagged one(1), two(2);
  for (Tagged *tagged : {&one, &two}) {
    tagged->total = &total;
    tagged->complete = &complete;
    tagged->expected_len = kLen;
  }
  Pair pair;
  LoopThread loop;
  struct bufferevent *source = New(loop, pair[1]);
  struct bufferevent *bev = New(loop, pair[0]);
  bufferevent_setcb(bev, Tagged::OnRead<1>, nullptr, nullptr, &one);
  bufferevent_enable(bev, EV_READ);
  const std::string piece = Pattern(2000);
  for (size_t n = 0; n < kLen / piece.size(); n++) {
    bufferevent_write(source, piece.data(), piece.size());
    if (n % 2) {
      bufferevent_setcb(bev, Tagged::OnRead<1>, nullptr, nullptr, &one);
    } else {
      bufferevent_setcb(bev, Tagged::OnRead<2>, nullptr, nullptr, &two);
    }
  }
  EXPECT_TRUE(complete.Wait());
  bufferevent_free(bev);
  bufferevent_free(source);
}

TEST_P(Threads, TriggeredByOtherThreads) {
  Pair pair;
  LoopThread loop;
  struct bufferevent *bev = New(loop, pair[0]);
  std::atomic<int> calls{0};
  bufferevent_setcb(
      bev, nullptr, nullptr,
      [](struct bufferevent *, short, void *arg) { ++*static_cast<std::atomic<int> *>(arg); },
      &calls);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; i++) {
    threads.emplace_back([&] {
      for (int n = 0; n < 200; n++)
        bufferevent_trigger_event(bev, BEV_EVENT_READING, n % 2 ? BEV_TRIG_DEFER_CALLBACKS : 0);
    });
  }
  for (std::thread &thread : threads) thread.join();
  loop.Barrier();
  EXPECT_GT(calls, 0);
  EXPECT_LE(calls, 600);
  bufferevent_free(bev);
}

// ---- Freeing ----

TEST_P(Threads, FreedByAnotherThreadWhileCallbacksRun) {
  LoopThread loop;
  const std::string piece = Pattern(1000);
  for (int round = 0; round < 100; round++) {
    struct Victim {
      std::atomic<bool> is_freed{false};
      Gate called;
      bool holds_lock = false;

      static void OnRead(struct bufferevent *bev, void *arg) {
        Victim *self = static_cast<Victim *>(arg);
        if (self->holds_lock) {
          EXPECT_FALSE(self->is_freed);
        }
        EchoBack(bev, nullptr);
        if (self->holds_lock) {
          EXPECT_FALSE(self->is_freed);
        }
        self->called.Open();
      }
    } victim;
    victim.holds_lock = !(GetParam().options & BEV_OPT_UNLOCK_CALLBACKS);
    Sink sink(SIZE_MAX);
    Pair pair;
    struct bufferevent *peer = New(loop, pair[1]);
    struct bufferevent *bev = New(loop, pair.Release(0), BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(peer, Sink::OnRead, nullptr, Sink::OnEvent, &sink);
    bufferevent_setcb(bev, Victim::OnRead, nullptr, nullptr, &victim);
    bufferevent_enable(peer, EV_READ);
    bufferevent_enable(bev, EV_READ);
    for (int i = 0; i < 20; i++) bufferevent_write(peer, piece.data(), piece.size());
    if (round % 2) {
      EXPECT_TRUE(victim.called.Wait());
    }
    bufferevent_free(bev);
    victim.is_freed = true;
    // The socket is closed by then or soon after.
    EXPECT_TRUE(sink.ended.Wait());
    bufferevent_free(peer);
    loop.Barrier();  // Callbacks that are under way refer to the objects above.
  }
}

TEST_P(Threads, FreedByTheLoopAndHeldByOthers) {
  LoopThread loop;
  for (int round = 0; round < 50; round++) {
    struct Held {
      Gate freed;
      static void OnRead(struct bufferevent *bev, void *arg) {
        bufferevent_free(bev);
        static_cast<Held *>(arg)->freed.Open();
      }
    } held;
    Pair pair;
    struct bufferevent *bev = New(loop, pair[0]);
    bufferevent_setcb(bev, Held::OnRead, nullptr, nullptr, &held);
    for (int i = 0; i < 2; i++) bufferevent_incref(bev);
    bufferevent_enable(bev, EV_READ);
    std::thread holder([&] {
      for (int i = 0; i < 20; i++) bufferevent_write(bev, "abc", 3);
      bufferevent_decref(bev);
    });
    pair.Send("x");
    EXPECT_TRUE(held.freed.Wait());
    bufferevent_disable(bev, EV_READ | EV_WRITE);
    bufferevent_decref(bev);
    holder.join();
    loop.Barrier();
  }
}

TEST_P(Threads, TimeoutsSetAndFreedByAnotherThread) {
  LoopThread loop;
  for (int round = 0; round < 60; round++) {
    Pair pair;
    struct bufferevent *bev = New(loop, pair[0]);
    Sink sink(SIZE_MAX);
    bufferevent_setcb(bev, nullptr, nullptr, Sink::OnEvent, &sink);
    bufferevent_enable(bev, EV_READ);
    for (int i = 0; i < 10; i++) {
      const struct timeval time = Ms(i % 4);
      bufferevent_set_timeouts(bev, &time, &time);
      bufferevent_enable(bev, EV_READ);
      bufferevent_write(bev, "abc", 3);
    }
    bufferevent_free(bev);
  }
  loop.Barrier();
}

// ---- Several loops ----

// A proxy whose two halves run in two loops: each writes what it reads into the other.
TEST_P(Threads, TwoLoopsThatWriteToEachOther) {
  // With its lock held, a callback must not take another's: that one's callback may do the same.
  if (!(GetParam().options & BEV_OPT_UNLOCK_CALLBACKS)) GTEST_SKIP();
  const size_t kLen = 500000;
  const std::string bytes = Pattern(kLen);
  Pair pairs[2] = {Pair(), Pair()};
  Sink sinks[2] = {Sink(kLen), Sink(kLen)};
  struct bufferevent *halves[2];
  struct bufferevent *ends[2];
  LoopThread loops[2];
  LoopThread end_loop;
  for (int i = 0; i < 2; i++) {
    halves[i] = New(loops[i], pairs[i][0]);
    ends[i] = New(end_loop, pairs[i][1]);
    bufferevent_setcb(ends[i], Sink::OnRead, nullptr, nullptr, &sinks[i]);
  }
  for (int i = 0; i < 2; i++) {
    bufferevent_setcb(
        halves[i],
        [](struct bufferevent *bev, void *arg) {
          bufferevent_write_buffer(static_cast<struct bufferevent *>(arg),
                                   bufferevent_get_input(bev));
        },
        nullptr, nullptr, halves[1 - i]);
  }
  for (int i = 0; i < 2; i++) {
    bufferevent_enable(halves[i], EV_READ);
    bufferevent_enable(ends[i], EV_READ);
    bufferevent_write(ends[i], bytes.data(), bytes.size());
  }
  for (Sink &sink : sinks) {
    EXPECT_TRUE(sink.complete.Wait());
    EXPECT_EQ(kLen, sink.received_len);
  }
  // Neither half may call the other once that is gone.
  for (struct bufferevent *half : halves) bufferevent_disable(half, EV_READ);
  for (LoopThread &loop : loops) loop.Barrier();
  for (struct bufferevent *half : halves) bufferevent_free(half);
  for (struct bufferevent *end : ends) bufferevent_free(end);
}

bool HasUnread(evutil_socket_t fd) {
  char byte;
  ssize_t len;
  do {
    len = recv(fd, &byte, 1, MSG_PEEK);
  } while (len < 0 && errno == EINTR);
  return len > 0;
}

TEST_P(Threads, SocketChangedByAnotherThread) {
  if (OnCompletions()) GTEST_SKIP();  // What was received and not delivered goes with the socket.
  Pair pairs[2] = {Pair(), Pair()};
  Sink sink(4);
  LoopThread loop;
  struct bufferevent *bev = New(loop, pairs[0][0]);
  bufferevent_setcb(bev, Sink::OnRead, nullptr, Sink::OnEvent, &sink);
  bufferevent_enable(bev, EV_READ);
  for (int i = 0; i < 200; i++) {
    bufferevent_setfd(bev, i % 3 == 2 ? -1 : pairs[i % 2][0]);
    if (i % 50 == 49) pairs[i / 50 % 2].Send("x");
  }
  for (const Pair &pair : pairs) {
    bufferevent_setfd(bev, pair[0]);
    do {
      loop.Barrier();
    } while (HasUnread(pair[0]));
  }
  EXPECT_TRUE(sink.complete.Wait());
  EXPECT_EQ(4u, sink.received_len);
  EXPECT_FALSE(sink.has_ended);
  bufferevent_free(bev);
}

}  // namespace
