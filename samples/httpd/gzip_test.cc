// httpd's compressed replies: who gets them, what they are, and what they say.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>
#include <utime.h>
#include <zlib.h>

#include <random>
#include <string>

#include "samples/server_process.h"

namespace {

#if defined(STRATA_ORACLE)
const char kProgram[] = "samples/httpd/httpd_oracle";
#else
const char kProgram[] = "samples/httpd/httpd";
#endif

const char kGzip[] = "Accept-Encoding: gzip\r\n";

using samples::Connection;
using samples::Response;

std::string Inflate(const std::string &bytes) {
  z_stream stream = {};
  EXPECT_EQ(Z_OK, inflateInit2(&stream, 15 + 16));
  std::string text;
  char block[65536];
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef *>(block);
    stream.avail_out = sizeof(block);
    result = inflate(&stream, Z_NO_FLUSH);
    text.append(block, sizeof(block) - stream.avail_out);
  }
  EXPECT_EQ(Z_STREAM_END, result);
  EXPECT_EQ(0u, stream.avail_in);
  inflateEnd(&stream);
  return text;
}

// The body of a chunked reply whose head has been received.
std::string ReceiveChunks(Connection *connection) {
  std::string bytes, body;
  const std::string kLast = "\r\n0\r\n\r\n";
  while (bytes.size() < kLast.size() ||
         bytes.compare(bytes.size() - kLast.size(), kLast.size(), kLast) != 0) {
    std::string more = connection->ReadSome();
    EXPECT_NE("", more);
    if (more.empty()) return "";
    bytes += more;
  }
  for (size_t at = 0;;) {
    size_t end = bytes.find("\r\n", at), len = strtoul(bytes.c_str() + at, nullptr, 16);
    if (len == 0) return body;
    body.append(bytes, end + 2, len);
    at = end + 2 + len + 2;
  }
}

class GzipTest : public testing::Test {
 protected:
  GzipTest() : server_({samples::ProgramPath("HTTPD", kProgram), "--root", root_.path(), "-q"}) {
    for (int i = 0; i < 500; i++) text_ += "line " + std::to_string(i * i) + "\n";
    std::mt19937 random(1);
    while (large_.size() < (3 << 20)) large_ += std::to_string(random()) + "\n";
    Write("text.txt", text_);
    Write("large.txt", large_);
  }
  // A modification time that is not within the current second.
  void Write(const std::string &name, const std::string &contents) {
    utimbuf times = {784111777, 784111777};
    ASSERT_EQ(0, utime(root_.Write(name, contents).c_str(), &times));
  }
  Response Get(const std::string &target, const std::string &lines = "") {
    return samples::Fetch(server_.port(), "GET", target, lines);
  }

  Response Ask(Connection *connection, const std::string &target) {
    EXPECT_TRUE(
        connection->Send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + kGzip + "\r\n"));
    Response response = connection->ReceiveHead();
    EXPECT_EQ(200, response.status);
    EXPECT_EQ("gzip", response.Header("content-encoding"));
    if (response.Header("transfer-encoding") == "chunked") {
      response.body = ReceiveChunks(connection);
    } else {
      while (response.body.size() < strtoul(response.Header("content-length").c_str(), nullptr, 10))
        response.body += connection->ReadSome();
    }
    return response;
  }

  std::string text_, large_;
  samples::TemporaryDirectory root_;
  samples::Server server_;
};

TEST_F(GzipTest, ASmallFileHasALength) {
  Response response = Get("/text.txt", kGzip);
  EXPECT_EQ(200, response.status);
  EXPECT_EQ("gzip", response.Header("content-encoding"));
  EXPECT_EQ("Accept-Encoding", response.Header("vary"));
  EXPECT_EQ("text/plain; charset=utf-8", response.Header("content-type"));
  EXPECT_EQ(std::to_string(response.body.size()), response.Header("content-length"));
  EXPECT_LT(response.body.size(), text_.size() / 2);
  EXPECT_EQ(text_, Inflate(response.body));
}

TEST_F(GzipTest, ALargeFileComesInPieces) {
  Connection connection(server_.port());
  Response response = Ask(&connection, "/large.txt");
  EXPECT_EQ("chunked", response.Header("transfer-encoding"));
  EXPECT_TRUE(large_ == Inflate(response.body));
}

TEST_F(GzipTest, TheConnectionGoesOn) {
  Connection connection(server_.port());
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(large_.size(), Inflate(Ask(&connection, "/large.txt").body).size());
    EXPECT_EQ(text_, Inflate(Ask(&connection, "/text.txt").body));
  }
}

TEST_F(GzipTest, OnlyWhoAsksGetsIt) {
  for (const char *lines : {"", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: br\r\n",
                            "Accept-Encoding: gzip;q=0.5, identity\r\n"}) {
    Response response = Get("/text.txt", lines);
    EXPECT_EQ("", response.Header("content-encoding")) << lines;
    EXPECT_EQ("Accept-Encoding", response.Header("vary")) << lines;
    EXPECT_EQ(text_, response.body) << lines;
  }
}

