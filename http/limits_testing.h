#ifndef STRATA_HTTP_LIMITS_TESTING_H_
#define STRATA_HTTP_LIMITS_TESTING_H_

#include <string>

#include "http/http_testing.h"

namespace http_testing {

// A server that echoes bodies, for the tests of what it refuses.
class LimitsTest : public testing::Test {
 protected:
  LimitsTest() {
    server_.OnAny([this](evhttp_request *req) {
      called_++;
      Reply(req, BodyOf(req));
    });
  }
  // Asks on a new connection, and checks that the reply is the only one and is not lost.
  Response AskOnce(const std::string &request) {
    Client client(&loop_, server_.port());
    Response response = client.Get(request);
    EXPECT_EQ(response.Value("Connection"), "close");
    client.Shutdown();
    EXPECT_TRUE(client.WaitClosed());
    EXPECT_FALSE(client.reset());
    EXPECT_EQ(client.received(), "");
    return response;
  }
  static timeval Ms(int ms) { return {ms / 1000, ms % 1000 * 1000}; }
  static std::string ChunkedPost(const std::string &chunks) {
    return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
  }

  Loop loop_;
  Server server_{&loop_};
  int called_ = 0;
};

}  // namespace http_testing

#endif
