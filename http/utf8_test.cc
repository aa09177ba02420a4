#include "http/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace {

// Checked at once, and cut everywhere in two.
bool IsValid(const std::string &text) {
  bool valid = strata_utf8_is_valid(text.data(), text.size()) != 0;
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    strata_utf8 utf8 = {};
    bool other = strata_utf8_check(&utf8, text.data(), cut) == 0 &&
                 strata_utf8_check(&utf8, text.data() + cut, text.size() - cut) == 0 &&
                 strata_utf8_is_complete(&utf8);
    EXPECT_EQ(valid, other) << "cut at " << cut;
  }
  return valid;
}

TEST(Utf8, Valid) {
  const std::string kValid[] = {
      "",
      "plain text that is longer than a word of the machine",
      std::string("\0\x7f", 2),
      "\xc2\x80",
      "\xdf\xbf",
      "\xe0\xa0\x80",
      "\xed\x9f\xbf",
      "\xee\x80\x80",
      "\xef\xbf\xbf",  // A noncharacter is a character all the same.
      "\xf0\x90\x80\x80",
      "\xf4\x8f\xbf\xbf",
      "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
      "12345678\xe2\x82\xac"
      "12345678\xf0\x9f\x98\x80",
  };
  for (const std::string &text : kValid) EXPECT_TRUE(IsValid(text)) << testing::PrintToString(text);
}

TEST(Utf8, Invalid) {
  const std::string kInvalid[] = {
      "\x80",
      "\xbf",  // A continuation alone.
      "\xc0\x80",
      "\xc1\xbf",  // Overlong, two bytes.
      "\xe0\x80\x80",
      "\xe0\x9f\xbf",  // Overlong, three.
      "\xf0\x80\x80\x80",
      "\xf0\x8f\xbf\xbf",  // Overlong, four.
      "\xed\xa0\x80",
      "\xed\xbf\xbf",  // Surrogates.
      "\xf4\x90\x80\x80",
      "\xf5\x80\x80\x80",  // Above U+10FFFF.
      "\xf8\x88\x80\x80\x80",
      "\xfe",
      "\xff",  // Never a lead byte.
      "\xc2",
      "\xe2\x82",
      "\xf0\x9f\x98",  // Cut short.
      "\xc2\x41",
      "\xe2\x82\x41",
      "\xf0\x9f\x98\x41",  // Left off.
      "\xc2\xc2\x80",
      "12345678\xff",
      "1234567\x80",
  };
  for (const std::string &text : kInvalid)
    EXPECT_FALSE(IsValid(text)) << testing::PrintToString(text);
}

// Every sequence of up to three bytes, against the definition.
bool IsValidByDefinition(const unsigned char *bytes, size_t len) {
  for (size_t at = 0; at < len;) {
    unsigned lead = bytes[at], value;
    size_t num = lead < 0x80       ? 1
                 : lead >> 5 == 6  ? 2
                 : lead >> 4 == 14 ? 3
                 : lead >> 3 == 30 ? 4
                                   : 0;
    if (num == 0 || at + num > len) return false;
    value = num == 1 ? lead : lead & (0x7fu >> num);
    for (size_t i = 1; i < num; ++i) {
      if (bytes[at + i] >> 6 != 2) return false;
      value = value << 6 | (bytes[at + i] & 0x3f);
    }
    const unsigned kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < kLeast[num] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
      return false;
    at += num;
  }
  return true;
}

TEST(Utf8, EverySequenceOfThreeBytes) {
  for (unsigned value = 0; value < 1u << 24; value += value < 0x10000 ? 1 : 3) {
    const unsigned char bytes[] = {static_cast<unsigned char>(value >> 16),
                                   static_cast<unsigned char>(value >> 8),
                                   static_cast<unsigned char>(value)};
    ASSERT_EQ(strata_utf8_is_valid(bytes, 3) != 0, IsValidByDefinition(bytes, 3)) << value;
  }
}

TEST(Utf8, EveryCharacterBeyondThreeBytes) {
  for (unsigned lead = 0xf0; lead <= 0xff; ++lead) {
    for (unsigned rest = 0; rest < 1u << 16; rest += 5) {
      const unsigned char bytes[] = {static_cast<unsigned char>(lead),
                                     static_cast<unsigned char>(rest >> 8),
                                     static_cast<unsigned char>(rest), 0x80};
      ASSERT_EQ(strata_utf8_is_valid(bytes, 4) != 0, IsValidByDefinition(bytes, 4)) << lead << rest;
    }
  }
}

// What is wrong is known at once, not at the end of the character.
TEST(Utf8, FailsEarly) {
  for (const char *text : {"\xf4\x90", "\xed\xa0", "\xe0\x9f", "\xc0", "\xf5"}) {
    strata_utf8 utf8 = {};
    EXPECT_EQ(strata_utf8_check(&utf8, text, strlen(text)), -1) << testing::PrintToString(text);
  }
}

}  // namespace
