// A session when there is no memory: it ends with a close frame or with the connection, its close
// callback is called once, nothing leaks, and the server goes on.

#include <event2/buffer.h>
#include <event2/ws.h>

#include <chrono>
#include <functional>

#include "http/ws_testing.h"
#include "util/testing/counting_memory.h"
#include "util/testing/port_threads.h"

namespace {

using namespace ws_testing;  // NOLINT: all of it is frames.
using http_testing::GetRequest;
using http_testing::Server;

// Set before anything is allocated: a block must go back where it came from.
class Hooks : public testing::Environment {
 public:
  void SetUp() override { CountingMemory::Install(event_set_mem_functions); }
};
const testing::Environment *const hooks = testing::AddGlobalTestEnvironment(new Hooks);

// A peer that takes nothing from the library.
class PlainPeer {
 public:
  explicit PlainPeer(int fd) : fd_(fd) { evutil_make_socket_nonblocking(fd_); }
  explicit PlainPeer(int port, bool) : PlainPeer(Connect(port)) {}
  ~PlainPeer() { close(fd_); }
  // The other side may have given up.
  void Send(const std::string &bytes) { (void)send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void Poll() {
    static char bytes[65536];
    ssize_t n;
    while ((n = recv(fd_, bytes, sizeof(bytes), 0)) > 0) in.append(bytes, static_cast<size_t>(n));
    if (n == 0 || errno != EAGAIN) closed = true;
  }
  // False when that takes longer than any healthy run would.
  bool PumpUntil(event_base *base, const std::function<bool()> &done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < end) {
      event_base_loop(base, EVLOOP_NONBLOCK);
      Poll();
    }
    return done();
  }
  std::string in;
  bool closed = false;

