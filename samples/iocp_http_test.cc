// The program samples/iocp_http.c, run in this process: its main() is iocp_http_main() here, and
// the linker's --wrap (ld(1)) tells which port it got and counts how its bytes move.

#include <event2/event.h>
#include <event2/http.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "loop/completion.h"
}

#ifndef _WIN32
#include <sys/resource.h>
#endif

namespace {

struct Calls {
  // By completion.
  std::atomic<int> receives{0}, sends{0}, accepts{0};
  // By readiness.
  std::atomic<int> reads{0}, writes{0}, ready_accepts{0};
};

Calls calls;
std::promise<int> *port_of_server;

}  // namespace

extern "C" {

int iocp_http_main(int argc, char **argv);

int __wrap_evhttp_bind_socket(struct evhttp *http, const char *address, ev_uint16_t port) {
  sockaddr_in name = {};
  ev_socklen_t name_len = sizeof(name);
  evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, address, port);
  if (bound != nullptr)
    getsockname(evhttp_bound_socket_get_fd(bound), reinterpret_cast<sockaddr *>(&name), &name_len);
  port_of_server->set_value(ntohs(name.sin_port));
  return bound == nullptr ? -1 : 0;
}

int __real_event_operation_launch(struct event_operation *operation, struct event_base *base);
int __wrap_event_operation_launch(struct event_operation *operation, struct event_base *base) {
  switch (operation->kind) {
    case EVENT_OPERATION_RECV:
      calls.receives++;
      break;
    case EVENT_OPERATION_SEND:
      calls.sends++;
      break;
    case EVENT_OPERATION_ACCEPT:
      calls.accepts++;
      break;
    default:
      break;
  }
  return __real_event_operation_launch(operation, base);
}

ev_ssize_t __real_strata_fd_readv(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs);
ev_ssize_t __wrap_strata_fd_readv(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs) {
  calls.reads++;
  return __real_strata_fd_readv(fd, vec, num_vecs);
}

ev_ssize_t __real_strata_fd_writev(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs,
                                   int has_more);
ev_ssize_t __wrap_strata_fd_writev(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs,
                                   int has_more) {
  calls.writes++;
  return __real_strata_fd_writev(fd, vec, num_vecs, has_more);
}

evutil_socket_t __real_strata_accept4(evutil_socket_t listener, struct sockaddr *out_addr,
                                      ev_socklen_t *inout_addr_len, int flags);
evutil_socket_t __wrap_strata_accept4(evutil_socket_t listener, struct sockaddr *out_addr,
                                      ev_socklen_t *inout_addr_len, int flags) {
  calls.ready_accepts++;
  return __real_strata_accept4(listener, out_addr, inout_addr_len, flags);
}

}  // extern "C"

namespace {

// A blocking connection.
class Connection {
 public:
  explicit Connection(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval patience = {30, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    is_open_ = connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0;
  }
  Connection(Connection &&other) noexcept : fd_(other.fd_), is_open_(other.is_open_) {
    other.fd_ = -1;
  }
  ~Connection() {
    if (fd_ >= 0) evutil_closesocket(fd_);
  }
  bool is_open() const { return is_open_; }

  bool Send(const std::string &bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      ssize_t now = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (now <= 0) return false;
      sent += static_cast<size_t>(now);
    }
    return true;
  }
  // The body of the next response, whose Content-Length it needs; "?" when none comes.
  std::string Receive() {
    size_t head_end, body_start;
    while ((head_end = bytes_.find("\r\n\r\n")) == std::string::npos)
      if (!ReceiveMore()) return "?";
    body_start = head_end + 4;
    size_t field = bytes_.find("Content-Length: ");
    if (field > head_end) return "?";
    size_t len = strtoul(bytes_.c_str() + field + 16, nullptr, 10);
    while (bytes_.size() < body_start + len)
      if (!ReceiveMore()) return "?";
    std::string body = bytes_.substr(body_start, len);
    bytes_.erase(0, body_start + len);
    return body;
  }

