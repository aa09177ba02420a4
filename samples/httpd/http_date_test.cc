#include "samples/httpd/http_date.h"

#include <gtest/gtest.h>

#include <string>

namespace {

const time_t kExample = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT, the RFC's example

std::string Format(time_t time) {
  char text[HTTP_DATE_LEN];
  http_date_format(time, text);
  return text;
}

TEST(HttpDateTest, ReadsTheThreeForms) {
  EXPECT_EQ(kExample, http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT"));
  EXPECT_EQ(kExample, http_date_parse("Sunday, 06-Nov-94 08:49:37 GMT"));
  EXPECT_EQ(kExample, http_date_parse("Sun Nov  6 08:49:37 1994"));
  EXPECT_EQ(kExample + 20 * 86400, http_date_parse("Sat Nov 26 08:49:37 1994"));
}

TEST(HttpDateTest, RefusesWhatIsNoDate) {
  for (const char *bad :
       {"", "yesterday", "Sun, 06 Nov 1994 08:49:37 GMT x", "784111777", "Sun, 06 Nov 1994",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0001 08:49:37 GMT", "Son, 06 Nov 1994 08:49:37 GMT"})
    EXPECT_EQ(-1, http_date_parse(bad)) << bad;
}

TEST(HttpDateTest, WritesWhatItReads) {
  EXPECT_EQ("Sun, 06 Nov 1994 08:49:37 GMT", Format(kExample));
  EXPECT_EQ("Thu, 01 Jan 1970 00:00:00 GMT", Format(0));
  EXPECT_EQ("Wed, 31 Dec 1969 23:59:59 GMT", Format(-1));
  EXPECT_EQ("Mon, 01 Jan 1900 00:00:00 GMT", Format(-2208988800));
  EXPECT_EQ("Tue, 29 Feb 2000 23:59:59 GMT", Format(951868799));
  EXPECT_EQ("Wed, 01 Mar 2000 00:00:00 GMT", Format(951868800));
  EXPECT_EQ("Fri, 31 Dec 2100 12:00:00 GMT", Format(4133937600));
  for (time_t time = 0; time < 6000000000; time += 86400 * 13 + 4711)
    ASSERT_EQ(time, http_date_parse(Format(time).c_str())) << time;
}

}  // namespace
