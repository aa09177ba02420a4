// What the tests of this layer and of those above it share. Header only and written against the
// public API alone, so that the same source is built against strata and against the installed
// libevent.
#ifndef LOOP_LOOP_TESTING_H_
#define LOOP_LOOP_TESTING_H_

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#ifndef _WIN32
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#endif

#include <array>
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

  // Several looks at the kernel without blocking, so that every edge which is there has been
  // reported. Something is pending throughout: an empty loop would not look at all.
  void Settle(int turns = 5) {
    Ev guard(base_, -1, 0);
    guard.AddMs(3600000);
    for (int i = 0; i < turns; i++) Turn();
  }
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

// Two connected sockets, made non-blocking, and closed with the object.
class SocketPair {
 public:
  typedef std::array<evutil_socket_t, 2> Descriptors;

  explicit SocketPair(const Descriptors &fd = OpenLocal()) : fd_(fd) {
    for (const evutil_socket_t each : fd_) EXPECT_EQ(0, evutil_make_socket_nonblocking(each));
  }
  ~SocketPair() {
    Close(0);
    Close(1);
  }
  SocketPair(const SocketPair &) = delete;
  SocketPair &operator=(const SocketPair &) = delete;

  evutil_socket_t operator[](size_t i) const { return fd_[i]; }
  void Close(size_t i) {
    if (fd_[i] >= 0) evutil_closesocket(fd_[i]);
    fd_[i] = -1;
  }
  // Gives the descriptor away: the object closes it no more.
  evutil_socket_t Release(size_t i) { return std::exchange(fd_[i], -1); }

  static Descriptors OpenLocal() {
#ifdef _WIN32
    const int family = AF_INET;
#else
    const int family = AF_UNIX;
#endif
    Descriptors fd = {-1, -1};
    EXPECT_EQ(0, evutil_socketpair(family, SOCK_STREAM, 0, fd.data()));
    return fd;
  }

 private:
  Descriptors fd_;
};

#endif  // LOOP_LOOP_TESTING_H_
