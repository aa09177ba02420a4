#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <gtest/gtest.h>

#include <string>

#ifndef STRATA_ORACLE
#define STRATA_ORACLE 0
#endif

namespace {

// "[key=value]..." or "(malformed)", with nothing left to free.
template <typename Parse>
std::string Read(Parse parse) {
  evkeyvalq headers;
  std::string out;
  int outcome = parse(&headers);
  for (evkeyval *pair = headers.tqh_first; pair; pair = pair->next.tqe_next) {
    out += "[" + std::string(pair->key) + "=" + pair->value + "]";
  }
  evhttp_clear_headers(&headers);
  if (outcome == 0) return out;
  EXPECT_EQ(out, "");
  return "(malformed)";
}

std::string Query(const char *query) {
  return Read([&](evkeyvalq *headers) { return evhttp_parse_query_str(query, headers); });
}

std::string UriQuery(const char *uri) {
  return Read([&](evkeyvalq *headers) { return evhttp_parse_query(uri, headers); });
}

TEST(Query, Arguments) {
  EXPECT_EQ(Query("a=b"), "[a=b]");
  EXPECT_EQ(Query("q=test&s=some+thing"), "[q=test][s=some thing]");
  EXPECT_EQ(Query("a=1&a=2&A=3"), "[a=1][a=2][A=3]");
  EXPECT_EQ(Query("a="), "[a=]");
  EXPECT_EQ(Query("a=b=c"), "[a=b=c]");
  EXPECT_EQ(Query("a=%26%3D%2b"), "[a=&=+]");
  EXPECT_EQ(Query("a=%4&b=%"), "[a=%4][b=%]");
  EXPECT_EQ(Query("a=b;c=d"), "[a=b;c=d]");
  EXPECT_EQ(Query("a=?#"), "[a=?#]");
  EXPECT_EQ(Query("a=b&"), "[a=b]");
  EXPECT_EQ(Query(""), "");
}

// As in libevent a name is not decoded, and a value ends at its first NUL.
TEST(Query, NamesStayAsTheyAre) {
  EXPECT_EQ(Query("a%20b+c=d"), "[a%20b+c=d]");
  EXPECT_EQ(Query("a=b%00c"), "[a=b]");
}

TEST(Query, LineEndsInValuesAreKept) {
  EXPECT_EQ(Query("a=b%0d%0Ac"), "[a=b\r\nc]");
}

TEST(Query, Malformed) {
  for (const char *query : {"a", "=b", "=", "&", "&a=b", "a=b&&c=d", "a=b&c", "a&b=c"}) {
    EXPECT_EQ(Query(query), "(malformed)") << query;
  }
}

TEST(Query, OfAUri) {
  EXPECT_EQ(UriQuery("http://foo.com/?q=test&s=some+thing"), "[q=test][s=some thing]");
  EXPECT_EQ(UriQuery("/?q=test#f"), "[q=test]");
  EXPECT_EQ(UriQuery("?a=b?c"), "[a=b?c]");
  EXPECT_EQ(UriQuery("/"), "");
  EXPECT_EQ(UriQuery("/?"), "");
  EXPECT_EQ(UriQuery(""), "");
  EXPECT_EQ(UriQuery("/?q"), "(malformed)");
  EXPECT_EQ(UriQuery("/?q=%4"), "(malformed)");
  EXPECT_EQ(UriQuery("http://a b/?q=r"), "(malformed)");
}

#if !STRATA_ORACLE
// Added by libevent 2.2.
std::string QueryFlags(const char *query, unsigned flags) {
  return Read(
      [&](evkeyvalq *headers) { return evhttp_parse_query_str_flags(query, headers, flags); });
}

TEST(QueryFlags, Nonconformant) {
  const unsigned flags = EVHTTP_URI_QUERY_NONCONFORMANT;
  EXPECT_EQ(QueryFlags("a", flags), "[a=]");
  EXPECT_EQ(QueryFlags("a&b=c&", flags), "[a=][b=c]");
  EXPECT_EQ(QueryFlags("&&=x&a=b", flags), "[a=b]");
  EXPECT_EQ(QueryFlags("&&", flags), "");
  EXPECT_EQ(QueryFlags("a", 0), "(malformed)");
}

TEST(QueryFlags, Last) {
  const unsigned flags = EVHTTP_URI_QUERY_LAST;
  EXPECT_EQ(QueryFlags("a=1&b=2&a=3&A=4", flags), "[b=2][A=4]");
  EXPECT_EQ(QueryFlags("a=1&a", flags), "(malformed)");
  EXPECT_EQ(QueryFlags("a=1&ab=2", flags), "[a=1][ab=2]");
}
#endif

}  // namespace
