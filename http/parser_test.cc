#include "http/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/parser_testing.h"
#include "http/scan.h"

namespace {

using parser_testing::DifferenceWhenCut;
using parser_testing::Field;
using parser_testing::Fields;
using parser_testing::Outcome;
using parser_testing::ReadWhole;
using parser_testing::Text;

struct Head {
  evhttp_parse_result result = EVHTTP_PARSE_PARTIAL;
  std::string method, target, reason;
  int status = 0, minor = -1;
  std::vector<Field> fields;
  uint32_t consumed = 0, error_at = 0;
};

const evhttp_head_limits kLimits = {100, 400, 5};

template <typename Init>
Head Parse(const std::string &bytes, size_t step, Init init) {
  std::vector<evhttp_head_field> fields(kLimits.num_fields);
  evhttp_head_parser parser;
  Head head;
  init(&parser, fields.data(), &kLimits);
  for (size_t len = 0; head.result == EVHTTP_PARSE_PARTIAL;) {
    len = std::min(len + step, bytes.size());
    head.result = evhttp_head_parse(&parser, bytes.data(), len);
    if (len == bytes.size()) break;
  }
  EXPECT_EQ(evhttp_head_parse(&parser, bytes.data(), bytes.size()), head.result);
  head.method = Text(bytes.data(), parser.method);
  head.target = Text(bytes.data(), parser.target);
  head.reason = Text(bytes.data(), parser.reason);
  head.status = parser.status_code;
  head.minor = parser.version_minor;
  head.fields = Fields(bytes.data(), fields.data(), parser.num_fields);
  head.consumed = parser.consumed;
  head.error_at = parser.scan_off;
  return head;
}

// Parses in steps of one byte, of seven, and at once; the results have to agree.
template <typename Init>
Head ParseAllWays(const std::string &bytes, Init init) {
  Head whole = Parse(bytes, bytes.size() + 1, init);
  for (size_t step : {size_t{1}, size_t{7}}) {
    Head other = Parse(bytes, step, init);
    EXPECT_EQ(other.result, whole.result) << bytes;
    EXPECT_EQ(other.error_at, whole.error_at) << bytes;
    EXPECT_EQ(other.consumed, whole.consumed) << bytes;
    EXPECT_EQ(other.fields, whole.fields) << bytes;
    EXPECT_EQ(other.method + " " + other.target + " " + other.reason,
              whole.method + " " + whole.target + " " + whole.reason);
  }
  return whole;
}

Head Request(const std::string &bytes) {
  return ParseAllWays(bytes, evhttp_head_parser_init_request);
}
Head Response(const std::string &bytes) {
  return ParseAllWays(bytes, evhttp_head_parser_init_response);
}
Head Trailer(const std::string &bytes) {
  return ParseAllWays(bytes, evhttp_head_parser_init_trailer);
}

TEST(RequestHead, PartsOfTheLineAndFields) {
  Head head = Request("GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nAccept:*/*\r\n\r\nnext");
  ASSERT_EQ(head.result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/a?b=c");
  EXPECT_EQ(head.minor, 1);
  EXPECT_EQ(head.consumed, 54u);
  EXPECT_EQ(head.fields, (std::vector<Field>{{"Host", "example.org"}, {"Accept", "*/*"}}));
}

TEST(RequestHead, NoFields) {
  Head head = Request("GET / HTTP/1.0\r\n\r\n");
  ASSERT_EQ(head.result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(head.minor, 0);
  EXPECT_TRUE(head.fields.empty());
}

// RFC 9112 2.2: at least one empty line before the request line should be ignored.
TEST(RequestHead, OneEmptyLineFirst) {
  Head head = Request("\r\nGET / HTTP/1.1\r\n\r\n");
  ASSERT_EQ(head.result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.consumed, 20u);
}

// RFC 9110 9.1, 5.6.2: a method is a token and its letter case counts.
TEST(RequestHead, AnyTokenIsAMethod) {
  const std::string all = "!#$%&'*+-.^_`|~09azAZ";
  EXPECT_EQ(Request(all + " / HTTP/1.1\r\n\r\n").method, all);
  EXPECT_EQ(Request("get / HTTP/1.1\r\n\r\n").method, "get");
}

// RFC 9110 2.5: the highest minor version that we know of the same major version.
TEST(RequestHead, HigherMinorVersionCountsAsOne) {
  Head head = Request("GET / HTTP/1.9\r\n\r\n");
  ASSERT_EQ(head.result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(head.minor, 1);
}

// RFC 9112 5, RFC 9110 5.5.
TEST(RequestHead, Values) {
  const std::string start = "GET / HTTP/1.1\r\n", end = "\r\n\r\n";
  const struct {
    std::string line, value;
  } cases[] = {
      {"A:", ""},
      {"A: ", ""},
      {"A: \t \t", ""},
      {"A:b", "b"},
      {"A: b", "b"},
      {"A:\t b \t", "b"},
      {"A: b  c\td ", "b  c\td"},
      {"A: :b:", ":b:"},
      {"A: \x80\xff", "\x80\xff"},
      {"A: !\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~",
       "!\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~"},
      {"A: 12345678\t12345678", "12345678\t12345678"},
  };
  for (const auto &c : cases) {
    Head head = Request(start + c.line + end);
    ASSERT_EQ(head.result, EVHTTP_PARSE_DONE) << c.line;
    EXPECT_EQ(head.fields, (std::vector<Field>{{"A", c.value}}));
  }
}

// Every byte value in every place: accepted exactly where the grammar has it.
TEST(RequestHead, EachByteInEachPlace) {
  for (int i = 0; i < 256; ++i) {
    const char byte = (char)i;
    const std::string text(1, byte);
    bool token = strata_http_is(byte, STRATA_HTTP_TOKEN);
    EXPECT_EQ(Request("G" + text + "T / HTTP/1.1\r\n\r\n").result == EVHTTP_PARSE_DONE, token) << i;
    if (byte != ':') {
      EXPECT_EQ(Request("GET / HTTP/1.1\r\nA" + text + ": b\r\n\r\n").result == EVHTTP_PARSE_DONE,
                token)
          << i;
    }
    bool target = i > 0x20 && i < 0x7f && byte != '#';
    EXPECT_EQ(Request("GET /" + text + " HTTP/1.1\r\n\r\n").result == EVHTTP_PARSE_DONE, target)
        << i;
    bool value = byte == '\t' || (i >= 0x20 && i != 0x7f);
    EXPECT_EQ(Request("GET / HTTP/1.1\r\nA: 1234567" + text + "9abcdefgh\r\n\r\n").result ==
                  EVHTTP_PARSE_DONE,
              value)
        << i;
  }
}

TEST(RequestHead, ErrorsAreNamed) {
  const struct {
    std::string bytes;
    evhttp_parse_result result;
    uint32_t at;
  } cases[] = {
      {"\r\n\r", EVHTTP_PARSE_EXTRA_LINE, 2},
      {"\rG", EVHTTP_PARSE_BARE_CR, 1},
      {"\n", EVHTTP_PARSE_BARE_LF, 0},
      {" ", EVHTTP_PARSE_BAD_METHOD, 0},
      {"GET\r", EVHTTP_PARSE_BAD_METHOD, 3},
      {"GET\n", EVHTTP_PARSE_BARE_LF, 3},
      {"GET  ", EVHTTP_PARSE_BAD_TARGET, 4},
      {"GET /\x7f", EVHTTP_PARSE_BAD_TARGET, 5},
      {"GET /\r", EVHTTP_PARSE_BAD_VERSION, 5},
      {"GET /\n", EVHTTP_PARSE_BARE_LF, 5},
      {"GET / h", EVHTTP_PARSE_BAD_VERSION, 6},
      {"GET / HTTP/1.12", EVHTTP_PARSE_BAD_VERSION, 14},
      {"GET / HTTP/1.1\n", EVHTTP_PARSE_BARE_LF, 14},
      {"GET / HTTP/1.1\r\r", EVHTTP_PARSE_BARE_CR, 15},
      {"GET / HTTP/3.1\r\n", EVHTTP_PARSE_VERSION_UNSUPPORTED, 15},
      {"GET / HTTP/1.1\r\n ", EVHTTP_PARSE_FOLDED_LINE, 16},
      {"GET / HTTP/1.1\r\n:", EVHTTP_PARSE_EMPTY_FIELD_NAME, 16},
      {"GET / HTTP/1.1\r\n(", EVHTTP_PARSE_BAD_FIELD_NAME, 16},
      {"GET / HTTP/1.1\r\nA\r", EVHTTP_PARSE_BAD_FIELD_NAME, 17},
      {"GET / HTTP/1.1\r\nA ", EVHTTP_PARSE_SPACE_BEFORE_COLON, 17},
      {"GET / HTTP/1.1\r\nA: b\n", EVHTTP_PARSE_BARE_LF, 20},
      {"GET / HTTP/1.1\r\nA: b\rc", EVHTTP_PARSE_BARE_CR, 21},
      {"GET / HTTP/1.1\r\nA: \x01", EVHTTP_PARSE_BAD_FIELD_VALUE, 19},
      {"GET / HTTP/1.1\r\n\n", EVHTTP_PARSE_BARE_LF, 16},
      {"GET / HTTP/1.1\r\n\rx", EVHTTP_PARSE_BARE_CR, 17},
  };
  for (const auto &c : cases) {
    Head head = Request(c.bytes);
    EXPECT_STREQ(evhttp_parse_error_name(head.result), evhttp_parse_error_name(c.result))
        << c.bytes;
    EXPECT_EQ(head.error_at, c.at) << c.bytes;
    EXPECT_NE(evhttp_parse_error_status(head.result), 0);
  }
}

// Limits count bytes with their CRLF; at the limit a complete part still passes.
TEST(RequestHead, LineLimit) {
  const std::string rest = " HTTP/1.1\r\n";
  auto line = [&](size_t len) {
    return "GET /" + std::string(len - 5 - rest.size(), 'a') + rest + "\r\n";
  };
  EXPECT_EQ(Request(line(100)).result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(Request(line(101)).result, EVHTTP_PARSE_TARGET_TOO_LONG);
  EXPECT_EQ(Request("\r\n" + line(100)).result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(Request(line(101).substr(0, 99)).result, EVHTTP_PARSE_PARTIAL);
  EXPECT_EQ(Request(line(101).substr(0, 100)).result, EVHTTP_PARSE_TARGET_TOO_LONG);
  EXPECT_EQ(Request(std::string(100, 'A')).result, EVHTTP_PARSE_METHOD_TOO_LONG);
  EXPECT_EQ(Request("GET /" + std::string(5000, 'a')).result, EVHTTP_PARSE_TARGET_TOO_LONG);
}

TEST(RequestHead, HeadLimit) {
  const std::string start = "GET / HTTP/1.1\r\nA: ", end = "\r\n\r\n";
  auto head = [&](size_t len) {
    return start + std::string(len - start.size() - end.size(), 'b') + end;
  };
  EXPECT_EQ(Request(head(400)).result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(Request(head(401)).result, EVHTTP_PARSE_HEAD_TOO_LARGE);
  EXPECT_EQ(Request(head(401).substr(0, 399)).result, EVHTTP_PARSE_PARTIAL);
  EXPECT_EQ(Request(head(9000).substr(0, 400)).result, EVHTTP_PARSE_HEAD_TOO_LARGE);
}

TEST(RequestHead, FieldLimit) {
  std::string head = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 5; ++i) head += "A: b\r\n";
  EXPECT_EQ(Request(head + "\r\n").result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(Request(head + "A").result, EVHTTP_PARSE_TOO_MANY_FIELDS);
}

TEST(RequestHead, BegunSaysWhetherARequestWasCutOff) {
  evhttp_head_parser parser;
  evhttp_head_parser_init_request(&parser, nullptr, &kLimits);
  EXPECT_FALSE(evhttp_head_parser_begun(&parser));
  EXPECT_EQ(evhttp_head_parse(&parser, "\r\n", 2), EVHTTP_PARSE_PARTIAL);
  EXPECT_FALSE(evhttp_head_parser_begun(&parser));
  EXPECT_EQ(evhttp_head_parse(&parser, "\r\nG", 3), EVHTTP_PARSE_PARTIAL);
  EXPECT_TRUE(evhttp_head_parser_begun(&parser));
}

TEST(RequestHead, FieldsNeedNotBeKept) {
  evhttp_head_parser parser;
  const std::string head = "GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n";
  evhttp_head_parser_init_request(&parser, nullptr, &kLimits);
  EXPECT_EQ(evhttp_head_parse(&parser, head.data(), head.size()), EVHTTP_PARSE_DONE);
  EXPECT_EQ(parser.num_fields, 2u);
}

TEST(ResponseHead, StatusLines) {
  const struct {
    std::string line;
    int status;
    std::string reason;
  } cases[] = {
      {"HTTP/1.1 200 OK", 200, "OK"},
      {"HTTP/1.0 404 Not Found", 404, "Not Found"},
      {"HTTP/1.1 200 ", 200, ""},
      {"HTTP/1.1 200", 200, ""},  // Some servers leave out the space.
      {"HTTP/1.1 599 \xc3\xa9 !", 599, "\xc3\xa9 !"},
      {"HTTP/1.1 100  two spaces", 100, " two spaces"},
  };
  for (const auto &c : cases) {
    Head head = Response(c.line + "\r\nA: b\r\n\r\n");
    ASSERT_EQ(head.result, EVHTTP_PARSE_DONE) << c.line;
    EXPECT_EQ(head.status, c.status);
    EXPECT_EQ(head.reason, c.reason);
    EXPECT_EQ(head.fields, (std::vector<Field>{{"A", "b"}}));
  }
}

// RFC 9112 4.
TEST(ResponseHead, BadStatusLines) {
  const struct {
    std::string line;
    evhttp_parse_result result;
  } cases[] = {
      {"\r\nHTTP/1.1 200 OK", EVHTTP_PARSE_BAD_VERSION},
      {"HTTP/1.1  200 OK", EVHTTP_PARSE_BAD_STATUS},
      {"HTTP/1.1 20 OK", EVHTTP_PARSE_BAD_STATUS},
      {"HTTP/1.1 2000 OK", EVHTTP_PARSE_BAD_STATUS},
      {"HTTP/1.1 099 OK", EVHTTP_PARSE_BAD_STATUS},
      {"HTTP/1.1 2x0 OK", EVHTTP_PARSE_BAD_STATUS},
      {"HTTP/1.1\t200 OK", EVHTTP_PARSE_BAD_STATUS},
      {"HTTP/1.1 200 O\x01K", EVHTTP_PARSE_BAD_REASON},
      {"HTTP/1.1 200 OK\n", EVHTTP_PARSE_BARE_LF},
      {"HTTP/2.0 200 OK", EVHTTP_PARSE_VERSION_UNSUPPORTED},
      {"HTTP/1.1 200 " + std::string(100, 'a'), EVHTTP_PARSE_HEAD_TOO_LARGE},
  };
  for (const auto &c : cases) {
    EXPECT_STREQ(evhttp_parse_error_name(Response(c.line + "\r\n\r\n").result),
                 evhttp_parse_error_name(c.result))
        << c.line;
  }
}

TEST(Trailer, FieldsWithoutStartLine) {
  Head head = Trailer("A: b\r\nC:d\r\n\r\nGET");
  ASSERT_EQ(head.result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(head.fields, (std::vector<Field>{{"A", "b"}, {"C", "d"}}));
  EXPECT_EQ(Trailer("\r\n").consumed, 2u);
}

TEST(Results, AllHaveNamesAndErrorsHaveStatuses) {
  for (int i = 0; i < EVHTTP_PARSE_NUM_RESULTS; ++i) {
    auto result = (evhttp_parse_result)i;
    ASSERT_NE(evhttp_parse_error_name(result), nullptr) << i;
    EXPECT_EQ(evhttp_parse_error_status(result) >= 400, evhttp_parse_is_error(result) != 0) << i;
  }
}

TEST(Message, GoodOnesAreTheSameHoweverCut) {
  const std::string cases[] = {
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "\r\nGET / HTTP/1.0\r\n\r\n",
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET",
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;x=y\r\nabc\r\n0A\r\n0123456789\r\n000\r\nT: u\r\nV: \r\n\r\nGET",
      "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
  };
  for (const std::string &bytes : cases) {
    EXPECT_EQ(ReadWhole(bytes).result, EVHTTP_PARSE_DONE) << bytes;
    EXPECT_EQ(DifferenceWhenCut(bytes), "");
  }
}

// One byte at a time is replaced by each other one, in words of each length.
TEST(EqualNocase, OnlyTheCaseOfLettersMayDiffer) {
  const std::string lower = "transfer-encoding-100-continue";
  for (size_t len = 0; len <= lower.size(); ++len) {
    const std::string word = lower.substr(0, len);
    EXPECT_TRUE(strata_http_equal_nocase(word.data(), len, word.c_str()));
    EXPECT_FALSE(strata_http_equal_nocase(lower.data(), len, (word + "x").c_str()));
    for (size_t at = 0; at < len; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string other = word;
        other[at] = static_cast<char>(byte);
        const bool is_same = byte == word[at] || (word[at] >= 'a' && byte == word[at] - 0x20);
        EXPECT_EQ(strata_http_equal_nocase(other.data(), len, word.c_str()), is_same)
            << word << " at " << at << ": " << byte;
      }
    }
  }
}

}  // namespace
