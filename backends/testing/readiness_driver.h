// What tests of readiness backends share: a backend's table driven without an event base, a sink
// that records what it is told, and descriptors to watch.
#ifndef BACKENDS_TESTING_READINESS_DRIVER_H_
#define BACKENDS_TESTING_READINESS_DRIVER_H_

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

extern "C" {
#include "loop/readiness.h"
#include "util/clock.h"
}

#include "gtest/gtest.h"

namespace readiness_testing {

constexpr int64_t kForever = INT64_MAX;
// Longer than any healthy wait for something that is about to happen.
constexpr int64_t kPatienceNs = 30 * STRATA_NS_PER_SECOND;

struct Report {
  evutil_socket_t fd;
  uint32_t generation;
  short what;
};

// A sink that records reports and checks how the backend brackets its wait.
class Sink {
 public:
  Sink() {
    sink_.base.ready = Ready;
    sink_.base.unlock = Unlock;
    sink_.base.lock = Lock;
    sink_.base.signal = Signal;
    sink_.self = this;
  }
  Sink(const Sink &) = delete;
  Sink &operator=(const Sink &) = delete;

  struct event_readiness_sink *get() {
    return &sink_.base;
  }

  std::vector<Report> reports;
  std::map<int, int> signals;  // How often each came.
  int num_unlocks = 0;
  std::atomic<bool> is_locked{true};
  std::function<void()> on_unlock;  // Runs at each release of the lock, just before the wait.
  std::mutex *lock = nullptr;       // Stands for the base's, where other threads change something.

  // Everything that was reported of a descriptor, 0 for nothing.
  short WhatOf(evutil_socket_t fd) const {
    short what = 0;
    for (const Report &report : reports) {
      if (report.fd == fd) what = static_cast<short>(what | report.what);
    }
    return what;
  }
  int CountOf(evutil_socket_t fd) const {
    int count = 0;
    for (const Report &report : reports) count += report.fd == fd;
    return count;
  }

 private:
  struct WithSelf {
    struct event_readiness_sink base;  // First: a pointer to it is a pointer to the whole.
    Sink *self;
  };
  static Sink *Self(struct event_readiness_sink *sink) {
    return reinterpret_cast<WithSelf *>(sink)->self;
  }
  static void Ready(struct event_readiness_sink *sink, evutil_socket_t fd, uint32_t generation,
                    short what) {
    EXPECT_TRUE(Self(sink)->is_locked) << "reported without the lock";
    Self(sink)->reports.push_back({fd, generation, what});
  }
  static void Signal(struct event_readiness_sink *sink, int signal, int num) {
    EXPECT_TRUE(Self(sink)->is_locked) << "reported without the lock";
    Self(sink)->signals[signal] += num;
  }
  static void Unlock(struct event_readiness_sink *sink) {
    EXPECT_TRUE(Self(sink)->is_locked) << "released twice";
    Self(sink)->num_unlocks++;
    Self(sink)->is_locked = false;
    if (Self(sink)->lock != nullptr) Self(sink)->lock->unlock();
    if (Self(sink)->on_unlock) Self(sink)->on_unlock();
  }
  static void Lock(struct event_readiness_sink *sink) {
    if (Self(sink)->lock != nullptr) Self(sink)->lock->lock();
    EXPECT_FALSE(Self(sink)->is_locked) << "taken twice";
    Self(sink)->is_locked = true;
  }

