#include <gtest/gtest.h>

#include <string>

#include "samples/server_process.h"

namespace {

#if defined(STRATA_ORACLE)
const char kProgram[] = "samples/hello_http_oracle";
#else
const char kProgram[] = "samples/hello_http";
#endif

std::string Program() {
  return samples::ProgramPath("HELLO_HTTP", kProgram);
}

TEST(HelloHttpTest, HelloAnswersThirteenBytes) {
  samples::Server server({Program()});
  samples::Response response = samples::Fetch(server.port(), "GET", "/hello");
  EXPECT_EQ(200, response.status);
  EXPECT_EQ("Hello, World!", response.body);
  EXPECT_EQ("13", response.Header("content-length"));
  EXPECT_EQ("text/plain", response.Header("content-type"));
}

TEST(HelloHttpTest, AnyOtherPathAnswersItsUri) {
  samples::Server server({Program()});
  samples::Response response = samples::Fetch(server.port(), "GET", "/some%20path?x=<1>");
  EXPECT_EQ(200, response.status);
  EXPECT_EQ("Request URI: /some%20path?x=<1>\n", response.body);
  EXPECT_EQ("text/plain", response.Header("content-type"));
}

TEST(HelloHttpTest, KeepsTheConnectionAndAnswersPipelinedRequestsInOrder) {
  samples::Server server({Program()});
  samples::Connection connection(server.port());
  std::string requests;
  for (int i = 0; i < 16; i++)
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  ASSERT_TRUE(connection.Send(requests));
  for (int i = 0; i < 16; i++)
    EXPECT_EQ("Request URI: /" + std::to_string(i) + "\n", connection.Receive().body);
}

TEST(HelloHttpTest, QuitAnswersAndThenStops) {
  samples::Server server({Program()});
  samples::Response response = samples::Fetch(server.port(), "GET", "/quit");
  EXPECT_EQ(200, response.status);
  EXPECT_EQ("Goodbye.\n", response.body);
  EXPECT_EQ(0, server.Wait());
  EXPECT_EQ("", server.ReadErrors());
}

TEST(HelloHttpTest, RefusesWhatItDoesNotUnderstand) {
  samples::Process process({Program(), "--port", "http"});
  EXPECT_EQ(2, process.Wait());
  EXPECT_EQ("usage: hello_http [--port N]\n", process.ReadErrors());
}

}  // namespace
