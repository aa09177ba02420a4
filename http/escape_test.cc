#include <event2/http.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace {

// Takes a string that the library made.
std::string Take(char *text) {
  std::string copy = text ? text : "(null)";
  free(text);
  return copy;
}

TEST(UriEncode, KeepsUnreservedOnly) {
  const std::string unreserved = "azAZ09-._~";
  EXPECT_EQ(Take(evhttp_encode_uri(unreserved.c_str())), unreserved);
  EXPECT_EQ(Take(evhttp_encode_uri("a b+c/d?e%\xff")), "a%20b%2Bc%2Fd%3Fe%25%FF");
  EXPECT_EQ(Take(evhttp_encode_uri("!#$&'()*,:;=@[]\"<>\\^`{|}\x01\x7f")),
            "%21%23%24%26%27%28%29%2A%2C%3A%3B%3D%40%5B%5D%22%3C%3E%5C%5E%60%7B%7C%7D%01%7F");
  EXPECT_EQ(Take(evhttp_encode_uri("")), "");
}

TEST(UriEncode, LengthAndSpace) {
  EXPECT_EQ(Take(evhttp_uriencode("a\0b c", 5, 0)), "a%00b%20c");
  EXPECT_EQ(Take(evhttp_uriencode("a\0b c", 5, 1)), "a%00b+c");
  EXPECT_EQ(Take(evhttp_uriencode("a+b", -1, 1)), "a%2Bb");
  EXPECT_EQ(Take(evhttp_uriencode("abc", 0, 0)), "");
}

TEST(UriDecode, EscapesAndPlus) {
  size_t len = 99;
  EXPECT_EQ(Take(evhttp_uridecode("a%20b+c", 0, &len)), "a b+c");
  EXPECT_EQ(len, 5u);
  EXPECT_EQ(Take(evhttp_uridecode("a%20b+c", 1, nullptr)), "a b c");
  EXPECT_EQ(Take(evhttp_uridecode("%2b%2B", 1, nullptr)), "++");
  EXPECT_EQ(Take(evhttp_uridecode("%fF", 0, nullptr)), "\xff");
}

TEST(UriDecode, WhatIsNoEscapeStays) {
  EXPECT_EQ(Take(evhttp_uridecode("%", 0, nullptr)), "%");
  EXPECT_EQ(Take(evhttp_uridecode("%4", 0, nullptr)), "%4");
  EXPECT_EQ(Take(evhttp_uridecode("%4g%%41", 0, nullptr)), "%4g%A");
  EXPECT_EQ(Take(evhttp_uridecode("%\xff%", 0, nullptr)), "%\xff%");
}

TEST(UriDecode, NulIsCounted) {
  size_t len = 0;
  char *text = evhttp_uridecode("a%00b", 0, &len);
  EXPECT_EQ(std::string(text, len), std::string("a\0b", 3));
  free(text);
}

TEST(UriDecode, DeprecatedOneDecodesPlusInTheQueryOnly) {
  EXPECT_EQ(Take(evhttp_decode_uri("/a+b%20c?d+e?f+%2b")), "/a+b c?d e?f +");
  EXPECT_EQ(Take(evhttp_decode_uri("a+b")), "a+b");
}

TEST(UriEncode, RoundTrip) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += (char)i;
  for (int plus = 0; plus < 2; ++plus) {
    char *encoded = evhttp_uriencode(all.data(), (ev_ssize_t)all.size(), plus);
    size_t len = 0;
    char *decoded = evhttp_uridecode(encoded, plus, &len);
    EXPECT_EQ(std::string(decoded, len), all);
    free(encoded);
    free(decoded);
  }
}

TEST(HtmlEscape, SpecialCharacters) {
  EXPECT_EQ(Take(evhttp_htmlescape("<a href=\"x\">'&'</a>")),
            "&lt;a href=&quot;x&quot;&gt;&#039;&amp;&#039;&lt;/a&gt;");
  EXPECT_EQ(Take(evhttp_htmlescape("plain \xc3\xa9")), "plain \xc3\xa9");
  EXPECT_EQ(Take(evhttp_htmlescape("")), "");
  EXPECT_EQ(evhttp_htmlescape(nullptr), nullptr);
}

}  // namespace
