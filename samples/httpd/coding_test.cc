#include "samples/httpd/coding.h"

#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

coding Choose(const std::vector<std::string> &values) {
  evkeyvalq headers;
  headers.tqh_first = nullptr;
  headers.tqh_last = &headers.tqh_first;
  evhttp_add_header(&headers, "Host", "a");
  for (const std::string &value : values)
    evhttp_add_header(&headers, "Accept-Encoding", value.c_str());
  coding choice = coding_choose(&headers);
  evhttp_clear_headers(&headers);
  return choice;
}

TEST(Coding, GzipWhereItIsLikedBest) {
  for (const char *value :
       {"gzip", "GZIP", "x-gzip", "gzip, deflate, br", "deflate,gzip", "gzip;q=1", "gzip;q=1.000",
        "gzip;q=0.001", " gzip ; q=0.5 ", "gzip;Q=0.5", "*", "*;q=0.1",
        "br;q=1.0, gzip;q=0.8, *;q=0.1", "identity;q=0.5, gzip;q=0.5", "identity;q=0, *",
        "gzip, identity;q=0.9", ",, gzip", "gzip,", "gzip;q=0.1, identity;q=0"})
    EXPECT_EQ(Choose({value}), CODING_GZIP) << value;
}

TEST(Coding, IdentityOtherwise) {
  for (const char *value : {"",
                            "identity",
                            "identity;q=0",
                            "deflate",
                            "br",
                            "gzip;q=0",
                            "gzip;q=0.000",
                            "*;q=0",
                            "gzip;q=0, *",
                            "gzip;q=0.5, identity",
                            "gzip;q=0.5, identity;q=0.6",
                            "gzip;q=0.2, *;q=0.4",
                            "gzipped",
                            "xgzip",
                            "gzip;q=2",
                            "gzip;q=1.1",
                            "gzip;q=0.1234",
                            "gzip;q=",
                            "gzip;q",
                            "gzip;",
                            "gzip;x=1",
                            "gzip q=1",
                            "gzip deflate",
                            "gzip;q=-1",
                            "gzip;q=x",
                            "gzip;q=0.5x"})
    EXPECT_EQ(Choose({value}), CODING_IDENTITY) << value;
}

TEST(Coding, FieldsAddUp) {
  EXPECT_EQ(Choose({}), CODING_IDENTITY);
  EXPECT_EQ(Choose({"br", "gzip"}), CODING_GZIP);
  EXPECT_EQ(Choose({"gzip;q=0.5", "identity;q=1"}), CODING_IDENTITY);
}

}  // namespace
