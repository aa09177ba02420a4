// Timeouts and deadlines: what strata adds to libevent or does otherwise, so the installed libevent
// is not asked.

#include "http/limits_testing.h"
#include "http/streaming_testing.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Later;
using http_testing::LimitsTest;
using http_testing::Loop;
using http_testing::PostRequest;
using http_testing::Reply;
using http_testing::Response;

TEST_F(LimitsTest, IdleConnectionIsClosedSilently) {
  timeval tv = Ms(300);
  evhttp_set_timeout_tv(server_.http(), &tv);
  Client silent(&loop_, server_.port()), used(&loop_, server_.port());
  EXPECT_EQ(used.Get(GetRequest("/")).status, 200);
  EXPECT_TRUE(silent.WaitClosed());
  EXPECT_TRUE(used.WaitClosed());
  EXPECT_EQ(silent.received(), "");
  EXPECT_EQ(used.received(), "");
}

TEST_F(LimitsTest, TimeoutInSeconds) {
  evhttp_set_timeout(server_.http(), 1);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("GET / HTTP/1.1\r\n").status, 408);
}

TEST_F(LimitsTest, SilenceWithinARequestIsReported) {
  timeval tv = Ms(300);
  evhttp_set_timeout_tv(server_.http(), &tv);
  for (const char *part :
       {"G", "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n"}) {
    Client client(&loop_, server_.port());
    EXPECT_EQ(client.Get(part).status, 408) << part;
  }
}

// Sends a byte every 10 ms.
class Trickle {
 public:
  Trickle(Loop *loop, Client *client)
      : timer_(event_new(loop->base(), -1, EV_PERSIST, Drop, client)) {
    timeval step = {0, 10000};
    event_add(timer_, &step);
  }
  ~Trickle() { event_free(timer_); }
  Trickle(const Trickle &) = delete;
  Trickle &operator=(const Trickle &) = delete;

 private:
  static void Drop(evutil_socket_t, short, void *arg) { static_cast<Client *>(arg)->Send("a"); }
  event *timer_;
};

TEST_F(LimitsTest, TricklingHeadIsCutOff) {
  timeval deadline = Ms(100);
  evhttp_set_header_deadline_tv(server_.http(), &deadline);
  Client client(&loop_, server_.port());
  client.Send("GET / HTTP/1.1\r\nA: ");
  Trickle trickle(&loop_, &client);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 408);
}

TEST_F(LimitsTest, TricklingBodyIsCutOff) {
  timeval tv = Ms(200);
  evhttp_set_timeout_tv(server_.http(), &tv);
  evhttp_set_min_body_rate(server_.http(), 1000000);
  for (const char *head :
       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;"}) {
    Client client(&loop_, server_.port());
    client.Send(head);
    Trickle trickle(&loop_, &client);
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.status, 408);
  }
  EXPECT_EQ(called_, 0);
}

TEST_F(LimitsTest, TricklingBodyMayBeAllowed) {
  timeval tv = Ms(200);
  evhttp_set_timeout_tv(server_.http(), &tv);
  evhttp_set_min_body_rate(server_.http(), 0);
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n");
  Trickle trickle(&loop_, &client);
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.body, std::string(50, 'a'));
}

TEST_F(LimitsTest, SlowReaderIsNotTakenForASilentClient) {
  timeval tv = Ms(200), pace = Ms(20);
  evhttp_set_read_timeout_tv(server_.http(), &tv);
  const std::string big(30 << 20, 'x');
  server_.OnAny([&](evhttp_request *req) { Reply(req, big); });
  Client client(&loop_, server_.port(), 64 * 1024);
  client.Send(GetRequest("/"));
  // For longer than the timeout it takes no more than a piece at a time.
  for (int i = 0; i < 20; ++i) {
    bool due = false;
    client.Pause();
    event_base_once(
        loop_.base(), -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void *arg) { *static_cast<bool *>(arg) = true; }, &due, &pace);
    ASSERT_TRUE(loop_.RunUntil([&] { return due; }));
    client.Resume();
    event_base_loop(loop_.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  }
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.body.size(), big.size());
  // Then silence counts again.
  EXPECT_TRUE(client.WaitClosed());
}

TEST_F(LimitsTest, SlowHandlerIsNotTimedOut) {
  timeval tv = Ms(30), later = Ms(150);
  server_.On("/slow", [&](evhttp_request *req) {
    evhttp_connection_set_timeout_tv(evhttp_request_get_connection(req), &tv);
    event_base_once(
        loop_.base(), -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void *arg) { Reply(static_cast<evhttp_request *>(arg), "s"); },
        req, &later);
  });
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/slow")).body, "s");
}

TEST_F(LimitsTest, ReaderThatStopsIsDropped) {
  timeval tv = Ms(100);
  evhttp_set_write_timeout_tv(server_.http(), &tv);
  std::string big(20 << 20, 'x');
  server_.On("/big", [&](evhttp_request *req) { Reply(req, big); });
  Client client(&loop_, server_.port());
  client.Pause();
  client.Send(GetRequest("/big"));
  ASSERT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == 1; }));
  EXPECT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == 0; }));
}

// However much a client sends that was refused, and though it is never silent.
TEST_F(LimitsTest, LingeringIsBoundedInAll) {
  timeval tv = Ms(300);
  evhttp_set_read_timeout_tv(server_.http(), &tv);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("nonsense\r\n").status, 400);
  bool sending = true;
  std::function<void()> send = [&] {
    sending = evhttp_get_connection_count(server_.http()) > 0;
    if (!sending) return;
    client.Send("a");
    Later(&loop_, 20, send);
  };
  send();
  EXPECT_TRUE(loop_.RunUntil([&] { return !sending; }));
}

TEST_F(LimitsTest, TimeoutsOfAConnection) {
  server_.On("/set", [&](evhttp_request *req) {
    timeval tv = Ms(300);
    evhttp_connection *evcon = evhttp_request_get_connection(req);
    evhttp_connection_set_timeout_tv(evcon, &tv);
    evhttp_connection_set_max_body_size(evcon, 5);
    evhttp_connection_set_max_headers_size(evcon, 10000);
    EXPECT_EQ(evhttp_connection_set_flags(evcon, EVHTTP_CON_LINGERING_CLOSE), 0);
    EXPECT_NE(evhttp_connection_set_flags(evcon, 1), 0);
    Reply(req, "x");
  });
  Client client(&loop_, server_.port()), other(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/set")).status, 200);
  EXPECT_EQ(other.Get(GetRequest("/set")).status, 200);
  EXPECT_EQ(other.Get(PostRequest("/", "123456")).status, 413);
  EXPECT_TRUE(client.WaitClosed());
}

}  // namespace
