// The malformed requests, sent to a server: each gets the right status, one reply, and a closed
// connection where RFC 9112 asks for it.

#include <algorithm>

#include "http/http_testing.h"
#include "http/malformed_cases.h"

namespace {

using http_testing::Client;
using http_testing::GetRequest;
using http_testing::Loop;
using http_testing::Reply;
using http_testing::Response;
using http_testing::Server;

class MalformedServerTest : public testing::Test {
 protected:
  MalformedServerTest() {
    server_.OnAny([this](evhttp_request *req) {
      called_++;
      Reply(req, "ok");
    });
  }
  Loop loop_;
  Server server_{&loop_};
  int called_ = 0;
};

// A request that the server must not see follows each case.
const char smuggled[] = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

void ExpectOneReply(Loop *loop, Client *client, const MalformedCase &c) {
  (void)loop;
  Response response;
  ASSERT_TRUE(client->Receive(&response)) << c.name;
  EXPECT_EQ(response.status, c.status) << c.name;
  EXPECT_EQ(response.Value("Connection"), "close") << c.name;
  client->Shutdown();
  ASSERT_TRUE(client->WaitClosed()) << c.name;
  EXPECT_FALSE(client->reset()) << c.name;
  EXPECT_EQ(client->received(), "") << c.name;
}

TEST_F(MalformedServerTest, AllAtOnce) {
  for (const MalformedCase &c : MalformedCases()) {
    Client client(&loop_, server_.port());
    client.Send(c.bytes + smuggled);
    ExpectOneReply(&loop_, &client, c);
  }
  EXPECT_EQ(called_, 0);
}

TEST_F(MalformedServerTest, BehindAGoodRequest) {
  for (const MalformedCase &c : MalformedCases()) {
    called_ = 0;
    Client client(&loop_, server_.port());
    client.Send(GetRequest("/good") + c.bytes + smuggled);
    Response response;
    ASSERT_TRUE(client.Receive(&response));
    EXPECT_EQ(response.status, 200);
    ExpectOneReply(&loop_, &client, c);
    EXPECT_EQ(called_, 1) << c.name;
  }
}

TEST_F(MalformedServerTest, InPieces) {
  for (const MalformedCase &c : MalformedCases()) {
    Client client(&loop_, server_.port());
    size_t step = std::max<size_t>(1, c.bytes.size() / 40);
    for (size_t at = 0; at < c.bytes.size() && !client.closed(); at += step) {
      client.Send(c.bytes.substr(at, step));
      event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
      event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    }
    ExpectOneReply(&loop_, &client, c);
  }
  EXPECT_EQ(called_, 0);
}

}  // namespace
