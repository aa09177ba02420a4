// The HTTP client: what it sends, and what it makes of replies.

#include "http/client_testing.h"

namespace {

using client_testing::ClientTest;
using client_testing::Connection;
using client_testing::Exchange;
using client_testing::kHi;
using client_testing::OnLibevent;
using client_testing::Peer;

TEST_F(ClientTest, GetsAReply) {
  server_.replies = {"HTTP/1.1 203 Fine\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"};
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.WithField("X-Mine", "yes");
  ASSERT_EQ(exchange.Make(con.get(), EVHTTP_REQ_GET, "/path?q=1"), 0);
  EXPECT_EQ(exchange.calls, 0);
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 203);
  EXPECT_EQ(exchange.reason, "Fine");
  EXPECT_EQ(exchange.body, "hello");
  EXPECT_EQ(exchange.Field("x-a"), "b");
  EXPECT_EQ(exchange.errors, 0);
  const std::string &sent = server_.peers[0]->in;
  EXPECT_EQ(sent.find("GET /path?q=1 HTTP/1.1\r\n"), 0u);
  EXPECT_NE(sent.find("\r\nX-Mine: yes\r\n"), std::string::npos);
  EXPECT_EQ(sent.find("Content-Length"), std::string::npos);
}

TEST_F(ClientTest, NamesTheHost) {
  if (OnLibevent()) GTEST_SKIP() << "libevent leaves Host to the user (RFC 9112 3.2)";
  server_.replies = {kHi, kHi, kHi};
  Connection con(&loop_, server_.port());
  Exchange plain, own, absolute;
  own.WithField("host", "example.org");
  plain.Make(con.get());
  own.Make(con.get());
  absolute.Make(con.get(), EVHTTP_REQ_GET, "http://other:81/x");
  ASSERT_TRUE(Finish(&absolute));
  const std::string &sent = server_.peers[0]->in;
  EXPECT_NE(sent.find("Host: 127.0.0.1:" + std::to_string(server_.port()) + "\r\n"),
            std::string::npos);
  EXPECT_NE(sent.find("host: example.org\r\n"), std::string::npos);
  EXPECT_NE(sent.find("Host: other:81\r\n"), std::string::npos);
}

TEST_F(ClientTest, KeepsTheConnection) {
  server_.replies = {kHi, kHi, kHi};
  Connection con(&loop_, server_.port());
  for (int i = 0; i < 3; ++i) {
    Exchange exchange;
    ASSERT_EQ(exchange.Make(con.get()), 0);
    ASSERT_TRUE(Finish(&exchange));
    EXPECT_EQ(exchange.body, "hi");
  }
  EXPECT_EQ(server_.peers.size(), 1u);
  EXPECT_EQ(con.closes, 0);
  con.Free();
  EXPECT_EQ(con.closes, 1);
}

TEST_F(ClientTest, SendsOneAtATimeInOrder) {
  Connection con(&loop_, server_.port());
  Exchange one, two;
  one.Make(con.get(), EVHTTP_REQ_GET, "/one");
  two.Make(con.get(), EVHTTP_REQ_GET, "/two");
  Peer *peer = server_.WaitFor(0, "\r\n\r\n");
  ASSERT_NE(peer, nullptr);
  loop_.Settle();
  EXPECT_EQ(peer->in.find("/two"), std::string::npos);
  peer->Send(kHi);
  ASSERT_TRUE(Finish(&one));
  EXPECT_EQ(two.calls, 0);
  ASSERT_EQ(server_.WaitFor(0, "/two"), peer);
  peer->Send(kHi);
  ASSERT_TRUE(Finish(&two));
}

TEST_F(ClientTest, SendsABody) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.WithBody("some bytes").Make(con.get(), EVHTTP_REQ_POST, "/");
  Peer *peer = server_.WaitFor(0, "\r\n\r\nsome bytes");
  ASSERT_NE(peer, nullptr);
  EXPECT_NE(peer->in.find("POST / HTTP/1.1\r\n"), std::string::npos);
  EXPECT_NE(peer->in.find("Content-Length: 10\r\n"), std::string::npos);
  peer->Send(kHi);
  ASSERT_TRUE(Finish(&exchange));
}

