// What the tests of net/ share. Header only and written against the public API alone, so that the
// same source is built against strata and against the installed libevent.
#ifndef NET_TEST_SUPPORT_H_
#define NET_TEST_SUPPORT_H_

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

// True when this build is linked with the installed libevent. A test that strata passes in a way
// of its own asks this, and says why.
#if defined(STRATA_ORACLE) && STRATA_ORACLE
constexpr bool kOnLibevent = true;
#else
constexpr bool kOnLibevent = false;
#endif

inline struct timeval Ms(long ms) {
  struct timeval tv;
  tv.tv_sec = ms / 1000;
  tv.tv_usec = (ms % 1000) * 1000;
  return tv;
}

inline long long WallUsec() {
  struct timeval tv;
  evutil_gettimeofday(&tv, nullptr);
  return static_cast<long long>(tv.tv_sec) * 1000000 + tv.tv_usec;
}

// Drops log messages while it lives, for tests that provoke warnings.
class QuietLog {
 public:
  QuietLog() { event_set_log_callback(Ignore); }
  ~QuietLog() { event_set_log_callback(nullptr); }

 private:
  static void Ignore(int, const char *) {}
};

// An event base, freed with the object.
class Loop {
 public:
  Loop() : base_(event_base_new()) {
    EXPECT_NE(nullptr, base_);
    signal(SIGPIPE, SIG_IGN);  // As every libevent program does that writes to sockets.
  }
  ~Loop() {
    if (base_ != nullptr) event_base_free(base_);
  }
  Loop(const Loop &) = delete;
  Loop &operator=(const Loop &) = delete;

  operator struct event_base *() const { return base_; }

  // Runs the loop until done() holds; false when that takes longer than any healthy run would.
  bool RunUntil(const std::function<bool()> &done, long limit_ms = 20000) {
    bool expired = false;
    struct event *guard = event_new(
        base_, -1, 0, [](evutil_socket_t, short, void *arg) { *static_cast<bool *>(arg) = true; },
        &expired);
    const struct timeval limit = Ms(limit_ms);
    event_add(guard, &limit);
    while (!done() && !expired) {
      if (event_base_loop(base_, EVLOOP_ONCE) == -1) break;
    }
    event_free(guard);
    return done();
  }

  // Several looks at the kernel without blocking, so that every edge which is there has been
  // reported. Something is pending throughout: an empty loop would not look at all.
  void Settle(int turns = 5) {
    struct event *guard = event_new(
        base_, -1, 0, [](evutil_socket_t, short, void *) {}, nullptr);
    const struct timeval hour = Ms(3600000);
    event_add(guard, &hour);
    for (int i = 0; i < turns; i++) event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    event_free(guard);
  }

 private:
  struct event_base *base_;
};

// Waits outside the loop until the kernel reports one of the conditions (POLLIN, ...) on fd.
inline bool WaitFor(evutil_socket_t fd, short conditions) {
  struct pollfd p = {fd, conditions, 0};
  return poll(&p, 1, 20000) == 1;
}

inline struct sockaddr_in Loopback(int port = 0) {
  struct sockaddr_in sin;
  memset(&sin, 0, sizeof(sin));
  sin.sin_family = AF_INET;
  sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sin.sin_port = htons(static_cast<uint16_t>(port));
  return sin;
}

// The address that a bound socket got.
inline struct sockaddr_in AddressOf(evutil_socket_t fd) {
  struct sockaddr_in sin;
  socklen_t len = sizeof(sin);
  EXPECT_EQ(0, getsockname(fd, reinterpret_cast<struct sockaddr *>(&sin), &len));
  return sin;
}

