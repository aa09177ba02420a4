#ifndef STRATA_BACKENDS_TESTING_KQUEUE_EMULATION_KQUEUE_TESTING_H_
#define STRATA_BACKENDS_TESTING_KQUEUE_EMULATION_KQUEUE_TESTING_H_

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace kqueue_testing {

// Long enough for whatever is about to happen.
constexpr struct timespec kPatience = {30, 0};
constexpr struct timespec kAtOnce = {0, 0};

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd &) = delete;
  Fd &operator=(const Fd &) = delete;

  operator int() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void Set(int fd) {
    Close();
    fd_ = fd;
  }

 private:
  int fd_;
};

inline struct kevent Change(uintptr_t ident, int filter, unsigned flags, unsigned notes = 0,
                            int64_t data = 0, uintptr_t udata = 0) {
  struct kevent change;
  EV_SET(&change, ident, filter, flags, notes, data, reinterpret_cast<void *>(udata));
  return change;
}

class KqueueEmulation : public testing::Test {
 protected:
  KqueueEmulation() : queue_(kqueue()) {
    EXPECT_GE(queue_, 0);
    int fds[2];
    EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    a_.Set(fds[0]);
    b_.Set(fds[1]);
    EXPECT_EQ(0, fcntl(a_, F_SETFL, O_NONBLOCK));
    EXPECT_EQ(0, pipe(fds));
    read_end_.Set(fds[0]);
    write_end_.Set(fds[1]);
  }

  // 0, or the error.
  int Make(const struct kevent &change) {
    return kevent(queue_, &change, 1, nullptr, 0, nullptr) == 0 ? 0 : errno;
  }
  int Make(uintptr_t ident, int filter, unsigned flags, unsigned notes = 0, int64_t data = 0,
           uintptr_t udata = 0) {
    return Make(Change(ident, filter, flags, notes, data, udata));
  }
  std::vector<struct kevent> Take(const struct timespec &timeout, int room = 16) {
    std::vector<struct kevent> events(static_cast<size_t>(room));
    const int num = kevent(queue_, nullptr, 0, events.data(), room, &timeout);
    EXPECT_GE(num, 0) << errno;
    events.resize(num > 0 ? static_cast<size_t>(num) : 0);
    return events;
  }
  std::vector<struct kevent> Ready() { return Take(kAtOnce); }
  // The only event that there is.
  struct kevent One() {
    const std::vector<struct kevent> events = Take(kPatience);
    EXPECT_EQ(1u, events.size());
    return events.empty() ? Change(0, 0, 0) : events[0];
  }
  void Send(int fd, const std::string &bytes) {
    ASSERT_EQ(static_cast<ssize_t>(bytes.size()), write(fd, bytes.data(), bytes.size()));
  }
  void Receive(int fd) {
    char bytes[65536];
    ASSERT_GT(read(fd, bytes, sizeof(bytes)), 0);
  }
  void Fill(int fd) {
    const std::string block(65536, 'x');
    while (write(fd, block.data(), block.size()) > 0) {
    }
  }

  Fd queue_, a_, b_, read_end_, write_end_;
};

}  // namespace kqueue_testing

#endif
