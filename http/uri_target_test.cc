#include "http/uri.h"

#include <event2/http.h>
#include <gtest/gtest.h>

#include <string>

namespace {

std::string Target(const char *target, evhttp_target_form form) {
  evhttp_uri *uri = strata_http_uri_parse_target(target, form);
  if (!uri) return "(malformed)";
  auto text = [](const char *part) { return std::string(part ? part : "(null)"); };
  std::string parts = text(evhttp_uri_get_scheme(uri)) + "|" + text(evhttp_uri_get_host(uri)) +
                      "|" + std::to_string(evhttp_uri_get_port(uri)) + "|" +
                      text(evhttp_uri_get_path(uri)) + "|" + text(evhttp_uri_get_query(uri));
  evhttp_uri_free(uri);
  return parts;
}

// RFC 9112 3.2.
TEST(UriTarget, Forms) {
  EXPECT_EQ(Target("/a?b", EVHTTP_TARGET_ORIGIN), "(null)|(null)|-1|/a|b");
  EXPECT_EQ(Target("//h:x/a:b?c", EVHTTP_TARGET_ORIGIN), "(null)|(null)|-1|//h:x/a:b|c");
  EXPECT_EQ(Target("/a|b?{}", EVHTTP_TARGET_ORIGIN), "(null)|(null)|-1|/a|b|{}");
  EXPECT_EQ(Target("http://h:1/a?b", EVHTTP_TARGET_ABSOLUTE), "http|h|1|/a|b");
  EXPECT_EQ(Target("http://h", EVHTTP_TARGET_ABSOLUTE), "http|h|-1||(null)");
  EXPECT_EQ(Target("h:443", EVHTTP_TARGET_AUTHORITY), "(null)|h|443||(null)");
  EXPECT_EQ(Target("[::1]:443", EVHTTP_TARGET_AUTHORITY), "(null)|[::1]|443||(null)");
  EXPECT_EQ(Target("h:x", EVHTTP_TARGET_AUTHORITY), "(malformed)");
  EXPECT_EQ(Target("*", EVHTTP_TARGET_ASTERISK), "(null)|(null)|-1|*|(null)");
}

}  // namespace
