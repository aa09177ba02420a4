// Servers on several loops, each with a thread: both ways in which connections get to them.
#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_threads.h>
#include <event2/thread.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "http/blocking_client_testing.h"
#include "http/http_testing.h"
#include "http/limits_testing.h"

namespace {

using http_testing::BlockingClient;
using http_testing::Response;

struct Context {
  std::atomic<int> num_configured{0};
  std::atomic<int> num_requests{0};
  int fail_at = -1;
  int max_connections = 0;
  evhttp_threads *threads = nullptr;
};

struct Slot {
  Context *context;
  int index;
};

// Says which loop it is.
void Answer(evhttp_request *req, void *arg) {
  Context *context = static_cast<Context *>(arg);
  event_base *base = evhttp_connection_get_base(evhttp_request_get_connection(req));
  int index = 0;
  while (evhttp_threads_get_base(context->threads, index) != base) ++index;
  context->num_requests++;
  evbuffer *body = evbuffer_new();
  evbuffer_add_printf(body, "%d", index);
  evhttp_send_reply(req, 200, nullptr, body);
  evbuffer_free(body);
}

void StopAll(evhttp_request *req, void *arg) {
  evhttp_threads_stop(static_cast<Context *>(arg)->threads);
  evhttp_send_reply(req, 200, nullptr, nullptr);
}

int Configure(event_base *base, evhttp *http, int index, void *arg) {
  EXPECT_NE(base, nullptr);
  Context *context = static_cast<Context *>(arg);
  context->num_configured++;
  if (context->max_connections) evhttp_set_max_connections(http, context->max_connections);
  evhttp_set_gencb(http, Answer, context);
  EXPECT_EQ(evhttp_set_cb(http, "/stop", StopAll, context), 0);
  return index == context->fail_at ? -1 : 0;
}

class ThreadsTest : public testing::TestWithParam<int> {
 protected:
  static void SetUpTestSuite() {
#ifdef _WIN32
    ASSERT_EQ(evthread_use_windows_threads(), 0);
#else
    ASSERT_EQ(evthread_use_pthreads(), 0);
#endif
  }

  void Make(int num_threads) {
    context_.threads = evhttp_threads_new(num_threads, event_base_new, Configure, &context_);
    ASSERT_NE(context_.threads, nullptr);
    ASSERT_EQ(evhttp_threads_set_flags(context_.threads, GetParam()), 0);
  }
  void Serve(int num_threads) {
    Make(num_threads);
    ASSERT_EQ(evhttp_threads_bind(context_.threads, "127.0.0.1", 0), 0);
    ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
  }
  int Port(int number = 0) {
    sockaddr_storage address = {};
    int len = sizeof(address);
    EXPECT_EQ(evhttp_threads_get_address(context_.threads, number,
                                         reinterpret_cast<sockaddr *>(&address), &len),
              0);
    EXPECT_EQ(len, static_cast<int>(sizeof(sockaddr_in)));
    return ntohs(reinterpret_cast<sockaddr_in *>(&address)->sin_port);
  }
  void Finish() {
    evhttp_threads_stop(context_.threads);
    EXPECT_EQ(evhttp_threads_join(context_.threads), 0);
    evhttp_threads_free(context_.threads);
    context_.threads = nullptr;
  }

  Context context_;
};

TEST_P(ThreadsTest, EveryLoopServes) {
  Serve(3);
  EXPECT_EQ(context_.num_configured, 3);
  EXPECT_EQ(evhttp_threads_get_num(context_.threads), 3);
  std::set<std::string> loops;
  // Connections are spread by a hash of their ports.
  for (int i = 0; i < 300 && loops.size() < 3; ++i) loops.insert(BlockingClient(Port()).Get("/"));
  EXPECT_EQ(loops, (std::set<std::string>{"0", "1", "2"}));
  Finish();
}

TEST_P(ThreadsTest, AConnectionStaysWithItsLoop) {
  Serve(2);
  BlockingClient client(Port());
  std::string loop = client.Get("/");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.Get("/"), loop);
  Finish();
}

