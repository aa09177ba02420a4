#include "http/ws_frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "http/ws_reader.h"

namespace {

std::string Bytes(std::initializer_list<int> bytes) {
  std::string text;
  for (int byte : bytes) text += static_cast<char>(byte);
  return text;
}

const uint8_t *Data(const std::string &bytes) {
  return reinterpret_cast<const uint8_t *>(bytes.data());
}

strata_ws_result Parse(strata_ws_role role, const std::string &bytes, strata_ws_head *head,
                       size_t *len) {
  return strata_ws_head_parse(role, Data(bytes), bytes.size(), head, len);
}

// ---- Heads ----

TEST(Head, ExamplesOfTheRfc) {
  strata_ws_head head;
  size_t len;
  ASSERT_EQ(Parse(STRATA_WS_CLIENT, Bytes({0x81, 0x05, 'H'}), &head, &len), STRATA_WS_HEAD);
  EXPECT_EQ(len, 2u);
  EXPECT_EQ(head.opcode, STRATA_WS_TEXT);
  EXPECT_EQ(head.fin, 1);
  EXPECT_EQ(head.payload_len, 5u);
  ASSERT_EQ(Parse(STRATA_WS_SERVER, Bytes({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f}), &head, &len),
            STRATA_WS_HEAD);
  EXPECT_EQ(len, 6u);
  EXPECT_EQ(memcmp(head.mask, "\x37\xfa\x21\x3d", 4), 0);
  ASSERT_EQ(Parse(STRATA_WS_CLIENT, Bytes({0x82, 0x7e, 0x01, 0x00}), &head, &len), STRATA_WS_HEAD);
  EXPECT_EQ(head.payload_len, 256u);
  ASSERT_EQ(Parse(STRATA_WS_CLIENT, Bytes({0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}), &head, &len),
            STRATA_WS_HEAD);
  EXPECT_EQ(head.payload_len, 65536u);
}

TEST(Head, EveryFirstByte) {
  for (int byte = 0; byte < 256; ++byte) {
    strata_ws_head head;
    size_t len;
    int opcode = byte & 15;
    strata_ws_result expected = STRATA_WS_HEAD;
    if (opcode >= 8 && byte < 0x80) expected = STRATA_WS_CONTROL_FRAGMENTED;
    if ((opcode > 2 && opcode < 8) || opcode > 10) expected = STRATA_WS_BAD_OPCODE;
    if (byte & 0x70) expected = STRATA_WS_BAD_RESERVED;
    EXPECT_EQ(Parse(STRATA_WS_CLIENT, Bytes({byte, 0}), &head, &len), expected) << byte;
    // An error needs no second byte.
    EXPECT_EQ(Parse(STRATA_WS_CLIENT, Bytes({byte}), &head, &len),
              expected == STRATA_WS_HEAD ? STRATA_WS_PARTIAL : expected);
  }
}

TEST(Head, Refused) {
  const struct {
    strata_ws_role role;
    std::string bytes;
    strata_ws_result result;
  } kCases[] = {
      {STRATA_WS_SERVER, Bytes({0x81, 0x00}), STRATA_WS_NOT_MASKED},
      {STRATA_WS_SERVER, Bytes({0x88, 0x00}), STRATA_WS_NOT_MASKED},
      {STRATA_WS_CLIENT, Bytes({0x81, 0x80}), STRATA_WS_MASKED},
      {STRATA_WS_SERVER, Bytes({0x89, 0xfe}), STRATA_WS_CONTROL_LONG},
      {STRATA_WS_SERVER, Bytes({0x88, 0xff}), STRATA_WS_CONTROL_LONG},
      {STRATA_WS_CLIENT, Bytes({0x82, 0x7e, 0, 0}), STRATA_WS_LENGTH_NOT_SHORT},
      {STRATA_WS_CLIENT, Bytes({0x82, 0x7e, 0, 125}), STRATA_WS_LENGTH_NOT_SHORT},
      {STRATA_WS_CLIENT, Bytes({0x82, 0x7e, 0, 126}), STRATA_WS_HEAD},
      {STRATA_WS_CLIENT, Bytes({0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0, 5}), STRATA_WS_LENGTH_NOT_SHORT},
      {STRATA_WS_CLIENT, Bytes({0x82, 0x7f, 0, 0, 0, 0, 0, 0, 255, 255}),
       STRATA_WS_LENGTH_NOT_SHORT},
      {STRATA_WS_CLIENT, Bytes({0x82, 0x7f, 0x80, 0, 0, 0, 0, 1, 0, 0}), STRATA_WS_LENGTH_NEGATIVE},
      {STRATA_WS_CLIENT, Bytes({0x82, 0x7f, 0x7f, 255, 255, 255, 255, 255, 255, 255}),
       STRATA_WS_HEAD},
  };
  for (const auto &test : kCases) {
    strata_ws_head head;
    size_t len;
    EXPECT_EQ(Parse(test.role, test.bytes, &head, &len), test.result)
        << testing::PrintToString(test.bytes);
    // What is incomplete is never accepted, nor refused for another reason.
    for (size_t cut = 0; cut < test.bytes.size(); ++cut) {
      strata_ws_result result = Parse(test.role, test.bytes.substr(0, cut), &head, &len);
      EXPECT_TRUE(result == STRATA_WS_PARTIAL ||
                  (result == test.result && result >= STRATA_WS_FIRST_ERROR));
    }
  }
}

TEST(Head, WhatIsWrittenIsRead) {
  for (uint64_t payload_len :
       {uint64_t{0}, uint64_t{1}, uint64_t{125}, uint64_t{126}, uint64_t{65535}, uint64_t{65536},
        uint64_t{1} << 32, (uint64_t{1} << 63) - 1}) {
    for (uint8_t masked : {0, 1}) {
      for (uint8_t opcode : {0, 1, 2, 8, 9, 10}) {
        if (opcode >= 8 && payload_len > 125) continue;
        strata_ws_head head = {payload_len, opcode, 1, masked, {0, 0, 0, 0}}, again;
        if (masked) memcpy(head.mask, "\x01\x80\xff\x00", 4);
        uint8_t bytes[STRATA_WS_MAX_HEAD_LEN];
        size_t len = strata_ws_head_write(&head, bytes), read_len = 0;
        EXPECT_EQ(len, strata_ws_head_len(&head));
        ASSERT_EQ(strata_ws_head_parse(masked ? STRATA_WS_SERVER : STRATA_WS_CLIENT, bytes, len,
                                       &again, &read_len),
                  STRATA_WS_HEAD);
        EXPECT_EQ(read_len, len);
        EXPECT_EQ(again.payload_len, payload_len);
        EXPECT_EQ(again.opcode, opcode);
        EXPECT_EQ(memcmp(again.mask, head.mask, 4), 0);
      }
    }
  }
}

// ---- Masks ----

TEST(Mask, EveryLengthAndOffset) {
  const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
  std::string plain;
  for (int i = 0; i < 40; ++i) plain += static_cast<char>(i * 7);
  for (size_t len = 0; len <= plain.size(); ++len) {
    for (uint64_t offset = 0; offset < 5; ++offset) {
      std::vector<uint8_t> bytes(plain.begin(), plain.begin() + static_cast<long>(len)), copy(len);
      strata_ws_mask(mask, offset, bytes.data(), len, copy.data());
      for (size_t i = 0; i < len; ++i)
        ASSERT_EQ(copy[i], static_cast<uint8_t>(plain[i]) ^ mask[(offset + i) % 4]);
      strata_ws_mask(mask, offset, copy.data(), len, copy.data());
      EXPECT_EQ(copy, bytes);
    }
  }
}

// ---- Close frames ----

TEST(Close, Codes) {
  auto is_valid = [](unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
  };
  for (unsigned code = 0; code < 65536; ++code)
    ASSERT_EQ(strata_ws_close_code_is_valid(code) != 0, is_valid(code)) << code;
}

TEST(Close, Payloads) {
  const struct {
    std::string payload;
    strata_ws_result result;
    uint16_t code;
  } kCases[] = {
      {"", STRATA_WS_CONTROL, 1005},
      {Bytes({3}), STRATA_WS_BAD_CLOSE, 1005},
      {Bytes({3, 0xe8}), STRATA_WS_CONTROL, 1000},
      {Bytes({3, 0xe8}) + "Gr\xc3\xbc\xc3\x9f"
                          "e",
       STRATA_WS_CONTROL, 1000},
      {Bytes({3, 0xe8, 0xc3}), STRATA_WS_NOT_UTF8, 1000},
      {Bytes({3, 0xed}), STRATA_WS_BAD_CLOSE, 1005},
  };
  for (const auto &test : kCases) {
    uint16_t code = 0;
    EXPECT_EQ(strata_ws_close_parse(Data(test.payload), test.payload.size(), &code), test.result);
    EXPECT_EQ(code, test.code);
  }
}

TEST(Results, CodesAndNames) {
  for (int i = 0; i <= STRATA_WS_MESSAGE_TOO_BIG; ++i)
    EXPECT_GT(strlen(strata_ws_result_name(static_cast<strata_ws_result>(i))), 3u) << i;
  EXPECT_EQ(strata_ws_result_code(STRATA_WS_NOT_MASKED), 1002);
  EXPECT_EQ(strata_ws_result_code(STRATA_WS_NOT_UTF8), 1007);
  EXPECT_EQ(strata_ws_result_code(STRATA_WS_MESSAGE_TOO_BIG), 1009);
}

// ---- Sequences of frames ----

// What comes of bytes that arrive in pieces of `step`.
std::string Read(const std::string &bytes, size_t step, uint64_t max_frame = 1000,
                 uint64_t max_message = 1000) {
  strata_ws_reader reader;
  strata_ws_reader_init(&reader, STRATA_WS_CLIENT, max_frame, max_message);
  std::string out, payload;
  size_t taken = 0;
  for (size_t arrived = 0;;) {
    strata_ws_result result;
    if (!reader.in_frame) {
      size_t len = 0;
      result = strata_ws_reader_head(&reader, Data(bytes) + taken, arrived - taken, &len);
      if (result == STRATA_WS_HEAD) taken += len;
    } else {
      size_t len = std::min<size_t>(reader.left_len, arrived - taken);
      std::string piece = bytes.substr(taken, len);
      result = strata_ws_reader_payload(&reader, reinterpret_cast<uint8_t *>(&piece[0]), len);
      taken += len;
      payload += piece;
    }
    if (result >= STRATA_WS_FIRST_ERROR) return out + strata_ws_result_name(result);
    if (result >= STRATA_WS_CONTROL) {
      out += std::string(strata_ws_result_name(result)) + std::to_string(reader.head.opcode) + "/" +
             std::to_string(reader.type) + "(" + payload + ") ";
      payload.clear();
    }
    if (result != STRATA_WS_PARTIAL) continue;
    if (arrived == bytes.size()) return out + (reader.in_frame || taken < arrived ? "..." : "");
    arrived = std::min(arrived + step, bytes.size());
  }
}

std::string Frame(int first, const std::string &payload) {
  strata_ws_head head = {payload.size(),
                         static_cast<uint8_t>(first & 15),
                         static_cast<uint8_t>(first >> 7),
                         0,
                         {0, 0, 0, 0}};
  uint8_t bytes[STRATA_WS_MAX_HEAD_LEN];
  size_t len = strata_ws_head_write(&head, bytes);
  return std::string(reinterpret_cast<char *>(bytes), len) + payload;
}

TEST(Reader, Sequences) {
  const struct {
    std::string bytes, expected;
  } kCases[] = {
      {"", ""},
      {Frame(0x81, "ab"), "message1/1(ab) "},
      {Frame(0x82, "\xff") + Frame(0x81, ""), "message2/2(\xff) message1/1() "},
      {Frame(0x01, "a") + Frame(0x00, "b") + Frame(0x80, "c"),
       "fragment1/1(a) fragment0/1(b) message0/1(c) "},
      {Frame(0x01, "a") + Frame(0x89, "p") + Frame(0x80, "c"),
       "fragment1/1(a) control9/1(p) message0/1(c) "},
      {Frame(0x81, "a") + Frame(0x8a, "p") + Frame(0x82, "c"),
       "message1/1(a) control10/0(p) message2/2(c) "},
      {Frame(0x02, "") + Frame(0x00, "") + Frame(0x80, ""),
       "fragment2/2() fragment0/2() message0/2() "},
      {Frame(0x80, "a"), "continuation of nothing"},
      {Frame(0x00, "a"), "continuation of nothing"},
      {Frame(0x81, "a") + Frame(0x80, "b"), "message1/1(a) continuation of nothing"},
      {Frame(0x81, "a") + Frame(0x89, "") + Frame(0x80, "b"),
       "message1/1(a) control9/0() continuation of nothing"},
      {Frame(0x01, "a") + Frame(0x81, "b"), "fragment1/1(a) message in a message"},
      {Frame(0x01, "a") + Frame(0x89, "") + Frame(0x02, "b"),
       "fragment1/1(a) control9/1() message in a message"},
      {Frame(0x01, "\xe2\x82") + Frame(0x89, "\xff") + Frame(0x80, "\xac"),
       "fragment1/1(\xe2\x82) control9/1(\xff) message0/1(\xac) "},
      {Frame(0x81, "\xe2\x82"), "not UTF-8"},
      {Frame(0x01, "\xe2\x82") + Frame(0x80, ""), "fragment1/1(\xe2\x82) not UTF-8"},
      {Frame(0x81, "ab\xff"), "not UTF-8"},
      {Frame(0x81, "abc").substr(0, 4), "..."},
      {Frame(0x81, "abc").substr(0, 1), "..."},
  };
  for (const auto &test : kCases) {
    for (size_t step : {1, 2, 3, 100})
      EXPECT_EQ(Read(test.bytes, step), test.expected) << "in pieces of " << step;
  }
}

TEST(Reader, Limits) {
  EXPECT_EQ(Read(Frame(0x82, "12345"), 9, 5, 5), "message2/2(12345) ");
  EXPECT_EQ(Read(Frame(0x82, "123456"), 9, 5, 9), "frame too big");
  EXPECT_EQ(Read(Frame(0x82, "123456"), 9, 9, 5), "message too big");
  EXPECT_EQ(Read(Frame(0x02, "123") + Frame(0x80, "45"), 9, 5, 5),
            "fragment2/2(123) message0/2(45) ");
  EXPECT_EQ(Read(Frame(0x02, "123") + Frame(0x80, "456"), 9, 5, 5),
            "fragment2/2(123) message too big");
  // The head is enough, and no length overflows the sum.
  EXPECT_EQ(Read(Bytes({0x02, 1, 'a', 0x80, 127, 127, 255, 255, 255, 255, 255, 255, 255}), 9,
                 UINT64_MAX, UINT64_MAX),
            "fragment2/2(a) ...");
  EXPECT_EQ(Read(Bytes({0x02, 1, 'a', 0x80, 127, 127, 255, 255, 255, 255, 255, 255, 255}), 9,
                 UINT64_MAX, (uint64_t{1} << 63) - 1),
            "fragment2/2(a) message too big");
  // Control frames are not part of the message.
  EXPECT_EQ(Read(Frame(0x02, "12345") + Frame(0x89, "1234567890") + Frame(0x80, ""), 9, 5, 5),
            "fragment2/2(12345) control9/2(1234567890) message0/2() ");
}

}  // namespace
