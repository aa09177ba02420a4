// Out of memory at every allocation in turn, and no allocations at all where none are needed.
//
// A sweep makes the n-th allocation of a scenario fail, for every n, alone or with a few after it.
// A call may fail then and is made again; what was accepted must arrive, and nothing may leak.
// libevent is not put to this: it does not stand it.
#include <event2/listener.h>

#include <deque>
#include <memory>

#include "net/test_support.h"
#include "util/testing/counting_memory.h"
#include "util/testing/port_threads.h"

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kUnderAsan = true;  // Buffers then return every block to the allocator.
#else
constexpr bool kUnderAsan = false;
#endif

namespace {

// From the program's start on: a block must be freed by the allocator that made it.
const bool g_installed = [] {
  CountingMemory::Install(event_set_mem_functions);
  return true;
}();

#ifdef _WIN32
int NumOpenDescriptors() {
  int num_open = 0;
  for (intptr_t fd = 0; fd < 4096; fd += 4) num_open += posix_names::IsSocket(fd);
  return num_open;
}
#else
int NumOpenDescriptors() {
  int num_open = 0;
  for (int fd = 0; fd < 256; fd++) num_open += fcntl(fd, F_GETFD) != -1;
  return num_open;
}
#endif

// A base whose own allocations do not fail, and turns of its loop without blocking.
class Turns {
 public:
  Turns()
      : base_(event_base_new()),
        tick_(event_new(
            base_, -1, EV_PERSIST, [](evutil_socket_t, short, void *) {}, nullptr)) {}
  ~Turns() {
    CountingMemory::StopFailing();
    event_free(tick_);
    event_base_free(base_);
  }
  operator struct event_base *() const { return base_; }
  // Calls step() between turns until it says that it is done; false after far too long.
  bool Until(const std::function<bool()> &step) {
    const long long begin = WallUsec();
    while (WallUsec() - begin < 20000000) {
      if (step()) return true;
      event_active(tick_, EV_TIMEOUT, 1);  // An empty loop would not look at the kernel.
      event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
    return false;
  }

 private:
  struct event_base *base_;
  struct event *tick_;
};

// Runs the scenario without failures, then with each allocation failing.
void Sweep(const std::function<void(struct event_base *, Turns *)> &scenario) {
  if (kOnLibevent) GTEST_SKIP();
  const QuietLog quiet;
  ASSERT_TRUE(g_installed);
#ifdef _WIN32
  (void)evutil_socket_error_to_string(WSA_NOT_ENOUGH_MEMORY);  // A text that is made is kept.
#endif
  for (const long num_failing : {1L, 2L, 5L}) {
    for (long n = 0; n < 2000; n++) {
      SCOPED_TRACE(::testing::Message() << "allocation " << n << ", " << num_failing << " failing");
      const long num_blocks = CountingMemory::num_blocks();
      const int num_open = NumOpenDescriptors();
      bool was_reached;
      {
        Turns turns;
        CountingMemory::Begin(n, num_failing);
        scenario(turns, &turns);
        was_reached = CountingMemory::num_calls() >= n;
      }
      ASSERT_EQ(num_blocks, CountingMemory::num_blocks());
      ASSERT_EQ(num_open, NumOpenDescriptors());
      ASSERT_FALSE(::testing::Test::HasFailure());
      if (!was_reached) break;
    }
  }
}

// ---- Ends of a stream that stand failures ----

// A bufferevent, made anew until it is there, that enables what an error has disabled and goes on.
class Endpoint {
 public:
  Endpoint(struct event_base *base, evutil_socket_t fd, int options) {
    while (bev_ == nullptr) bev_ = bufferevent_socket_new(base, fd, options);
    bufferevent_setcb(bev_, OnRead, nullptr, OnEvent, this);
  }
  virtual ~Endpoint() { bufferevent_free(bev_); }
  Endpoint(const Endpoint &) = delete;
  Endpoint &operator=(const Endpoint &) = delete;

  struct bufferevent *bev() const {
    return bev_;
  }
  // Repeats what failed.
  virtual void Step() {
    if (to_enable_ != 0 && bufferevent_enable(bev_, to_enable_) == 0) to_enable_ = 0;
    if (has_input_) {
      has_input_ = false;
      TakeInput();
    }
  }
  void Enable(short directions) { to_enable_ = static_cast<short>(to_enable_ | directions); }
  bool has_ended() const { return has_ended_; }
  bool is_connected() const { return is_connected_; }
  bool has_failed() const { return has_failed_; }
  void Forget() { has_failed_ = false; }

 protected:
  // Called where allocations fail: repeats itself through has_input_.
  virtual void TakeInput() = 0;
  bool has_input_ = false;

