// Limits of sizes and numbers: what strata adds to libevent or does otherwise, so the installed
// libevent is not asked.

#include "http/limits_testing.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::LimitsTest;
using http_testing::PostRequest;
using http_testing::Reply;
using http_testing::Response;

TEST_F(LimitsTest, HeadSize) {
  evhttp_set_max_headers_size(server_.http(), 1000);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/", "A: " + std::string(900, 'a') + "\r\n")).status, 200);
  EXPECT_EQ(AskOnce(GetRequest("/", "A: " + std::string(1000, 'a') + "\r\n")).status, 431);
  EXPECT_EQ(AskOnce("GET / HTTP/1.1\r\nA: " + std::string(1000, 'a')).status, 431);
  evhttp_set_max_headers_size(server_.http(), -1);
  Client unlimited(&loop_, server_.port());
  EXPECT_EQ(unlimited.Get(GetRequest("/", "A: " + std::string(1000000, 'a') + "\r\n")).status, 200);
}

TEST_F(LimitsTest, RequestLine) {
  EXPECT_EQ(AskOnce(GetRequest("/" + std::string(8192, 'a'))).status, 414);
  evhttp_set_max_request_line_size(server_.http(), 100);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/" + std::string(80, 'a'))).status, 200);
  EXPECT_EQ(AskOnce(GetRequest("/" + std::string(100, 'a'))).status, 414);
}

TEST_F(LimitsTest, NumberOfFields) {
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "A: b\r\n";
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(GetRequest("/", fields)).status, 200);
  EXPECT_EQ(AskOnce(GetRequest("/", fields + "A: b\r\n")).status, 431);
  evhttp_set_max_headers_count(server_.http(), 3);
  EXPECT_EQ(AskOnce(GetRequest("/", "A: b\r\nA: b\r\nA: b\r\n")).status, 431);
  evhttp_set_max_headers_count(server_.http(), 1000);
  EXPECT_EQ(client.Get(GetRequest("/", fields + fields)).status, 200);
}

TEST_F(LimitsTest, BodySize) {
  evhttp_set_max_body_size(server_.http(), 10);
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get(PostRequest("/", "0123456789")).status, 200);
  EXPECT_EQ(client.Get(ChunkedPost("a\r\n0123456789\r\n0\r\n\r\n")).status, 200);
  int before = called_;
  EXPECT_EQ(AskOnce(PostRequest("/", "0123456789a")).status, 413);
  EXPECT_EQ(AskOnce(PostRequest("/", std::string(1000000, 'a'))).status, 413);
  EXPECT_EQ(AskOnce(ChunkedPost("b\r\n0123456789a\r\n0\r\n\r\n")).status, 413);
  EXPECT_EQ(AskOnce(ChunkedPost("a\r\n0123456789\r\n1\r\n0\r\n0\r\n\r\n")).status, 413);
  EXPECT_EQ(called_, before);
}

TEST_F(LimitsTest, BodySizeByDefault) {
  Client client(&loop_, server_.port());
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
  EXPECT_EQ(AskOnce(head + std::to_string((16 << 20) + 1) + "\r\n\r\n").status, 413);
  EXPECT_EQ(
      client.Get(head + std::to_string(16 << 20) + "\r\n\r\n" + std::string(16 << 20, 'b')).status,
      200);
}

TEST_F(LimitsTest, TooLargeBodyIsRefusedBeforeItIsSent) {
  evhttp_set_max_body_size(server_.http(), 10);
  EXPECT_EQ(AskOnce("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                    "Content-Length: 11\r\n\r\n")
                .status,
            413);
}

TEST_F(LimitsTest, TooLargeBodyIsNotAskedForOnlyToBeReadFirst) {
  evhttp_set_max_body_size(server_.http(), 10);
  ASSERT_EQ(evhttp_set_flags(server_.http(), EVHTTP_SERVER_LINGERING_CLOSE), 0);
  EXPECT_EQ(AskOnce("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                    "Content-Length: 11\r\n\r\n")
                .status,
            413);
}

TEST_F(LimitsTest, TooLargeBodyIsReadFirstIfAsked) {
  evhttp_set_max_body_size(server_.http(), 10);
  ASSERT_EQ(evhttp_set_flags(server_.http(), EVHTTP_SERVER_LINGERING_CLOSE), 0);
  EXPECT_NE(evhttp_set_flags(server_.http(), 0x4000), 0);
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" +
              std::string(999999, 'a'));
  ASSERT_TRUE(loop_.RunUntil([&] { return client.sent_all(); }));
  loop_.Settle();
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(client.Get("a").status, 413);
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_EQ(AskOnce(ChunkedPost("ff\r\n" + std::string(255, 'a') + "\r\n0\r\n\r\n")).status, 413);
  EXPECT_EQ(called_, 0);
}

TEST_F(LimitsTest, RefusalIsNotLostThoughTheClientKeepsSending) {
  evhttp_set_max_body_size(server_.http(), 10);
  Client client(&loop_, server_.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" +
              std::string(3000000, 'a'));
  ASSERT_TRUE(loop_.RunUntil([&] { return client.sent_all(); }));
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 413);
  client.Shutdown();
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_FALSE(client.reset());
}

// More than the sockets hold, and than the default limit of a body.
TEST_F(LimitsTest, RefusalReachesAClientThatLooksOnlyWhenItHasSentAll) {
  const size_t len = 20 << 20;
  Client client(&loop_, server_.port());
  client.Pause();
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(len) + "\r\n\r\n" +
              std::string(len, 'a'));
  ASSERT_TRUE(loop_.RunUntil([&] { return client.sent_all(); }));
  EXPECT_FALSE(client.send_failed());
  client.Resume();
  Response response;
  ASSERT_TRUE(client.Receive(&response));
  EXPECT_EQ(response.status, 413);
  client.Shutdown();
  EXPECT_TRUE(client.WaitClosed());
  EXPECT_FALSE(client.reset());
}

TEST_F(LimitsTest, LingeringEndsWithTime) {
  Client client(&loop_, server_.port());
  EXPECT_EQ(client.Get("nonsense\r\n").status, 400);
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), 1);
  EXPECT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == 0; }));
}

TEST_F(LimitsTest, ConnectionsAboveTheLimitAreRefused) {
  evhttp_set_max_connections(server_.http(), 2);
  // Busy: idle ones would give way.
  std::vector<evhttp_request *> held;
  server_.On("/hold", [&](evhttp_request *req) { held.push_back(req); });
  Client one(&loop_, server_.port()), two(&loop_, server_.port());
  one.Send(GetRequest("/hold"));
  two.Send(GetRequest("/hold"));
  ASSERT_TRUE(loop_.RunUntil([&] { return held.size() == 2; }));
  EXPECT_EQ(evhttp_get_connection_count(server_.http()), 2);
  EXPECT_EQ(AskOnce(GetRequest("/")).status, 503);
  one.Close();
  ASSERT_TRUE(loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == 1; }));
  Client three(&loop_, server_.port());
  EXPECT_EQ(three.Get(GetRequest("/")).status, 200);
  for (evhttp_request *req : held) Reply(req, "x");
}

}  // namespace
