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
#include <stdlib.h>
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

#include "loop/loop_testing.h"

#ifdef _WIN32
// Every socket is one of TCP there.
constexpr bool kHasUnixSockets = false;

// EVUTIL_SOCKET_ERROR(), in errno's numbers.
inline int SocketError() {
  return posix_names::PosixError(EVUTIL_SOCKET_ERROR());
}

// What it is when there was no memory.
const int kNoMemory = ENOBUFS;

// Wine shuts a socket down before it closes it: what was to be a reset may look like an end of the
// data.
inline bool ResetsLookLikeEnds() {
  return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != nullptr;
}
#else
constexpr bool kHasUnixSockets = true;

inline int SocketError() {
  return EVUTIL_SOCKET_ERROR();
}

const int kNoMemory = ENOMEM;

inline bool ResetsLookLikeEnds() {
  return false;
}

// As every libevent program has it that writes to sockets.
inline const bool kIgnoresSigpipe = signal(SIGPIPE, SIG_IGN) != SIG_ERR;
#endif

// Waits outside the loop until the kernel reports one of the conditions (POLLIN, ...) on fd.
inline bool WaitFor(evutil_socket_t fd, short conditions) {
  struct pollfd p = {};
  p.fd = fd;
  p.events = static_cast<short>(conditions & ~(POLLERR | POLLHUP));  // Told unasked.
  return poll(&p, 1, 20000) == 1;
}

// The suite runs over a completion port. A bufferevent's receive, once launched, takes bytes from
// its socket as they come, though reading may have been disabled since; it keeps them until they
// are wanted, but they do not come back into the socket.
inline bool OnCompletions() {
  return !kOnLibevent && getenv("EVENT_COMPLETION") != nullptr;
}

// WaitFor(POLLIN) on a bufferevent's own socket, from which they may be gone already.
inline bool WaitForArrival(evutil_socket_t fd) {
  return OnCompletions() || WaitFor(fd, POLLIN);
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

// Listens with a full queue: Linux drops the SYN of whoever connects.
class SilentListener {
 public:
  SilentListener() {
    struct sockaddr_in sin = Loopback();
    EXPECT_EQ(0, bind(fd_, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
    EXPECT_EQ(0, listen(fd_, 0));
    sin = address();
    for (evutil_socket_t &filler : fillers_) {
      filler = socket(AF_INET, SOCK_STREAM, 0);
      evutil_make_socket_nonblocking(filler);
      connect(filler, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin));
    }
    EXPECT_TRUE(WaitFor(fd_, POLLIN));
  }
  ~SilentListener() {
    for (const evutil_socket_t filler : fillers_) evutil_closesocket(filler);
    evutil_closesocket(fd_);
  }
  struct sockaddr_in address() const {
    return AddressOf(fd_);
  }

 private:
  const evutil_socket_t fd_ = socket(AF_INET, SOCK_STREAM, 0);
  evutil_socket_t fillers_[4];
};

inline SocketPair::Descriptors OpenTcp() {
  const evutil_socket_t listener = Listen();
  const evutil_socket_t client = ConnectTo(AddressOf(listener));
  const SocketPair::Descriptors fds = {accept(listener, nullptr, nullptr), client};
  EXPECT_GE(fds[0], 0);
  evutil_closesocket(listener);
  const int on = 1;
  for (const evutil_socket_t fd : fds) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fds;
}

// Two connected non-blocking stream sockets: [0] is for the library, [1] is the test's end.
class Pair : public SocketPair {
 public:
  Pair() = default;
  explicit Pair(bool tcp) : SocketPair(tcp ? OpenTcp() : OpenLocal()), tcp_(tcp) {}

  // Sends from the test's end, as much as the kernel takes; returns how much that was.
  size_t Send(const std::string &bytes) {
    size_t sent_len = 0;
    while (sent_len < bytes.size()) {
      const ssize_t len =
          send(end(), bytes.data() + sent_len, bytes.size() - sent_len, MSG_NOSIGNAL);
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
      const ssize_t len = recv(end(), block, want_len, 0);
      if (len <= 0) break;
      bytes.append(block, static_cast<size_t>(len));
    }
    return bytes;
  }
  void ShutdownWrite() { EXPECT_EQ(0, shutdown(end(), SHUT_WR)); }
  // Closes the test's end so that the other end sees ECONNRESET: by a RST, or, on a Unix socket,
  // by leaving something unread.
  void Reset() {
    if (tcp_ || !kHasUnixSockets) {
      const struct linger hard = {1, 0};
      setsockopt(end(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    } else {
      // Where this finds no room, unread bytes are there already.
      EXPECT_TRUE(send((*this)[0], "!", 1, MSG_NOSIGNAL) == 1 || errno == EAGAIN);
    }
    Close(1);
  }

 private:
  evutil_socket_t end() const { return (*this)[1]; }

  bool tcp_ = false;
};

// A bufferevent that records what happens to it, and complains when a callback runs inside one of
// the calls below.
class Bev {
 public:
  Bev(struct event_base *base, evutil_socket_t fd, int options = 0)
      : Bev(bufferevent_socket_new(base, fd, options)) {}
  // Takes over a bufferevent of any kind.
  explicit Bev(struct bufferevent *bev) : bev_(bev) {
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
  std::vector<int> errors;    // SocketError() at each of them.
  int reads = 0;
  int writes = 0;
  std::function<void()> on_read;
  std::function<void()> on_write;
  std::function<void(short)> on_event;
  bool may_call_inside = false;

 private:
  struct Inside {
    explicit Inside(Bev *owner) : bev(owner) { bev->inside_++; }
    ~Inside() { bev->inside_--; }
    Bev *bev;
  };

  static void OnRead(struct bufferevent *, void *arg) {
    Bev *self = static_cast<Bev *>(arg);
    EXPECT_TRUE(self->inside_ == 0 || self->may_call_inside) << "read callback inside a call";
    self->reads++;
    self->Take();
    if (self->on_read) self->on_read();
  }
  static void OnWrite(struct bufferevent *, void *arg) {
    Bev *self = static_cast<Bev *>(arg);
    EXPECT_TRUE(self->inside_ == 0 || self->may_call_inside) << "write callback inside a call";
    self->writes++;
    if (self->on_write) self->on_write();
  }
  static void OnEvent(struct bufferevent *, short what, void *arg) {
    Bev *self = static_cast<Bev *>(arg);
    self->errors.push_back(SocketError());
    EXPECT_TRUE(self->inside_ == 0 || self->may_call_inside) << "event callback inside a call";
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