  WithSelf sink_;
};

// A descriptor that is closed with the object.
class Fd {
 public:
  explicit Fd(evutil_socket_t fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(Fd &&other) : fd_(other.Release()) {}
  Fd(const Fd &) = delete;
  Fd &operator=(const Fd &) = delete;

  operator evutil_socket_t() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  evutil_socket_t Release() {
    const evutil_socket_t fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  evutil_socket_t fd_;
};

// Two connected non-blocking stream sockets.
struct Pair {
  Pair() : Pair(MakeFds()) {}
  Fd a, b;

 private:
  struct Fds {
    int fd[2] = {-1, -1};
  };
  static Fds MakeFds() {
    Fds fds;
    EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds.fd));
    EXPECT_EQ(0, evutil_make_socket_nonblocking(fds.fd[0]));
    EXPECT_EQ(0, evutil_make_socket_nonblocking(fds.fd[1]));
    return fds;
  }
  explicit Pair(Fds fds) : a(fds.fd[0]), b(fds.fd[1]) {}
};

inline void Send(evutil_socket_t fd) {
  ASSERT_EQ(1, send(fd, "x", 1, 0));
}

inline void Drain(evutil_socket_t fd) {
  char bytes[4096];
  while (read(fd, bytes, sizeof(bytes)) > 0) {
  }
}

// Writes until the kernel takes no more.
inline void Fill(evutil_socket_t fd) {
  const std::string block(65536, 'x');
  while (send(fd, block.data(), block.size(), 0) > 0) {
  }
}

// A TCP connection over the loopback device, for what local sockets do not show (resets).
struct TcpPair {
  Fd a, b;
};

// A port of the loopback device, on which nobody listens yet.
struct TcpPort {
  TcpPort() : fd(socket(AF_INET, SOCK_STREAM, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof(address);
    EXPECT_EQ(0, bind(fd, any(), len));
    EXPECT_EQ(0, getsockname(fd, any(), &len));
  }
  struct sockaddr *any() {
    return reinterpret_cast<struct sockaddr *>(&address);
  }

  Fd fd;
  struct sockaddr_in address = {};
};

inline TcpPair ConnectTcp() {
  TcpPort port;
  EXPECT_EQ(0, listen(port.fd, 1));
  Fd a(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(0, connect(a, port.any(), sizeof(port.address)));
  Fd b(accept(port.fd, nullptr, nullptr));
  EXPECT_GE(b, 0);
  evutil_make_socket_nonblocking(a);
  evutil_make_socket_nonblocking(b);
  return TcpPair{std::move(a), std::move(b)};
}

// Closes so that the peer gets a reset.
inline void Reset(Fd *fd) {
  struct linger at_once = {1, 0};
  EXPECT_EQ(0, setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
  fd->Close();
}

// A backend's state with what the base would remember for it: masks, generations and words.
class Backend {
 public:
  explicit Backend(const struct event_readiness_ops *ops, int flags = 0)
      : ops_(ops), flags_(flags), state_(ops->init(flags)) {}
  ~Backend() {
    if (state_ != nullptr) ops_->destroy(state_);
  }
  Backend(const Backend &) = delete;
  Backend &operator=(const Backend &) = delete;

  // Not where the system has no such backend.
  bool exists() const { return state_ != nullptr; }
  bool Has(unsigned feature) const { return (ops_->features & feature) == feature; }
  int64_t Now() const { return ops_->now != nullptr ? ops_->now(state_) : strata_monotonic_ns(); }

  // Asks for `mask` as the base would; 0 forgets.
  int Change(evutil_socket_t fd, short mask) {
    Slot &slot = slots_[fd];
    return ChangeFrom(fd, slot.mask, mask, slot.generation);
  }
  // The generation that goes with the next changes of the descriptor.
  void SetGeneration(evutil_socket_t fd, uint32_t generation) {
    slots_[fd].generation = generation;
  }
  int ChangeFrom(evutil_socket_t fd, short old_mask, short new_mask, uint32_t generation) {
    Slot &slot = slots_[fd];
    const struct event_readiness_change change = {fd,         old_mask,   new_mask,
                                                  generation, &slot.word, 0};
    errno = 0;
    const int result = ops_->change(state_, &change);
    if (result == 0) {
      slot.mask = new_mask;
      if (new_mask == 0) slot.word = 0;
    }
    return result;
  }

  // One wait of its own sink, until `deadline_ns` on the backend's clock.
  int WaitUntil(Sink *sink, int64_t deadline_ns) {
    const int unlocks_before = sink->num_unlocks;
    const int result = ops_->wait(state_, Now(), deadline_ns, sink->get());
    EXPECT_TRUE(sink->is_locked) << "returned without the lock";
    EXPECT_LE(sink->num_unlocks, unlocks_before + 1);
    return result;
  }
  int Poll(Sink *sink) { return WaitUntil(sink, 0); }

  // What one look at the kernel reports of a descriptor.
  short PollOf(evutil_socket_t fd) {
    Sink sink;
    EXPECT_EQ(0, Poll(&sink));
    return sink.WhatOf(fd);
  }
  // Waits until the descriptor is reported for all of `what`, and returns all that it was reported
  // for; for events that take the kernel a moment.
  short WaitFor(evutil_socket_t fd, short what) {
    Sink sink;
    const int64_t give_up_ns = Now() + kPatienceNs;
    while ((sink.WhatOf(fd) & what) != what && Now() < give_up_ns) {
      if (WaitUntil(&sink, give_up_ns) != 0) break;
    }
    return sink.WhatOf(fd);
  }

  // What event_reinit() does in a child.
  bool Restart() {
    void *fresh = ops_->init(flags_);
    if (fresh == nullptr) return false;
    ops_->destroy(state_);
    state_ = fresh;
    for (auto &entry : slots_) {
      const short mask = entry.second.mask;
      entry.second.mask = 0;
      entry.second.word = 0;
      if (mask != 0 && Change(entry.first, mask) != 0) return false;
    }
    return true;
  }

 private:
  struct Slot {
    short mask = 0;
    uint32_t generation = 0;
    intptr_t word = 0;
  };

  const struct event_readiness_ops *ops_;
  const int flags_;
  void *state_;
  std::map<evutil_socket_t, Slot> slots_;
};

}  // namespace readiness_testing

#endif  // BACKENDS_TESTING_READINESS_DRIVER_H_
