#ifndef STRATA_BENCH_TCP_PAIR_H_
#define STRATA_BENCH_TCP_PAIR_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

// Connected TCP sockets over loopback, for net_bench.cc.

// A listening socket on any port of every loopback address; it doesn't block.
class TcpListener {
 public:
  TcpListener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    address_.sin_family = AF_INET;
    socklen_t address_len = sizeof(address_);
    if (bind(fd_, reinterpret_cast<sockaddr *>(&address_), address_len) != 0 ||
        listen(fd_, 1024) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr *>(&address_), &address_len) != 0)
      Close();
  }
  ~TcpListener() { Close(); }
  TcpListener(const TcpListener &) = delete;
  TcpListener &operator=(const TcpListener &) = delete;

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  // Each call takes another loopback address, so that ports in TIME_WAIT don't run out.
  const sockaddr_in &NextAddress() {
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK + num_addresses_++ % 250);
    return address_;
  }
  // A blocking socket, connected: the backlog takes it before it is accepted.
  int Connect() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in &address = NextAddress();
    if (connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0) return fd;
    close(fd);
    return -1;
  }
  int Accept(int flags) { return accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | flags); }

 private:
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  int fd_;
  sockaddr_in address_ = {};
  uint32_t num_addresses_ = 0;
};

inline void SendWithoutDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

// The client's end blocks, the server's does not.
class TcpPair {
 public:
  explicit TcpPair(TcpListener *listener)
      : client_(listener->Connect()), server_(listener->Accept(SOCK_NONBLOCK)) {
    SendWithoutDelay(client_);
    SendWithoutDelay(server_);
  }
  ~TcpPair() {
    if (client_ >= 0) close(client_);
    if (server_ >= 0) close(server_);
  }
  TcpPair(TcpPair &&other) noexcept : client_(other.client_), server_(other.server_) {
    other.client_ = other.server_ = -1;
  }

  bool is_open() const { return client_ >= 0 && server_ >= 0; }
  int client() const { return client_; }
  int server() const { return server_; }

 private:
  int client_, server_;
};

#endif