#ifndef _WIN32
// Whichever loop they have gone to.
TEST_P(ThreadsTest, SlowHeadsTakeAllDescriptors) {
  Make(2);
  ASSERT_EQ(evhttp_threads_bind(context_.threads, "127.0.0.1", 0), 0);
  std::vector<std::unique_ptr<BlockingClient>> attackers;
  for (int i = 0; i < 100; ++i) {
    attackers.emplace_back(new BlockingClient(Port()));
    ASSERT_TRUE(attackers.back()->Send("GET / HTTP/1.1\r\nHost: a\r\nA: "));
  }
  evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
  BlockingClient client(&fd);
  {
    http_testing::DescriptorLimit limit(fd + 1 + 40);
    ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
    ASSERT_TRUE(client.Connect(Port()));
    EXPECT_EQ(client.Get("/").size(), 1u);
  }
  Finish();
}
#endif

#ifndef _WIN32
// When that does not help.
TEST_P(ThreadsTest, FewAreClosedInVain) {
  const int num_idle = 100, limit_below = 300;
  Serve(2);
  http_testing::DescriptorFiller filler(limit_below);
  std::vector<std::unique_ptr<BlockingClient>> idle;
  for (int i = 0; i < num_idle; ++i) {
    idle.emplace_back(new BlockingClient(Port()));
    ASSERT_EQ(idle.back()->Get("/").size(), 1u);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
  BlockingClient fresh(&fd);
  {
    http_testing::DescriptorLimit limit(limit_below);
    ASSERT_TRUE(fresh.Connect(Port()));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  EXPECT_EQ(fresh.Get("/").size(), 1u);
  int num_open = 0;
  for (auto &client : idle) num_open += client->IsOpen();
  EXPECT_LT(num_open, num_idle);
  EXPECT_GT(num_open, num_idle / 2);
  Finish();
}
#endif

TEST_P(ThreadsTest, OneLoopWillDo) {
  Serve(1);
  EXPECT_EQ(BlockingClient(Port()).Get("/"), "0");
  Finish();
}

TEST_P(ThreadsTest, ServersCanBeSetUpLater) {
  Make(2);
  ASSERT_EQ(evhttp_threads_get_num(context_.threads), 2);
  for (int i = 0; i < 2; i++) {
    const auto reply = [](evhttp_request *req, void *) {
      evhttp_send_reply(req, 204, nullptr, nullptr);
    };
    ASSERT_EQ(evhttp_set_cb(evhttp_threads_get_http(context_.threads, i), "/later", reply, nullptr),
              0);
  }
  ASSERT_EQ(evhttp_threads_bind(context_.threads, "127.0.0.1", 0), 0);
  ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
  for (int i = 0; i < 4; i++) {
    BlockingClient client(Port());
    Response response;
    ASSERT_TRUE(client.Send(http_testing::GetRequest("/later")));
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.status, 204);
  }
  Finish();
}

TEST_P(ThreadsTest, ManyClientsAtOnce) {
  Serve(4);
  std::vector<std::thread> clients;
  std::atomic<int> num_good{0};
  int port = Port();
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([port, &num_good] {
      for (int connection = 0; connection < 10; ++connection) {
        BlockingClient client(port);
        for (int request = 0; request < 10; ++request)
          if (client.Get("/").size() == 1) num_good++;
      }
    });
  }
  for (std::thread &client : clients) client.join();
  EXPECT_EQ(num_good, 800);
  EXPECT_EQ(context_.num_requests, 800);
  Finish();
}

TEST_P(ThreadsTest, StoppedWhileBusy) {
  Serve(3);
  std::vector<std::thread> clients;
  int port = Port();
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([port] {
      // Until there is nobody any more.
      for (bool served = true; served;) {
        BlockingClient client(port);
        served = client.connected() && client.Get("/") != "(none)" && client.Get("/") != "(none)";
      }
    });
  }
  while (context_.num_requests < 100) std::this_thread::yield();
  Finish();
  for (std::thread &client : clients) client.join();
}

TEST_P(ThreadsTest, ACallbackStopsThem) {
  Serve(2);
  BlockingClient idle(Port());
  ASSERT_EQ(idle.Get("/").size(), 1u);
  BlockingClient client(Port());
  ASSERT_TRUE(client.Send(http_testing::GetRequest("/stop")));
  EXPECT_EQ(evhttp_threads_join(context_.threads), 0);
  evhttp_threads_free(context_.threads);
  EXPECT_TRUE(idle.WaitClosed());
  EXPECT_TRUE(client.WaitClosed());
}