 private:
  static void OnRead(struct bufferevent *, void *arg) { static_cast<Endpoint *>(arg)->TakeInput(); }
  static void OnEvent(struct bufferevent *, short what, void *arg) {
    Endpoint *self = static_cast<Endpoint *>(arg);
    if (what & BEV_EVENT_EOF) self->has_ended_ = true;
    if (what & BEV_EVENT_CONNECTED) self->is_connected_ = true;
    if (!(what & BEV_EVENT_ERROR)) return;
    EXPECT_EQ(kNoMemory, SocketError());
    self->has_failed_ = true;
    if (what & BEV_EVENT_READING) self->Enable(EV_READ);
    if (what & BEV_EVENT_WRITING) self->Enable(EV_WRITE);
  }

  struct bufferevent *bev_ = nullptr;
  short to_enable_ = 0;
  bool has_ended_ = false;
  bool is_connected_ = false;
  bool has_failed_ = false;
};

class Echo : public Endpoint {
 public:
  using Endpoint::Endpoint;

 private:
  void TakeInput() override {
    if (bufferevent_read_buffer(bev(), bufferevent_get_output(bev())) < 0) has_input_ = true;
  }
};

// Sends a text in pieces, as far as they are accepted, and collects what comes back.
class Talker : public Endpoint {
 public:
  using Endpoint::Endpoint;
  void Say(const std::string &text, size_t piece_len) {
    for (size_t at = 0; at < text.size(); at += piece_len)
      pieces_.push_back(text.substr(at, piece_len));
  }
  void Step() override {
    Endpoint::Step();
    while (!pieces_.empty() &&
           bufferevent_write(bev(), pieces_.front().data(), pieces_.front().size()) == 0) {
      pieces_.pop_front();
    }
  }
  std::string heard;

