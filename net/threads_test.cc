// Bufferevents and listeners with locks, used by other threads while their loop runs. What these
// tests prove shows best under ThreadSanitizer.
#include <event2/listener.h>
#include <event2/thread.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "net/test_support.h"

namespace {

// Something that happens once, in whatever thread.
class Signal {
 public:
  void Set() {
    if (!is_set_.exchange(true)) promise_.set_value();
  }
  bool Wait() { return future_.wait_for(std::chrono::seconds(60)) == std::future_status::ready; }

 private:
  std::atomic<bool> is_set_{false};
  std::promise<void> promise_;
  std::future<void> future_ = promise_.get_future();
};

// A base whose loop runs in a thread of its own for as long as the object lives.
class Runner {
 public:
  Runner() : thread_([this] { event_base_loop(loop_, EVLOOP_NO_EXIT_ON_EMPTY); }) { Barrier(); }
  ~Runner() {
    event_base_loopbreak(loop_);
    thread_.join();
  }
  operator struct event_base *() const { return loop_; }
  // Returns when the loop has come around: whatever was queued before has run.
  void Barrier() {
    for (int i = 0; i < 2; i++) {
      Signal signal;
      const struct timeval now = {0, 0};
      event_base_once(
          loop_, -1, EV_TIMEOUT,
          [](evutil_socket_t, short, void *arg) { static_cast<Signal *>(arg)->Set(); }, &signal,
          &now);
      ASSERT_TRUE(signal.Wait());
    }
  }

 private:
  Loop loop_;
  std::thread thread_;
};

struct ThreadKind {
  const char *name;
  int options;
};
const ThreadKind kThreadKinds[] = {
    {"Locked", BEV_OPT_THREADSAFE},
    {"Deferred", BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS},
    {"Unlocked", BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS},
};
void PrintTo(const ThreadKind &kind, std::ostream *out) {
  *out << kind.name;
}

class Threads : public ::testing::TestWithParam<ThreadKind> {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(0, evthread_use_pthreads()); }

  struct bufferevent *New(struct event_base *base, evutil_socket_t fd, int more_options = 0) {
    struct bufferevent *bev = bufferevent_socket_new(base, fd, GetParam().options | more_options);
    EXPECT_NE(nullptr, bev);
    return bev;
  }
};

INSTANTIATE_TEST_SUITE_P(All, Threads, ::testing::ValuesIn(kThreadKinds),
                         [](const ::testing::TestParamInfo<ThreadKind> &info) {
                           return std::string(info.param.name);
                         });

// Counts what arrives.
struct Sink {
  explicit Sink(size_t expected) : expected_len(expected) {}
  const size_t expected_len;
  std::atomic<size_t> received_len{0};
  std::atomic<bool> has_ended{false};
  Signal complete;
  Signal ended;

  static void OnRead(struct bufferevent *bev, void *arg) {
    Sink *self = static_cast<Sink *>(arg);
    struct evbuffer *input = bufferevent_get_input(bev);
    const size_t len = evbuffer_get_length(input);
    evbuffer_drain(input, len);
    if ((self->received_len += len) >= self->expected_len) self->complete.Set();
  }
  static void OnEvent(struct bufferevent *, short what, void *arg) {
    Sink *self = static_cast<Sink *>(arg);
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
      self->has_ended = true;
      self->ended.Set();
    }
  }
};

void EchoBack(struct bufferevent *bev, void *) {
  bufferevent_write_buffer(bev, bufferevent_get_input(bev));
}

// ---- Writing, enabling, disabling ----

TEST_P(Threads, WritesAndTogglesWhileTheLoopEchoes) {
  const int kThreads = 3, kPieces = 400;
  const std::string piece = Pattern(150);
  Sink sink(kThreads * kPieces * piece.size());
  Pair pair;
  Runner loop;
  struct bufferevent *near = New(loop, pair[0]);
  struct bufferevent *far = New(loop, pair[1]);
  bufferevent_setcb(near, Sink::OnRead, nullptr, Sink::OnEvent, &sink);
  bufferevent_setcb(far, EchoBack, nullptr, nullptr, nullptr);
  bufferevent_enable(near, EV_READ);
  bufferevent_enable(far, EV_READ);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([&] {
      for (int n = 0; n < kPieces; n++) bufferevent_write(near, piece.data(), piece.size());
    });
  }
  threads.emplace_back([&] {
    for (int n = 0; n < 300; n++) {
      struct bufferevent *const bev = n % 2 ? near : far;
      const short direction = n % 3 ? EV_READ : EV_WRITE;
      bufferevent_disable(bev, direction);
      bufferevent_setwatermark(bev, EV_READ, 0, n % 5 * 100);
      bufferevent_enable(bev, direction);
    }
    for (struct bufferevent *bev : {near, far}) {
      bufferevent_setwatermark(bev, EV_READ, 0, 0);
      bufferevent_enable(bev, EV_READ | EV_WRITE);
    }
  });
  for (std::thread &thread : threads) thread.join();
  EXPECT_TRUE(sink.complete.Wait());
  EXPECT_EQ(sink.expected_len, sink.received_len);
  bufferevent_free(near);
  bufferevent_free(far);
}