TEST_F(ClientTest, SaysThatThereIsNoBody) {
  server_.replies = {kHi, kHi, kHi};
  Connection con(&loop_, server_.port());
  Exchange post, put, del;
  post.Make(con.get(), EVHTTP_REQ_POST);
  put.Make(con.get(), EVHTTP_REQ_PUT);
  ASSERT_TRUE(Finish(&put));
  const std::string first = server_.peers[0]->in;
  EXPECT_NE(first.find("Content-Length: 0\r\n"), first.rfind("Content-Length: 0\r\n"));
  del.Make(con.get(), EVHTTP_REQ_DELETE);
  ASSERT_TRUE(Finish(&del));
  EXPECT_EQ(server_.peers[0]->in.find("Content-Length", first.size()), std::string::npos);
}

TEST_F(ClientTest, WaitsForContinue) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.WithField("Expect", "100-continue").WithBody("body");
  exchange.Make(con.get(), EVHTTP_REQ_POST);
  Peer *peer = server_.WaitFor(0, "\r\n\r\n");
  ASSERT_NE(peer, nullptr);
  loop_.Settle();
  EXPECT_EQ(peer->in.find("body"), std::string::npos);
  peer->Send("HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_EQ(server_.WaitFor(0, "\r\n\r\nbody"), peer);
  peer->Send(kHi);
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 200);
}

TEST_F(ClientTest, DoesNotWaitForContinueForEver) {
  if (OnLibevent()) GTEST_SKIP() << "libevent waits until its timeout (RFC 9110 10.1.1)";
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.WithField("Expect", "100-continue").WithBody("body");
  exchange.Make(con.get(), EVHTTP_REQ_POST);
  Peer *peer = server_.WaitFor(0, "\r\n\r\nbody");
  ASSERT_NE(peer, nullptr);
  peer->Send(kHi);
  ASSERT_TRUE(Finish(&exchange));
}

TEST_F(ClientTest, AFinalReplyInsteadOfContinueClosesTheConnection) {
  if (OnLibevent()) GTEST_SKIP() << "libevent goes on without the body it has announced";
  server_.replies = {"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", kHi};
  Connection con(&loop_, server_.port());
  Exchange exchange, next;
  exchange.WithField("Expect", "100-continue").WithBody("body");
  exchange.Make(con.get(), EVHTTP_REQ_POST);
  next.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 413);
  ASSERT_TRUE(Finish(&next));
  EXPECT_EQ(server_.peers.size(), 2u);
  EXPECT_EQ(server_.peers[0]->in.find("body"), std::string::npos);
}

TEST_F(ClientTest, InterimRepliesAreSkipped) {
  if (OnLibevent()) GTEST_SKIP() << "libevent takes 103 for the reply";
  server_.replies = {
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 "
      "Continue\r\n\r\n" +
      kHi};
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.WithHeaderCb().Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.heads, 1);
  EXPECT_EQ(exchange.code, 200);
  EXPECT_EQ(exchange.Field("Link"), "(none)");
}

TEST_F(ClientTest, RepliesWithoutABody) {
  server_.replies = {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
                     "HTTP/1.1 204 No Content\r\n\r\n",
                     "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", kHi};
  Connection con(&loop_, server_.port());
  Exchange head, none, same, last;
  head.Make(con.get(), EVHTTP_REQ_HEAD);
  none.Make(con.get());
  same.Make(con.get());
  last.Make(con.get());
  ASSERT_TRUE(Finish(&last));
  EXPECT_EQ(head.code, 200);
  EXPECT_EQ(none.code, 204);
  EXPECT_EQ(same.code, 304);
  EXPECT_EQ(head.body + none.body + same.body, "");
  EXPECT_EQ(last.body, "hi");
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(ClientTest, ChunkedBody) {
  server_.replies = {
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
      kHi};
  Connection con(&loop_, server_.port());
  Exchange exchange, next;
  exchange.Make(con.get());
  next.Make(con.get());
  ASSERT_TRUE(Finish(&next));
  EXPECT_EQ(exchange.body, "abcdefg");
  EXPECT_EQ(server_.peers.size(), 1u);
}

TEST_F(ClientTest, BodyUntilTheConnectionCloses) {
  server_.close_after_reply = true;
  server_.replies = {"HTTP/1.1 200 OK\r\n\r\nall of it"};
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.body, "all of it");
  ASSERT_TRUE(Run([&] { return con.closes == 1; }));
}