// A TCP socket listening on a loopback port of the kernel's choice.
inline evutil_socket_t Listen() {
  const evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in sin = Loopback();
  EXPECT_EQ(0, bind(fd, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
  EXPECT_EQ(0, listen(fd, 128));
  return fd;
}

inline evutil_socket_t ConnectTo(const struct sockaddr_in &sin) {
  const evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(0, connect(fd, reinterpret_cast<const struct sockaddr *>(&sin), sizeof(sin)));
  return fd;
}

// Two connected non-blocking stream sockets: [0] is for the library, [1] is the test's end.
class Pair {
 public:
  explicit Pair(bool tcp = false) : tcp_(tcp) {
    if (tcp) {
      const evutil_socket_t listener = Listen();
      fd_[1] = ConnectTo(AddressOf(listener));
      fd_[0] = accept(listener, nullptr, nullptr);
      EXPECT_GE(fd_[0], 0);
      evutil_closesocket(listener);
      const int on = 1;
      for (const evutil_socket_t fd : fd_) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      }
    } else {
      EXPECT_EQ(0, evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, fd_));
    }
    for (const evutil_socket_t fd : fd_) EXPECT_EQ(0, evutil_make_socket_nonblocking(fd));
  }
  ~Pair() {
    Close(0);
    Close(1);
  }
  Pair(const Pair &) = delete;
  Pair &operator=(const Pair &) = delete;

  evutil_socket_t operator[](int i) const { return fd_[i]; }

  // Sends from the test's end, as much as the kernel takes; returns how much that was.
  size_t Send(const std::string &bytes) {
    size_t sent_len = 0;
    while (sent_len < bytes.size()) {
      const ssize_t len =
          send(fd_[1], bytes.data() + sent_len, bytes.size() - sent_len, MSG_NOSIGNAL);
      if (len <= 0) break;
      sent_len += static_cast<size_t>(len);
    }
    return sent_len;
  }
  // Takes from the test's end what is there, up to limit_len bytes.
  std::string Recv(size_t limit_len = 1 << 20) {
    std::string bytes;
    char block[16384];
    while (bytes.size() < limit_len) {
      const size_t want_len = std::min(sizeof(block), limit_len - bytes.size());
      const ssize_t len = recv(fd_[1], block, want_len, 0);
      if (len <= 0) break;
      bytes.append(block, static_cast<size_t>(len));
    }
    return bytes;
  }
  void ShutdownWrite() { EXPECT_EQ(0, shutdown(fd_[1], SHUT_WR)); }
  // Closes the test's end so that the other end sees ECONNRESET: by a RST, or, on a Unix socket,
  // by leaving something unread.
  void Reset() {
    if (tcp_) {
      const struct linger hard = {1, 0};
      setsockopt(fd_[1], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    } else {
      // Where this finds no room, unread bytes are there already.
      EXPECT_TRUE(send(fd_[0], "!", 1, MSG_NOSIGNAL) == 1 || errno == EAGAIN);
    }
    Close(1);
  }
  void Close(int i) {
    if (fd_[i] >= 0) evutil_closesocket(fd_[i]);
    fd_[i] = -1;
  }
  // Gives the descriptor away: the object closes it no more.
  evutil_socket_t Release(int i) { return std::exchange(fd_[i], -1); }

 private:
  bool tcp_;
  evutil_socket_t fd_[2] = {-1, -1};
};

// A socket bufferevent that records what happens to it, and complains when a callback runs inside
// one of the calls below.
class Bev {
 public:
  Bev(struct event_base *base, evutil_socket_t fd, int options = 0)
      : bev_(bufferevent_socket_new(base, fd, options)) {
    EXPECT_NE(nullptr, bev_);
    SetCallbacks();
  }
  ~Bev() { Free(); }
  Bev(const Bev &) = delete;
  Bev &operator=(const Bev &) = delete;

  struct bufferevent *get() const {
    return bev_;
  }
  operator struct bufferevent *() const { return bev_; }
  struct evbuffer *input() const {
    return bufferevent_get_input(bev_);
  }
  struct evbuffer *output() const {
    return bufferevent_get_output(bev_);
  }
  size_t input_len() const { return evbuffer_get_length(input()); }
  size_t output_len() const { return evbuffer_get_length(output()); }

  void SetCallbacks() { bufferevent_setcb(bev_, OnRead, OnWrite, OnEvent, this); }
  // Leaves input alone from now on. No read callback at all: libevent calls one that leaves the
  // input at its high watermark again and again.
  void StopTaking() { bufferevent_setcb(bev_, nullptr, OnWrite, OnEvent, this); }
  void Free() {
    if (bev_ != nullptr) bufferevent_free(std::exchange(bev_, nullptr));
  }

  // Calls that must not call back.
  int Enable(short what) {
    const Inside inside(this);
    return bufferevent_enable(bev_, what);
  }
  int Disable(short what) {
    const Inside inside(this);
    return bufferevent_disable(bev_, what);
  }
  int SetFd(evutil_socket_t fd) {
    const Inside inside(this);
    return bufferevent_setfd(bev_, fd);
  }
  void Watermark(short what, size_t low, size_t high) {
    const Inside inside(this);
    bufferevent_setwatermark(bev_, what, low, high);
  }
  int Write(const std::string &bytes) {
    const Inside inside(this);
    return bufferevent_write(bev_, bytes.data(), bytes.size());
  }
  // Moves up to limit_len bytes of input to `received`.
  void Take(size_t limit_len = SIZE_MAX) {
    const Inside inside(this);
    char block[16384];
    while (limit_len > 0) {
      const size_t len = bufferevent_read(bev_, block, std::min(sizeof(block), limit_len));
      if (len == 0) break;
      received.append(block, len);
      limit_len -= len;
    }
  }

  std::string received;
  std::vector<short> events;  // What every event callback said.
  std::vector<int> errors;    // EVUTIL_SOCKET_ERROR() at each of them.
  int reads = 0;
  int writes = 0;
  std::function<void()> on_read;
  std::function<void()> on_write;
  std::function<void(short)> on_event;

 private:
  struct Inside {
    explicit Inside(Bev *owner) : bev(owner) { bev->inside_++; }
    ~Inside() { bev->inside_--; }
    Bev *bev;
  };

  static void OnRead(struct bufferevent *, void *arg) {
    Bev *self = static_cast<Bev *>(arg);
    EXPECT_EQ(0, self->inside_) << "read callback inside a call";
    self->reads++;
    self->Take();
    if (self->on_read) self->on_read();
  }
  static void OnWrite(struct bufferevent *, void *arg) {
    Bev *self = static_cast<Bev *>(arg);
    EXPECT_EQ(0, self->inside_) << "write callback inside a call";
    self->writes++;
    if (self->on_write) self->on_write();
  }
  static void OnEvent(struct bufferevent *, short what, void *arg) {
    Bev *self = static_cast<Bev *>(arg);
    self->errors.push_back(EVUTIL_SOCKET_ERROR());
    EXPECT_EQ(0, self->inside_) << "event callback inside a call";
    self->events.push_back(what);
    if (self->on_event) self->on_event(what);
  }

  struct bufferevent *bev_;
  int inside_ = 0;
};

// The flavours that most suites run in: both socket families, callbacks at once or deferred.
struct Kind {
  const char *name;
  bool tcp;
  int options;
};

const Kind kKinds[] = {
    {"Unix", false, 0},
    {"Tcp", true, 0},
    {"UnixDeferred", false, BEV_OPT_DEFER_CALLBACKS},
    {"TcpDeferred", true, BEV_OPT_DEFER_CALLBACKS},
};

inline void PrintTo(const Kind &kind, std::ostream *out) {
  *out << kind.name;
}
inline std::string KindName(const ::testing::TestParamInfo<Kind> &info) {
  return info.param.name;
}

const short kEof = BEV_EVENT_READING | BEV_EVENT_EOF;

// Reads from the test's end until len bytes have come, while the loop runs.
inline bool Drain(Loop *loop, Pair *pair, std::string *out_bytes, size_t len) {
  return loop->RunUntil([&] {
    *out_bytes += pair->Recv();
    // RunUntil blocks for an event: let the clock provide one.
    const struct timeval soon = {0, 500};
    event_base_once(
        *loop, -1, EV_TIMEOUT, [](evutil_socket_t, short, void *) {}, nullptr, &soon);
    return out_bytes->size() >= len;
  });
}

// Bytes in which a lost, doubled or moved block shows.
inline std::string Pattern(size_t len, unsigned seed = 1) {
  std::string bytes(len, '\0');
  unsigned state = seed * 2654435761u + 12345u;
  for (char &c : bytes) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

#endif  // NET_TEST_SUPPORT_H_