 private:
  void TakeInput() override {
    char block[4096];
    for (size_t len; (len = bufferevent_read(bev(), block, sizeof(block))) > 0;) {
      heard.append(block, len);
    }
  }
  std::deque<std::string> pieces_;
};

const int kAllOptions[] = {0, BEV_OPT_DEFER_CALLBACKS};

// ---- Sweeps ----

TEST(MemorySweep, NewAndFree) {
  Sweep([](struct event_base *base, Turns *) {
    Pair pair;
    for (const int options : kAllOptions) {
      struct bufferevent *bev =
          bufferevent_socket_new(base, pair[0], options | BEV_OPT_CLOSE_ON_FREE);
      if (bev == nullptr) {
        EXPECT_NE(-1, fcntl(pair[0], F_GETFD));  // Still the caller's.
        continue;
      }
      pair.Release(0);
      bufferevent_free(bev);
      return;
    }
  });
}

TEST(MemorySweep, SettingUp) {
  Sweep([](struct event_base *base, Turns *turns) {
    Pair pair;
    struct bufferevent *bev = bufferevent_socket_new(base, pair[0], 0);
    if (bev == nullptr) return;
    const struct timeval hour = Ms(3600000);
    // A failed call has changed nothing, and may be repeated.
    if (bufferevent_set_timeouts(bev, &hour, &hour) < 0) {
      EXPECT_EQ(0, bufferevent_set_timeouts(bev, nullptr, nullptr));
    }
    bufferevent_setwatermark(bev, EV_READ, 0, 10);
    if (bufferevent_enable(bev, EV_READ) < 0) {
      EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(bev));
    } else {
      EXPECT_EQ(EV_READ | EV_WRITE, bufferevent_get_enabled(bev));
    }
    if (bufferevent_write(bev, "abc", 3) < 0) {
      EXPECT_EQ(0u, evbuffer_get_length(bufferevent_get_output(bev)));
    } else {
      EXPECT_EQ(3u, evbuffer_get_length(bufferevent_get_output(bev)));
    }
    EXPECT_TRUE(turns->Until([] { return true; }));
    bufferevent_free(bev);
  });
}

void EchoOverAPair(int options, bool with_timeouts) {
  const std::string text = Pattern(30000);
  Sweep([&](struct event_base *base, Turns *turns) {
    Pair pair;
    Echo echo(base, pair[0], options);
    Talker talker(base, pair[1], options);
    if (with_timeouts) {
      const struct timeval hour = Ms(3600000);
      while (bufferevent_set_timeouts(echo.bev(), &hour, &hour) < 0) continue;
      while (bufferevent_set_timeouts(talker.bev(), &hour, &hour) < 0) continue;
    }
    bufferevent_setwatermark(echo.bev(), EV_READ, 0, 7000);
    echo.Enable(EV_READ);
    talker.Enable(EV_READ);
    talker.Say(text, 1000);
    EXPECT_TRUE(turns->Until([&] {
      echo.Step();
      talker.Step();
      return talker.heard.size() >= text.size();
    }));
    EXPECT_TRUE(text == talker.heard) << talker.heard.size();
  });
}

TEST(MemorySweep, Echo) {
  EchoOverAPair(0, false);
}
TEST(MemorySweep, EchoDeferred) {
  EchoOverAPair(BEV_OPT_DEFER_CALLBACKS, false);
}
TEST(MemorySweep, EchoWithTimeouts) {
  EchoOverAPair(0, true);
}

// Nobody asks again after bufferevent_write() has accepted the bytes: either they are sent or the
// event callback hears of it.
TEST(MemorySweep, AcceptedBytesAreSentOrReported) {
  Sweep([](struct event_base *base, Turns *turns) {
    Pair pair;
    struct bufferevent *bev = bufferevent_socket_new(base, pair[0], 0);
    if (bev == nullptr) return;
    short events = 0;
    bufferevent_setcb(
        bev, nullptr, nullptr,
        [](struct bufferevent *, short what, void *arg) { *static_cast<short *>(arg) |= what; },
        &events);
    if (bufferevent_write(bev, "abc", 3) == 0) {
      std::string got;
      EXPECT_TRUE(turns->Until([&] {
        got += pair.Recv();
        return got.size() == 3 || events != 0;
      }));
      if (events != 0) {
        EXPECT_EQ(BEV_EVENT_WRITING | BEV_EVENT_ERROR, events);
        EXPECT_TRUE(turns->Until([&] {
          // What was enabled may fail anew in the loop, when more than one allocation fails.
          if (events != 0 && bufferevent_enable(bev, EV_WRITE) == 0) events = 0;
          got += pair.Recv();
          return got.size() == 3;
        }));
      }
      EXPECT_EQ("abc", got);
    }
    bufferevent_free(bev);
  });
}

TEST(MemorySweep, ReadTimeoutsComeOrAreRefused) {
  Sweep([](struct event_base *base, Turns *turns) {
    Pair pair;
    struct bufferevent *bev = bufferevent_socket_new(base, pair[0], 0);
    if (bev == nullptr) return;
    short events = 0;
    bufferevent_setcb(
        bev, nullptr, nullptr,
        [](struct bufferevent *, short what, void *arg) { *static_cast<short *>(arg) |= what; },
        &events);
    const struct timeval soon = Ms(2);
    const bool is_set = bufferevent_set_timeouts(bev, &soon, nullptr) == 0;
    const bool is_enabled = bufferevent_enable(bev, EV_READ) == 0;
    if (is_set && is_enabled) {
      EXPECT_TRUE(turns->Until([&] { return events != 0; }));
      EXPECT_TRUE(events == (BEV_EVENT_READING | BEV_EVENT_TIMEOUT) ||
                  events == (BEV_EVENT_READING | BEV_EVENT_ERROR));
    }
    bufferevent_free(bev);
  });
}

// A timeout that can't be watched over takes its direction with it, and not the other.
TEST(MemorySweep, TimeoutsOfOneDirection) {
  Sweep([](struct event_base *base, Turns *turns) {
    struct bufferevent *pair[2];
    if (bufferevent_pair_new(base, 0, pair) < 0) return;
    short events = 0;
    bufferevent_setcb(
        pair[0], nullptr, nullptr,
        [](struct bufferevent *, short what, void *arg) { *static_cast<short *>(arg) |= what; },
        &events);
    const struct timeval hour = Ms(3600000);
    // The partner does not read, so that the output waits.
    if (bufferevent_enable(pair[0], EV_READ) == 0 &&
        bufferevent_set_timeouts(pair[0], nullptr, &hour) == 0 &&
        bufferevent_write(pair[0], "abc", 3) == 0) {
      EXPECT_TRUE(turns->Until([num_turns = 0]() mutable { return num_turns++ == 3; }));
      EXPECT_TRUE(events == 0 || events == (BEV_EVENT_WRITING | BEV_EVENT_ERROR)) << events;
      EXPECT_EQ(events != 0 ? EV_READ : EV_READ | EV_WRITE, bufferevent_get_enabled(pair[0]));
    }
    for (struct bufferevent *bev : pair) bufferevent_free(bev);
  });
}

struct Accepted {
  std::vector<std::unique_ptr<Echo>> echoes;

  static void OnAccept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    Accepted *self = static_cast<Accepted *>(arg);
    self->echoes.push_back(
        std::make_unique<Echo>(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE));
    self->echoes.back()->Enable(EV_READ);
  }
  void Step() {
    for (const auto &echo : echoes) echo->Step();
  }
};