TEST_P(Threads, TakingInputInAnotherThreadResumesReading) {
  const size_t kLen = 300000;
  const std::string bytes = Pattern(kLen);
  Pair pair;
  Runner loop;
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
    Signal running;
    event_base_once(
        loop, -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void *arg) { static_cast<Signal *>(arg)->Set(); }, &running,
        nullptr);
    Signal ended;
    std::thread thread([&] {
      EXPECT_EQ(1, event_base_dispatch(loop));
      ended.Set();
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
  Signal *complete = nullptr;
  size_t expected_len = 0;

  template <int kTag>
  static void OnRead(struct bufferevent *bev, void *arg) {
    Tagged *self = static_cast<Tagged *>(arg);
    EXPECT_EQ(kTag, self->tag);
    struct evbuffer *input = bufferevent_get_input(bev);
    const size_t len = evbuffer_get_length(input);
    evbuffer_drain(input, len);
    if ((*self->total += len) >= self->expected_len) self->complete->Set();
  }
};

TEST_P(Threads, CallbacksSetByAnotherThread) {
  // libevent reads callback and argument apart, without the lock, where callbacks are unlocked.
  if (kOnLibevent && (GetParam().options & BEV_OPT_UNLOCK_CALLBACKS)) GTEST_SKIP();
  const size_t kLen = 2000000;
  std::atomic<size_t> total{0};
  Signal complete;
  Tagged one(1), two(2);
  for (Tagged *tagged : {&one, &two}) {
    tagged->total = &total;
    tagged->complete = &complete;
    tagged->expected_len = kLen;
  }
  Pair pair;
  Runner loop;
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
  Runner loop;
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
  Runner loop;
  const std::string piece = Pattern(1000);
  for (int round = 0; round < 100; round++) {
    struct Victim {
      std::atomic<bool> is_freed{false};
      Signal called;
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
        self->called.Set();
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
  Runner loop;
  for (int round = 0; round < 50; round++) {
    struct Held {
      Signal freed;
      static void OnRead(struct bufferevent *bev, void *arg) {
        bufferevent_free(bev);
        static_cast<Held *>(arg)->freed.Set();
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
  Runner loop;
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
  Runner loops[2];
  Runner end_loop;
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
  for (Runner &loop : loops) loop.Barrier();
  for (struct bufferevent *half : halves) bufferevent_free(half);
  for (struct bufferevent *end : ends) bufferevent_free(end);
}

TEST_P(Threads, SocketChangedByAnotherThread) {
  Pair pairs[2] = {Pair(), Pair()};
  Sink sink(4);
  Runner loop;
  struct bufferevent *bev = New(loop, pairs[0][0]);
  bufferevent_setcb(bev, Sink::OnRead, nullptr, Sink::OnEvent, &sink);
  bufferevent_enable(bev, EV_READ);
  for (int i = 0; i < 200; i++) {
    bufferevent_setfd(bev, i % 3 == 2 ? -1 : pairs[i % 2][0]);
    if (i % 50 == 49) pairs[i / 50 % 2].Send("x");
  }
  for (const Pair &pair : pairs) {
    bufferevent_setfd(bev, pair[0]);
    loop.Barrier();
    loop.Barrier();
  }
  EXPECT_TRUE(sink.complete.Wait());
  EXPECT_EQ(4u, sink.received_len);
  EXPECT_FALSE(sink.has_ended);
  bufferevent_free(bev);
}

// ---- Listeners and many connections ----

// Serves each connection with an echo until its end.
struct Server {
  struct event_base *base = nullptr;
  int options = 0;
  std::atomic<int> num_accepted{0};
  std::atomic<int> num_ended{0};

  static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    Server *self = static_cast<Server *>(arg);
    self->num_accepted++;
    struct bufferevent *bev =
        bufferevent_socket_new(self->base, fd, self->options | BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(bev, EchoBack, nullptr, OnEvent, self);
    bufferevent_enable(bev, EV_READ);
  }
  static void OnEvent(struct bufferevent *bev, short what, void *arg) {
    if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))) return;
    static_cast<Server *>(arg)->num_ended++;
    bufferevent_free(bev);
  }
};

struct evconnlistener *NewListener(struct event_base *base, evconnlistener_cb callback, void *arg) {
  const struct sockaddr_in any = Loopback();
  struct evconnlistener *listener =
      evconnlistener_new_bind(base, callback, arg, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_THREADSAFE, 128,
                              reinterpret_cast<const struct sockaddr *>(&any), sizeof(any));
  EXPECT_NE(nullptr, listener);
  return listener;
}

// One connection of a client that blocks: sends a message and waits for its echo.
void TalkOnce(const struct sockaddr_in &sin) {
  const std::string message = Pattern(3000);
  const evutil_socket_t fd = ConnectTo(sin);
  EXPECT_EQ(static_cast<ssize_t>(message.size()), send(fd, message.data(), message.size(), 0));
  std::string echo(message.size(), '\0');
  size_t len = 0;
  while (len < echo.size()) {
    const ssize_t part_len = recv(fd, &echo[len], echo.size() - len, 0);
    if (part_len <= 0) break;
    len += static_cast<size_t>(part_len);
  }
  EXPECT_TRUE(message == echo) << len;
  evutil_closesocket(fd);
}

bool Eventually(const std::function<bool()> &done) {
  for (const long long begin = WallUsec(); WallUsec() - begin < 60000000;) {
    if (done()) return true;
    std::this_thread::yield();
  }
  return done();
}

TEST_P(Threads, ManyConnectionsFromManyThreads) {
  const int kThreads = 4, kConnections = 40;
  Server server;
  server.options = GetParam().options;
  Runner loop;
  server.base = loop;
  struct evconnlistener *listener = NewListener(loop, Server::OnAccept, &server);
  const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
  std::vector<std::thread> clients;
  for (int i = 0; i < kThreads; i++) {
    clients.emplace_back([&] {
      for (int n = 0; n < kConnections; n++) TalkOnce(sin);
    });
  }
  for (std::thread &client : clients) client.join();
  EXPECT_EQ(kThreads * kConnections, server.num_accepted);
  EXPECT_TRUE(Eventually([&] { return server.num_ended == kThreads * kConnections; }));
  evconnlistener_free(listener);
  loop.Barrier();
}

// Accepted in one loop and served in another.
TEST_P(Threads, ConnectionsHandedToAnotherLoop) {
  Server server;
  server.options = GetParam().options;
  Runner acceptor, worker;
  server.base = worker;
  struct evconnlistener *listener = NewListener(acceptor, Server::OnAccept, &server);
  const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
  for (int n = 0; n < 40; n++) TalkOnce(sin);
  EXPECT_TRUE(Eventually([&] { return server.num_ended == 40; }));
  evconnlistener_free(listener);
  acceptor.Barrier();
  worker.Barrier();
}

// libevent takes the listener's event away with the listener's lock held, and waits for the
// callback that is under way and wants that lock: it can hang in this and the next.
TEST_P(Threads, ListenerSwitchedByAnotherThread) {
  if (kOnLibevent) GTEST_SKIP();
  Server server;
  server.options = GetParam().options;
  Runner loop;
  server.base = loop;
  struct evconnlistener *listener = NewListener(loop, Server::OnAccept, &server);
  const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
  std::thread client([&] {
    for (int n = 0; n < 40; n++) TalkOnce(sin);
  });
  for (int n = 0; n < 200; n++) {
    evconnlistener_disable(listener);
    if (n % 3 == 0) evconnlistener_set_cb(listener, nullptr, nullptr);
    evconnlistener_set_cb(listener, Server::OnAccept, &server);
    evconnlistener_enable(listener);
  }
  client.join();
  EXPECT_EQ(40, server.num_accepted);
  EXPECT_TRUE(Eventually([&] { return server.num_ended == 40; }));
  evconnlistener_free(listener);
  loop.Barrier();
}

TEST_P(Threads, ListenerFreedByAnotherThread) {
  if (kOnLibevent) GTEST_SKIP();
  Runner loop;
  for (int round = 0; round < 40; round++) {
    struct Closer {
      Signal called;
      static void OnAccept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int,
                           void *arg) {
        evutil_closesocket(fd);
        static_cast<Closer *>(arg)->called.Set();
      }
    } closer;
    struct evconnlistener *listener = NewListener(loop, Closer::OnAccept, &closer);
    const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
    evutil_socket_t clients[5];
    for (evutil_socket_t &client : clients) client = ConnectTo(sin);
    if (round % 2) {
      EXPECT_TRUE(closer.called.Wait());
    }
    evconnlistener_free(listener);
    loop.Barrier();  // A callback that is under way refers to the object above.
    for (const evutil_socket_t client : clients) evutil_closesocket(client);
  }
}

}  // namespace
