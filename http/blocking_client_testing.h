#ifndef HTTP_BLOCKING_CLIENT_TESTING_H_
#define HTTP_BLOCKING_CLIENT_TESTING_H_

#include <arpa/inet.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "http/http_testing.h"

namespace http_testing {

// A client that blocks, for threads of its own; ten seconds at most for each read.
class BlockingClient {
 public:
  explicit BlockingClient(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) { Connect(port); }
  // Of a socket that is to be connected.
  explicit BlockingClient(evutil_socket_t *fd) : fd_(*fd) {}
  ~BlockingClient() { close(fd_); }
  BlockingClient(const BlockingClient &) = delete;
  BlockingClient &operator=(const BlockingClient &) = delete;

  bool Connect(int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0;
    return connected_;
  }
  bool connected() const { return connected_; }
  bool Send(const std::string &bytes) {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  bool Receive(Response *out) {
    while (!TakeResponse(&in_, false, closed_, out)) {
      if (closed_ || !ReadSome()) return false;
    }
    return true;
  }
  // Whether the end comes, in whatever way.
  bool WaitClosed() {
    while (!closed_ && ReadSome()) continue;
    return closed_;
  }
  // As far as has come to be known.
  bool IsOpen() {
    pollfd waiting = {};
    waiting.fd = fd_;
    waiting.events = POLLIN;
    return poll(&waiting, 1, 0) == 0;
  }
  std::string Get(const std::string &target) {
    Response response;
    if (!Send(http_testing::GetRequest(target)) || !Receive(&response)) return "(none)";
    return response.body;
  }

 private:
  bool ReadSome() {
    char bytes[4096];
    pollfd waiting = {};
    waiting.fd = fd_;
    waiting.events = POLLIN;
    if (poll(&waiting, 1, 10000) != 1) return false;
    ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
    if (n > 0) in_.append(bytes, static_cast<size_t>(n));
    if (n <= 0) closed_ = true;
    return true;
  }
  int fd_;
  bool connected_ = false, closed_ = false;
  std::string in_;
};

}  // namespace http_testing

#endif  // HTTP_BLOCKING_CLIENT_TESTING_H_