TEST_F(GzipTest, NotWhatIsSmallOrCompressed) {
  Write("small.txt", "small");
  Write("photo.png", std::string(5000, 'x'));
  Write("archive.tar.gz", std::string(5000, 'x'));
  for (const char *target : {"/small.txt", "/photo.png", "/archive.tar.gz"}) {
    Response response = Get(target, kGzip);
    EXPECT_EQ("", response.Header("content-encoding")) << target;
    EXPECT_EQ("", response.Header("vary")) << target;
  }
}

TEST_F(GzipTest, NotForHttp10) {
  Connection connection(server_.port());
  ASSERT_TRUE(connection.Send(std::string("GET /large.txt HTTP/1.0\r\n") + kGzip + "\r\n"));
  Response response = connection.Receive();
  EXPECT_EQ("", response.Header("content-encoding"));
  EXPECT_EQ(large_.size(), response.body.size());
}

TEST_F(GzipTest, PartsAreOfTheFileAsItIs) {
  Response response = Get("/text.txt", std::string(kGzip) + "Range: bytes=0-3\r\n");
  EXPECT_EQ(206, response.status);
  EXPECT_EQ("", response.Header("content-encoding"));
  EXPECT_EQ("line", response.body);
  EXPECT_EQ(Get("/text.txt").Header("etag"), response.Header("etag"));
}

TEST_F(GzipTest, EachRepresentationHasItsETag) {
  std::string plain = Get("/text.txt").Header("etag");
  std::string zipped = Get("/text.txt", kGzip).Header("etag");
  EXPECT_NE(plain, zipped);
  const std::string none = "If-None-Match: ", match = "If-Match: ", range = "If-Range: ";
  EXPECT_EQ(304, Get("/text.txt", none + plain + "\r\n").status);
  EXPECT_EQ(200, Get("/text.txt", none + zipped + "\r\n").status);
  Response response = Get("/text.txt", kGzip + none + zipped + "\r\n");
  EXPECT_EQ(304, response.status);
  EXPECT_EQ(zipped, response.Header("etag"));
  EXPECT_EQ("Accept-Encoding", response.Header("vary"));
  EXPECT_EQ(200, Get("/text.txt", kGzip + none + plain + "\r\n").status);
  EXPECT_EQ(200, Get("/text.txt", kGzip + match + zipped + "\r\n").status);
  EXPECT_EQ(412, Get("/text.txt", kGzip + match + plain + "\r\n").status);
  // A part of what was compressed cannot be had.
  EXPECT_EQ(200, Get("/text.txt", range + zipped + "\r\nRange: bytes=0-3\r\n").status);
  EXPECT_EQ(206, Get("/text.txt", range + plain + "\r\nRange: bytes=0-3\r\n").status);
}

TEST_F(GzipTest, HeadIsGetWithoutTheBody) {
  for (const char *target : {"/text.txt", "/large.txt"}) {
    Connection connection(server_.port());
    std::string rest =
        std::string(" ") + target + " HTTP/1.1\r\nHost: localhost\r\n" + kGzip + "\r\n";
    ASSERT_TRUE(connection.Send("HEAD" + rest));
    Response head = connection.Receive(true);
    ASSERT_TRUE(connection.Send("GET" + rest));
    Response get = connection.ReceiveHead();
    EXPECT_EQ(200, get.status);
    EXPECT_EQ("gzip", head.Header("content-encoding"));
    EXPECT_EQ(get.Header("etag"), head.Header("etag"));
    EXPECT_EQ(get.Header("content-length"), head.Header("content-length"));
  }
}

TEST_F(GzipTest, AClientThatHangsUpHurtsNobody) {
  for (int i = 0; i < 3; i++) {
    Connection connection(server_.port(), 4096);
    ASSERT_TRUE(connection.Send(std::string("GET /large.txt HTTP/1.1\r\nHost: localhost\r\n") +
                                kGzip + "\r\n"));
    ASSERT_EQ(200, connection.ReceiveHead().status);
  }
  EXPECT_EQ(text_, Inflate(Get("/text.txt", kGzip).body));
}

#ifndef _WIN32
TEST_F(GzipTest, ALargeFileTakesNoMemory) {
  const off_t kFileLen = 64 << 20;
  root_.WriteHoles("huge.txt", kFileLen);
  Connection connection(server_.port());
  Ask(&connection, "/large.txt");
  long before = server_.ResidentKilobytes();
  EXPECT_GT(Ask(&connection, "/huge.txt").body.size(), 50000u);
  EXPECT_LT(server_.PeakResidentKilobytes() - before, 4 * 1024);
}
#endif

}  // namespace
