// How many calls of Winsock a request costs: by readiness, by overlapped operations, and by those
// with a pool of threads.
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/thread.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "util/testing/winsock_calls.h"
}

namespace {

constexpr int kNumConnections = 256, kNumRounds = 8;
constexpr double kNumRequests = kNumConnections * kNumRounds;
const char kRequest[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct Model {
  const char *name;
  int flags, num_cpus_hint;
};
const Model kAfd = {"AFD", 0, 0};
const Model kIocp = {"IOCP", EVENT_BASE_FLAG_STARTUP_IOCP, 0};
const Model kPool = {"IOCP with a pool", EVENT_BASE_FLAG_STARTUP_IOCP, 4};

void Answer(struct evhttp_request *request, void *) {
  struct evbuffer *body = evbuffer_new();
  evbuffer_add(body, "hello", 5);
  evhttp_send_reply(request, 200, "OK", body);
  evbuffer_free(body);
}

// evhttp in a thread of its own.
class Server {
 public:
  explicit Server(const Model &model) {
    struct event_config *config = event_config_new();
    event_config_set_flag(config, model.flags | EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_set_num_cpus_hint(config, model.num_cpus_hint);
    base_ = event_base_new_with_config(config);
    event_config_free(config);
    http_ = evhttp_new(base_);
    evhttp_set_gencb(http_, Answer, nullptr);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http_, "127.0.0.1", 0);
    socklen_t len = sizeof(address_);
    getsockname(evhttp_bound_socket_get_fd(bound), address(), &len);
    thread_ = std::thread([this] { event_base_dispatch(base_); });
  }
  ~Server() {
    event_base_loopbreak(base_);
    thread_.join();
    evhttp_free(http_);
    event_base_free(base_);
  }
  struct sockaddr *address() {
    return reinterpret_cast<struct sockaddr *>(&address_);
  }

 private:
  struct event_base *base_;
  struct evhttp *http_;
  struct sockaddr_in address_ = {};
  std::thread thread_;
};

// Blocking.
struct Client {
  explicit Client(Server *server) : fd(socket(AF_INET, SOCK_STREAM, 0)) {
    timeval patience = {60, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    EXPECT_EQ(0, connect(fd, server->address(), sizeof(struct sockaddr_in)));
  }
  ~Client() { evutil_closesocket(fd); }
  Client(const Client &) = delete;
  void Ask() {
    EXPECT_EQ(static_cast<ssize_t>(strlen(kRequest)), send(fd, kRequest, strlen(kRequest), 0));
  }
  void ReceiveAnswer() {
    std::string bytes;
    char more[2048];
    while (bytes.find("\r\n\r\nhello") == std::string::npos) {
      const ssize_t len = recv(fd, more, sizeof(more), 0);
      ASSERT_GT(len, 0);
      bytes.append(more, static_cast<size_t>(len));
    }
  }
  const evutil_socket_t fd;
};

void AskAll(const std::vector<std::unique_ptr<Client>> &clients) {
  for (auto &client : clients) client->Ask();
  for (auto &client : clients) client->ReceiveAnswer();
}

struct Costs {
  double transfers, polls, others, waits, wakes;
  double own() const { return transfers + polls + others; }
};

Costs CostsOf(const Model &model) {
  Server server(model);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kNumConnections; i++) {
    clients.emplace_back(new Client(&server));
    clients.back()->Ask();
    clients.back()->ReceiveAnswer();
  }
  AskAll(clients);
  const strata_winsock_calls before = strata_winsock_calls_now();
  for (int i = 0; i < kNumRounds; i++) AskAll(clients);
  const strata_winsock_calls after = strata_winsock_calls_now();
  EXPECT_EQ(before.accepts, after.accepts);
  const Costs costs = {
      (after.receives - before.receives + after.sends - before.sends) / kNumRequests,
      (after.polls - before.polls) / kNumRequests, (after.others - before.others) / kNumRequests,
      (after.waits - before.waits) / kNumRequests, (after.wakes - before.wakes) / kNumRequests};
  printf(
      "%-17s %d connections: %.3f calls per request (transfers %.3f, polls %.3f, others %.3f), "
      "shared waits %.3f, wake-ups %.3f\n",
      model.name, kNumConnections, costs.own(), costs.transfers, costs.polls, costs.others,
      costs.waits, costs.wakes);
  return costs;
}

// The last answers' receives may not have been asked for anew when the counting ends, or begins.
constexpr double kEdge = 1.0 / kNumRounds;

TEST(WinsockCalls, IocpNeedsFewerThanReadiness) {
  strata_winsock_calls_except_this_thread();
  ASSERT_EQ(0, evthread_use_windows_threads());
  const Costs afd = CostsOf(kAfd), iocp = CostsOf(kIocp), pool = CostsOf(kPool);
  EXPECT_EQ(0, iocp.polls);
  EXPECT_EQ(0, pool.polls);
  EXPECT_LT(iocp.own() + kEdge, afd.own());
  EXPECT_LT(pool.own() + kEdge, afd.own());
  EXPECT_LE(iocp.own(), 2 + kEdge);
  EXPECT_LE(pool.own(), 2 + kEdge);
  for (const Costs &costs : {iocp, pool}) EXPECT_LT(costs.waits + costs.wakes, 1 + kEdge);
}

}  // namespace
