// httpd as its clients see it: files, parts of files, conditions, directories.
#include <gtest/gtest.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <filesystem>
#include <random>
#include <string>

#include "samples/server_process.h"

namespace {

#if defined(STRATA_ORACLE)
const char kProgram[] = "samples/httpd/httpd_oracle";
#else
const char kProgram[] = "samples/httpd/httpd";
#endif

const char kOldDate[] = "Sun, 06 Nov 1994 08:49:37 GMT";

using samples::Response;

class ServingTest : public testing::Test {
 protected:
  ServingTest() : server_({samples::ProgramPath("HTTPD", kProgram), "--root", root_.path(), "-q"}) {
    SetOld(root_.Write("letters.txt", "abcdefghijklmnopqrstuvwxyz"));
  }

  // A modification time that is not within the current second.
  void SetOld(const std::string &path) {
    utimbuf times = {784111777, 784111777};
    ASSERT_EQ(0, utime(path.c_str(), &times));
  }

  Response Get(const std::string &target, const std::string &lines = "") {
    return samples::Fetch(server_.port(), "GET", target, lines);
  }
  Response Range(const std::string &range, const std::string &lines = "") {
    return Get("/letters.txt", "Range: " + range + "\r\n" + lines);
  }

  samples::TemporaryDirectory root_;
  samples::Server server_;
};

TEST_F(ServingTest, File) {
  Response response = Get("/letters.txt");
  EXPECT_EQ(200, response.status);
  EXPECT_EQ("abcdefghijklmnopqrstuvwxyz", response.body);
  EXPECT_EQ("text/plain; charset=utf-8", response.Header("content-type"));
  EXPECT_EQ("26", response.Header("content-length"));
  EXPECT_EQ("bytes", response.Header("accept-ranges"));
  EXPECT_EQ(kOldDate, response.Header("last-modified"));
  EXPECT_NE("", response.Header("etag"));
  EXPECT_NE("", response.Header("date"));
}

TEST_F(ServingTest, EmptyFile) {
  root_.Write("empty", "");
  Response response = Get("/empty");
  EXPECT_EQ(200, response.status);
  EXPECT_EQ("0", response.Header("content-length"));
  EXPECT_EQ("application/octet-stream", response.Header("content-type"));
  EXPECT_EQ(200, Get("/empty", "Range: bytes=0-\r\n").status);
}

TEST_F(ServingTest, FileWithAQuery) {
  EXPECT_EQ(200, Get("/letters.txt?v=1").status);
}

TEST_F(ServingTest, NamesAreDecoded) {
  root_.Write("a b/\xC3\xA4%.txt", "x");
  EXPECT_EQ("x", Get("/a%20b/%c3%A4%25.txt").body);
}

TEST_F(ServingTest, ContentTypes) {
  const std::pair<const char *, const char *> kExpected[] = {
      {"i.HTML", "text/html; charset=utf-8"},
      {"s.css", "text/css; charset=utf-8"},
      {"p.png", "image/png"},
      {"j.jpeg", "image/jpeg"},
      {"d.json", "application/json"},
      {"m.wasm", "application/wasm"},
      {"t.tar.gz", "application/gzip"},
      {"README", "application/octet-stream"},
      {".png", "application/octet-stream"},
      {"dir.css/README", "application/octet-stream"},
  };
  for (const auto &expected : kExpected) {
    root_.Write(expected.first, "x");
    EXPECT_EQ(expected.second, Get(std::string("/") + expected.first).Header("content-type"))
        << expected.first;
  }
}

TEST_F(ServingTest, HeadIsGetWithoutTheBody) {
  root_.Write("sub/file", "x");
  for (const char *target : {"/letters.txt", "/sub/", "/sub", "/nothing"}) {
    samples::Connection connection(server_.port());
    std::string rest = std::string(" ") + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    ASSERT_TRUE(connection.Send("HEAD" + rest));
    Response head = connection.Receive(true);
    // A body would be taken for the beginning of this reply.
    ASSERT_TRUE(connection.Send("GET" + rest));
    Response get = connection.Receive();
    EXPECT_EQ(get.status, head.status) << target;
    get.headers.erase("date");
    head.headers.erase("date");
    EXPECT_EQ(get.headers, head.headers) << target;
    EXPECT_NE("", get.body) << target;
  }
}

TEST_F(ServingTest, ManyRequestsOnOneConnection) {
  samples::Connection connection(server_.port());
  const std::string kRequest = "GET /letters.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (int i = 0; i < 100; i++) {
    ASSERT_TRUE(connection.Send(kRequest));
    ASSERT_EQ(26u, connection.Receive().body.size());
  }
  std::string pipelined;
  for (int i = 0; i < 100; i++) pipelined += kRequest;
  ASSERT_TRUE(connection.Send(pipelined));
  for (int i = 0; i < 100; i++) ASSERT_EQ(26u, connection.Receive().body.size());
}

