// httpd's status page, and its threads. Not on libevent, which counts no
// connections and has no evhttp_threads.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "samples/server_process.h"

namespace {

using samples::Connection;
using samples::Fetch;
using samples::Process;
using samples::Response;
using samples::Server;

std::vector<std::string> Httpd(const std::vector<std::string> &options) {
  std::vector<std::string> command = {samples::ProgramPath("HTTPD", "samples/httpd/httpd")};
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

// The number behind "name": in JSON, from `from` on; -1 when there is none.
long long Number(const std::string &json, const std::string &name, const std::string &from = "") {
  size_t at = json.find(from);
  if (at == std::string::npos) return -1;
  at = json.find("\"" + name + "\":", at);
  return at == std::string::npos ? -1 : atoll(json.c_str() + at + name.size() + 3);
}

class StatusTest : public testing::TestWithParam<const char *> {
 protected:
  StatusTest() {
    root_.Write("file", "12345");
    server_.reset(new Server(Httpd(
        {"--root", root_.path(), "--quiet", "--status", "/status", "--threads", GetParam()})));
  }
  std::string Json() { return Fetch(server_->port(), "GET", "/status?json").body; }

  samples::TemporaryDirectory root_;
  std::unique_ptr<Server> server_;
};

TEST_P(StatusTest, CountsRequests) {
  for (int i = 0; i < 10; i++) EXPECT_EQ("12345", Fetch(server_->port(), "GET", "/file").body);
  for (int i = 0; i < 3; i++) EXPECT_EQ(404, Fetch(server_->port(), "GET", "/nothing").status);
  Fetch(server_->port(), "GET", "/status/");
  // A reply may be read before it is counted.
  std::string json;
  for (int i = 0; i < 1000; i++) {
    json = Json();
    if (Number(json, "4xx") == 4 && Number(json, "2xx") >= 10) break;
    usleep(1000);
  }
  EXPECT_GE(Number(json, "2xx"), 10) << json;
  EXPECT_EQ(4, Number(json, "4xx")) << json;
  EXPECT_EQ(0, Number(json, "5xx")) << json;
  EXPECT_EQ(0, Number(json, "cut_short")) << json;
  EXPECT_EQ(atoi(GetParam()), Number(json, "loops")) << json;
  EXPECT_GE(Number(json, "accepted"), 14) << json;
  EXPECT_GE(Number(json, "open"), 1) << json;
  EXPECT_GE(Number(json, "body_bytes"), 50) << json;
  long long in_histogram = 0;
  for (size_t at = 0; (at = json.find("\"count\":", at)) != std::string::npos; at++)
    in_histogram += atoll(json.c_str() + at + 8);
  EXPECT_EQ(Number(json, "total"), in_histogram) << json;
}

TEST_P(StatusTest, CountsConnections) {
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < 5; i++) {
    connections.emplace_back(new Connection(server_->port()));
    ASSERT_TRUE(connections.back()->Send("GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    EXPECT_EQ(200, connections.back()->Receive().status);
  }
  EXPECT_GE(Number(Json(), "open"), 5);
  connections.clear();
  // That they have closed is found out within a second.
  long long open = 0;
  for (int i = 0; i < 1000 && (open = Number(Json(), "open")) > atoi(GetParam()); i++)
    usleep(10000);
  EXPECT_LE(open, atoi(GetParam()));
}

TEST_P(StatusTest, IsHtmlOrJson) {
  Response page = Fetch(server_->port(), "GET", "/status");
  EXPECT_EQ(200, page.status);
  EXPECT_EQ("text/html; charset=utf-8", page.Header("content-type"));
  EXPECT_EQ("no-store", page.Header("cache-control"));
  EXPECT_NE(std::string::npos, page.body.find("<th>Connections accepted</th>"));
  EXPECT_EQ("</html>\n", page.body.substr(page.body.size() - 8));
  Response json = Fetch(server_->port(), "GET", "/status?json");
  EXPECT_EQ("application/json", json.Header("content-type"));
  EXPECT_EQ('{', json.body[0]);
  EXPECT_EQ("application/json",
            Fetch(server_->port(), "GET", "/status", "Accept: application/json\r\n")
                .Header("content-type"));
  EXPECT_EQ("text/html; charset=utf-8",
            Fetch(server_->port(), "GET", "/status", "Accept: text/html,application/json\r\n")
                .Header("content-type"));
  EXPECT_EQ(405, Fetch(server_->port(), "POST", "/status").status);
}

INSTANTIATE_TEST_SUITE_P(Threads, StatusTest, testing::Values("1", "3"));

class ThreadsTest : public testing::Test {
 protected:
  ThreadsTest() { root_.Write("file", "12345"); }
  samples::TemporaryDirectory root_;
};

TEST_F(ThreadsTest, ThereIsNoStatusPageUnlessAskedFor) {
  Server server(Httpd({"--root", root_.path(), "--quiet"}));
  EXPECT_EQ(404, Fetch(server.port(), "GET", "/status").status);
}

TEST_F(ThreadsTest, BadOptions) {
  const std::vector<std::string> kBad[] = {{"--threads", "0"},
                                           {"--threads", "x"},
                                           {"--threads", "1025"},
                                           {"--status", "status"},
                                           {"--status", ""}};
  for (const auto &options : kBad) {
    Process process(Httpd(options));
    EXPECT_EQ(2, process.Wait()) << options[1];
  }
}

TEST_F(ThreadsTest, APortInUseIsAnError) {
  Server other(Httpd({"--quiet", "--root", root_.path()}));
  Process process(
      Httpd({"--threads", "2", "--root", root_.path(), "--port", std::to_string(other.port())}));
  EXPECT_EQ(1, process.Wait());
  EXPECT_NE(std::string::npos, process.ReadErrors().find("httpd: cannot listen on "));
}

// Each line whole, whoever wrote it.
TEST_F(ThreadsTest, OneLogForAll) {
  std::string log = root_.path() + "/log";
  Server server(Httpd({"--threads", "4", "--root", root_.path(), "--access-log", log}));
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; i++) {
    clients.emplace_back([&server] {
      for (int j = 0; j < 50; j++) Fetch(server.port(), "GET", "/file", "User-Agent: test\r\n");
    });
  }
  for (std::thread &client : clients) client.join();
  server.Signal(SIGTERM);
  EXPECT_EQ(0, server.Wait());
  const std::string text = samples::WithoutCarriageReturns(samples::ReadFile(log));
  int num_lines = 0;
  for (size_t at = 0; at < text.size(); num_lines++) {
    size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    EXPECT_EQ(0u, line.find("127.0.0.1 - - [")) << line;
    const std::string kEnd = "\"GET /file HTTP/1.1\" 200 5 \"-\" \"test\"";
    EXPECT_EQ(line.size() - kEnd.size(), line.find(kEnd)) << line;
    at = end == std::string::npos ? text.size() : end + 1;
  }
  EXPECT_EQ(200, num_lines);
}

#ifndef _WIN32  // Wine on a loaded machine needs longer than httpd has patience.
TEST_F(ThreadsTest, StoppingFinishesWhatIsUnderWay) {
  const int64_t kFileLen = 8 << 20;
  root_.WriteHoles("big", kFileLen);
  Server server(Httpd({"--threads", "3", "--quiet", "--root", root_.path()}));
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < 4; i++) {
    connections.emplace_back(new Connection(server.port()));
    ASSERT_TRUE(connections.back()->Send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    ASSERT_EQ(200, connections.back()->ReceiveHead().status);
  }
  server.Signal(SIGTERM);
  while (Connection(server.port()).connected()) usleep(1000);
  for (auto &connection : connections) {
    int64_t num_bytes = 0;
    for (size_t now = 1; now > 0 && num_bytes < kFileLen; num_bytes += static_cast<int64_t>(now))
      now = connection->ReadSome().size();
    EXPECT_EQ(kFileLen, num_bytes);
  }
  EXPECT_EQ(0, server.Wait());
}
#endif

TEST_F(ThreadsTest, ASecondSignalCutsItShort) {
  root_.WriteHoles("big", 256 << 20);
  Server server(Httpd({"--threads", "2", "--quiet", "--root", root_.path()}));
  Connection connection(server.port(), 4096);
  ASSERT_TRUE(connection.Send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  ASSERT_EQ(200, connection.ReceiveHead().status);
  server.Signal(SIGTERM);
  while (Connection(server.port()).connected()) usleep(1000);
  server.Signal(SIGTERM);
  EXPECT_EQ(0, server.Wait());
}

}  // namespace
