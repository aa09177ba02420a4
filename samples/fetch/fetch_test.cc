// fetch, with samples/httpd as the server, or with one that does what the test says.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "samples/server_process.h"

namespace {

using samples::Process;
using samples::ReadFile;
using samples::Server;
using samples::TemporaryDirectory;

struct Result {
  int code;
  std::string output, errors;
};

class FetchTest : public ::testing::Test {
 protected:
  static std::string Program() { return samples::ProgramPath("FETCH", "samples/fetch/fetch"); }
  static std::string Httpd() { return samples::ProgramPath("HTTPD", "samples/httpd/httpd"); }

  // Its output is small enough for a pipe.
  Result Run(const std::vector<std::string> &arguments) {
    std::vector<std::string> command = {Program()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process process(command);
    Result result;
    result.output = process.ReadBytes();
    result.errors = process.ReadErrors();
    result.code = process.Wait();
    return result;
  }
  std::string Url(const std::string &path) const {
    return "http://127.0.0.1:" + std::to_string(server_.port()) + path;
  }
  std::string Here(const std::string &name) const { return here_.path() + "/" + name; }

  TemporaryDirectory root_, here_;
  std::string small_ = root_.Write("small.txt", "hello\n");
  std::string large_ = root_.Write("large.bin", "begin\n" + std::string(4 << 20, 'x'));
  Server server_{{Httpd(), "--root", root_.path(), "--quiet"}};
};

TEST_F(FetchTest, WritesTheBodyAndTheRates) {
  const Result result = Run({Url("/small.txt")});
  EXPECT_EQ(0, result.code);
  EXPECT_EQ("hello\n", result.output);
  EXPECT_EQ(0u, result.errors.find("fetch: ended after ")) << result.errors;
  EXPECT_NE(std::string::npos, result.errors.find("(6 B in all)")) << result.errors;
}

TEST_F(FetchTest, OneAnswerAfterTheOther) {
  const Result result = Run({"-q", Url("/small.txt"), Url("/small.txt"), Url("/small.txt?x")});
  EXPECT_EQ(0, result.code);
  EXPECT_EQ("hello\nhello\nhello\n", result.output);
  EXPECT_EQ("", result.errors);
}

TEST_F(FetchTest, HeadsIfWanted) {
  const Result with_head = Run({"-qi", Url("/small.txt")});
  EXPECT_EQ(0u, with_head.output.find("HTTP/1.1 200 OK\r\n")) << with_head.output;
  EXPECT_NE(std::string::npos, with_head.output.find("\r\n\r\nhello\n")) << with_head.output;
  const Result head = Run({"-qI", Url("/small.txt")});
  EXPECT_NE(std::string::npos, head.output.find("\r\nContent-Length: 6\r\n")) << head.output;
  EXPECT_EQ(head.output.size(), head.output.find("\r\n\r\n") + 4);
}

TEST_F(FetchTest, EndsByTheWorstStatus) {
  EXPECT_EQ(4, Run({"-q", Url("/absent")}).code);
  EXPECT_EQ(4, Run({"-q", Url("/absent"), Url("/small.txt")}).code);
  EXPECT_EQ(3,
            Run({"-q", "-H", "If-Modified-Since: Fri, 31 Dec 2100 00:00:00 GMT", Url("/small.txt")})
                .code);
  const Result none = Run({"-q", Url("/absent"), "http://127.0.0.1:1/", Url("/small.txt")});
  EXPECT_EQ(1, none.code);
  EXPECT_NE(std::string::npos, none.errors.find(": 404 Not Found\n")) << none.errors;
  EXPECT_NE(std::string::npos, none.errors.find("http://127.0.0.1:1/: cannot connect\n"));
}

TEST_F(FetchTest, FilesAtOnce) {
  const Result result =
      Run({"-qv", "-k", "3", "-o", Here("one"), "-o", Here("two"), "-o", Here("three"), "-o",
           Here("four"), Url("/large.bin"), Url("/small.txt"), Url("/large.bin"), Url("/absent")});
  EXPECT_EQ(4, result.code);
  EXPECT_NE(std::string::npos, result.errors.find("/small.txt: 200, 6 bytes\n")) << result.errors;
  EXPECT_TRUE(ReadFile(large_) == ReadFile(Here("one")));
  EXPECT_EQ("hello\n", ReadFile(Here("two")));
  EXPECT_TRUE(ReadFile(large_) == ReadFile(Here("three")));
  EXPECT_NE(0, access(Here("four").c_str(), F_OK));
}

TEST_F(FetchTest, FileThatCannotBeWritten) {
  const Result result = Run(
      {"-q", "-o", Here("no/such/place"), "-o", Here("two"), Url("/large.bin"), Url("/small.txt")});
  EXPECT_EQ(1, result.code);
  EXPECT_NE(std::string::npos, result.errors.find(": No such file or directory\n"));
  EXPECT_EQ("hello\n", ReadFile(Here("two")));
}

TEST_F(FetchTest, UploadThatIsRefused) {
  const Result result = Run({"-q", "-T", small_, Url("/small.txt")});
  EXPECT_EQ(4, result.code);
  EXPECT_NE(std::string::npos, result.errors.find(": 405 ")) << result.errors;
  const Result large = Run({"-q", "-T", large_, Url("/small.txt")});
  EXPECT_EQ(4, large.code);
  EXPECT_NE(std::string::npos, large.errors.find(": 413 ")) << large.errors;
  EXPECT_EQ(1, Run({"-q", "-T", Here("absent"), Url("/small.txt")}).code);
}

// Nobody takes what does not fit into the pipe.
TEST_F(FetchTest, StoppedWhileItWaits) {
  Process process({Program(), "-q", Url("/large.bin")});
  EXPECT_EQ("begin", process.ReadLine());
  process.Signal(SIGTERM);
  EXPECT_EQ(1, process.Wait());
  EXPECT_EQ("fetch: interrupted\n", process.ReadErrors());
}

TEST_F(FetchTest, Refusals) {
  const std::vector<std::vector<std::string>> kBad = {
      {},
      {"https://a.test/"},
      {"-k", "0", "http://a.test/"},
      {"-m", "x", "http://a.test/"},
      {"-H", "no field", "http://a.test/"},
      {"-O", "http://a.test/"},
      {"-k", "2", "http://a.test/x", "http://a.test/y"},
      {"-o", "x", "-o", "y", "http://a.test/"},
      {"-T", "-", "http://a.test/x", "http://a.test/y"},
      {"-I", "-T", "x", "http://a.test/x"},
      {"--no-such-option"},
  };
  for (const auto &arguments : kBad) {
    const Result result = Run(arguments);
    EXPECT_EQ(2, result.code);
    EXPECT_EQ("", result.output);
    EXPECT_NE(std::string::npos, result.errors.find("Try 'fetch --help'.\n")) << result.errors;
  }
  EXPECT_EQ(0u, Run({"--help"}).output.find("usage: fetch "));
}

}  // namespace