TEST_F(ServingTest, ABigFileArrivesIntact) {
  std::string contents(64 << 20, '\0');
  std::mt19937_64 random(1);
  // Random bytes at both ends, and holes between them.
  for (size_t i = 0; i < (8u << 20); i += 8) {
    uint64_t bits = random();
    memcpy(&contents[i], &bits, 8);
    memcpy(&contents[contents.size() - 8 - i], &bits, 8);
  }
  root_.Write("big", contents);
  Response response = Get("/big");
  EXPECT_EQ(200, response.status);
  EXPECT_TRUE(contents == response.body);
  response = Get("/big", "Range: bytes=1000001-60000000\r\n");
  EXPECT_EQ(206, response.status);
  EXPECT_TRUE(contents.compare(1000001, 59000000, response.body) == 0);
}

// libevent tries for ever to send what is not there.
#if !defined(STRATA_ORACLE)
TEST_F(ServingTest, AFileThatShrinksEndsTheConnection) {
  const int64_t file_len = 100 << 20;
  const std::string path = root_.WriteHoles("shrinking", file_len);
  samples::Connection connection(server_.port(), 4096);
  ASSERT_TRUE(connection.Send("GET /shrinking HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  ASSERT_EQ(std::to_string(file_len), connection.ReceiveHead().Header("content-length"));
  std::filesystem::resize_file(path, 1);
  int64_t received_len = 0;
  for (std::string bytes; !(bytes = connection.ReadSome()).empty();)
    received_len += static_cast<int64_t>(bytes.size());
  EXPECT_LT(received_len, file_len);
  EXPECT_EQ(200, Get("/letters.txt").status);
}
#endif

TEST_F(ServingTest, Ranges) {
  const struct {
    const char *range, *body, *content_range;
  } kExpected[] = {
      {"bytes=0-0", "a", "bytes 0-0/26"},       {"bytes=0-3", "abcd", "bytes 0-3/26"},
      {"bytes=10-12", "klm", "bytes 10-12/26"}, {"bytes=-3", "xyz", "bytes 23-25/26"},
      {"bytes=24-", "yz", "bytes 24-25/26"},    {"bytes=25-900", "z", "bytes 25-25/26"},
  };
  for (const auto &expected : kExpected) {
    Response response = Range(expected.range);
    EXPECT_EQ(206, response.status) << expected.range;
    EXPECT_EQ(expected.body, response.body);
    EXPECT_EQ(expected.content_range, response.Header("content-range"));
    EXPECT_EQ("text/plain; charset=utf-8", response.Header("content-type"));
  }
}

TEST_F(ServingTest, RangeBeyondTheEnd) {
  Response response = Range("bytes=26-");
  EXPECT_EQ(416, response.status);
  EXPECT_EQ("bytes */26", response.Header("content-range"));
}

TEST_F(ServingTest, RangesThatMayBeIgnoredAre) {
  for (const char *range : {"bytes=0-1,3-4", "bytes=5-1", "lines=1-2", "bytes=x"}) {
    Response response = Range(range);
    EXPECT_EQ(200, response.status) << range;
    EXPECT_EQ(26u, response.body.size());
    EXPECT_EQ("", response.Header("content-range"));
  }
  samples::Response head =
      samples::Fetch(server_.port(), "HEAD", "/letters.txt", "Range: bytes=0-1\r\n");
  EXPECT_EQ(200, head.status);
  EXPECT_EQ("26", head.Header("content-length"));
}

TEST_F(ServingTest, IfRange) {
  std::string etag = Get("/letters.txt").Header("etag");
  EXPECT_EQ(206, Range("bytes=0-1", "If-Range: " + etag + "\r\n").status);
  EXPECT_EQ(206, Range("bytes=0-1", std::string("If-Range: ") + kOldDate + "\r\n").status);
  EXPECT_EQ(200, Range("bytes=0-1", "If-Range: \"other\"\r\n").status);
  EXPECT_EQ(200, Range("bytes=0-1", "If-Range: Sun, 06 Nov 1994 08:49:36 GMT\r\n").status);
}

TEST_F(ServingTest, Conditions) {
  Response response = Get("/letters.txt", std::string("If-Modified-Since: ") + kOldDate + "\r\n");
  EXPECT_EQ(304, response.status);
  std::string etag = response.Header("etag");
  EXPECT_NE("", etag);
  EXPECT_EQ("", response.body);
  EXPECT_EQ(304, Get("/letters.txt", "If-None-Match: " + etag + "\r\n").status);
  EXPECT_EQ(200, Get("/letters.txt", "If-None-Match: \"other\"\r\n").status);
  EXPECT_EQ(200,
            Get("/letters.txt", "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n").status);
  EXPECT_EQ(412, Get("/letters.txt", "If-Match: \"other\"\r\n").status);
}

TEST_F(ServingTest, ConnectionStaysUsableAfterNotModified) {
  samples::Connection connection(server_.port());
  for (int i = 0; i < 3; i++) {
    ASSERT_TRUE(connection.Send(std::string("GET /letters.txt HTTP/1.1\r\nHost: localhost\r\n") +
                                "If-Modified-Since: " + kOldDate + "\r\n\r\n"));
    EXPECT_EQ(304, connection.Receive().status);
  }
}

#ifndef _WIN32  // It has no such names, and no pipes among files.
TEST_F(ServingTest, ListingIsSortedAndEscaped) {
  root_.Write("d/zeta", "");
  root_.Write("d/alpha", "");
  root_.Write("d/sub/x", "");
  root_.Write("d/<b>&\"'.txt", "");
  root_.Write("d/javascript:alert(1)", "");
  ASSERT_EQ(0, mkfifo((root_.path() + "/d/pipe").c_str(), 0600));
  ASSERT_EQ(0, symlink("zeta", (root_.path() + "/d/link").c_str()));
  Response response = Get("/d/");
  EXPECT_EQ(200, response.status);
  EXPECT_EQ("text/html; charset=utf-8", response.Header("content-type"));
  const std::string &page = response.body;
  size_t last = 0;
  for (const char *piece : {"<title>Index of /d/</title>", "<a href=\"../\">../</a>",
                            "<a href=\"%3Cb%3E%26%22%27.txt\">&lt;b&gt;&amp;&quot;&#039;.txt</a>",
                            "<a href=\"alpha\">alpha</a>", "<a href=\"javascript%3Aalert%281%29\">",
                            "<a href=\"sub/\">sub/</a>", "<a href=\"zeta\">zeta</a>"}) {
    size_t at = page.find(piece);
    ASSERT_NE(std::string::npos, at) << piece << "\n" << page;
    EXPECT_GT(at, last) << piece;
    last = at;
  }
  EXPECT_EQ(std::string::npos, page.find("pipe"));
  EXPECT_EQ(std::string::npos, page.find("link"));
}
#endif

TEST_F(ServingTest, ListingOfTheRootHasNoParent) {
  Response response = Get("/");
  EXPECT_EQ(200, response.status);
  EXPECT_NE(std::string::npos, response.body.find("letters.txt"));
  EXPECT_EQ(std::string::npos, response.body.find("../"));
}

TEST_F(ServingTest, ALongListingArrivesWhole) {
  for (int i = 0; i < 3000; i++) root_.Write("many/file" + std::to_string(i), "");
  Response response = Get("/many/");
  EXPECT_EQ(200, response.status);
  size_t num_links = 0;
  for (size_t at = 0; (at = response.body.find("<li>", at)) != std::string::npos; at++) num_links++;
  EXPECT_EQ(3001u, num_links);  // the parent's among them
}

TEST_F(ServingTest, IndexTakesTheListingsPlace) {
  root_.Write("site/index.html", "<p>home</p>");
  Response response = Get("/site/");
  EXPECT_EQ(200, response.status);
  EXPECT_EQ("<p>home</p>", response.body);
  EXPECT_EQ("text/html; charset=utf-8", response.Header("content-type"));
  EXPECT_EQ("home", Get("/site/", "Range: bytes=3-6\r\n").body);
}

TEST_F(ServingTest, DirectoryWithoutSlashIsRedirected) {
  root_.Write("a b/c/x", "");
  Response response = Get("/a%20b/c?sort=1");
  EXPECT_EQ(301, response.status);
  EXPECT_EQ("/a%20b/c/?sort=1", response.Header("location"));
}

TEST_F(ServingTest, ARedirectNeverLeadsToAnotherHost) {
  root_.Write("example.org/x", "");
  for (const char *target : {"//example.org", "/.//example.org", "///example.org"}) {
    Response response = Get(target);
    EXPECT_NE("//", response.Header("location").substr(0, 2)) << target;
  }
}

TEST_F(ServingTest, AbsoluteFormIsUnderstood) {
  EXPECT_EQ(200, Get("http://localhost/letters.txt").status);
  EXPECT_EQ(200, Get("http://localhost").status);
}

}  // namespace
