#include "http/framing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/parser_testing.h"

namespace {

using parser_testing::Text;

struct Judged {
  evhttp_parse_result result;
  evhttp_framing framing;
  std::string authority, host, path;
};

template <typename Init, typename Judge>
Judged Run(const std::string &head, Init init, Judge judge) {
  const evhttp_head_limits limits = {1000, 10000, 20};
  evhttp_head_field fields[20];
  evhttp_head_parser parser;
  Judged out = {};
  init(&parser, fields, &limits);
  out.result = evhttp_head_parse(&parser, head.data(), head.size());
  EXPECT_EQ(out.result, EVHTTP_PARSE_DONE) << head;
  if (out.result != EVHTTP_PARSE_DONE) return out;
  out.result = judge(&parser, head.data(), &out.framing);
  if (out.result != EVHTTP_PARSE_DONE) return out;
  out.authority = Text(head.data(), out.framing.authority);
  out.host = Text(head.data(), out.framing.host);
  out.path = Text(head.data(), out.framing.path);
  return out;
}

Judged Request(const std::string &head) {
  return Run(head + "\r\n", evhttp_head_parser_init_request, evhttp_request_framing);
}

// A request with these field lines besides Host.
Judged Fields(const std::string &lines, const std::string &version = "1.1") {
  return Request("POST / HTTP/" + version + "\r\nHost: a\r\n" + lines);
}

Judged Response(const std::string &head, evhttp_response_to to = EVHTTP_RESPONSE_TO_OTHER) {
  return Run(head + "\r\n", evhttp_head_parser_init_response,
             [&](const evhttp_head_parser *parser, const char *data, evhttp_framing *out) {
               return evhttp_response_framing(parser, data, to, out);
             });
}

#define EXPECT_RESULT(judged, expected) \
  EXPECT_STREQ(evhttp_parse_error_name((judged).result), evhttp_parse_error_name(expected))

TEST(RequestFraming, Bodies) {
  const struct {
    std::string lines;
    evhttp_body_kind kind;
    uint64_t length;
  } cases[] = {
      {"", EVHTTP_BODY_NONE, 0},
      {"Content-Length: 0\r\n", EVHTTP_BODY_LENGTH, 0},
      {"content-length: 12\r\n", EVHTTP_BODY_LENGTH, 12},
      {"Content-Length:0012\t\r\n", EVHTTP_BODY_LENGTH, 12},
      {"Content-Length: 9223372036854775807\r\n", EVHTTP_BODY_LENGTH, INT64_MAX},
      {"Transfer-Encoding: chunked\r\n", EVHTTP_BODY_CHUNKED, 0},
      {"transfer-ENCODING:\tChUnKeD \r\n", EVHTTP_BODY_CHUNKED, 0},
      {"Content-Lengt: 5\r\nX-Content-Length: 6\r\n", EVHTTP_BODY_NONE, 0},
  };
  for (const auto &c : cases) {
    Judged judged = Fields(c.lines);
    EXPECT_RESULT(judged, EVHTTP_PARSE_DONE) << c.lines;
    EXPECT_EQ(judged.framing.body, c.kind) << c.lines;
    EXPECT_EQ(judged.framing.content_length, c.length) << c.lines;
  }
}

// RFC 9112 6.1 and 6.3.
TEST(RequestFraming, BadBodies) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n", length = "Content-Length: 5\r\n";
  const struct {
    std::string lines;
    evhttp_parse_result result;
  } cases[] = {
      {length + length, EVHTTP_PARSE_REPEATED_CONTENT_LENGTH},
      {"Content-Length: 5,5\r\n", EVHTTP_PARSE_REPEATED_CONTENT_LENGTH},
      {"Content-Length:\r\n", EVHTTP_PARSE_BAD_CONTENT_LENGTH},
      {"Content-Length: 5a\r\n", EVHTTP_PARSE_BAD_CONTENT_LENGTH},
      {"Content-Length: 9223372036854775808\r\n", EVHTTP_PARSE_BAD_CONTENT_LENGTH},
      {"Content-Length: 99999999999999999999999\r\n", EVHTTP_PARSE_BAD_CONTENT_LENGTH},
      {length + chunked, EVHTTP_PARSE_LENGTH_AND_CODING},
      {chunked + length, EVHTTP_PARSE_LENGTH_AND_CODING},
      {chunked + chunked, EVHTTP_PARSE_BAD_TRANSFER_CODING},
      {"Transfer-Encoding: chunked,\r\n", EVHTTP_PARSE_BAD_TRANSFER_CODING},
      {"Transfer-Encoding: chunked, gzip\r\n", EVHTTP_PARSE_BAD_TRANSFER_CODING},
      {"Transfer-Encoding: gzip, chunked, chunked\r\n", EVHTTP_PARSE_BAD_TRANSFER_CODING},
      {"Transfer-Encoding: \x80\r\n", EVHTTP_PARSE_BAD_TRANSFER_CODING},
      {"Transfer-Encoding: gzip\r\n", EVHTTP_PARSE_UNKNOWN_TRANSFER_CODING},
      {"Transfer-Encoding: gzip;q=1, chunked\r\n", EVHTTP_PARSE_UNKNOWN_TRANSFER_CODING},
      {"Transfer-Encoding: gzip\r\n" + chunked, EVHTTP_PARSE_UNKNOWN_TRANSFER_CODING},
  };
  for (const auto &c : cases) EXPECT_RESULT(Fields(c.lines), c.result) << c.lines;
  EXPECT_RESULT(Fields(chunked, "1.0"), EVHTTP_PARSE_CODING_IN_HTTP10);
}