TEST_F(ClientTest, ChunkCallbackGetsTheBodyAsItComes) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.WithChunks().WithHeaderCb().Make(con.get());
  Peer *peer = server_.WaitFor(0, "\r\n\r\n");
  ASSERT_NE(peer, nullptr);
  peer->Send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
  ASSERT_TRUE(Run([&] { return exchange.chunk_bytes == "abc"; }));
  EXPECT_EQ(exchange.heads, 1);
  EXPECT_EQ(exchange.calls, 0);
  peer->Send("def");
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.chunk_bytes, "abcdef");
  EXPECT_EQ(exchange.body, "");
}

TEST_F(ClientTest, HeaderCallbackRefuses) {
  server_.replies = {kHi};
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.head_result = -1;
  exchange.WithHeaderCb().Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  EXPECT_EQ(exchange.errors, 1);
  EXPECT_EQ(exchange.error, EVREQ_HTTP_EOF);
  EXPECT_EQ(con.closes, 1);
}

TEST_F(ClientTest, ClosesWhenTheServerSaysSo) {
  server_.replies = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", kHi};
  Connection con(&loop_, server_.port());
  Exchange one, two;
  one.Make(con.get());
  two.Make(con.get());
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(one.code + two.code, 400);
  EXPECT_EQ(server_.peers.size(), 2u);
  EXPECT_EQ(con.closes, 1);
}

TEST_F(ClientTest, AnHttp10ReplyClosesToo) {
  if (OnLibevent()) GTEST_SKIP() << "libevent sends the next request over it (RFC 9112 9.3)";
  server_.replies = {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
                     "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", kHi};
  Connection con(&loop_, server_.port());
  Exchange one, two, three;
  one.Make(con.get());
  two.Make(con.get());
  three.Make(con.get());
  ASSERT_TRUE(Finish(&three));
  EXPECT_EQ(one.code + two.code + three.code, 600);
  EXPECT_EQ(server_.peers.size(), 2u);
}

TEST_F(ClientTest, ClosesWhenTheRequestSaidSo) {
  server_.replies = {kHi, kHi};
  Connection con(&loop_, server_.port());
  Exchange one, two;
  one.WithField("Connection", "close").Make(con.get());
  ASSERT_TRUE(Finish(&one));
  two.Make(con.get());
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(server_.peers.size(), 2u);
}

TEST_F(ClientTest, ConnectsAgainAfterTheServerHasClosed) {
  server_.replies = {kHi, kHi};
  Connection con(&loop_, server_.port());
  Exchange one, two;
  one.Make(con.get());
  ASSERT_TRUE(Finish(&one));
  server_.peers[0]->Close();
  ASSERT_TRUE(Run([&] { return con.closes == 1; }));
  two.Make(con.get());
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(two.body, "hi");
}

TEST_F(ClientTest, BytesThatNobodyAskedForCloseTheConnection) {
  if (OnLibevent()) GTEST_SKIP() << "libevent takes them for the next reply";
  server_.replies = {kHi + kHi, kHi};
  Connection con(&loop_, server_.port());
  Exchange one, two;
  one.Make(con.get());
  ASSERT_TRUE(Finish(&one));
  two.Make(con.get());
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(server_.peers.size(), 2u);
}

TEST_F(ClientTest, SilentServer) {
  Connection con(&loop_, server_.port());
  timeval soon = {0, 30000};
  evhttp_connection_set_timeout_tv(con.get(), &soon);
  Exchange exchange;
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  EXPECT_EQ(exchange.error, EVREQ_HTTP_TIMEOUT);
  EXPECT_EQ(exchange.errors, 1);
}

TEST_F(ClientTest, IdleConnectionEndsQuietly) {
  server_.replies = {kHi};
  Connection con(&loop_, server_.port());
  timeval soon = {0, 200000};
  evhttp_connection_set_timeout_tv(con.get(), &soon);
  Exchange exchange;
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  ASSERT_TRUE(Run([&] { return con.closes == 1; }));
  EXPECT_EQ(exchange.calls, 1);
  EXPECT_EQ(exchange.errors, 0);
}