 private:
  bool ReceiveMore() {
    char more[16384];
    ssize_t len;
    // HasPort() had a ring in this thread, whose end may interrupt a call that has a time limit.
    while ((len = recv(fd_, more, sizeof(more), 0)) < 0 && errno == EINTR) continue;
    if (len > 0) bytes_.append(more, static_cast<size_t>(len));
    return len > 0;
  }

  evutil_socket_t fd_;
  bool is_open_;
  std::string bytes_;
};

std::string Get(const std::string &uri) {
  return "GET " + uri + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

// As many connections as the limits of this process, which has both ends, allow.
size_t MaxConnections() {
#ifndef _WIN32
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 2200) return 200;
#endif
  return 1000;
}

class IocpHttpTest : public testing::Test {
 protected:
  void SetUp() override {
    for (auto *count : {&calls.receives, &calls.sends, &calls.accepts, &calls.reads, &calls.writes,
                        &calls.ready_accepts})
      *count = 0;
    std::promise<int> port;
    port_of_server = &port;
    server_ = std::thread([this] {
      char name[] = "iocp_http", any_port[] = "0";
      char *arguments[] = {name, any_port, nullptr};
      result_ = iocp_http_main(2, arguments);
    });
    port_ = port.get_future().get();
    ASSERT_NE(0, port_);
  }
  void TearDown() override {
    Connection last(port_);
    last.Send(Get("/quit"));
    server_.join();
    EXPECT_EQ(0, result_);
#ifdef _WIN32
    EXPECT_TRUE(HasPort());
#endif
    if (HasPort()) ExpectNoReadiness();
  }

  // Whether the system can do without readiness at all.
  static bool HasPort() {
    event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_COMPLETION);
    event_base *base = event_base_new_with_config(config);
    const bool has_port = event_base_port_features(base) != 0;
    event_base_free(base);
    event_config_free(config);
    return has_port;
  }
  static void ExpectNoReadiness() {
    EXPECT_EQ(0, calls.reads);
    EXPECT_EQ(0, calls.writes);
    EXPECT_EQ(0, calls.ready_accepts);
    EXPECT_GT(calls.receives, 0);
    EXPECT_GT(calls.sends, 0);
    EXPECT_GT(calls.accepts, 0);
  }

  int port_ = 0;
  std::thread server_;
  int result_ = -1;
};

TEST_F(IocpHttpTest, AnswersAThousandPipelinedRequests) {
  Connection connection(port_);
  std::string requests;
  for (int i = 0; i < 1000; i++) requests += Get("/" + std::to_string(i));
  std::thread sender([&] { EXPECT_TRUE(connection.Send(requests)); });
  for (int i = 0; i < 1000; i++) EXPECT_EQ("/" + std::to_string(i), connection.Receive());
  sender.join();
}

TEST_F(IocpHttpTest, AnswersAThousandConnections) {
  const size_t max_connections = MaxConnections();
  for (size_t done = 0; done < 1000; done += max_connections) {
    std::vector<Connection> connections;
    for (size_t i = 0; i < max_connections; i++) {
      connections.emplace_back(port_);
      ASSERT_TRUE(connections.back().is_open()) << i;
      if (i % 100 > 0) continue;
      // More than the queue of the listener has room for would try again after a second.
      ASSERT_TRUE(connections.back().Send(Get("/in_between")));
      ASSERT_EQ("/in_between", connections.back().Receive());
    }
    for (size_t i = 0; i < max_connections; i++)
      ASSERT_TRUE(connections[i].Send(Get("/" + std::to_string(i))));
    for (size_t i = 0; i < max_connections; i++)
      EXPECT_EQ("/" + std::to_string(i), connections[i].Receive());
  }
}

// The loop had nothing but its listener: event_base_dispatch() has waited all the same.
TEST_F(IocpHttpTest, WaitsForItsFirstClient) {
  Connection connection(port_);
  ASSERT_TRUE(connection.Send(Get("/first?x=1")));
  EXPECT_EQ("/first?x=1", connection.Receive());
}

}  // namespace
