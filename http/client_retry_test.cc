// Connections of the HTTP client that cannot be had, or break.

#include "http/client_testing.h"

namespace {

using client_testing::ClientTest;
using client_testing::Connection;
using client_testing::Exchange;
using client_testing::kHi;
using client_testing::OnLibevent;
using client_testing::Peer;
using client_testing::RawServer;

TEST_F(ClientTest, RefusedConnectionFailsAllRequests) {
  server_.StopListening();
  Connection con(&loop_, server_.port());
  Exchange one, two;
  ASSERT_EQ(one.Make(con.get()), 0);
  ASSERT_EQ(two.Make(con.get()), 0);
  EXPECT_EQ(one.calls, 0);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(one.calls, 1);
  for (Exchange *exchange : {&one, &two}) {
    EXPECT_FALSE(exchange->null);
    EXPECT_EQ(exchange->code, 0);
    // libevent's documentation promises the call, its code does not make it.
    EXPECT_EQ(exchange->errors, OnLibevent() ? 0 : 1);
  }
  EXPECT_EQ(con.closes, 0);
}

TEST_F(ClientTest, RetriesUntilSomebodyListens) {
  int port = server_.port();
  server_.StopListening();
  Connection con(&loop_, port);
  timeval soon = {0, 1000};
  evhttp_connection_set_initial_retry_tv(con.get(), &soon);
  evhttp_connection_set_retries(con.get(), -1);
  Exchange exchange;
  exchange.Make(con.get());
  timeval tick = {0, 20000};
  event_base_loopexit(loop_.base(), &tick);
  event_base_dispatch(loop_.base());
  EXPECT_EQ(exchange.calls, 0);
  RawServer again(&loop_, port);
  again.replies = {kHi};
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 200);
  con.Free();
}

TEST_F(ClientTest, GivesUpAfterSomeRetries) {
  server_.StopListening();
  Connection con(&loop_, server_.port());
  timeval soon = {0, 1000};
  evhttp_connection_set_initial_retry_tv(con.get(), &soon);
  evhttp_connection_set_retries(con.get(), 2);
  Exchange exchange;
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 0);
}

TEST_F(ClientTest, FreedOrCancelledBetweenRetries) {
  if (OnLibevent()) GTEST_SKIP() << "libevent crashes";
  server_.StopListening();
  timeval soon = {0, 1000};
  Exchange cancelled, freed;
  Connection con(&loop_, server_.port());
  evhttp_connection_set_initial_retry_tv(con.get(), &soon);
  evhttp_connection_set_retries(con.get(), -1);
  cancelled.Make(con.get());
  freed.Make(con.get());
  loop_.Settle();
  evhttp_cancel_request(cancelled.req);
  loop_.Settle();
  con.Free();
  loop_.Settle();
  EXPECT_EQ(cancelled.calls + freed.calls, 0);
}

TEST_F(ClientTest, MadeAgainAfterAFailure) {
  int port = server_.port();
  server_.StopListening();
  Connection con(&loop_, port);
  Exchange one, two;
  std::unique_ptr<RawServer> later;
  one.on_reply = [&] {
    later = std::make_unique<RawServer>(&loop_, port);
    later->replies = {kHi};
    EXPECT_EQ(two.Make(con.get()), 0);
  };
  one.Make(con.get());
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(two.code, 200);
  con.Free();
}

TEST_F(ClientTest, LocalAddressThatIsNotOurs) {
  Connection con(&loop_, server_.port());
  evhttp_connection_set_local_address(con.get(), "192.0.2.77");
  Exchange exchange;
  if (OnLibevent()) {
    // libevent does not free the request then, though it says so.
    evhttp_request *req = exchange.req;
    EXPECT_EQ(exchange.Make(con.get()), -1);
    evhttp_request_free(req);
  } else {
    EXPECT_EQ(exchange.Make(con.get()), -1);
  }
  EXPECT_EQ(exchange.calls, 0);
}

TEST_F(ClientTest, NameThatDoesNotExist) {
  if (OnLibevent()) GTEST_SKIP() << "libevent calls back from within the call, without a request";
  Connection con(evhttp_connection_base_new(loop_.base(), nullptr, "no-such-host.invalid", 80));
  Exchange exchange;
  ASSERT_EQ(exchange.Make(con.get()), 0);
  EXPECT_EQ(exchange.calls, 0);
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 0);
  EXPECT_EQ(exchange.errors, 1);
}

// ---- Breaking ----

TEST_F(ClientTest, ServerClosesWithoutAReply) {
  Connection con(&loop_, server_.port());
  Exchange one, two;
  one.Make(con.get());
  two.Make(con.get());
  Peer *peer = server_.WaitFor(0, "\r\n\r\n");
  ASSERT_NE(peer, nullptr);
  server_.replies = {kHi};
  peer->Close();
  ASSERT_TRUE(Finish(&one));
  EXPECT_TRUE(one.null);
  EXPECT_EQ(one.error, EVREQ_HTTP_EOF);
  EXPECT_EQ(con.closes, 1);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(two.code, 200);
}

