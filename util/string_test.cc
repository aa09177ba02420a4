#include <event2/util.h>
#include <gtest/gtest.h>
#include <limits.h>

#include <string>

TEST(StringTest, SnprintfTruncatesAndTellsTheWholeLength) {
  char text[8];
  EXPECT_EQ(3, evutil_snprintf(text, sizeof(text), "%d", 123));
  EXPECT_STREQ("123", text);
  EXPECT_EQ(10, evutil_snprintf(text, sizeof(text), "%s", "0123456789"));
  EXPECT_STREQ("0123456", text);
  EXPECT_EQ(2, evutil_snprintf(text, 1, "ab"));
  EXPECT_STREQ("", text);
}

TEST(StringTest, SnprintfWithoutRoomReturnsZero) {
  char untouched = 'x';
  EXPECT_EQ(0, evutil_snprintf(&untouched, 0, "%d", 123));
  EXPECT_EQ('x', untouched);
}

TEST(StringTest, StrtollTakes64Bits) {
  char *end;
  EXPECT_EQ(INT64_MAX, evutil_strtoll("9223372036854775807", nullptr, 10));
  EXPECT_EQ(INT64_MIN, evutil_strtoll("-9223372036854775808", nullptr, 10));
  const char *text = "12345678901xyz";
  EXPECT_EQ(12345678901LL, evutil_strtoll(text, &end, 10));
  EXPECT_STREQ("xyz", end);
  EXPECT_EQ(255, evutil_strtoll("ff", nullptr, 16));
}

static int Sign(int value) {
  return value < 0 ? -1 : value > 0;
}

TEST(StringTest, CaseIsFoldedInAsciiOnly) {
  EXPECT_EQ(0, evutil_ascii_strcasecmp("Content-Length", "CONTENT-lENGTH"));
  EXPECT_EQ(0, evutil_ascii_strcasecmp("", ""));
  EXPECT_EQ(-1, Sign(evutil_ascii_strcasecmp("a", "B")));
  EXPECT_EQ(1, Sign(evutil_ascii_strcasecmp("B", "a")));
  EXPECT_EQ(-1, Sign(evutil_ascii_strcasecmp("abc", "ABCD")));
  EXPECT_EQ(1, Sign(evutil_ascii_strcasecmp("abcd", "ABC")));
  // Neighbours of the letters: '@' and '[' must not meet '`' and '{'.
  EXPECT_NE(0, evutil_ascii_strcasecmp("@", "`"));
  EXPECT_NE(0, evutil_ascii_strcasecmp("[", "{"));
  // Latin-1 letters stay apart.
  EXPECT_NE(0, evutil_ascii_strcasecmp("\xc4", "\xe4"));
}

TEST(StringTest, CaseComparisonStopsAtItsLimit) {
  EXPECT_EQ(0, evutil_ascii_strncasecmp("abcX", "ABCy", 3));
  EXPECT_NE(0, evutil_ascii_strncasecmp("abcX", "ABCy", 4));
  EXPECT_EQ(0, evutil_ascii_strncasecmp("x", "y", 0));
  EXPECT_EQ(0, evutil_ascii_strncasecmp("ab", "AB", 100));
  EXPECT_EQ(-1, Sign(evutil_ascii_strncasecmp("ab", "abc", 100)));
}
