// What the tests of the loop share. Header only and written against the public API alone, so that
// the same source is built against strata and against the installed libevent.
#ifndef LOOP_TEST_SUPPORT_H_
#define LOOP_TEST_SUPPORT_H_

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#ifndef _WIN32
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#endif

#include <cstring>
#include <functional>
#include <string>
#include <utility>

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

inline long long Usec(const struct timeval &tv) {
  return static_cast<long long>(tv.tv_sec) * 1000000 + tv.tv_usec;
}

inline long long WallUsec() {
  struct timeval tv;
  evutil_gettimeofday(&tv, nullptr);
  return Usec(tv);
}

// Burns time inside a callback, for tests about callbacks that are late or slow.
inline void SpinUntil(long long wall_usec) {
  while (WallUsec() < wall_usec) {
  }
}

// Drops log messages while it lives, for tests that provoke warnings.
class QuietLog {
 public:
  QuietLog() { event_set_log_callback(Ignore); }
  ~QuietLog() { event_set_log_callback(nullptr); }

 private:
  static void Ignore(int, const char *) {}
};

// An event that counts its calls and then runs a function. Freed with the object.
class Ev {
 public:
  typedef std::function<void(evutil_socket_t, short)> Fn;

  Ev(struct event_base *base, evutil_socket_t fd, short events, Fn fn = Fn())
      : fn_(std::move(fn)), ev_(event_new(base, fd, events, Run, this)) {
    EXPECT_NE(nullptr, ev_);
  }
  ~Ev() { Free(); }
  Ev(const Ev &) = delete;
  Ev &operator=(const Ev &) = delete;

  struct event *get() const {
    return ev_;
  }
  int Add() { return event_add(ev_, nullptr); }
  int AddMs(long ms) {
    const struct timeval tv = Ms(ms);
    return event_add(ev_, &tv);
  }
  int Del() { return event_del(ev_); }
  void Active(short what) { event_active(ev_, what, 1); }
  int Pending(short what) const { return event_pending(ev_, what, nullptr); }
  void Free() {
    if (ev_ != nullptr) event_free(ev_);
    ev_ = nullptr;
  }

  int calls = 0;
  short last_what = 0;
  evutil_socket_t last_fd = -2;

 private:
  static void Run(evutil_socket_t fd, short what, void *arg) {
    Ev *self = static_cast<Ev *>(arg);
    self->calls++;
    self->last_what = what;
    self->last_fd = fd;
    if (self->fn_) self->fn_(fd, what);
  }

  Fn fn_;
  struct event *ev_;
};

// An event base, freed with the object.
class Loop {
 public:
  Loop() : base_(event_base_new()) { EXPECT_NE(nullptr, base_); }
  explicit Loop(struct event_base *base) : base_(base) {}
  ~Loop() {
    if (base_ != nullptr) event_base_free(base_);
  }
  Loop(const Loop &) = delete;
  Loop &operator=(const Loop &) = delete;

  operator struct event_base *() const { return base_; }
  int Dispatch() { return event_base_dispatch(base_); }
  int Once() { return event_base_loop(base_, EVLOOP_ONCE); }
  // One look at the kernel without blocking, and the callbacks of what it found.
  int Turn() { return event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK); }

  // Runs the loop until done() holds; false when that takes longer than any healthy run would.
  bool RunUntil(const std::function<bool()> &done, long limit_ms = 20000) {
    bool expired = false;
    Ev guard(base_, -1, 0, [&](evutil_socket_t, short) { expired = true; });
    guard.AddMs(limit_ms);
    while (!done() && !expired) {
      if (Once() == -1) return false;
    }
    return done();
  }

 private:
  struct event_base *base_;
};

// Two connected non-blocking sockets, closed with the object.
class Pair {
 public:
  Pair() {
#ifdef _WIN32
    EXPECT_EQ(0, evutil_socketpair(AF_INET, SOCK_STREAM, 0, fd_));
#else
    EXPECT_EQ(0, evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, fd_));
#endif
    EXPECT_EQ(0, evutil_make_socket_nonblocking(fd_[0]));
    EXPECT_EQ(0, evutil_make_socket_nonblocking(fd_[1]));
  }
  ~Pair() {
    Close(0);
    Close(1);
  }
  Pair(const Pair &) = delete;
  Pair &operator=(const Pair &) = delete;

  evutil_socket_t operator[](int i) const {
    return fd_[i];
  }
  void Send(int i, const std::string &bytes) {
    EXPECT_EQ(static_cast<ev_ssize_t>(bytes.size()),
              static_cast<ev_ssize_t>(send(fd_[i], bytes.data(), bytes.size(), 0)));
  }
  // Takes what is there, up to 64 KiB.
  std::string Recv(int i) {
    std::string bytes(65536, '\0');
    const ev_ssize_t len = recv(fd_[i], &bytes[0], bytes.size(), 0);
    bytes.resize(len > 0 ? static_cast<size_t>(len) : 0);
    return bytes;
  }
  // Writes until the kernel takes no more; returns the number of bytes it took.
  size_t Fill(int i) {
    const std::string block(16384, 'x');
    size_t total_len = 0;
    for (;;) {
      const ev_ssize_t len = send(fd_[i], block.data(), block.size(), 0);
      if (len <= 0) return total_len;
      total_len += static_cast<size_t>(len);
    }
  }
  void Close(int i) {
    if (fd_[i] >= 0) evutil_closesocket(fd_[i]);
    fd_[i] = -1;
  }

 private:
  evutil_socket_t fd_[2] = {-1, -1};
};

#endif  // LOOP_TEST_SUPPORT_H_