TEST_P(ThreadsTest, StopAcceptingLeavesConnections) {
  Serve(2);
  BlockingClient client(Port());
  ASSERT_EQ(client.Get("/").size(), 1u);
  evhttp_threads_stop_accepting(context_.threads);
  while (BlockingClient(Port()).connected()) std::this_thread::yield();
  EXPECT_EQ(client.Get("/").size(), 1u);
  Finish();
}

TEST_P(ThreadsTest, FreeStops) {
  Serve(2);
  BlockingClient client(Port());
  ASSERT_EQ(client.Get("/").size(), 1u);
  evhttp_threads_free(context_.threads);
  EXPECT_TRUE(client.WaitClosed());
}

TEST_P(ThreadsTest, NeverStarted) {
  Make(2);
  ASSERT_EQ(evhttp_threads_bind(context_.threads, "127.0.0.1", 0), 0);
  int port = Port();
  EXPECT_EQ(evhttp_threads_join(context_.threads), 0);
  evhttp_threads_free(context_.threads);
  EXPECT_FALSE(BlockingClient(port).connected());
}

TEST_P(ThreadsTest, StoppedBeforeTheStart) {
  Make(2);
  ASSERT_EQ(evhttp_threads_bind(context_.threads, "127.0.0.1", 0), 0);
  evhttp_threads_stop(context_.threads);
  ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
  EXPECT_EQ(evhttp_threads_start(context_.threads), -1);
  EXPECT_EQ(evhttp_threads_join(context_.threads), 0);
  evhttp_threads_free(context_.threads);
}

TEST_P(ThreadsTest, SeveralAddresses) {
  Make(2);
  ASSERT_EQ(evhttp_threads_bind(context_.threads, "127.0.0.1", 0), 0);
  ASSERT_EQ(evhttp_threads_bind(context_.threads, "127.0.0.1", 0), 0);
  ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
  EXPECT_EQ(evhttp_threads_bind(context_.threads, "127.0.0.1", 0), -1);
  EXPECT_NE(Port(0), Port(1));
  EXPECT_EQ(BlockingClient(Port(0)).Get("/").size(), 1u);
  EXPECT_EQ(BlockingClient(Port(1)).Get("/").size(), 1u);
  sockaddr_storage address;
  int len = sizeof(address);
  auto *bytes = reinterpret_cast<sockaddr *>(&address);
  EXPECT_EQ(evhttp_threads_get_address(context_.threads, 2, bytes, &len), -1);
  EXPECT_EQ(evhttp_threads_get_address(context_.threads, -1, bytes, &len), -1);
  len = 4;
  EXPECT_EQ(evhttp_threads_get_address(context_.threads, 0, bytes, &len), -1);
  Finish();
}

// A listener that the loops know nothing of, and holds its port without SO_REUSEPORT.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 128), 0);
    port_ = http_testing::Server::PortOf(fd_);
  }
  ~Listener() { close(fd_); }
  int port() const { return port_; }
  evutil_socket_t Accept() { return accept(fd_, nullptr, nullptr); }

 private:
  int fd_;
  int port_;
};

TEST_P(ThreadsTest, AFailedBindLeavesNothing) {
  Make(3);
  {
    Listener other;
    EXPECT_EQ(
        evhttp_threads_bind(context_.threads, "127.0.0.1", static_cast<ev_uint16_t>(other.port())),
        -1);
    EXPECT_EQ(evhttp_threads_bind(context_.threads, "192.0.2.1", 0), -1);
    EXPECT_EQ(evhttp_threads_bind(context_.threads, "no such host name.invalid", 0), -1);
  }
  ASSERT_EQ(evhttp_threads_bind(context_.threads, "127.0.0.1", 0), 0);
  ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
  EXPECT_EQ(BlockingClient(Port()).Get("/").size(), 1u);
  Finish();
}

TEST_P(ThreadsTest, AFailedConfigurationLeavesNothing) {
  context_.fail_at = 1;
  EXPECT_EQ(evhttp_threads_new(3, event_base_new, Configure, &context_), nullptr);
  EXPECT_EQ(context_.num_configured, 2);
}