// Listener, connect and echo together.
TEST(MemorySweep, ConnectAndAccept) {
  const std::string text = Pattern(3000);
  Sweep([&](struct event_base *base, Turns *turns) {
    Accepted accepted;
    const struct sockaddr_in any = Loopback();
    struct evconnlistener *listener = nullptr;
    while (listener == nullptr) {
      listener =
          evconnlistener_new_bind(base, Accepted::OnAccept, &accepted, LEV_OPT_CLOSE_ON_FREE, -1,
                                  reinterpret_cast<const struct sockaddr *>(&any), sizeof(any));
    }
    const struct sockaddr_in sin = AddressOf(evconnlistener_get_fd(listener));
    Talker talker(base, -1, BEV_OPT_CLOSE_ON_FREE);
    talker.Enable(EV_READ);
    talker.Say(text, 700);
    while (bufferevent_socket_connect(talker.bev(), reinterpret_cast<const struct sockaddr *>(&sin),
                                      sizeof(sin)) < 0) {
      EXPECT_EQ(-1, bufferevent_getfd(talker.bev()));  // Its own socket is closed again.
    }
    EXPECT_TRUE(turns->Until([&] {
      talker.Step();
      accepted.Step();
      return talker.heard.size() >= text.size();
    }));
    EXPECT_TRUE(talker.is_connected());
    EXPECT_TRUE(text == talker.heard);
    evconnlistener_free(listener);
  });
}

TEST(MemorySweep, ListenerSwitchedOnAndOff) {
  Sweep([](struct event_base *base, Turns *turns) {
    Accepted accepted;
    const struct sockaddr_in any = Loopback();
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, Accepted::OnAccept, &accepted, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_DISABLED, -1,
        reinterpret_cast<const struct sockaddr *>(&any), sizeof(any));
    if (listener == nullptr) return;
    while (evconnlistener_enable(listener) < 0) continue;
    EXPECT_EQ(0, evconnlistener_disable(listener));
    while (evconnlistener_enable(listener) < 0) continue;
    const evutil_socket_t client = ConnectTo(AddressOf(evconnlistener_get_fd(listener)));
    EXPECT_TRUE(turns->Until([&] { return accepted.echoes.size() == 1; }));
    evutil_closesocket(client);
    evconnlistener_free(listener);
  });
}

// ---- The steady state ----

struct PingPong {
  int num_rounds = 0;
  size_t message_len = 0;
};

// Sends back whole messages as they arrive.
void Return(struct bufferevent *bev, void *arg) {
  PingPong *game = static_cast<PingPong *>(arg);
  if (evbuffer_get_length(bufferevent_get_input(bev)) < game->message_len) return;
  game->num_rounds++;
  bufferevent_write_buffer(bev, bufferevent_get_input(bev));
}

// A port's threads receive sometimes further ahead than ever before: for each end memory for so
// many pieces, and as many chains.
long MaxReceivedAhead() {
  return HasPortThreads() ? 2 * 2 * 5 : 0;
}

void ExpectNoAllocations(int options, size_t message_len, bool with_timeouts, bool tcp) {
  if (kOnLibevent || kUnderAsan) GTEST_SKIP();
  SCOPED_TRACE(::testing::Message()
               << options << ' ' << message_len << ' ' << with_timeouts << tcp);
  Loop loop;
  Pair pair(tcp);
  PingPong game;
  game.message_len = message_len;
  struct bufferevent *bevs[2];
  for (int i = 0; i < 2; i++) {
    bevs[i] = bufferevent_socket_new(loop, pair[i], options);
    bufferevent_setcb(bevs[i], Return, nullptr, nullptr, &game);
    const struct timeval hour = Ms(3600000);
    if (with_timeouts) bufferevent_set_timeouts(bevs[i], &hour, &hour);
    bufferevent_enable(bevs[i], EV_READ);
  }
  const std::string message = Pattern(message_len);
  bufferevent_write(bevs[0], message.data(), message.size());
  EXPECT_TRUE(loop.RunUntil([&] { return game.num_rounds >= 200; }));
  const int before = game.num_rounds;
  const int num_rounds = kHasUnixSockets ? 2000 : 300;  // A round is long where all is TCP.
  long num_calls = -1;
  EXPECT_TRUE(loop.RunUntil([&] {
    if (game.num_rounds < before + 10) CountingMemory::Begin();
    num_calls = CountingMemory::num_calls();
    return game.num_rounds >= before + num_rounds;
  }));
  EXPECT_LE(num_calls, MaxReceivedAhead());
  for (struct bufferevent *bev : bevs) bufferevent_free(bev);
}

TEST(SteadyState, PingPongAllocatesNothing) {
  for (const int options : kAllOptions) {
    for (const size_t message_len : {size_t{1}, size_t{100}, size_t{2000}, size_t{5000}}) {
      for (const bool with_timeouts : {false, true}) {
        for (const bool tcp : {false, true}) {
          ExpectNoAllocations(options, message_len, with_timeouts, tcp);
          if (::testing::Test::IsSkipped()) return;
        }
      }
    }
  }
}

}  // namespace
