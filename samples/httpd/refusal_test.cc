// What httpd must not serve, with the kernel's help (openat2) and without.
#include <gtest/gtest.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "samples/server_process.h"

namespace {

#if defined(STRATA_ORACLE)
const char kProgram[] = "samples/httpd/httpd_oracle";
#else
const char kProgram[] = "samples/httpd/httpd";
#endif

using samples::Response;

class RefusalTest : public testing::TestWithParam<bool> {
 protected:
  RefusalTest() {
    directory_.Write("secret", "secret");
    directory_.Write("root/file", "public");
    directory_.Write("root/sub/file", "public");
  }

  void Start(const std::vector<std::string> &options = {}) {
    std::vector<std::string> command = {samples::ProgramPath("HTTPD", kProgram), "--quiet",
                                        "--root", Path("root")};
    command.insert(command.end(), options.begin(), options.end());
    samples::Process::Settings settings;
    settings.without_openat2 = GetParam();
    server_ = std::make_unique<samples::Server>(command, settings);
  }

  std::string Path(const std::string &name) { return directory_.path() + "/" + name; }
  void Link(const std::string &target, const std::string &name) {
    ASSERT_EQ(0, symlink(target.c_str(), Path(name).c_str()));
  }
  Response Fetch(const std::string &method, const std::string &target,
                 const std::string &body = "") {
    return samples::Fetch(server_->port(), method, target, "", body);
  }
  int Status(const std::string &target) { return Fetch("GET", target).status; }

  samples::TemporaryDirectory directory_;
  std::unique_ptr<samples::Server> server_;
};

INSTANTIATE_TEST_SUITE_P(Kernel, RefusalTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool> &info) {
                           return info.param ? "WithoutOpenat2" : "AsItIs";
                         });

TEST_P(RefusalTest, ServesTheRest) {
  Start();
  EXPECT_EQ("public", Fetch("GET", "/file").body);
  EXPECT_EQ("public", Fetch("GET", "/sub/file").body);
  EXPECT_EQ(200, Status("/"));
  EXPECT_EQ(200, Status("/sub/"));
}

TEST_P(RefusalTest, NoWayOut) {
  Start();
  for (const char *target : {"/../secret",     "/sub/../../secret",
                             "/%2e%2e/secret", "/%2E%2E/secret",
                             "/.%2e/secret",   "/sub/%2e%2e/%2e%2e/secret",
                             "/..%2fsecret",   "/%2e%2e%2fsecret",
                             "/..%5csecret",   "/..\\secret",
                             "/sub/..",        "/..",
                             "/../",           "/%2e%2e",
                             "/file%00",       "/file%00.txt",
                             "/%00",           "/sub%2ffile",
                             "/sub%5cfile",    "/sub\\file",
                             "/%zz",           "/%2",
                             "/./../secret",   "http://localhost/../secret"}) {
    Response response = Fetch("GET", target);
    EXPECT_EQ(400, response.status) << target;
    EXPECT_EQ(std::string::npos, response.body.find("secret"));
  }
  // ".." is the host here, or an error of its own.
  EXPECT_NE(200, Status("//../secret"));
  // Decoded once, not twice.
  EXPECT_EQ(404, Status("/%252e%252e/secret"));
  EXPECT_EQ(404, Status("/%c0%ae%c0%ae/secret"));
}

TEST_P(RefusalTest, WhatIsNotThere) {
  Start();
  EXPECT_EQ(404, Status("/nothing"));
  EXPECT_EQ(404, Status("/nothing/file"));
  EXPECT_EQ(404, Status("/file/"));
  EXPECT_EQ(404, Status("/file/below"));
  EXPECT_EQ(404, Status("/" + std::string(300, 'x')));
}

TEST_P(RefusalTest, SymbolicLinks) {
  Link("../secret", "root/out");
  Link("file", "root/inside");
  Link("sub", "root/directory");
  Link("../..", "root/sub/up");
  Link(Path("secret"), "root/absolute");
  Start();
  for (const char *target : {"/out", "/inside", "/directory", "/directory/", "/directory/file",
                             "/sub/up/secret", "/absolute"})
    EXPECT_EQ(403, Status(target)) << target;
}

TEST_P(RefusalTest, SymbolicLinksWhenAllowed) {
  Link("../secret", "root/out");
  Link("sub", "root/directory");
  Link("loop", "root/loop");
  Start({"--follow-symlinks"});
  EXPECT_EQ("secret", Fetch("GET", "/out").body);
  EXPECT_EQ("public", Fetch("GET", "/directory/file").body);
  EXPECT_EQ(403, Status("/loop"));
  Response listing = Fetch("GET", "/");
  EXPECT_NE(std::string::npos, listing.body.find("<a href=\"directory/\">"));
  EXPECT_NE(std::string::npos, listing.body.find("<a href=\"out\">"));
  EXPECT_EQ(400, Status("/../secret"));
}

TEST_P(RefusalTest, AnIndexThatIsALink) {
  Link("../secret", "root/index.html");
  Start();
  Response response = Fetch("GET", "/");
  EXPECT_EQ(200, response.status);
  EXPECT_EQ(std::string::npos, response.body.find("secret"));
  EXPECT_NE(std::string::npos, response.body.find("Index of /"));
}

TEST_P(RefusalTest, WhatIsNoFile) {
  ASSERT_EQ(0, mkfifo(Path("root/fifo").c_str(), 0600));
  ASSERT_EQ(0, mknod(Path("root/socket").c_str(), S_IFSOCK | 0600, 0));
  Start();
  EXPECT_EQ(403, Status("/fifo"));
  EXPECT_EQ(403, Status("/socket"));
  EXPECT_EQ(200, Status("/file"));
}

TEST_P(RefusalTest, OtherMethods) {
  Start();
  for (const char *method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"}) {
    Response response = Fetch(method, "/file", strcmp(method, "TRACE") == 0 ? "" : "body");
    EXPECT_EQ(405, response.status) << method;
    EXPECT_EQ("GET, HEAD", response.Header("allow")) << method;
  }
  EXPECT_EQ("public", samples::ReadFile(Path("root/file")));
}

TEST_P(RefusalTest, TooMuch) {
  Start();
  samples::Connection connection(server_->port());
  connection.Send("PUT /file HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n");
  EXPECT_EQ(413, connection.Receive().status);
  EXPECT_EQ(200, Status("/file"));
}

}  // namespace