TEST_P(ThreadsTest, BadArguments) {
  EXPECT_EQ(evhttp_threads_new(0, event_base_new, Configure, &context_), nullptr);
  EXPECT_EQ(evhttp_threads_new(
                1, [] { return static_cast<event_base *>(nullptr); }, Configure, &context_),
            nullptr);
  Make(1);
  EXPECT_EQ(evhttp_threads_set_flags(context_.threads, 0x4000), -1);
  evhttp_threads_free(context_.threads);
  evhttp_threads_free(nullptr);
}

// ---- Sockets handed over ----

TEST_P(ThreadsTest, AcceptedSocketsAreHandedOver) {
  Make(2);
  ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
  Listener listener;
  std::set<std::string> loops;
  for (int i = 0; i < 4; ++i) {
    BlockingClient client(listener.port());
    evutil_socket_t fd = listener.Accept();
    ASSERT_EQ(evhttp_threads_serve_socket(context_.threads, fd, nullptr, 0), 0);
    loops.insert(client.Get("/"));
  }
  EXPECT_EQ(loops, (std::set<std::string>{"0", "1"}));
  Finish();
}

TEST_P(ThreadsTest, LocalSocketsAreHandedOver) {
  Make(1);
  ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ASSERT_EQ(evhttp_threads_serve_socket(context_.threads, pair[0], nullptr, 0), 0);
  evutil_socket_t fd = pair[1];
  BlockingClient client(&fd);
  EXPECT_EQ(client.Get("/"), "0");
  Finish();
}

TEST_P(ThreadsTest, ADeadPeerIsHandedOver) {
  Make(1);
  Listener listener;
  {
    BlockingClient gone(listener.port());
    ASSERT_TRUE(gone.Send(http_testing::GetRequest("/")));
  }
  ASSERT_EQ(evhttp_threads_serve_socket(context_.threads, listener.Accept(), nullptr, 0), 0);
  ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
  BlockingClient client(listener.port());
  ASSERT_EQ(evhttp_threads_serve_socket(context_.threads, listener.Accept(), nullptr, 0), 0);
  EXPECT_EQ(client.Get("/"), "0");
  Finish();
}

TEST_P(ThreadsTest, TooManyAreToldSo) {
  context_.max_connections = 1;
  Make(1);
  ASSERT_EQ(evhttp_threads_start(context_.threads), 0);
  Listener listener;
  BlockingClient first(listener.port());
  ASSERT_EQ(evhttp_threads_serve_socket(context_.threads, listener.Accept(), nullptr, 0), 0);
  ASSERT_EQ(first.Get("/"), "0");
  BlockingClient second(listener.port());
  ASSERT_EQ(evhttp_threads_serve_socket(context_.threads, listener.Accept(), nullptr, 0), 0);
  Response response;
  ASSERT_TRUE(second.Receive(&response));
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(second.WaitClosed());
  EXPECT_EQ(first.Get("/"), "0");
  Finish();
}

TEST_P(ThreadsTest, WaitingSocketsAreBoundedAndClosed) {
  Make(1);
  Listener listener;
  BlockingClient client(listener.port());
  evutil_socket_t fd = listener.Accept();
  std::vector<evutil_socket_t> copies;
  for (;;) {
    evutil_socket_t copy = dup(fd);
    if (copy < 0 || evhttp_threads_serve_socket(context_.threads, copy, nullptr, 0) < 0) {
      if (copy >= 0) close(copy);
      break;
    }
    ASSERT_LT(copies.size(), 100000u);
    copies.push_back(copy);
  }
  EXPECT_GT(copies.size(), 100u);
  close(fd);
  evhttp_threads_free(context_.threads);
  EXPECT_TRUE(client.WaitClosed());
}

TEST_P(ThreadsTest, NothingIsHandedOverAfterTheEnd) {
  Serve(1);
  evhttp_threads_stop(context_.threads);
  Listener listener;
  BlockingClient client(listener.port());
  evutil_socket_t fd = listener.Accept();
  EXPECT_EQ(evhttp_threads_serve_socket(context_.threads, fd, nullptr, 0), -1);
  close(fd);
  Finish();
}

INSTANTIATE_TEST_SUITE_P(Listeners, ThreadsTest, testing::Values(0, EVHTTP_THREADS_ONE_LISTENER),
                         [](const testing::TestParamInfo<int> &flags) {
                           return flags.param ? "One" : "Each";
                         });

}  // namespace