TEST_F(ClientTest, BodyThatIsTooLarge) {
  server_.replies = {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890"};
  Connection con(&loop_, server_.port());
  evhttp_connection_set_max_body_size(con.get(), 10);
  Exchange exchange;
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  EXPECT_EQ(exchange.error, EVREQ_HTTP_DATA_TOO_LONG);
}

TEST_F(ClientTest, HeadThatIsTooLarge) {
  server_.replies = {"HTTP/1.1 200 OK\r\nX: " + std::string(500, 'x') + "\r\n\r\n"};
  Connection con(&loop_, server_.port());
  evhttp_connection_set_max_headers_size(con.get(), 200);
  Exchange exchange;
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
  EXPECT_EQ(exchange.error, EVREQ_HTTP_INVALID_HEADER);
}

TEST_F(ClientTest, OwnedRequestOutlivesItsCallback) {
  server_.replies = {kHi};
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.keep = true;
  evhttp_request *req = exchange.req;
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  con.Free();
  EXPECT_EQ(evhttp_request_get_response_code(req), 200);
  EXPECT_STREQ(evhttp_find_header(evhttp_request_get_input_headers(req), "Content-Length"), "2");
  evhttp_request_free(req);
}

TEST_F(ClientTest, Peer) {
  Connection con(&loop_, 1234);
  char *address;
  ev_uint16_t port;
  evhttp_connection_get_peer(con.get(), &address, &port);
  EXPECT_STREQ(address, "127.0.0.1");
  EXPECT_EQ(port, 1234);
  EXPECT_EQ(evhttp_connection_get_base(con.get()), loop_.base());
  EXPECT_EQ(evhttp_connection_get_server(con.get()), nullptr);
  EXPECT_NE(evhttp_connection_get_bufferevent(con.get()), nullptr);
  EXPECT_EQ(evhttp_connection_set_flags(
                con.get(), EVHTTP_CON_REUSE_CONNECTED_ADDR | EVHTTP_CON_READ_ON_WRITE_ERROR),
            0);
  EXPECT_NE(evhttp_connection_set_flags(con.get(), 1), 0);
}

TEST_F(ClientTest, AddressOfThePeerWhileConnected) {
  server_.replies = {kHi};
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.Make(con.get());
  ASSERT_TRUE(Finish(&exchange));
  const sockaddr *addr = evhttp_connection_get_addr(con.get());
  ASSERT_NE(addr, nullptr);
  EXPECT_EQ(addr->sa_family, AF_INET);
  EXPECT_EQ(ntohs(reinterpret_cast<const sockaddr_in *>(addr)->sin_port), server_.port());
}

TEST_F(ClientTest, FromALocalAddress) {
  server_.replies = {kHi};
  Connection con(&loop_, server_.port());
  evhttp_connection_set_local_address(con.get(), "127.0.0.1");
  Exchange exchange;
  ASSERT_EQ(exchange.Make(con.get()), 0);
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 200);
}

TEST_F(ClientTest, FromALocalPort) {
  int port;
  {
    client_testing::RawServer momentary(&loop_);
    port = momentary.port();
  }
  server_.replies = {kHi};
  Connection con(&loop_, server_.port());
  evhttp_connection_set_local_address(con.get(), "127.0.0.1");
  evhttp_connection_set_local_port(con.get(), static_cast<ev_uint16_t>(port));
  Exchange exchange;
  ASSERT_EQ(exchange.Make(con.get()), 0);
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.code, 200);
  bufferevent *bev = evhttp_connection_get_bufferevent(con.get());
  EXPECT_EQ(http_testing::Server::PortOf(bufferevent_getfd(bev)), port);
}

TEST_F(ClientTest, KeptAddressIsUsedAgain) {
  server_.replies = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", kHi};
  evhttp_connection *raw = evhttp_connection_base_new(loop_.base(), nullptr, "localhost",
                                                      static_cast<ev_uint16_t>(server_.port()));
  Connection con(raw);
  evhttp_connection_set_flags(raw, EVHTTP_CON_REUSE_CONNECTED_ADDR);
  evhttp_connection_set_family(raw, AF_INET);
  Exchange one, two;
  one.Make(raw);
  two.Make(raw);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(two.code, 200);
  EXPECT_EQ(server_.peers.size(), 2u);
}

TEST_F(ClientTest, OverABufferevent) {
  server_.replies = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", kHi};
  bufferevent *bev = bufferevent_socket_new(loop_.base(), -1, BEV_OPT_CLOSE_ON_FREE);
  evhttp_connection *raw = evhttp_connection_base_bufferevent_new(
      loop_.base(), nullptr, bev, "127.0.0.1", static_cast<ev_uint16_t>(server_.port()));
  ASSERT_NE(raw, nullptr);
  Connection con(raw);
  EXPECT_EQ(evhttp_connection_get_bufferevent(raw), bev);
  Exchange one, two;
  one.Make(raw);
  two.Make(raw);
  ASSERT_TRUE(Finish(&two));
  EXPECT_EQ(two.body, "hi");
  EXPECT_EQ(server_.peers.size(), 2u);
}

