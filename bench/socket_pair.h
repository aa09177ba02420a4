#ifndef STRATA_BENCH_SOCKET_PAIR_H_
#define STRATA_BENCH_SOCKET_PAIR_H_

#include <sys/socket.h>
#include <unistd.h>

// A connected pair of sockets that don't block. Closed at the end.
class SocketPair {
 public:
  SocketPair() {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds_) < 0) fds_[0] = -1;
  }
  ~SocketPair() {
    if (!is_open()) return;
    close(fds_[0]);
    close(fds_[1]);
  }
  SocketPair(const SocketPair &) = delete;
  SocketPair &operator=(const SocketPair &) = delete;

  bool is_open() const { return fds_[0] >= 0; }
  int reader() const { return fds_[0]; }
  bool SendByte() const { return write(fds_[1], "x", 1) == 1; }
  bool TakeByte() const {
    char byte;
    return read(fds_[0], &byte, 1) == 1;
  }

 private:
  int fds_[2];
};

#endif
