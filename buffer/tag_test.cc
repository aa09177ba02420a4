// Records: what they look like on the wire (the bytes are libevent 2.1.12's, which this test asks
// too), what is read back, and what is refused.
#include <event2/buffer.h>
#include <event2/tag.h>
#include <event2/tag_compat.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <functional>
#include <string>
#include <vector>

#include "buffer/tag_testing.h"

#ifndef STRATA_ORACLE
#define STRATA_ORACLE 0
#endif

namespace {

using tag_testing::Buffer;

// libevent takes the head, or even all, of a record off the buffer before it finds that it cannot
// be read: whoever retries when more has arrived reads garbage.
constexpr bool kFailureTakesNothing = !STRATA_ORACLE;
// libevent stores what it has read so far before it finds a fault.
constexpr bool kFailureStoresNothing = !STRATA_ORACLE;
// libevent adds head and content as 32-bit numbers: a record of 4 GiB has a length of 5.
constexpr bool kChecksOverflow = !STRATA_ORACLE;

constexpr ev_uint32_t kUnset = 0xdecafbad;

std::string Hex(const std::string &bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (unsigned char c : bytes) {
    text += digits[c >> 4];
    text += digits[c & 15];
  }
  return text;
}

std::string FromHex(const std::string &text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string Written(const std::function<void(struct evbuffer *)> &write) {
  Buffer buffer;
  write(buffer);
  return Hex(buffer.Bytes());
}

TEST(TagWire, Numbers) {
  const std::vector<std::pair<ev_uint32_t, const char *>> numbers = {
      {0, "00"},
      {1, "01"},
      {0xf, "0f"},
      {0x10, "1010"},
      {0xff, "1ff0"},
      {0x123, "2321"},
      {0xabcdef, "5fedcba0"},
      {0x12345678, "7876543210"},
      {0xffffffff, "7ffffffff0"},
  };
  for (const auto &number : numbers) {
    EXPECT_EQ(number.second,
              Written([&](struct evbuffer *buf) { evtag_encode_int(buf, number.first); }));
    EXPECT_EQ(number.second,
              Written([&](struct evbuffer *buf) { evtag_encode_int64(buf, number.first); }));
  }
  EXPECT_EQ("8f00000001",
            Written([](struct evbuffer *buf) { evtag_encode_int64(buf, 0x10000000fu); }));
  EXPECT_EQ("f0fedcba9876543210",
            Written([](struct evbuffer *buf) { evtag_encode_int64(buf, 0x123456789abcdef0u); }));
  EXPECT_EQ(
      "ffffffffffffffff"
      "f0",
      Written([](struct evbuffer *buf) { evtag_encode_int64(buf, EV_UINT64_MAX); }));
}

TEST(TagWire, OldNames) {
  EXPECT_EQ("2321", Written([](struct evbuffer *buf) { encode_int(buf, 0x123); }));
  EXPECT_EQ("2321", Written([](struct evbuffer *buf) { encode_int64(buf, 0x123); }));
}

TEST(TagWire, Tags) {
  const std::vector<std::pair<ev_uint32_t, const char *>> tags = {
      {0, "00"},
      {1, "01"},
      {127, "7f"},
      {128, "8001"},
      {300, "ac02"},
      {16384, "808001"},
      {1u << 28, "8080808001"},
      {0xffffffff, "ffffffff0f"},
  };
  for (const auto &tag : tags) {
    EXPECT_EQ(std::string(tag.second) + "026162",
              Written([&](struct evbuffer *buf) { evtag_marshal(buf, tag.first, "ab", 2); }));
  }
}

TEST(TagWire, Records) {
  EXPECT_EQ("0100", Written([](struct evbuffer *buf) { evtag_marshal(buf, 1, nullptr, 0); }));
  EXPECT_EQ("01057feebdaed0",
            Written([](struct evbuffer *buf) { evtag_marshal_int(buf, 1, 0xdeadbeef); }));
  EXPECT_EQ("0106911feebdaed0",
            Written([](struct evbuffer *buf) { evtag_marshal_int64(buf, 1, 0xdeadbeef11u); }));
  EXPECT_EQ("020568656c6c6f",
            Written([](struct evbuffer *buf) { evtag_marshal_string(buf, 2, "hello"); }));
  EXPECT_EQ("0200", Written([](struct evbuffer *buf) { evtag_marshal_string(buf, 2, ""); }));
}

TEST(TagWire, Times) {
  struct timeval tv = {0x12345, 999999};
  EXPECT_EQ("03064543214f324f",
            Written([&](struct evbuffer *buf) { evtag_marshal_timeval(buf, 3, &tv); }));
  tv = {-1, 0};
  EXPECT_EQ("03067ffffffff000",
            Written([&](struct evbuffer *buf) { evtag_marshal_timeval(buf, 3, &tv); }));
}

TEST(TagWire, BufferIsMoved) {
  Buffer data(std::string(5000, 'x') + "y"), buffer("before");
  evtag_marshal_buffer(buffer, 5, data);
  EXPECT_EQ(0u, evbuffer_get_length(data));
  EXPECT_EQ("before" + FromHex("05398310") + std::string(5000, 'x') + "y", buffer.Bytes());
  Buffer empty, other;
  evtag_marshal_buffer(other, 5, empty);
  EXPECT_EQ("0500", Hex(other.Bytes()));
}

TEST(TagWire, NothingIsWrittenToAFrozenEnd) {
  Buffer buffer("kept"), data("data");
  evbuffer_freeze(buffer, 0);
  evtag_marshal(buffer, 1, "x", 1);
  evtag_marshal_int(buffer, 1, 1);
  evtag_marshal_string(buffer, 1, "x");
  evtag_encode_int(buffer, 1);
  evtag_marshal_buffer(buffer, 1, data);
  evbuffer_unfreeze(buffer, 0);
  EXPECT_EQ("kept", buffer.Bytes());
  EXPECT_EQ("data", data.Bytes());
}

TEST(TagPeek, Tag) {
  ev_uint32_t tag = kUnset;
  EXPECT_EQ(1, evtag_peek(Buffer(FromHex("01")), &tag));
  EXPECT_EQ(1u, tag);
  EXPECT_EQ(2, evtag_peek(Buffer(FromHex("8101")), &tag));
  EXPECT_EQ(129u, tag);
  EXPECT_EQ(5, evtag_peek(Buffer(FromHex("ffffffff0f00"), 1), &tag));
  EXPECT_EQ(0xffffffffu, tag);
  EXPECT_EQ(1, evtag_peek(Buffer(FromHex("01")), nullptr));
}

TEST(TagPeek, LongFormOfATag) {
  ev_uint32_t tag = kUnset;
  EXPECT_EQ(5, evtag_peek(Buffer(FromHex("8180808000")), &tag));
  EXPECT_EQ(1u, tag);
}

TEST(TagPeek, BadTags) {
  ev_uint32_t tag = kUnset;
  for (const char *bytes : {"", "81", "80808080", "ffffffff1f", "ffffffff7f", "808080808000"}) {
    Buffer buffer(FromHex(bytes));
    EXPECT_EQ(-1, evtag_peek(buffer, &tag)) << bytes;
    EXPECT_EQ(bytes, Hex(buffer.Bytes()));
  }
  EXPECT_EQ(kUnset, tag);
}

TEST(TagPeek, Lengths) {
  struct Case {
    const char *bytes;
    ev_uint32_t content_len, len;
  };
  for (const Case &c : std::vector<Case>{{"0103616263", 3, 5},
                                         {"8f0103616263", 3, 6},
                                         {"010f", 15, 17},
                                         {"0113a0", 163, 166},
                                         {"017000000000", 0, 6}}) {
    for (size_t block_len : {0, 1}) {
      Buffer buffer(FromHex(c.bytes), block_len);
      ev_uint32_t len = kUnset;
      EXPECT_EQ(0, evtag_payload_length(buffer, &len)) << c.bytes;
      EXPECT_EQ(c.content_len, len) << c.bytes;
      EXPECT_EQ(0, evtag_peek_length(buffer, &len)) << c.bytes;
      EXPECT_EQ(c.len, len) << c.bytes;
      EXPECT_EQ(c.bytes, Hex(buffer.Bytes()));
    }
  }
}

TEST(TagPeek, BadLengths) {
  ev_uint32_t len = kUnset;
  for (const char *bytes : {"", "01", "8f", "0110", "0170000000", "018f00000000000000"}) {
    Buffer buffer(FromHex(bytes));
    EXPECT_EQ(-1, evtag_payload_length(buffer, &len)) << bytes;
    EXPECT_EQ(-1, evtag_peek_length(buffer, &len)) << bytes;
  }
  EXPECT_EQ(kUnset, len);
}

TEST(TagPeek, LengthThatDoesNotFit) {
  Buffer buffer(FromHex("017ffffffff0"));
  ev_uint32_t len = kUnset;
  EXPECT_EQ(0, evtag_payload_length(buffer, &len));
  EXPECT_EQ(0xffffffffu, len);
  if (kChecksOverflow) {
    EXPECT_EQ(-1, evtag_peek_length(buffer, &len));
  } else {
    EXPECT_EQ(0, evtag_peek_length(buffer, &len));
    EXPECT_EQ(5u, len);
  }
}

TEST(TagRead, Header) {
  for (size_t block_len : {0, 1}) {
    Buffer buffer(FromHex("ac02") + "\x03" + "abcd", block_len);
    ev_uint32_t tag = kUnset;
    EXPECT_EQ(3, evtag_unmarshal_header(buffer, &tag));
    EXPECT_EQ(300u, tag);
    EXPECT_EQ("abcd", buffer.Bytes());
  }
  EXPECT_EQ(0, evtag_unmarshal_header(Buffer(FromHex("0100")), nullptr));
}

TEST(TagRead, Content) {
  for (size_t block_len : {0, 1}) {
    Buffer buffer(FromHex("01036162639900"), block_len), content("before ");
    ev_uint32_t tag = kUnset;
    EXPECT_EQ(3, evtag_unmarshal(buffer, &tag, content));
    EXPECT_EQ(1u, tag);
    EXPECT_EQ("before abc", content.Bytes());
    EXPECT_EQ("9900", Hex(buffer.Bytes()));
  }
  Buffer buffer(FromHex("0100")), content;
  EXPECT_EQ(0, evtag_unmarshal(buffer, nullptr, content));
  EXPECT_EQ("", content.Bytes());
  EXPECT_EQ("", buffer.Bytes());
}

TEST(TagRead, LongContent) {
  std::string bytes;
  for (int i = 0; i < 100000; i++) bytes += static_cast<char>(i * 31);
  Buffer buffer, content;
  for (int i = 0; i < 3; i++) {
    evtag_marshal(buffer, 7, bytes.data(), static_cast<ev_uint32_t>(bytes.size()));
  }
  EXPECT_EQ(static_cast<int>(bytes.size()), evtag_unmarshal(buffer, nullptr, content));
  EXPECT_TRUE(bytes == content.Bytes());
  EXPECT_EQ(0, evtag_consume(buffer));
  std::string fixed(bytes.size(), '\0');
  EXPECT_EQ(0, evtag_unmarshal_fixed(buffer, 7, &fixed[0], fixed.size()));
  EXPECT_TRUE(bytes == fixed);
  EXPECT_EQ(0u, evbuffer_get_length(buffer));
}

TEST(TagRead, Numbers) {
  struct Case {
    const char *bytes;
    int used_len;
    ev_uint64_t number;
  };
  for (const Case &c : std::vector<Case>{{"010105", 1, 5},
                                         {"01020555", 1, 5},  // more content than the number
                                         {"01057123456780", 5, 0x87654321},
                                         {"0105712345678f", 5, 0x87654321},  // a stray half byte
                                         {"017000000000", 0, 0},
                                         {"01037010000000", 0, 0}}) {
    Buffer buffer(FromHex(std::string(c.bytes)) + "next"), wide(buffer.Bytes(), 1);
    ev_uint32_t number = 0;
    ev_uint64_t wide_number = 0;
    bool is_good = c.used_len > 0;
    EXPECT_EQ(is_good ? c.used_len : -1, evtag_unmarshal_int(buffer, 1, &number)) << c.bytes;
    EXPECT_EQ(is_good ? c.used_len : -1, evtag_unmarshal_int64(wide, 1, &wide_number)) << c.bytes;
    if (!is_good) continue;
    EXPECT_EQ(c.number, number) << c.bytes;
    EXPECT_EQ(c.number, wide_number) << c.bytes;
    EXPECT_EQ("next", buffer.Bytes()) << c.bytes;
    EXPECT_EQ("next", wide.Bytes()) << c.bytes;
  }
}

TEST(TagRead, WideNumbers) {
  ev_uint64_t number = 0;
  EXPECT_EQ(9, evtag_unmarshal_int64(Buffer(FromHex("0109f0fedcba9876543210")), 1, &number));
  EXPECT_EQ(0x123456789abcdef0u, number);
  EXPECT_EQ(5, evtag_unmarshal_int64(Buffer(FromHex("01058f00000001")), 1, &number));
  EXPECT_EQ(0x10000000fu, number);
  ev_uint32_t narrow;
  EXPECT_EQ(-1, evtag_unmarshal_int(Buffer(FromHex("01058f00000001")), 1, &narrow));
}

TEST(TagRead, Fixed) {
  Buffer buffer(FromHex("010361626304") + FromHex("00"));
  char data[4] = "---";
  EXPECT_EQ(0, evtag_unmarshal_fixed(buffer, 1, data, 3));
  EXPECT_STREQ("abc", data);
  EXPECT_EQ(0, evtag_unmarshal_fixed(buffer, 4, nullptr, 0));
  EXPECT_EQ("", buffer.Bytes());
}

TEST(TagRead, String) {
  for (size_t block_len : {0, 1}) {
    Buffer buffer(FromHex("010361626301036100630100"), block_len);
    char *text = nullptr;
    ASSERT_EQ(0, evtag_unmarshal_string(buffer, 1, &text));
    EXPECT_STREQ("abc", text);
    free(text);
    ASSERT_EQ(0, evtag_unmarshal_string(buffer, 1, &text));
    EXPECT_EQ(std::string("a\0c", 4), std::string(text, 4));
    free(text);
    ASSERT_EQ(0, evtag_unmarshal_string(buffer, 1, &text));
    EXPECT_STREQ("", text);
    free(text);
    EXPECT_EQ("", buffer.Bytes());
  }
}

TEST(TagRead, Time) {
  for (size_t block_len : {0, 1}) {
    struct timeval tv = {9, 9};
    Buffer buffer(FromHex("03064543214f324f") + "next", block_len);
    EXPECT_EQ(0, evtag_unmarshal_timeval(buffer, 3, &tv));
    EXPECT_EQ(0x12345, tv.tv_sec);
    EXPECT_EQ(999999, tv.tv_usec);
    EXPECT_EQ("next", buffer.Bytes());
    Buffer longer(FromHex("030301050799"), block_len);
    EXPECT_EQ(0, evtag_unmarshal_timeval(longer, 3, &tv));
    EXPECT_EQ(1, tv.tv_sec);
    EXPECT_EQ(5, tv.tv_usec);
    EXPECT_EQ("99", Hex(longer.Bytes()));
  }
}

// Each reader on its own, all results in one variable.
struct Results {
  ev_uint32_t number = kUnset;
  ev_uint64_t wide_number = kUnset;
  char fixed[3] = {'-', '-', '-'};
  char *text = nullptr;
  struct timeval tv = {9, 9};
  Buffer content;

  bool AreUnset() {
    return number == kUnset && wide_number == kUnset && memcmp(fixed, "---", 3) == 0 && !text &&
           tv.tv_sec == 9 && tv.tv_usec == 9 && content.Bytes().empty();
  }
};

struct Reader {
  const char *name;
  std::function<int(struct evbuffer *, Results *)> read;
};

const std::vector<Reader> &AllReaders() {
  static const std::vector<Reader> readers = {
      {"header", [](evbuffer *buf, Results *r) { return evtag_unmarshal_header(buf, &r->number); }},
      {"unmarshal",
       [](evbuffer *buf, Results *r) { return evtag_unmarshal(buf, &r->number, r->content); }},
      {"consume", [](evbuffer *buf, Results *) { return evtag_consume(buf); }},
      {"int", [](evbuffer *buf, Results *r) { return evtag_unmarshal_int(buf, 1, &r->number); }},
      {"int64",
       [](evbuffer *buf, Results *r) { return evtag_unmarshal_int64(buf, 1, &r->wide_number); }},
      {"fixed",
       [](evbuffer *buf, Results *r) { return evtag_unmarshal_fixed(buf, 1, r->fixed, 3); }},
      {"string",
       [](evbuffer *buf, Results *r) { return evtag_unmarshal_string(buf, 1, &r->text); }},
      {"timeval",
       [](evbuffer *buf, Results *r) { return evtag_unmarshal_timeval(buf, 1, &r->tv); }},
  };
  return readers;
}

void ExpectRefused(const Reader &reader, const std::string &bytes) {
  Buffer buffer(bytes);
  Results results;
  EXPECT_EQ(-1, reader.read(buffer, &results)) << reader.name << " " << Hex(bytes);
  if (kFailureTakesNothing) {
    EXPECT_EQ(Hex(bytes), Hex(buffer.Bytes())) << reader.name;
  }
  if (kFailureStoresNothing) {
    EXPECT_TRUE(results.AreUnset()) << reader.name << " " << Hex(bytes);
  }
  free(results.text);
}

TEST(TagRefuse, WhatIsCutShort) {
  const std::string record = FromHex("0103") + std::string("\x01\x02\x03");
  for (const Reader &reader : AllReaders()) {
    for (size_t len = 0; len < record.size(); len++) ExpectRefused(reader, record.substr(0, len));
  }
}

TEST(TagRefuse, BadHeads) {
  for (const Reader &reader : AllReaders()) {
    ExpectRefused(reader, FromHex("818080808000") + "abcd");
    ExpectRefused(reader, FromHex("ffffffff1f0100"));
    ExpectRefused(reader, FromHex("018100000000") + "abcd");
    // Lengths that as an int would be negative, or not even that.
    ExpectRefused(reader, FromHex("017ffffffff0") + "abcd");
    ExpectRefused(reader, FromHex("017000000080") + "abcd");
  }
}

TEST(TagRefuse, AnotherTag) {
  for (const Reader &reader : AllReaders()) {
    if (std::string("header unmarshal consume").find(reader.name) != std::string::npos) continue;
    ExpectRefused(reader, FromHex("0203010203"));
  }
}

TEST(TagRefuse, AnotherLength) {
  Buffer buffer(FromHex("010361626399"));
  char data[4] = "---";
  EXPECT_EQ(-1, evtag_unmarshal_fixed(buffer, 1, data, 2));
  EXPECT_STREQ("---", data);
  if (!kFailureTakesNothing) return;
  EXPECT_EQ(-1, evtag_unmarshal_fixed(buffer, 1, data, 4));
  EXPECT_EQ(0, evtag_unmarshal_fixed(buffer, 1, data, 3));
}

// The bytes behind the record look like the rest of the number, and must not be read as it.
TEST(TagRefuse, NumbersThatLeaveTheirRecord) {
  for (const char *bytes : {"01011000", "010057", "0104712345678099", "010020", "01028000000000"}) {
    for (const Reader &reader : AllReaders()) {
      if (strncmp(reader.name, "int", 3) != 0) continue;
      ExpectRefused(reader, FromHex(bytes));
    }
  }
  for (const char *bytes : {"01010105", "0101010105", "010000", "010201100000", "01058000000000"}) {
    for (const Reader &reader : AllReaders()) {
      if (strcmp(reader.name, "timeval") != 0) continue;
      ExpectRefused(reader, FromHex(bytes));
    }
  }
}

TEST(TagRefuse, FrozenBuffers) {
  for (const Reader &reader : AllReaders()) {
    Buffer buffer(FromHex("0103010203"));
    Results results;
    evbuffer_freeze(buffer, 1);
    // libevent reports the head although it cannot take it off.
    if (kFailureTakesNothing) {
      EXPECT_EQ(-1, reader.read(buffer, &results)) << reader.name;
      EXPECT_TRUE(results.AreUnset()) << reader.name;
    }
    evbuffer_unfreeze(buffer, 1);
    EXPECT_EQ(5u, evbuffer_get_length(buffer)) << reader.name;
    free(results.text);
  }
}

TEST(TagRefuse, FrozenTarget) {
  Buffer buffer(FromHex("0103616263")), content("kept");
  evbuffer_freeze(content, 0);
  // libevent reports success and loses the record.
  if (kFailureTakesNothing) {
    EXPECT_EQ(-1, evtag_unmarshal(buffer, nullptr, content));
    EXPECT_EQ("0103616263", Hex(buffer.Bytes()));
  }
  evbuffer_unfreeze(content, 0);
  EXPECT_EQ("kept", content.Bytes());
}

TEST(TagRoundTrip, ManyRecords) {
  Buffer buffer;
  evtag_init();
  for (ev_uint32_t i = 0; i < 33; i++) {
    ev_uint32_t tag = i < 32 ? 1u << i : 0;
    evtag_marshal_int(buffer, tag, ~tag);
    evtag_marshal_int64(buffer, tag, ~static_cast<ev_uint64_t>(tag));
    evtag_marshal_string(buffer, tag, std::string(i * 7, 'x').c_str());
  }
  for (ev_uint32_t i = 0; i < 33; i++) {
    ev_uint32_t tag = i < 32 ? 1u << i : 0, number;
    ev_uint64_t wide_number;
    char *text = nullptr;
    EXPECT_GT(evtag_unmarshal_int(buffer, tag, &number), 0);
    EXPECT_EQ(~tag, number);
    EXPECT_GT(evtag_unmarshal_int64(buffer, tag, &wide_number), 0);
    EXPECT_EQ(~static_cast<ev_uint64_t>(tag), wide_number);
    ASSERT_EQ(0, evtag_unmarshal_string(buffer, tag, &text));
    EXPECT_EQ(std::string(i * 7, 'x'), text);
    free(text);
  }
  EXPECT_EQ(0u, evbuffer_get_length(buffer));
}

}  // namespace