// ---- What must not be sent ----

TEST_F(ClientTest, TargetsThatWouldBreakTheRequest) {
  if (OnLibevent()) GTEST_SKIP() << "libevent sends what it is given";
  Connection con(&loop_, server_.port());
  // The last ones would give a password away (RFC 9110 4.2.4).
  for (const char *target : {"/a\r\nX: y", "/a b", "/\n", "/\x7f", "/\t", "http://u:p@h/x",
                             "http://@h", "https://h@i?x", "http://u@h#x"}) {
    Exchange exchange;
    EXPECT_EQ(exchange.Make(con.get(), EVHTTP_REQ_GET, target), -1) << target;
    EXPECT_EQ(exchange.calls, 0);
  }
  EXPECT_TRUE(server_.peers.empty());
}

TEST_F(ClientTest, RequestsThatCannotBeFramed) {
  if (OnLibevent()) GTEST_SKIP() << "libevent sends what it is given";
  Connection con(&loop_, server_.port());
  Exchange coding, connect, user, method, hosts;
  coding.WithField("Transfer-Encoding", "gzip").WithBody("x");
  EXPECT_EQ(coding.Make(con.get(), EVHTTP_REQ_POST), -1);
  connect.WithBody("x");
  EXPECT_EQ(connect.Make(con.get(), EVHTTP_REQ_CONNECT, "a:1"), -1);
  EXPECT_EQ(user.Make(con.get(), EVHTTP_REQ_CONNECT, "u:p@a:1"), -1);
  EXPECT_EQ(method.Make(con.get(), static_cast<evhttp_cmd_type>(1 << 20)), -1);
  hosts.WithField("Host", "a").WithField("Host", "b");
  EXPECT_EQ(hosts.Make(con.get()), -1);
}

TEST_F(ClientTest, TargetsAsTheyAreSent) {
  if (OnLibevent()) GTEST_SKIP() << "libevent sends what it is given";
  const char *cases[][2] = {{"", "/"},
                            {"?q", "/?q"},
                            {"#f", "/"},
                            {"?#f", "/?"},
                            {"/a#f", "/a"},
                            {"/a?b#c?d#e", "/a?b"},
                            {"/x@y", "/x@y"},
                            {"/x?u=http://a@b", "/x?u=http://a@b"},
                            {"http://h/x#f@g", "http://h/x"},
                            {"http://h/u@v", "http://h/u@v"}};
  for (const auto &c : cases) {
    server_.replies.push_back(kHi);
    Connection con(&loop_, server_.port());
    Exchange exchange;
    ASSERT_EQ(exchange.Make(con.get(), EVHTTP_REQ_GET, c[0]), 0) << c[0];
    ASSERT_TRUE(Finish(&exchange));
    const std::string &sent = server_.peers.back()->in;
    EXPECT_EQ(sent.find(std::string("GET ") + c[1] + " HTTP/1.1\r\n"), 0u) << sent;
  }
}

TEST_F(ClientTest, OneLengthIsSent) {
  if (OnLibevent()) GTEST_SKIP() << "libevent sends both, or the wrong one";
  Connection con(&loop_, server_.port());
  Exchange chunked, wrong;
  chunked.WithField("Transfer-Encoding", "chunked").WithField("Content-Length", "9");
  chunked.WithBody("body").Make(con.get(), EVHTTP_REQ_POST, "/chunked");
  Peer *peer = server_.WaitFor(0, "\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
  ASSERT_NE(peer, nullptr);
  EXPECT_NE(peer->in.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_EQ(peer->in.find("Content-Length"), std::string::npos);
  peer->Send(kHi);
  wrong.WithField("Content-Length", "9").WithBody("body").Make(con.get(), EVHTTP_REQ_POST);
  ASSERT_EQ(server_.WaitFor(0, "Content-Length: 4\r\n"), peer);
  EXPECT_EQ(peer->in.find("Content-Length: 9"), std::string::npos);
}

}  // namespace
