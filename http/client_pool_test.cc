// Pools of connections of the HTTP client. libevent has nothing like it.

#include "http/client_pool_testing.h"

namespace {

using client_testing::Exchange;
using client_testing::kHi;
using client_testing::Peer;
using client_testing::PoolTest;
using client_testing::RawServer;

TEST_F(PoolTest, KeepsConnections) {
  server_.replies = {kHi, kHi};
  Exchange one, two;
  ASSERT_EQ(Make(&one, UriOf(server_)), 0);
  EXPECT_EQ(one.calls, 0);
  EXPECT_EQ(Stats().num_idle, 0u);
  ASSERT_TRUE(Finish(&one));
  EXPECT_EQ(one.body, "hi");
  EXPECT_EQ(Stats().num_idle, 1u);
  ASSERT_EQ(Make(&two, UriOf(server_)), 0);
  EXPECT_EQ(Stats().num_idle, 0u);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(server_.peers.size(), 1u);
  const evhttp_connection_pool_stats stats = Stats();
  EXPECT_EQ(stats.num_hosts, 1u);
  EXPECT_EQ(stats.num_connections, 1u);
  EXPECT_EQ(stats.num_waiting, 0u);
  EXPECT_EQ(stats.num_requests, 2u);
  EXPECT_EQ(stats.num_reused, 1u);
  EXPECT_EQ(stats.num_opened, 1u);
}

TEST_F(PoolTest, CallbackHasTheConnectionThatIsFree) {
  server_.replies = {kHi, kHi};
  Exchange one, two;
  one.on_reply = [&] {
    EXPECT_EQ(Stats().num_idle, 1u);
    EXPECT_EQ(Make(&two, UriOf(server_)), 0);
  };
  ASSERT_EQ(Make(&one, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(PoolTest, OpensUpToTheLimitAndHasOthersWait) {
  evhttp_connection_pool_set_max_per_host(pool_, 2);
  MakeMany(5);
  ASSERT_TRUE(Run([&] { return server_.peers.size() == 2; }));
  loop_.Settle();
  EXPECT_EQ(server_.peers.size(), 2u);
  EXPECT_EQ(Stats().num_connections, 2u);
  EXPECT_EQ(Stats().num_waiting, 3u);
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) At(i).on_reply = [&order, i] { order.push_back(i); };
  server_.replies = {kHi};
  server_.WaitFor(1, "\r\n\r\n")->on_bytes(server_.peers[1].get());
  for (int i = 2; i < 5; ++i) {
    ASSERT_NE(server_.WaitFor(1, "/" + std::to_string(i)), nullptr);
    server_.peers[1]->Send(kHi);
    ASSERT_TRUE(Finish(&At(i)));
  }
  server_.peers[0]->Send(kHi);
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(server_.peers.size(), 2u);
  EXPECT_EQ(Stats().num_reused, 3u);
  // They are given out in the order in which they were made.
  EXPECT_TRUE(std::is_sorted(order.begin() + 1, order.end() - 1));
}

TEST_F(PoolTest, HigherLimitServesThoseThatWait) {
  evhttp_connection_pool_set_max_per_host(pool_, 0);
  MakeMany(3);
  ASSERT_NE(server_.WaitFor(0, "/0"), nullptr);
  EXPECT_EQ(Stats().num_waiting, 2u);
  evhttp_connection_pool_set_max_per_host(pool_, 3);
  ASSERT_NE(server_.WaitFor(2, "\r\n\r\n"), nullptr);
  EXPECT_EQ(Stats().num_waiting, 0u);
}

TEST_F(PoolTest, LowerLimitClosesTheIdle) {
  server_.replies = {kHi, kHi, kHi};
  MakeMany(3);
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(Stats().num_idle, 3u);
  evhttp_connection_pool_set_max_per_host(pool_, 1);
  ASSERT_TRUE(Run([&] { return Stats().num_connections == 1; }));
}

TEST_F(PoolTest, HostsAreApart) {
  RawServer other(&loop_);
  server_.replies = {kHi, kHi};
  other.replies = {kHi, kHi};
  Exchange one, two, three;
  ASSERT_EQ(Make(&one, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&one));
  ASSERT_EQ(Make(&two, UriOf(other)), 0);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(server_.peers.size() + other.peers.size(), 2u);
  EXPECT_EQ(Stats().num_hosts, 2u);
  // But the case of a scheme is of no meaning.
  ASSERT_EQ(Make(&three, UriOf(server_, "/", "HTTP")), 0);
  ASSERT_TRUE(Finish(&three));
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(PoolTest, NamesAreTheSameInAnyCase) {
  server_.replies = {kHi, kHi};
  const std::string port = std::to_string(server_.port());
  Exchange one, two;
  ASSERT_EQ(Make(&one, "http://localhost:" + port), 0);
  ASSERT_TRUE(Finish(&one));
  ASSERT_EQ(Make(&two, "http://lOCALhOST:" + port), 0);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(PoolTest, SendsTheTargetAndTheHost) {
  const char *const targets[][2] = {
      {"", "GET / "},
      {"?a=b", "GET /?a=b "},
      {"#part", "GET / "},
      {"/a/b", "GET /a/b "},
      {"/a?b#part", "GET /a?b "},
      {"?a#b", "GET /?a "},
      {"/a://b", "GET /a://b "},
      {"/%7Ea;b", "GET /%7Ea;b "},
  };
  for (const auto &target : targets) {
    server_.peers.clear();
    server_.replies = {kHi};
    Exchange exchange;
    ASSERT_EQ(Make(&exchange, UriOf(server_, target[0])), 0);
    ASSERT_TRUE(Finish(&exchange));
    const std::string &in = server_.peers.back()->in;
    EXPECT_EQ(in.find(target[1]), 0u) << in;
    EXPECT_NE(in.find("\r\nHost: 127.0.0.1:" + std::to_string(server_.port()) + "\r\n"),
              std::string::npos)
        << in;
  }
}

TEST_F(PoolTest, RefusesWhatItCannotAskFor) {
  const char *const uris[] = {"",
                              "/path",
                              "//host/",
                              "ftp://host/",
                              "https://host/",
                              "http:///",
                              "http://user@host/",
                              "http://host:0/",
                              "http:/path",
                              "http://a b/",
                              "http://host:99999/",
                              "http://[::1/",
                              "mailto:someone"};
  for (const char *uri : uris) {
    Exchange exchange;
    EXPECT_EQ(Make(&exchange, uri), -1) << uri;
    EXPECT_EQ(exchange.calls + exchange.errors, 0);
  }
  Exchange tunnel, owned, coded;
  EXPECT_EQ(Make(&tunnel, UriOf(server_), EVHTTP_REQ_CONNECT), -1);
  coded.WithField("Transfer-Encoding", "gzip");
  EXPECT_EQ(Make(&coded, UriOf(server_)), -1);
  evhttp_request_own(owned.req);
  EXPECT_EQ(Make(&owned, "ftp://host/"), -1);
  evhttp_request_free(owned.req);
  EXPECT_TRUE(BecomesEmpty());
  EXPECT_EQ(Stats().num_requests, 0u);
}

// ---- What is kept, and for how long ----

TEST_F(PoolTest, ConnectionThatTheServerClosesIsGone) {
  server_.replies = {kHi, kHi};
  Exchange one, two;
  ASSERT_EQ(Make(&one, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&one));
  server_.peers[0]->Close();
  EXPECT_TRUE(BecomesEmpty());
  ASSERT_EQ(Make(&two, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(server_.peers.size(), 2u);
}

TEST_F(PoolTest, ConnectionOnItsWayDownIsReplaced) {
  server_.replies = {kHi, kHi};
  Exchange one, two;
  ASSERT_EQ(Make(&one, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&one));
  server_.peers[0]->Close();
  ASSERT_EQ(Make(&two, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(two.code, 200);
}

TEST_F(PoolTest, ReplyThatEndsTheConnection) {
  evhttp_connection_pool_set_max_per_host(pool_, 1);
  const std::string last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  server_.replies = {last, last, last};
  MakeMany(3);
  ASSERT_TRUE(FinishAll());
  EXPECT_EQ(server_.peers.size(), 3u);
  EXPECT_TRUE(BecomesEmpty());
}

TEST_F(PoolTest, IdleForTooLong) {
  timeval soon = {0, 20000};
  evhttp_connection_pool_set_idle_timeout_tv(pool_, &soon);
  server_.replies = {kHi};
  Exchange one;
  ASSERT_EQ(Make(&one, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&one));
  EXPECT_TRUE(BecomesEmpty());
  EXPECT_TRUE(Run([&] { return server_.peers[0]->ended; }));
}

TEST_F(PoolTest, IdleTimeoutIsNoLimitForReplies) {
  timeval soon = {0, 1000};
  evhttp_connection_pool_set_idle_timeout_tv(pool_, &soon);
  Exchange one;
  ASSERT_EQ(Make(&one, UriOf(server_)), 0);
  ASSERT_NE(server_.WaitFor(0, "\r\n\r\n"), nullptr);
  timeval tick = {0, 20000};
  event_base_loopexit(loop_.base(), &tick);
  event_base_dispatch(loop_.base());
  EXPECT_EQ(one.calls, 0);
  server_.peers[0]->Send(kHi);
  ASSERT_TRUE(Finish(&one));
  EXPECT_EQ(one.code, 200);
}

TEST_F(PoolTest, TooManyIdleOfAHost) {
  evhttp_connection_pool_set_max_idle(pool_, 1, 10);
  MakeMany(3);
  ASSERT_NE(server_.WaitFor(2, "\r\n\r\n"), nullptr);
  for (auto &peer : server_.peers) peer->Send(kHi);
  ASSERT_TRUE(FinishAll());
  ASSERT_TRUE(Run([&] { return Stats().num_connections == 1; }));
  EXPECT_EQ(Stats().num_idle, 1u);
}

TEST_F(PoolTest, TooManyIdleInAll) {
  RawServer others[3] = {RawServer(&loop_), RawServer(&loop_), RawServer(&loop_)};
  evhttp_connection_pool_set_max_idle(pool_, 10, 2);
  for (RawServer &server : others) {
    server.replies = {kHi, kHi};
    Exchange one;
    ASSERT_EQ(Make(&one, UriOf(server)), 0);
    ASSERT_TRUE(Finish(&one));
  }
  // The one that has been idle for longest goes.
  EXPECT_TRUE(Run([&] { return others[0].peers[0]->ended; }));
  EXPECT_EQ(Stats().num_idle, 2u);
  EXPECT_EQ(Stats().num_hosts, 2u);
}

TEST_F(PoolTest, KeepsNoneWhereNoneAreToBeIdle) {
  evhttp_connection_pool_set_max_idle(pool_, 0, 0);
  server_.replies = {kHi, kHi};
  Exchange one, two;
  // The callback's request is in time.
  one.on_reply = [&] { Make(&two, UriOf(server_)); };
  ASSERT_EQ(Make(&one, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&two));
  EXPECT_TRUE(BecomesEmpty());
  EXPECT_EQ(server_.peers.size(), 1u);
}

// ---- Failures ----

TEST_F(PoolTest, NobodyListens) {
  server_.StopListening();
  evhttp_connection_pool_set_max_per_host(pool_, 2);
  MakeMany(5);
  ASSERT_TRUE(FinishAll());
  for (auto &exchange : many_) {
    EXPECT_EQ(exchange->code, 0);
    EXPECT_EQ(exchange->errors, 1);
  }
  EXPECT_TRUE(BecomesEmpty());
}

TEST_F(PoolTest, FailedReplyFreesThePlace) {
  evhttp_connection_pool_set_max_per_host(pool_, 1);
  server_.replies = {"junk\r\n\r\n", kHi};
  MakeMany(2);
  ASSERT_TRUE(FinishAll());
  EXPECT_TRUE(At(0).null);
  EXPECT_EQ(At(1).code, 200);
}

TEST_F(PoolTest, RequestsAreSetUpForEachConnection) {
  std::vector<evhttp_connection *> made;
  evhttp_connection_pool_set_newcb(
      pool_,
      [](evhttp_connection *evcon, void *arg) {
        static_cast<std::vector<evhttp_connection *> *>(arg)->push_back(evcon);
        evhttp_connection_set_max_body_size(evcon, 1);
      },
      &made);
  server_.replies = {kHi};
  Exchange one;
  ASSERT_EQ(Make(&one, UriOf(server_)), 0);
  ASSERT_EQ(made.size(), 1u);
  ASSERT_TRUE(Finish(&one));
  EXPECT_TRUE(one.null);
  EXPECT_EQ(one.error, EVREQ_HTTP_DATA_TOO_LONG);
}

// ---- Bufferevents of the user's ----

struct Maker {
  std::vector<std::string> asked;
  bool refuses = false;

  static bufferevent *Make(event_base *base, const char *scheme, const char *host, ev_uint16_t port,
                           void *arg) {
    Maker *self = static_cast<Maker *>(arg);
    self->asked.push_back(std::string(scheme) + " " + host + " " + std::to_string(port));
    return self->refuses ? nullptr : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
  }
};

TEST_F(PoolTest, BuffereventsOfTheUsers) {
  Maker maker;
  evhttp_connection_pool_set_bevcb(pool_, Maker::Make, &maker);
  server_.replies = {kHi, kHi, kHi};
  Exchange plain, tls, again;
  ASSERT_EQ(Make(&plain, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&plain));
  ASSERT_EQ(Make(&tls, UriOf(server_, "/", "https")), 0);
  ASSERT_TRUE(Finish(&tls));
  // A new connection has a new one, also where only the connection knows that it is needed.
  server_.peers[1]->Close();
  ASSERT_EQ(Make(&again, UriOf(server_, "/", "HTTPS")), 0);
  ASSERT_TRUE(Finish(&again));
  EXPECT_EQ(again.code, 200);
  const std::string where = " 127.0.0.1 " + std::to_string(server_.port());
  EXPECT_EQ(maker.asked,
            (std::vector<std::string>{"http" + where, "https" + where, "https" + where}));
  EXPECT_EQ(Stats().num_hosts, 2u);
}

TEST_F(PoolTest, BuffereventThatIsRefused) {
  Maker maker;
  maker.refuses = true;
  evhttp_connection_pool_set_bevcb(pool_, Maker::Make, &maker);
  server_.replies = {kHi};
  Exchange plain, tls;
  EXPECT_EQ(Make(&tls, UriOf(server_, "/", "https")), -1);
  ASSERT_EQ(Make(&plain, UriOf(server_)), 0);
  ASSERT_TRUE(Finish(&plain));
  EXPECT_EQ(plain.code, 200);
}

}  // namespace
