// Replies as bytes: what the HTTP client takes, and what it refuses, however
// the bytes arrive.

#include "http/client_testing.h"

namespace {

using client_testing::ClientTest;
using client_testing::Connection;
using client_testing::Exchange;
using client_testing::Peer;

enum Outcome { kTaken, kMalformed, kBrokenOff, kTooLarge };

struct Case {
  const char *name;
  std::string reply;
  Outcome outcome;
  std::string body;
  bool persists;  // The connection is used for the next request.
  evhttp_cmd_type type = EVHTTP_REQ_GET;
};

const std::string kOk = "HTTP/1.1 200 OK\r\n";

const Case kCases[] = {
    {"Length", kOk + "Content-Length: 3\r\n\r\nabc", kTaken, "abc", true},
    {"LengthZero", kOk + "Content-Length: 0\r\n\r\n", kTaken, "", true},
    {"NoReason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", kTaken, "", true},
    {"UntilClose", kOk + "\r\nabc", kTaken, "abc", false},
    {"UntilCloseEmpty", kOk + "\r\n", kTaken, "", false},
    {"CutLength", kOk + "Content-Length: 4\r\n\r\nabc", kBrokenOff, "", false},
    {"CutHead", kOk + "Content-Le", kBrokenOff, "", false},
    {"Nothing", "", kBrokenOff, "", false},
    {"Chunked", kOk + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", kTaken, "abc",
     true},
    {"ChunkedCase", kOk + "Transfer-Encoding: ChunkeD\r\n\r\n3\r\nabc\r\n0\r\n\r\n", kTaken, "abc",
     true},
    {"ChunkExtension", kOk + "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", kTaken,
     "abc", true},
    {"Trailers", kOk + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: u\r\n\r\n", kTaken,
     "abc", true},
    {"ChunkedCut", kOk + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", kBrokenOff, "", false},
    {"ChunkedNoEnd", kOk + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n", kMalformed,
     "", false},
    {"ChunkSizeJunk", kOk + "Transfer-Encoding: chunked\r\n\r\nx\r\nabc\r\n0\r\n\r\n", kMalformed,
     "", false},
    {"ChunkSizeNegative", kOk + "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
     kMalformed, "", false},
    {"ChunkSizeHuge", kOk + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
     kMalformed, "", false},
    {"LengthAndChunked",
     kOk + "Content-Length: 3\r\nTransfer-Encoding: "
           "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
     kMalformed, "", false},
    {"TwoLengths", kOk + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", kMalformed, "",
     false},
    {"LengthList", kOk + "Content-Length: 3, 4\r\n\r\nabc", kMalformed, "", false},
    {"LengthNegative", kOk + "Content-Length: -3\r\n\r\nabc", kMalformed, "", false},
    {"LengthSigned", kOk + "Content-Length: +3\r\n\r\nabc", kMalformed, "", false},
    {"LengthHuge", kOk + "Content-Length: 99999999999999999999\r\n\r\nabc", kMalformed, "", false},
    {"UnknownCoding", kOk + "Transfer-Encoding: gzip\r\n\r\nabc", kMalformed, "", false},
    {"BareLf", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", kMalformed, "", false},
    {"Folded", kOk + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", kMalformed, "", false},
    {"SpaceBeforeColon", kOk + "Content-Length : 3\r\n\r\nabc", kMalformed, "", false},
    {"NulInField", kOk + "X: a" + std::string(1, '\0') + "\r\nContent-Length: 0\r\n\r\n",
     kMalformed, "", false},
    {"BadStatus", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", kMalformed, "", false},
    {"StatusZero", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", kMalformed, "", false},
    {"BadVersion", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", kMalformed, "", false},
    {"Http09", "<html>hello</html>\r\n\r\n", kMalformed, "", false},
    {"Upgraded", "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", kMalformed,
     "", false},
    {"Interim",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 X\r\nA: b\r\n\r\n" + kOk +
         "Content-Length: 3\r\n\r\nabc",
     kTaken, "abc", true},
    {"InterimOnly", "HTTP/1.1 100 Continue\r\n\r\n", kBrokenOff, "", false},
    {"NoContent", "HTTP/1.1 204 No\r\n\r\n", kTaken, "", true},
    {"NotModified", "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", kTaken, "", true},
    {"Head", kOk + "Content-Length: 9\r\n\r\n", kTaken, "", true, EVHTTP_REQ_HEAD},
    {"HeadChunked", kOk + "Transfer-Encoding: chunked\r\n\r\n", kTaken, "", true, EVHTTP_REQ_HEAD},
    {"Http10", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", kTaken, "abc", false},
    {"Http10KeepAlive",
     "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: "
     "keep-alive\r\n\r\nabc",
     kTaken, "abc", true},
    {"Close", kOk + "Content-Length: 3\r\nConnection: foo, Close\r\n\r\nabc", kTaken, "abc", false},
    {"TooLarge", kOk + "Content-Length: 5000\r\n\r\n", kTooLarge, "", false},
    {"TooLargeChunked", kOk + "Transfer-Encoding: chunked\r\n\r\n1388\r\n", kTooLarge, "", false},
    {"TooLargeUntilClose", kOk + "\r\n" + std::string(5000, 'x'), kTooLarge, "", false},
};

class Framing : public ClientTest, public testing::WithParamInterface<Case> {
 protected:
  // `step`: bytes that arrive at a time.
  void Check(size_t step) {
    const Case &c = GetParam();
    server_.peers.clear();
    Connection con(&loop_, server_.port());
    evhttp_connection_set_max_body_size(con.get(), 4096);
    Exchange exchange, next;
    exchange.Make(con.get(), c.type);
    Peer *peer = server_.WaitFor(0, "\r\n\r\n");
    ASSERT_NE(peer, nullptr);
    for (size_t at = 0; at < c.reply.size(); at += step) {
      peer->Send(c.reply.substr(at, step));
      if (step < c.reply.size()) loop_.Settle();
    }
    if (!c.persists) peer->CloseAfter("");
    ASSERT_TRUE(Finish(&exchange));
    EXPECT_EQ(exchange.calls, 1);
    EXPECT_EQ(exchange.null, c.outcome != kTaken);
    EXPECT_EQ(exchange.errors, c.outcome != kTaken ? 1 : 0);
    if (c.outcome == kTaken) {
      EXPECT_EQ(exchange.body, c.body);
    }
    if (c.outcome == kMalformed) {
      EXPECT_EQ(exchange.error, EVREQ_HTTP_INVALID_HEADER);
    }
    if (c.outcome == kBrokenOff) {
      EXPECT_EQ(exchange.error, EVREQ_HTTP_EOF);
    }
    if (c.outcome == kTooLarge) {
      EXPECT_EQ(exchange.error, EVREQ_HTTP_DATA_TOO_LONG);
    }
    next.Make(con.get());
    server_.replies = {"HTTP/1.1 299 Next\r\nContent-Length: 0\r\n\r\n"};
    if (c.persists && !peer->ended) peer->on_bytes(peer);
    ASSERT_TRUE(Finish(&next));
    EXPECT_EQ(next.code, 299);
    EXPECT_EQ(server_.peers.size(), c.persists ? 1u : 2u);
  }
};

// Sends all, and closes only then where the case says so.
TEST_P(Framing, Whole) {
  Check(100000);
}

TEST_P(Framing, ByteByByte) {
  if (GetParam().reply.size() < 1000) Check(1);
}

INSTANTIATE_TEST_SUITE_P(Replies, Framing, testing::ValuesIn(kCases),
                         [](const testing::TestParamInfo<Case> &info) { return info.param.name; });

TEST_F(ClientTest, TrailersAreApart) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.keep = true;
  exchange.Make(con.get());
  server_.replies = {kOk + "Transfer-Encoding: chunked\r\n\r\n0\r\nX-T: u\r\n\r\n"};
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_EQ(exchange.Field("X-T"), "(none)");
  EXPECT_STREQ(evhttp_find_header(evhttp_request_get_trailers(exchange.req), "X-T"), "u");
  evhttp_request_free(exchange.req);
}

TEST_F(ClientTest, EndlessInterimRepliesAreRefused) {
  Connection con(&loop_, server_.port());
  Exchange exchange;
  exchange.Make(con.get());
  std::string flood;
  for (int i = 0; i < 100; ++i) flood += "HTTP/1.1 102 Processing\r\n\r\n";
  server_.replies = {flood};
  ASSERT_TRUE(Finish(&exchange));
  EXPECT_TRUE(exchange.null);
}

}  // namespace
