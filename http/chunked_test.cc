#include "http/chunked.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "http/parser_testing.h"

namespace {

using parser_testing::Field;

struct Decoded {
  std::string body;
  evhttp_parse_result result = EVHTTP_PARSE_PARTIAL;
  size_t consumed = 0;
  std::vector<Field> trailers;

  bool operator==(const Decoded &o) const {
    return body == o.body && result == o.result && consumed == o.consumed && trailers == o.trailers;
  }
};

// 20 bytes a line, 30 of extensions, 40 bytes and 2 fields of trailer, 1000 bytes of body.
const evhttp_chunk_limits kLimits = {1000, 20, 30, {0, 40, 2}};

// Gives the decoder everything up to `at`, then everything; with at == 0 byte after byte.
Decoded DecodeCut(const std::string &bytes, size_t at, bool byte_by_byte) {
  evhttp_chunk_decoder decoder;
  evhttp_head_field fields[2];
  evhttp_chunk_event event = {};
  Decoded out;
  size_t given = byte_by_byte ? 1 : at;
  evhttp_chunk_decoder_init(&decoder, fields, &kLimits);
  for (;;) {
    size_t len = given - out.consumed;
    std::unique_ptr<char[]> exact(new char[len]);
    bytes.copy(exact.get(), len, out.consumed);
    size_t used = evhttp_chunk_step(&decoder, exact.get(), len, &event);
    out.consumed += used;
    if (event.kind == EVHTTP_CHUNK_DATA) {
      EXPECT_GT(event.data_len, 0u);
      EXPECT_EQ(event.data + event.data_len, exact.get() + used);
      out.body.append(event.data, event.data_len);
    } else if (event.kind == EVHTTP_CHUNK_MORE) {
      if (given == bytes.size()) break;
      given = byte_by_byte ? given + 1 : bytes.size();
    } else {
      if (event.kind == EVHTTP_CHUNK_DONE) {
        EXPECT_EQ(decoder.body_len, out.body.size());
        out.trailers = parser_testing::Fields(event.data, fields, decoder.trailer.num_fields);
      }
      break;
    }
  }
  out.result = event.error;
  EXPECT_EQ(evhttp_chunk_step(&decoder, "x", out.result == EVHTTP_PARSE_PARTIAL ? 0 : 1, &event),
            0u);
  EXPECT_EQ(event.error, out.result);
  return out;
}

Decoded Decode(const std::string &bytes) {
  Decoded whole = DecodeCut(bytes, bytes.size(), false);
  EXPECT_EQ(DecodeCut(bytes, 0, true), whole) << bytes;
  for (size_t at = 0; at < bytes.size(); ++at) {
    EXPECT_EQ(DecodeCut(bytes, at, false), whole) << bytes << " cut at " << at;
  }
  return whole;
}

TEST(Chunked, Bodies) {
  const struct {
    std::string bytes, body;
  } cases[] = {
      {"0\r\n\r\n", ""},
      {"0000\r\n\r\n", ""},
      {"1\r\na\r\n0\r\n\r\n", "a"},
      {"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"},
      {"00003\r\nabc\r\n0\r\n\r\n", "abc"},
      {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
      {"10\r\n0123456789abcdef\r\n0\r\n\r\n", "0123456789abcdef"},
      {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
  };
  for (const auto &c : cases) {
    Decoded out = Decode(c.bytes + "GET / HTTP/1.1");
    EXPECT_EQ(out.result, EVHTTP_PARSE_DONE) << c.bytes;
    EXPECT_EQ(out.body, c.body);
    EXPECT_EQ(out.consumed, c.bytes.size());
  }
}

// RFC 9112 7.1.1, bad whitespace included.
TEST(Chunked, Extensions) {
  for (const char *line :
       {"1;a", "1;a=b", "1;a;b=c", "1 ;a", "1\t; a", "1;a =b", "1;a= b", "1;a=\"\"", "1;a=\"b;c=\"",
        "1;a=\"\\\"\"", "1;a=b ;c", "1;a=\"b\" ; c", "1;a ;b", "1;a=\"\x80\t \""}) {
    Decoded out = Decode(std::string(line) + "\r\nx\r\n0;z\r\n\r\n");
    EXPECT_EQ(out.result, EVHTTP_PARSE_DONE) << line;
    EXPECT_EQ(out.body, "x");
  }
}

TEST(Chunked, BadExtensions) {
  for (const char *line :
       {"1;", "1; ", "1;;a", "1;=b", "1;a=", "1;a=;b", "1;a=b ", "1;a ", "1;a b", "1;a=b c",
        "1;a=\"b", "1;a=\"b\"c", "1;(", "1;a=(", "1;a=\"\x01\"", "1;a=\"\\\x01\"", "1 a"}) {
    Decoded out = Decode(std::string(line) + "\r\nx\r\n0\r\n\r\n");
    EXPECT_STREQ(evhttp_parse_error_name(out.result), "bad-chunk-extension") << line;
    EXPECT_EQ(out.body, "");
  }
}

TEST(Chunked, ErrorsAreNamed) {
  const struct {
    std::string bytes;
    evhttp_parse_result result;
  } cases[] = {
      {"x", EVHTTP_PARSE_BAD_CHUNK_SIZE},
      {"\r\n", EVHTTP_PARSE_BAD_CHUNK_SIZE},
      {"1x", EVHTTP_PARSE_BAD_CHUNK_SIZE},
      {"\n", EVHTTP_PARSE_BARE_LF},
      {"1\n", EVHTTP_PARSE_BARE_LF},
      {"1\rx", EVHTTP_PARSE_BARE_CR},
      {"8000000000000000", EVHTTP_PARSE_CHUNK_SIZE_OVERFLOW},
      {"7fffffffffffffff\r\n", EVHTTP_PARSE_BODY_TOO_LARGE},
      {"1\r\nxy", EVHTTP_PARSE_BAD_CHUNK_END},
      {"1\r\nx\n", EVHTTP_PARSE_BARE_LF},
      {"1\r\nx\ry", EVHTTP_PARSE_BARE_CR},
      {"0\r\n ", EVHTTP_PARSE_FOLDED_LINE},
      {"0\r\nA", EVHTTP_PARSE_PARTIAL},
      {"0\r\nA\r", EVHTTP_PARSE_BAD_FIELD_NAME},
      {"1;aaaaaaaaaaaaaaaaaa\r\n", EVHTTP_PARSE_PARTIAL},
      {"1;aaaaaaaaaaaaaaaaaaa", EVHTTP_PARSE_CHUNK_LINE_TOO_LONG},
      {"000000000000000000000", EVHTTP_PARSE_CHUNK_LINE_TOO_LONG},
      {"1;aaaaaaaaaaaaaa\r\nx\r\n1;aaaaaaaaaaaaaa\r\nx\r\n", EVHTTP_PARSE_PARTIAL},
      {"1;aaaaaaaaaaaaaa\r\nx\r\n1;aaaaaaaaaaaaaaa", EVHTTP_PARSE_CHUNK_EXTENSIONS_TOO_LARGE},
      {"0\r\nA: 0123456789012345678901234567890123456789", EVHTTP_PARSE_HEAD_TOO_LARGE},
      {"0\r\nA:\r\nB:\r\nC:", EVHTTP_PARSE_TOO_MANY_FIELDS},
  };
  for (const auto &c : cases) {
    EXPECT_STREQ(evhttp_parse_error_name(Decode(c.bytes).result), evhttp_parse_error_name(c.result))
        << c.bytes;
  }
}

TEST(Chunked, BodyLimitCountsAllChunks) {
  std::string chunk = "1f4\r\n" + std::string(500, 'a') + "\r\n";
  EXPECT_EQ(Decode(chunk + chunk + "0\r\n\r\n").result, EVHTTP_PARSE_DONE);
  Decoded out = Decode(chunk + chunk + "1\r\n");
  EXPECT_EQ(out.result, EVHTTP_PARSE_BODY_TOO_LARGE);
  EXPECT_EQ(out.body.size(), 1000u);
}

TEST(Chunked, Trailers) {
  Decoded out = Decode("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\nGET");
  ASSERT_EQ(out.result, EVHTTP_PARSE_DONE);
  EXPECT_EQ(out.trailers, (std::vector<Field>{{"A", "b"}, {"C", ""}}));
}

TEST(Chunked, TrailersMayBeDropped) {
  evhttp_chunk_decoder decoder;
  evhttp_chunk_event event;
  const std::string bytes = "0\r\nA: b\r\n\r\n";
  evhttp_chunk_decoder_init(&decoder, nullptr, nullptr);
  EXPECT_EQ(evhttp_chunk_step(&decoder, bytes.data(), bytes.size(), &event), bytes.size());
  EXPECT_EQ(event.kind, EVHTTP_CHUNK_DONE);
  EXPECT_EQ(decoder.trailer.num_fields, 1u);
}

TEST(Chunked, NoBodyLimit) {
  evhttp_chunk_decoder decoder;
  evhttp_chunk_event event;
  const std::string bytes = "7fffffffffffffff\r\nx";
  evhttp_chunk_decoder_init(&decoder, nullptr, nullptr);
  EXPECT_EQ(evhttp_chunk_step(&decoder, bytes.data(), bytes.size(), &event), bytes.size());
  EXPECT_EQ(event.kind, EVHTTP_CHUNK_DATA);
  EXPECT_EQ(event.data_len, 1u);
  EXPECT_EQ(decoder.body_len, (uint64_t)INT64_MAX);
}

// The table of digits against C's own idea of them.
TEST(Chunked, EachByteAsASize) {
  for (int i = 0; i < 256; ++i) {
    const char digits[] = {(char)i, 0};
    const bool is_digit = isxdigit(i) != 0;
    const size_t size = is_digit ? strtoul(digits, nullptr, 16) : 0;
    const std::string data(size, 'x'), end = size > 0 ? "\r\n0\r\n\r\n" : "\r\n";
    Decoded got = DecodeCut((char)i + ("\r\n" + data + end), 1, false);
    EXPECT_EQ(got.result == EVHTTP_PARSE_DONE, is_digit) << i;
    EXPECT_EQ(got.body, data) << i;
    EXPECT_EQ(DecodeCut((char)i + ("\r\n" + data + end), 3, false), got) << i;
  }
}

}  // namespace