TEST_F(ClientTest, BodyBreaksOff) {
  server_.close_after_reply = true;
  server_.replies = {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"};
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  EXPECT_EQ(exchange.error, EVREQ_HTTP_EOF);
}

#ifndef _WIN32  // Wine ends the stream where a reset is asked for.
TEST_F(ClientTest, ResetIsNoEndOfABody) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.WithChunks().Make(con.get());
  Peer *peer = server_.WaitFor(0, "\r\n\r\n");
  ASSERT_NE(peer, nullptr);
  peer->Send("HTTP/1.1 200 OK\r\n\r\nabc");
  ASSERT_TRUE(Run([&] { return exchange.chunks > 0; }));
  peer->Reset();
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  // libevent takes a reset for an orderly end.
  EXPECT_EQ(exchange.error, OnLibevent() ? EVREQ_HTTP_EOF : EVREQ_HTTP_BUFFER_ERROR);
}
#endif

// ---- A request that meets a connection on its way down ----

class Stale : public ClientTest {
 protected:
  // Has a connection be used once, closed by the server, and used again before
  // the client knows.
  void Use(Connection *con, Exchange *exchange, evhttp_cmd_type type) {
    Exchange first;
    server_.replies = {kHi};
    first.Make(con->get());
    ASSERT_TRUE(Finish(&first));
    server_.peers[0]->Close();
    ASSERT_EQ(exchange->Make(con->get(), type), 0);
  }
  // The same, but the server closes only when it has the request.
  Peer *UseTwice(Connection *con, Exchange *exchange, evhttp_cmd_type type) {
    Exchange first;
    server_.replies = {kHi};
    first.Make(con->get());
    EXPECT_TRUE(Finish(&first));
    EXPECT_EQ(exchange->Make(con->get(), type, "/second"), 0);
    return server_.WaitFor(0, "/second");
  }
};

TEST_F(Stale, IsNoticedBeforeTheRequestIsSent) {
  if (OnLibevent()) GTEST_SKIP() << "libevent fails the request";
  Connection con(&loop_, server_.port());
  Exchange exchange;
  Use(&con, &exchange, EVHTTP_REQ_GET);
  server_.replies = {kHi};
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 200);
}

TEST_F(Stale, IdempotentRequestIsSentAgain) {
  if (OnLibevent()) GTEST_SKIP() << "libevent fails the request";
  for (evhttp_cmd_type type : {EVHTTP_REQ_GET, EVHTTP_REQ_HEAD, EVHTTP_REQ_DELETE}) {
    server_.peers.clear();
    Connection con(&loop_, server_.port());
    Exchange exchange;
    Peer *peer = UseTwice(&con, &exchange, type);
    ASSERT_NE(peer, nullptr);
    server_.replies = {"HTTP/1.1 204 Second\r\n\r\n"};
    peer->Close();
    ASSERT_TRUE(Finish(&exchange));
    EXPECT_EQ(exchange.code, 204);
    EXPECT_EQ(exchange.errors, 0);
    EXPECT_EQ(server_.peers.size(), 2u);
  }
}

TEST_F(Stale, AfterAResetToo) {
  if (OnLibevent()) GTEST_SKIP() << "libevent fails the request";
  Connection con(&loop_, server_.port());
  Exchange exchange;
  Peer *peer = UseTwice(&con, &exchange, EVHTTP_REQ_GET);
  ASSERT_NE(peer, nullptr);
  server_.replies = {kHi};
  peer->Reset();
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 200);
}

TEST_F(Stale, ButOnlyOnce) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  Peer *peer = UseTwice(&con, &exchange, EVHTTP_REQ_GET);
  ASSERT_NE(peer, nullptr);
  peer->Close();
  if (!OnLibevent()) {
    peer = server_.WaitFor(1, "/second");
    ASSERT_NE(peer, nullptr);
    peer->Close();
  }
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  EXPECT_EQ(exchange.error, EVREQ_HTTP_EOF);
}

TEST_F(Stale, OthersAreNot) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  Peer *peer = UseTwice(&con, &exchange, EVHTTP_REQ_POST);
  ASSERT_NE(peer, nullptr);
  peer->Close();
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  loop_.Settle();
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(Stale, NorOnceAReplyHasBegun) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  Peer *peer = UseTwice(&con, &exchange, EVHTTP_REQ_GET);
  ASSERT_NE(peer, nullptr);
  peer->CloseAfter("HTTP/1");
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  EXPECT_EQ(server_.peers.size(), 1u);
}

// ---- A reply that comes before the request is through ----

TEST_F(ClientTest, EarlyReplyIsReadThoughTheServerTakesNoMore) {
  if (OnLibevent()) GTEST_SKIP() << "libevent reads nothing before the request is written";
  Connection con(&loop_, server_.port());
  evhttp_connection_set_flags(con.get(), EVHTTP_CON_READ_ON_WRITE_ERROR);
  Exchange exchange;
  exchange.WithBody(std::string(16 << 20, 'x')).Make(con.get(), EVHTTP_REQ_POST);
  Peer *peer = server_.WaitFor(0, "\r\n\r\n");
  ASSERT_NE(peer, nullptr);
  peer->Pause();
  peer->Send(
      "HTTP/1.1 413 Too large\r\nContent-Length: 2\r\nConnection: "
      "close\r\n\r\nno");
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 413);
  EXPECT_EQ(exchange.body, "no");
  EXPECT_EQ(con.closes, 1);
}

}  // namespace
