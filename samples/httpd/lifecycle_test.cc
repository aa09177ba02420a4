// httpd as the person who runs it sees it: options, the log, memory, stopping.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "samples/server_process.h"

namespace {

#if defined(STRATA_ORACLE)
const char kProgram[] = "samples/httpd/httpd_oracle";
#else
const char kProgram[] = "samples/httpd/httpd";
#endif

using samples::Connection;
using samples::Fetch;
using samples::Process;
using samples::Server;

std::vector<std::string> Httpd(const std::vector<std::string> &options) {
  std::vector<std::string> command = {samples::ProgramPath("HTTPD", kProgram)};
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

class LifecycleTest : public testing::Test {
 protected:
  LifecycleTest() { root_.Write("file", "12345"); }

  // Asks for "/big" over a connection that holds little, so that the reply stays under way.
  static void Begin(Connection *connection) {
    ASSERT_TRUE(connection->Send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    ASSERT_EQ(200, connection->ReceiveHead().status);
  }

  static uint64_t CountRest(Connection *connection) {
    uint64_t num_bytes = 0;
    for (;;) {
      size_t now = connection->ReadSome().size();
      if (now == 0) return num_bytes;
      num_bytes += now;
    }
  }

  samples::TemporaryDirectory root_;
};

TEST_F(LifecycleTest, Help) {
  Process process(Httpd({"--help"}));
  EXPECT_EQ(0, process.Wait());
  EXPECT_EQ(0u, process.ReadOutput().find("usage: httpd"));
  EXPECT_EQ("", process.ReadErrors());
}

TEST_F(LifecycleTest, BadOptions) {
  const std::vector<std::string> kBad[] = {
      {"--port", "65536"}, {"--port", "-1"}, {"--port", ""},  {"--port", "80x"},
      {"--port"},          {"--nonsense"},   {"-x"},          {"directory"},
      {"--quiet=yes"},     {"--root"},       {"--port", " "},
  };
  for (const auto &options : kBad) {
    Process process(Httpd(options));
    EXPECT_EQ(2, process.Wait()) << options[0];
    std::string errors = process.ReadErrors();
    EXPECT_NE(std::string::npos, errors.find(": ")) << errors;
    EXPECT_NE(std::string::npos, errors.find("httpd --help")) << errors;
    EXPECT_EQ("", process.ReadOutput());
  }
}

TEST_F(LifecycleTest, WhatCannotBeStarted) {
  Server other(Httpd({"--quiet", "--root", root_.path()}));
  const std::vector<std::string> kImpossible[] = {
      {"--root", root_.path() + "/nothing"},
      {"--root", root_.path() + "/file"},
      {"--port", "0", "--access-log", root_.path() + "/nothing/log"},
      {"--port", std::to_string(other.port())},
      {"--port", "0", "--bind", "192.0.2.1"},
  };
  for (const auto &options : kImpossible) {
    Process process(Httpd(options));
    EXPECT_EQ(1, process.Wait()) << options[1];
    EXPECT_NE(std::string::npos, process.ReadErrors().find("httpd: cannot ")) << options[1];
  }
}

TEST_F(LifecycleTest, StopsOnEitherSignal) {
  for (int number : {SIGINT, SIGTERM}) {
    Server server(Httpd({"--quiet", "--root", root_.path()}));
    Connection idle(server.port());
    Connection used(server.port());
    ASSERT_TRUE(used.Send("GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    EXPECT_EQ("12345", used.Receive().body);
    server.Signal(number);
    EXPECT_EQ(0, server.Wait());
    EXPECT_EQ("", server.ReadErrors());
    EXPECT_EQ("", server.ReadOutput());
    EXPECT_EQ("", used.ReadSome());
  }
}

#ifndef _WIN32  // Wine on a loaded machine needs longer than httpd has patience.
TEST_F(LifecycleTest, StoppingFinishesWhatIsUnderWay) {
  const int64_t kFileLen = 8 << 20;
  root_.WriteHoles("big", kFileLen);
  Server server(Httpd({"--root", root_.path()}));
  Connection connection(server.port(),
                        65536);  // Into less room the rest would take longer than httpd waits.
  Begin(&connection);
  server.Signal(SIGTERM);
  while (Connection(server.port()).connected()) usleep(1000);
  EXPECT_EQ(static_cast<uint64_t>(kFileLen), CountRest(&connection));
  EXPECT_EQ(0, server.Wait());
  EXPECT_NE(std::string::npos, server.ReadOutput().find("\"GET /big HTTP/1.1\" 200 8388608 "));
}
#endif

TEST_F(LifecycleTest, ASecondSignalCutsItShort) {
  const int64_t kFileLen = 256 << 20;
  root_.WriteHoles("big", kFileLen);
  Server server(Httpd({"--root", root_.path()}));
  Connection connection(server.port(), 4096);
  Begin(&connection);
  server.Signal(SIGTERM);
  while (Connection(server.port()).connected()) usleep(1000);
  server.Signal(SIGTERM);
  EXPECT_EQ(0, server.Wait());
  EXPECT_GT(static_cast<uint64_t>(kFileLen), CountRest(&connection));
  EXPECT_NE(std::string::npos, server.ReadOutput().find("\"GET /big HTTP/1.1\" 200 - "));
}

TEST_F(LifecycleTest, AClientThatHangsUpIsLogged) {
  root_.WriteHoles("big", 256 << 20);
  Server server(Httpd({"--root", root_.path()}));
  {
    Connection connection(server.port(), 4096);
    Begin(&connection);
  }
  EXPECT_NE(std::string::npos, server.ReadLine().find("\"GET /big HTTP/1.1\" 200 - "));
  EXPECT_EQ(200, Fetch(server.port(), "GET", "/file").status);
}

TEST_F(LifecycleTest, AccessLogIsInCombinedFormat) {
  Server server(Httpd({"--root", root_.path()}));
  Fetch(server.port(), "GET", "/file?q=1", "User-Agent: test/1.0\r\nReferer: http://r/\r\n");
  Fetch(server.port(), "HEAD", "/nothing");
  // The lines come without waiting for the end.
  std::string first = server.ReadLine();
  std::string second = server.ReadLine();
  const std::string kDate = R"(\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\])";
  EXPECT_TRUE(std::regex_match(
      first, std::regex(R"(127\.0\.0\.1 - - )" + kDate +
                        R"( "GET /file\?q=1 HTTP/1\.1" 200 5 "http://r/" "test/1\.0")")))
      << first;
  EXPECT_TRUE(std::regex_match(second, std::regex(R"(127\.0\.0\.1 - - )" + kDate +
                                                  R"( "HEAD /nothing HTTP/1\.1" 404 0 "-" "-")")))
      << second;
}

TEST_F(LifecycleTest, AccessLogCannotBeForged) {
  std::string log = root_.path() + "/log";
  Server server(Httpd({"--root", root_.path(), "--access-log", log}));
  Fetch(server.port(), "GET", "/file", "User-Agent: a\" 200 \\ \xff\r\n");
  server.Signal(SIGTERM);
  EXPECT_EQ(0, server.Wait());
  EXPECT_EQ("", server.ReadOutput());
  std::string text = samples::ReadFile(log);
  EXPECT_EQ(1, std::count(text.begin(), text.end(), '\n')) << text;
  EXPECT_NE(std::string::npos, text.find(R"("a\" 200 \\ \xff")")) << text;
}

TEST_F(LifecycleTest, AccessLogIsAppendedTo) {
  std::string log = root_.Write("log", "before\n");
  for (int i = 0; i < 2; i++) {
    Server server(Httpd({"--quiet", "--root", root_.path(), "--access-log", log}));
    Fetch(server.port(), "GET", "/file");
    server.Signal(SIGTERM);
    EXPECT_EQ(0, server.Wait());
  }
  std::string text = samples::ReadFile(log);
  EXPECT_EQ(0u, text.find("before\n"));
  EXPECT_EQ(3, std::count(text.begin(), text.end(), '\n'));
}

TEST_F(LifecycleTest, ALargeFileTakesNoMemory) {
  const int64_t kFileLen = 1 << 30;
  root_.WriteHoles("big", kFileLen);
  Server server(Httpd({"--quiet", "--root", root_.path()}));
  ASSERT_EQ(200, Fetch(server.port(), "GET", "/file").status);
  long before = server.ResidentKilobytes();
  ASSERT_GT(before, 0);
  Connection connection(server.port());
  Begin(&connection);
  long most = 0;
  for (int64_t done = 0; done < kFileLen;) {
    size_t now = connection.ReadSome().size();
    ASSERT_GT(now, 0u);
    done += static_cast<int64_t>(now);
    most = std::max(most, server.ResidentKilobytes());
  }
  EXPECT_LT(most - before, 8 * 1024);
}

}  // namespace
