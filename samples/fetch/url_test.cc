extern "C" {
#include "samples/fetch/url.h"
}

#include <gtest/gtest.h>

#include <string>

namespace {

// "HOST|PORT|TARGET|FILE", or "no".
std::string Parse(const char *text) {
  struct url url;
  if (url_parse(text, &url) != 0) return "no";
  const std::string parts = std::string(url.host) + "|" + std::to_string(url.port) + "|" +
                            url.target + "|" + url.file_name;
  EXPECT_STREQ(text, url.text);
  url_clear(&url);
  return parts;
}

TEST(UrlTest, Parts) {
  EXPECT_EQ("a.test|80|/|", Parse("http://a.test"));
  EXPECT_EQ("a.test|80|/?q=/x|", Parse("http://a.test?q=/x"));
  EXPECT_EQ("a.test|8080|/some/file.txt?v=1&w|file.txt",
            Parse("HTTP://a.test:8080/some/file.txt?v=1&w#part"));
  EXPECT_EQ("a.test|80|/some/|", Parse("http://a.test/some/"));
  EXPECT_EQ("127.0.0.1|1|/%20|%20", Parse("http://127.0.0.1:1/%20"));
  EXPECT_EQ("::1|80|/x|x", Parse("http://[::1]/x"));
}

TEST(UrlTest, WhatIsNoFilesName) {
  EXPECT_EQ("a.test|80|/..|", Parse("http://a.test/.."));
  EXPECT_EQ("a.test|80|/b/.|", Parse("http://a.test/b/."));
  EXPECT_EQ("a.test|80|/...|...", Parse("http://a.test/..."));
}

TEST(UrlTest, Refused) {
  for (const char *text :
       {"", "a.test", "/path", "https://a.test/", "http:/a.test", "http://", "http://:80/",
        "http://a.test:0/", "http://a.test:65536/", "http://a.test/ x", "ftp://a.test/"})
    EXPECT_EQ("no", Parse(text)) << text;
}

TEST(UrlTest, Origins) {
  struct url url, same, other_port, other_host;
  ASSERT_EQ(0, url_parse("http://a.test/x", &url));
  ASSERT_EQ(0, url_parse("http://A.test:80/y", &same));
  ASSERT_EQ(0, url_parse("http://a.test:81/x", &other_port));
  ASSERT_EQ(0, url_parse("http://b.test/x", &other_host));
  EXPECT_TRUE(url_has_same_origin(&url, &same));
  EXPECT_FALSE(url_has_same_origin(&url, &other_port));
  EXPECT_FALSE(url_has_same_origin(&url, &other_host));
  for (struct url *each : {&url, &same, &other_port, &other_host}) url_clear(each);
}

}  // namespace
