// Lists of fields.

#include "http/http_testing.h"

#include <event2/keyvalq_struct.h>

namespace {

using http_testing::OnLibevent;

class HeadersTest : public testing::Test {
 protected:
  HeadersTest() {
    headers_.tqh_first = nullptr;
    headers_.tqh_last = &headers_.tqh_first;
  }
  ~HeadersTest() override { evhttp_clear_headers(&headers_); }
  std::string All() {
    std::string all;
    for (evkeyval *field = headers_.tqh_first; field; field = field->next.tqe_next)
      all += std::string(field->key) + "=" + field->value + ";";
    return all;
  }
  int Add(const char *key, const char *value) { return evhttp_add_header(&headers_, key, value); }

  evkeyvalq headers_;
};

TEST_F(HeadersTest, KeepsOrderAndDuplicates) {
  EXPECT_EQ(Add("B", "1"), 0);
  EXPECT_EQ(Add("A", "2"), 0);
  EXPECT_EQ(Add("b", ""), 0);
  EXPECT_EQ(All(), "B=1;A=2;b=;");
}

TEST_F(HeadersTest, FindsTheFirstWhateverTheCase) {
  Add("Content-Type", "x");
  Add("CONTENT-TYPE", "y");
  EXPECT_STREQ(evhttp_find_header(&headers_, "content-type"), "x");
  EXPECT_EQ(evhttp_find_header(&headers_, "content-typ"), nullptr);
  EXPECT_EQ(evhttp_find_header(&headers_, ""), nullptr);
}

TEST_F(HeadersTest, RemovesTheFirst) {
  Add("A", "1");
  Add("B", "2");
  Add("a", "3");
  EXPECT_EQ(evhttp_remove_header(&headers_, "a"), 0);
  EXPECT_EQ(All(), "B=2;a=3;");
  EXPECT_EQ(evhttp_remove_header(&headers_, "A"), 0);
  EXPECT_EQ(evhttp_remove_header(&headers_, "A"), -1);
  Add("C", "4");
  EXPECT_EQ(All(), "B=2;C=4;");
}

TEST_F(HeadersTest, ClearedListsCanBeUsedAgain) {
  Add("A", "1");
  evhttp_clear_headers(&headers_);
  EXPECT_EQ(All(), "");
  evhttp_clear_headers(&headers_);
  Add("B", "2");
  EXPECT_EQ(All(), "B=2;");
}

TEST_F(HeadersTest, StringsAreCopied) {
  char key[] = "Key", value[] = "value";
  EXPECT_EQ(Add(key, value), 0);
  key[0] = value[0] = 'x';
  EXPECT_EQ(All(), "Key=value;");
}

TEST_F(HeadersTest, LineEndsAreRefused) {
  EXPECT_EQ(Add("A\r\nB", "1"), -1);
  EXPECT_EQ(Add("A\n", "1"), -1);
  EXPECT_EQ(Add("A", "1\r\nB: 2"), -1);
  EXPECT_EQ(Add("A", "1\nB"), -1);
  EXPECT_EQ(Add("A", "1\r"), -1);
  EXPECT_EQ(Add("A", "1\r\n"), -1);
  EXPECT_EQ(Add("A", "1\r\n folded"), -1);
  EXPECT_EQ(All(), "");
}

TEST_F(HeadersTest, NamesAreTokens) {
  if (OnLibevent()) return;  // Anything without a line end will do there.
  EXPECT_EQ(Add("", "1"), -1);
  EXPECT_EQ(Add("A B", "1"), -1);
  EXPECT_EQ(Add("A:", "1"), -1);
  EXPECT_EQ(Add("A\xc3", "1"), -1);
  EXPECT_EQ(Add("!#$%&'*+-.^_`|~09azAZ", "1"), 0);
}

}  // namespace