 private:
  static int Connect(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
    return fd;
  }
  int fd_;
};

struct Counts {
  int opened = 0, closed = 0;
};

void Echo(evws_connection *evws, int type, const unsigned char *data, size_t len, void *) {
  evws_send_message(evws, type, data, len);
}

void OnClose(evws_connection *, void *arg) {
  static_cast<Counts *>(arg)->closed++;
}

void OnRequest(evhttp_request *req, void *arg) {
  static const char *const kSupported[] = {"chat"};
  evws_select_subprotocol(req, kSupported, 1);
  evws_connection *evws = evws_new_session(req, Echo, nullptr, 0);
  if (!evws) return;
  static_cast<Counts *>(arg)->opened++;
  evws_connection_set_closecb(evws, OnClose, arg);
  timeval tv = {100, 0};
  evws_connection_set_ping_interval(evws, &tv);
}

// Messages that need memory of every kind.
std::string Conversation() {
  return GetRequest("/",
                    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") +
         Text("short") + Frame(kText, std::string(1000, 'a')) + Ping("p") +
         Frame(kFin | kContinuation, std::string(10000, 'b')) + Close(1000);
}

TEST(WsMemory, AServersSession) {
  event_base *base = event_base_new();
  evhttp *http = evhttp_new(base);
  Counts counts;
  evhttp_set_gencb(http, OnRequest, &counts);
  evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
  int port = Server::PortOf(evhttp_bound_socket_get_fd(bound));
  const std::string conversation = Conversation();
  for (long num_failing : {1L, CountingMemory::kAll}) {
    for (long at = 1;; ++at) {
      SCOPED_TRACE("allocation " + std::to_string(at));
      ASSERT_LT(at, 500);
      counts = Counts();
      {
        PlainPeer peer(port, true);
        peer.Send(conversation);
        CountingMemory::Begin(at, num_failing);
        // The listener may still make the pause of the run before, in which nothing fails.
        ASSERT_TRUE(
            peer.PumpUntil(base, [&] { return peer.closed || CountingMemory::has_failed(); }));
        // It makes a pause where memory was short.
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
        peer.PumpUntil(base,
                       [&] { return peer.closed || std::chrono::steady_clock::now() >= end; });
        CountingMemory::StopFailing();
        ASSERT_TRUE(peer.PumpUntil(base, [&] { return peer.closed; }));
      }
      while (evhttp_get_connection_count(http)) event_base_loop(base, EVLOOP_ONCE);
      EXPECT_EQ(counts.opened, counts.closed);
      if (!CountingMemory::has_failed() || HasFailure()) {
        EXPECT_GT(at, 8);
        break;
      }
    }
  }
  evhttp_free(http);
  event_base_free(base);
}

// A client against a server of bytes: made, opened, used and closed.
bool RunClient(event_base *base, long at, long num_failing) {
  evutil_socket_t fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  evutil_make_socket_nonblocking(fds[0]);
  PlainPeer peer(static_cast<int>(fds[1]));
  Counts counts;
  bufferevent *bufev = bufferevent_socket_new(base, fds[0], BEV_OPT_CLOSE_ON_FREE);
  CountingMemory::Begin(at, num_failing);
  evws_connection *evws = evws_client_new(bufev, "host", "/", Echo, nullptr, 0);
  if (!evws) {
    CountingMemory::StopFailing();
    bufferevent_free(bufev);
    return CountingMemory::has_failed();
  }
  evws_connection_set_closecb(evws, OnClose, &counts);
  evws_client_add_header(evws, "Sec-WebSocket-Protocol", "a, b");
  if (evws_client_start(evws) < 0) {
    CountingMemory::StopFailing();
    EXPECT_EQ(evws_client_start(evws), 0);
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  bool answered = false, closed = false;
  while (!counts.closed && std::chrono::steady_clock::now() < end) {
    event_base_loop(base, EVLOOP_NONBLOCK);
    peer.Poll();
    size_t head_end = peer.in.find("\r\n\r\n");
    if (!answered && head_end != std::string::npos) {
      // The test has no SHA-1: an answer that is not the right one, with much to allocate.
      answered = true;
      peer.Send(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Accept: wrong\r\n\r\n");
    }
    closed = peer.closed;
  }
  CountingMemory::StopFailing();
  EXPECT_EQ(counts.closed, 1) << answered << closed;
  return CountingMemory::has_failed();
}

TEST(WsMemory, AClientsSession) {
  long before = 0;
  for (long num_failing : {0L, 1L, CountingMemory::kAll}) {
    event_base *base = event_base_new();
    for (long at = 1;; ++at) {
      SCOPED_TRACE("allocation " + std::to_string(at));
      ASSERT_LT(at, 300);
      if (!RunClient(base, at, num_failing) || HasFailure()) break;
    }
    event_base_free(base);
    if (num_failing == 0) before = CountingMemory::num_blocks();
    EXPECT_EQ(CountingMemory::num_blocks(), before);
  }
}

// Small messages, back and forth.
TEST(WsMemory, SteadyStateAllocatesNothing) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "storage is not reused under sanitizers";
#endif
  event_base *base = event_base_new();
  evhttp *http = evhttp_new(base);
  Counts counts;
  evhttp_set_gencb(http, OnRequest, &counts);
  evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
  PlainPeer peer(Server::PortOf(evhttp_bound_socket_get_fd(bound)), true);
  std::string conversation = Conversation();
  peer.Send(conversation.substr(0, conversation.find("\r\n\r\n") + 4));
  while (peer.in.find("\r\n\r\n") == std::string::npos) {
    event_base_loop(base, EVLOOP_NONBLOCK);
    peer.Poll();
  }
  for (int i = 0; i < 120; ++i) {
    if (i == 20) CountingMemory::Begin();
    peer.in.clear();
    peer.Send(Text("a message of some length") + Ping("p"));
    while (peer.in.size() < 26 + 3) {
      event_base_loop(base, EVLOOP_NONBLOCK);
      peer.Poll();
    }
  }
  // A port's threads may receive further ahead than ever before.
  EXPECT_LE(CountingMemory::num_calls(), HasPortThreads() ? 2 * 5 : 0);
  evhttp_free(http);
  event_base_free(base);
}

}  // namespace
