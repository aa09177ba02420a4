// The limits of a server that nobody configured, on a virtual clock: the sockets are real; what is
// ready, the test says.

#include "http/http_testing.h"

extern "C" {
#include "backends/sim/sim.h"
#include "http/server_connection.h"
}

namespace {

using http_testing::GetRequest;

class DefaultLimits : public testing::Test {
 protected:
  DefaultLimits() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds_), 0);
    for (evutil_socket_t fd : fds_) evutil_make_socket_nonblocking(fd);
    evhttp_set_gencb(
        http_,
        [](evhttp_request *req, void *arg) {
          http_testing::Reply(req, *static_cast<const std::string *>(arg));
        },
        &body_);
    EXPECT_EQ(evhttp_serve_socket(http_, fds_[0], nullptr, 0), 0);
    strata_sim_raise(sim_, fds_[0], EV_WRITE);
  }
  ~DefaultLimits() override {
    evhttp_free(http_);
    close(fds_[1]);
    if (rate_) ev_token_bucket_cfg_free(rate_);
    event_base_free(base_);
    strata_sim_free(sim_);
  }

  void RunMs(int ms) {
    timeval tv = {ms / 1000, ms % 1000 * 1000};
    event_base_loopexit(base_, &tv);
    event_base_dispatch(base_);
  }
  void Send(const std::string &bytes) {
    EXPECT_EQ(send(fds_[1], bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    strata_sim_raise(sim_, fds_[0], EV_READ);
    event_base_loop(base_, EVLOOP_NONBLOCK);
    strata_sim_lower(sim_, fds_[0], EV_READ);
  }
  std::string Receive() {
    char bytes[4000];
    ssize_t n = recv(fds_[1], bytes, sizeof(bytes), 0);
    return n > 0 ? std::string(bytes, static_cast<size_t>(n)) : "";
  }
  // A long reply, of which so many bytes leave every second.
  void ReplyAtRate(size_t bytes_per_second) {
    body_ = std::string(1 << 20, 'x');
    rate_ = ev_token_bucket_cfg_new(EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX, bytes_per_second,
                                    bytes_per_second, nullptr);
    bufferevent_set_rate_limit(evhttp_connection_get_bufferevent(&Connection()->common), rate_);
    Send(GetRequest("/"));
  }
  void TakeEverySecond(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      Receive();
      RunMs(1000);
    }
  }
  bool IsOpen() { return evhttp_get_connection_count(http_) == 1; }
  strata_http_server_connection *Connection() { return http_->connections.tqh_first; }

  strata_sim *sim_ = strata_sim_new();
  event_base *base_ = strata_sim_base_new(sim_, nullptr);
  evhttp *http_ = evhttp_new(base_);
  evutil_socket_t fds_[2];
  ev_token_bucket_cfg *rate_ = nullptr;
  std::string body_ = "x";
};

TEST_F(DefaultLimits, FirstByteWithin30Seconds) {
  RunMs(29900);
  EXPECT_TRUE(IsOpen());
  RunMs(200);
  EXPECT_FALSE(IsOpen());
}

TEST_F(DefaultLimits, IdleFor50Seconds) {
  Send(GetRequest("/"));
  RunMs(49900);
  EXPECT_EQ(Receive().substr(0, 12), "HTTP/1.1 200");
  EXPECT_TRUE(IsOpen());
  RunMs(200);
  EXPECT_FALSE(IsOpen());
}

TEST_F(DefaultLimits, HeadWithin30Seconds) {
  Send("GET / HTTP/1.1\r\nA: ");
  for (int i = 0; i < 29; ++i) {
    RunMs(1000);
    Send("a");
  }
  RunMs(900);
  EXPECT_EQ(Receive(), "");
  RunMs(200);
  EXPECT_EQ(Receive().substr(0, 12), "HTTP/1.1 408");
}

// A body's sender has 50 seconds in advance.
TEST_F(DefaultLimits, BodyAt512BytesASecond) {
  Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  for (int i = 0; i < 300; ++i) {
    RunMs(1000);
    Send(std::string(512, 'b'));
  }
  EXPECT_EQ(Receive(), "");
}

TEST_F(DefaultLimits, BodyAtHalfOfThatIsRefused) {
  Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  for (int i = 0; i < 98; ++i) {
    RunMs(1000);
    Send(std::string(256, 'b'));
  }
  RunMs(900);
  EXPECT_EQ(Receive(), "");
  RunMs(200);
  EXPECT_EQ(Receive().substr(0, 12), "HTTP/1.1 408");
}

// The first 50 seconds are not counted.
TEST_F(DefaultLimits, RepliesTakenAt512BytesASecond) {
  ReplyAtRate(512);
  TakeEverySecond(301);
  EXPECT_TRUE(IsOpen());
}

TEST_F(DefaultLimits, RepliesTakenMoreSlowlyAreCutOff) {
  ReplyAtRate(511);
  TakeEverySecond(99);
  EXPECT_TRUE(IsOpen());
  TakeEverySecond(2);
  EXPECT_FALSE(IsOpen());
}

// The requests between the first and the last three are left out.
TEST_F(DefaultLimits, MillionthReplyCloses) {
  Send(GetRequest("/"));
  Connection()->num_requests = 999998;
  Receive();
  Send(GetRequest("/"));
  EXPECT_EQ(Receive().find("Connection: close"), std::string::npos);
  Send(GetRequest("/"));
  EXPECT_NE(Receive().find("Connection: close"), std::string::npos);
}

TEST_F(DefaultLimits, Connections) {
  EXPECT_EQ(http_->max_connections, 32768);
}

}  // namespace
