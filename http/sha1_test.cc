#include "http/sha1.h"

#include <gtest/gtest.h>

#include <string>

namespace {

std::string Sha1(const std::string &text) {
  uint8_t digest[STRATA_SHA1_LEN];
  strata_sha1(text.data(), text.size(), digest);
  std::string hex;
  for (uint8_t byte : digest) {
    char digits[3];
    snprintf(digits, sizeof(digits), "%02x", byte);
    hex += digits;
  }
  return hex;
}

// RFC 3174 7.3 and FIPS 180.
TEST(Sha1, PublishedVectors) {
  EXPECT_EQ(Sha1(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(Sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(Sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(Sha1(std::string(1000000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  std::string octal;
  for (int i = 0; i < 80; ++i) octal += "01234567";
  EXPECT_EQ(Sha1(octal), "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

// Around the places where the padding needs a block more; made with sha1sum.
TEST(Sha1, EveryPadding) {
  const struct {
    size_t len;
    const char *digest;
  } kCases[] = {
      {1, "11f6ad8ec52a2984abaafd7c3b516503785c2072"},
      {54, "31045e7bb077ff8d188a776b196b980388735dbb"},
      {55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1"},
      {56, "901305367c259952f4e7af8323f480d59f81335b"},
      {57, "025ecbd5d70f8fb3c5457cd96bab13fda305dc59"},
      {63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec"},
      {64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163"},
      {65, "78c741ddc482e4cdf8c474a0876347a0905b6233"},
      {119, "4300320394f7ee239bcdce7d3b8bcee173a0cd5c"},
      {120, "ceb2821639c4b6dcb10bce0e522ca2e608ce056d"},
      {127, "e463484d274607e1897d4099497cbf2aedcf8206"},
      {128, "150fa3fbdc899bd0b8f95a9fb6027f564d953762"},
  };
  for (const auto &test : kCases) EXPECT_EQ(Sha1(std::string(test.len, 'x')), test.digest);
}

}  // namespace
