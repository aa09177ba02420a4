#include "samples/httpd/request_path.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

namespace {

struct Parsed {
  int status;
  std::string name;
  bool is_directory;
};

Parsed Parse(const char *raw) {
  request_path path;
  int status = request_path_parse(raw, &path);
  if (status != 0) return {status, "", false};
  Parsed parsed = {0, path.name, path.is_directory};
  request_path_clear(&path);
  return parsed;
}

void ExpectName(const char *raw, const std::string &name, bool is_directory) {
  SCOPED_TRACE(raw == nullptr ? "(none)" : raw);
  Parsed parsed = Parse(raw);
  EXPECT_EQ(0, parsed.status);
  EXPECT_EQ(name, parsed.name);
  EXPECT_EQ(is_directory, parsed.is_directory);
}

TEST(RequestPathTest, CleansAndDecodes) {
  ExpectName(nullptr, "", true);
  ExpectName("", "", true);
  ExpectName("/", "", true);
  ExpectName("///", "", true);
  ExpectName("/.", "", true);
  ExpectName("/./", "", true);
  ExpectName("/a", "a", false);
  ExpectName("/a/", "a", true);
  ExpectName("/a/.", "a", true);
  ExpectName("/a/./b", "a/b", false);
  ExpectName("//a//b//", "a/b", true);
  ExpectName("/a%20b/%C3%A4", "a b/\xC3\xA4", false);
  ExpectName("/%2e/a", "a", false);
  ExpectName("/...", "...", false);
  ExpectName("/..a/b..", "..a/b..", false);
  ExpectName("/a+b", "a+b", false);
  ExpectName("/%2525", "%25", false);
}

TEST(RequestPathTest, RefusesWaysOutAndTrickery) {
  for (const char *raw : {"/..",    "/../",      "/../etc/passwd", "/a/../b",
                          "/a/..",  "/%2e%2e/x", "/%2E./x",        "/.%2e/x",
                          "/a%2fb", "/a%2Fb",    "/..%2f..%2fetc", "/a%00b",
                          "/%00",   "/a\\b",     "/a%5cb",         "/..%5c..",
                          "/%",     "/%2",       "/%zz",           "/%2g",
                          "/a%",    ".."})
    EXPECT_EQ(400, Parse(raw).status) << raw;
}

TEST(RequestPathTest, EncodesWhatItDecoded) {
  for (const char *name :
       {"", "a", "a b/c", "x/<&\">'", "100%", "\xC3\xA4/\xFF", "a:b?c#d", "a\nb"}) {
    char *encoded = request_path_encode(name);
    ASSERT_NE(nullptr, encoded);
    EXPECT_EQ('/', encoded[0]);
    EXPECT_NE('/', encoded[1]);
    EXPECT_EQ(std::string::npos, std::string(encoded).find_first_of(" <>&\"'?#:\n")) << encoded;
    EXPECT_EQ(name, Parse(encoded).name);
    free(encoded);
  }
}

}  // namespace