// RFC 9112 9.3.
TEST(RequestFraming, Persistence) {
  const struct {
    std::string version, lines;
    bool keep_alive;
  } cases[] = {
      {"1.1", "", true},
      {"1.5", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: CLOSE\r\n", false},
      {"1.1", "Connection: x, close ,y\r\n", false},
      {"1.1", "Connection: x\r\nConnection: close\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.1", "Connection: keep-alive, close\r\n", false},
      {"1.1", "Connection: keep-alive\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.0", "Connection: close, keep-alive\r\n", false},
      {"1.0", "Proxy-Connection: keep-alive\r\n", false},
  };
  for (const auto &c : cases) {
    Judged judged = Fields(c.lines, c.version);
    EXPECT_EQ(judged.framing.keep_alive != 0, c.keep_alive) << c.version << " " << c.lines;
  }
}

// RFC 9110 10.1.1.
TEST(RequestFraming, Expectations) {
  const std::string body = "Content-Length: 5\r\n";
  EXPECT_TRUE(Fields(body + "Expect: 100-continue\r\n").framing.expect_continue);
  EXPECT_TRUE(Fields(body + "Expect: 100-Continue\r\n").framing.expect_continue);
  EXPECT_TRUE(
      Fields("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n").framing.expect_continue);
  EXPECT_FALSE(Fields(body).framing.expect_continue);
  EXPECT_FALSE(Fields("Expect: 100-continue\r\n").framing.expect_continue);
  EXPECT_FALSE(Fields("Content-Length: 0\r\nExpect: 100-continue\r\n").framing.expect_continue);
  EXPECT_FALSE(Fields(body + "Expect: 100-continue\r\n", "1.0").framing.expect_continue);
  EXPECT_RESULT(Fields(body + "Expect: later\r\n", "1.0"), EVHTTP_PARSE_DONE);
  EXPECT_RESULT(Fields(body + "Expect: later\r\n"), EVHTTP_PARSE_UNKNOWN_EXPECTATION);
  EXPECT_RESULT(Fields(body + "Expect: 100-continue, later\r\n"), EVHTTP_PARSE_UNKNOWN_EXPECTATION);
}

// RFC 9110 7.8.
TEST(RequestFraming, Upgrade) {
  EXPECT_TRUE(Fields("Connection: Upgrade\r\nUpgrade: websocket\r\n").framing.upgrade);
  EXPECT_TRUE(Fields("Upgrade: x\r\nConnection: keep-alive, upgrade\r\n").framing.upgrade);
  EXPECT_FALSE(Fields("Upgrade: websocket\r\n").framing.upgrade);
  EXPECT_FALSE(Fields("Connection: upgrade\r\n").framing.upgrade);
  EXPECT_FALSE(Fields("Connection: upgrade\r\nUpgrade: x\r\n", "1.0").framing.upgrade);
}

// RFC 9112 3.2, RFC 3986 3.2.2.
TEST(RequestFraming, Hosts) {
  const struct {
    std::string value, host;
    int port;
  } cases[] = {
      {"a", "a", -1},
      {"", "", -1},
      {"example.org:8080", "example.org", 8080},
      {"example.org:", "example.org", -1},
      {"a:0", "a", 0},
      {"a:65535", "a", 65535},
      {"127.0.0.1:1", "127.0.0.1", 1},
      {"a_b~%41!$&'()*+,;=", "a_b~%41!$&'()*+,;=", -1},
      {"[::1]", "[::1]", -1},
      {"[::1]:80", "[::1]", 80},
      {"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", -1},
      {"[::ffff:1.2.3.4]:5", "[::ffff:1.2.3.4]", 5},
      {"[v1f.a:b]", "[v1f.a:b]", -1},
  };
  for (const auto &c : cases) {
    Judged judged = Request("GET / HTTP/1.1\r\nHost: " + c.value + "\r\n");
    EXPECT_RESULT(judged, EVHTTP_PARSE_DONE) << c.value;
    EXPECT_EQ(judged.host, c.host);
    EXPECT_EQ(judged.framing.port, c.port);
    EXPECT_EQ(judged.authority, c.value);
    EXPECT_TRUE(judged.framing.has_host);
  }
  Judged none = Request("GET / HTTP/1.0\r\n");
  EXPECT_RESULT(none, EVHTTP_PARSE_DONE);
  EXPECT_FALSE(none.framing.has_host);
}

TEST(RequestFraming, BadHosts) {
  for (const char *value : {"a b",
                            "a/",
                            "u@a",
                            "a:b",
                            "a:1:2",
                            "a:-1",
                            "a:65536",
                            "a:99999999999",
                            "%4",
                            "%zz",
                            "a?b",
                            "[",
                            "[]",
                            "]",
                            "[::1",
                            "[::1]a",
                            "[::1]80",
                            "[1:2:3]",
                            "[1:2:3:4:5:6:7:8:9]",
                            "[1::2::3]",
                            "[:::]",
                            "[:1:2:3:4:5:6:7]",
                            "[1:2:3:4:5:6:7:]",
                            "[12345::]",
                            "[::1.2.3]",
                            "[::1.2.3.4.5]",
                            "[::1.2.3.256]",
                            "[::1.2.3.04]",
                            "[::1.2.3.4:5]",
                            "[1:2:3:4:5:6:7::8]",
                            "[fe80::1%25eth0]",
                            "[v.a]",
                            "[v1.]",
                            "[v1]",
                            "[vg.a]",
                            "[v1./]",
                            "::1",
                            "\"a\"",
                            "a\x80"}) {
    EXPECT_RESULT(Request("GET / HTTP/1.1\r\nHost: " + std::string(value) + "\r\n"),
                  EVHTTP_PARSE_BAD_HOST)
        << value;
  }
}

// RFC 9112 3.2: the forms of a target, and whose host counts (3.3).
TEST(RequestFraming, Targets) {
  const struct {
    std::string line;
    evhttp_target_form form;
    std::string host, path;
    int port;
  } cases[] = {
      {"GET /a?b", EVHTTP_TARGET_ORIGIN, "field", "/a?b", 1},
      {"GET //a//b", EVHTTP_TARGET_ORIGIN, "field", "//a//b", 1},
      {"GET http://t/a?b", EVHTTP_TARGET_ABSOLUTE, "t", "/a?b", -1},
      {"GET HTTP://t:2", EVHTTP_TARGET_ABSOLUTE, "t", "", 2},
      {"GET http://t?b", EVHTTP_TARGET_ABSOLUTE, "t", "?b", -1},
      {"GET a+b-c.1://[::1]:2/", EVHTTP_TARGET_ABSOLUTE, "[::1]", "/", 2},
      {"OPTIONS *", EVHTTP_TARGET_ASTERISK, "field", "*", 1},
      {"OPTIONS /a", EVHTTP_TARGET_ORIGIN, "field", "/a", 1},
      {"OPTIONS http://t", EVHTTP_TARGET_ABSOLUTE, "t", "", -1},
      {"CONNECT t:443", EVHTTP_TARGET_AUTHORITY, "t", "t:443", 443},
      {"CONNECT [::1]:443", EVHTTP_TARGET_AUTHORITY, "[::1]", "[::1]:443", 443},
  };
  for (const auto &c : cases) {
    Judged judged = Request(c.line + " HTTP/1.1\r\nHost: field:1\r\n");
    EXPECT_RESULT(judged, EVHTTP_PARSE_DONE) << c.line;
    EXPECT_EQ(judged.framing.target_form, c.form) << c.line;
    EXPECT_EQ(judged.host, c.host) << c.line;
    EXPECT_EQ(judged.path, c.path) << c.line;
    EXPECT_EQ(judged.framing.port, c.port) << c.line;
  }
}

TEST(RequestFraming, BadTargets) {
  for (
      const char *line :
      {"GET *",           "GET a",          "GET a/b",     "GET a:80",         "GET ?a",
       "GET http:",       "GET http:/a",    "GET http://", "GET http:///a",    "GET http://:80/",
       "GET http://u@a/", "GET 1http://a/", "GET urn:a",   "GET http://[::1/", "GET http://a:b/",
       "OPTIONS *a",      "OPTIONS **",     "options *",   "CONNECT *",        "CONNECT a",
       "CONNECT a:",      "CONNECT :1",     "CONNECT a:0", "CONNECT /a",       "CONNECT http://a:1",
       "CONNECT a:1/",    "connect a:1"}) {
    EXPECT_RESULT(Request(std::string(line) + " HTTP/1.1\r\nHost: a\r\n"),
                  EVHTTP_PARSE_BAD_TARGET_FORM)
        << line;
  }
}

TEST(RequestFraming, HostIsRequired) {
  EXPECT_RESULT(Request("GET / HTTP/1.1\r\n"), EVHTTP_PARSE_MISSING_HOST);
  EXPECT_RESULT(Request("GET http://a/ HTTP/1.1\r\n"), EVHTTP_PARSE_MISSING_HOST);
  EXPECT_RESULT(Request("GET http://a/ HTTP/1.0\r\n"), EVHTTP_PARSE_DONE);
  EXPECT_RESULT(Request("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n"), EVHTTP_PARSE_REPEATED_HOST);
}

// RFC 9112 6.3.
TEST(ResponseFraming, Bodies) {
  const std::string length = "Content-Length: 5\r\n", chunked = "Transfer-Encoding: chunked\r\n";
  const struct {
    std::string head;
    evhttp_response_to to;
    evhttp_body_kind kind;
    bool keep_alive;
  } cases[] = {
      {"200 OK\r\n" + length, EVHTTP_RESPONSE_TO_OTHER, EVHTTP_BODY_LENGTH, true},
      {"200 OK\r\n" + chunked, EVHTTP_RESPONSE_TO_OTHER, EVHTTP_BODY_CHUNKED, true},
      {"200 OK\r\n", EVHTTP_RESPONSE_TO_OTHER, EVHTTP_BODY_UNTIL_CLOSE, false},
      {"200 OK\r\n" + length, EVHTTP_RESPONSE_TO_HEAD, EVHTTP_BODY_NONE, true},
      {"200 OK\r\n" + chunked, EVHTTP_RESPONSE_TO_HEAD, EVHTTP_BODY_NONE, true},
      {"100 Continue\r\n", EVHTTP_RESPONSE_TO_OTHER, EVHTTP_BODY_NONE, true},
      {"204 No Content\r\n", EVHTTP_RESPONSE_TO_OTHER, EVHTTP_BODY_NONE, true},
      {"304 Not Modified\r\n" + length, EVHTTP_RESPONSE_TO_OTHER, EVHTTP_BODY_NONE, true},
      {"200 OK\r\n" + length, EVHTTP_RESPONSE_TO_CONNECT, EVHTTP_BODY_TUNNEL, true},
      {"204 No Content\r\n", EVHTTP_RESPONSE_TO_CONNECT, EVHTTP_BODY_TUNNEL, true},
      {"407 No\r\n" + length, EVHTTP_RESPONSE_TO_CONNECT, EVHTTP_BODY_LENGTH, true},
      {"200 OK\r\nConnection: close\r\n" + length, EVHTTP_RESPONSE_TO_OTHER, EVHTTP_BODY_LENGTH,
       false},
  };
  for (const auto &c : cases) {
    Judged judged = Response("HTTP/1.1 " + c.head, c.to);
    EXPECT_RESULT(judged, EVHTTP_PARSE_DONE) << c.head;
    EXPECT_EQ(judged.framing.body, c.kind) << c.head;
    EXPECT_EQ(judged.framing.keep_alive != 0, c.keep_alive) << c.head;
  }
}

TEST(ResponseFraming, BadBodies) {
  EXPECT_RESULT(Response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n"),
                EVHTTP_PARSE_REPEATED_CONTENT_LENGTH);
  EXPECT_RESULT(Response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
                EVHTTP_PARSE_LENGTH_AND_CODING);
  EXPECT_RESULT(Response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n"),
                EVHTTP_PARSE_CODING_IN_HTTP10);
  EXPECT_RESULT(Response("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n"),
                EVHTTP_PARSE_UNKNOWN_TRANSFER_CODING);
}

}  // namespace
