#include "samples/httpd/validators.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <gtest/gtest.h>

#include <string>

namespace {

const time_t kModified = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT, the RFC's example

class ValidatorsTest : public testing::Test {
 protected:
  ValidatorsTest() { validators_init(&validators_, 1234, timespec{kModified, 5}); }
  ~ValidatorsTest() override { evhttp_request_free(request_); }

  void Set(const char *name, const std::string &value) {
    evhttp_clear_headers(headers_);
    Add(name, value);
  }
  void Add(const char *name, const std::string &value) {
    ASSERT_EQ(0, evhttp_add_header(headers_, name, value.c_str()));
  }
  precondition Check() { return validators_check(&validators_, headers_); }
  std::string etag() { return validators_.etag; }

  evhttp_request *request_ = evhttp_request_new(nullptr, nullptr);
  evkeyvalq *headers_ = evhttp_request_get_input_headers(request_);
  validators validators_;
};

const char kThen[] = "Sun, 06 Nov 1994 08:49:37 GMT";
const char kBefore[] = "Sun, 06 Nov 1994 08:49:36 GMT";

TEST_F(ValidatorsTest, DescribesTheFile) {
  EXPECT_STREQ(kThen, validators_.last_modified);
  validators other;
  validators_init(&other, 1234, timespec{kModified, 6});
  EXPECT_NE(etag(), other.etag);
  validators_init(&other, 1235, timespec{kModified, 5});
  EXPECT_NE(etag(), other.etag);
  validators_init(&other, 1, timespec{time(nullptr) + 100000, 0});
  EXPECT_LE(other.modified, time(nullptr));
}

TEST_F(ValidatorsTest, NoConditionHolds) {
  EXPECT_EQ(PRECONDITION_HOLDS, Check());
}

TEST_F(ValidatorsTest, IfModifiedSince) {
  Set("If-Modified-Since", kThen);
  EXPECT_EQ(PRECONDITION_NOT_MODIFIED, Check());
  Set("If-Modified-Since", kBefore);
  EXPECT_EQ(PRECONDITION_HOLDS, Check());
  Set("If-Modified-Since", "garbage");
  EXPECT_EQ(PRECONDITION_HOLDS, Check());
}

TEST_F(ValidatorsTest, IfNoneMatchComparesWeaklyAndOverridesTheDate) {
  for (const std::string &value : {etag(), "W/" + etag(), "\"x\", " + etag(), std::string("*")}) {
    Set("If-None-Match", value);
    EXPECT_EQ(PRECONDITION_NOT_MODIFIED, Check()) << value;
  }
  Set("If-None-Match", "\"x\"");
  Add("If-Modified-Since", kThen);
  EXPECT_EQ(PRECONDITION_HOLDS, Check());
}

TEST_F(ValidatorsTest, IfMatchComparesStrongly) {
  for (const std::string &value : {etag(), "\"x\" , " + etag(), std::string("*")}) {
    Set("If-Match", value);
    EXPECT_EQ(PRECONDITION_HOLDS, Check()) << value;
  }
  for (const std::string &value : {"W/" + etag(), std::string("\"x\""), std::string("x"),
                                   std::string("\"unclosed"), std::string("")}) {
    Set("If-Match", value);
    EXPECT_EQ(PRECONDITION_FAILED, Check()) << value;
  }
}

TEST_F(ValidatorsTest, IfUnmodifiedSince) {
  Set("If-Unmodified-Since", kThen);
  EXPECT_EQ(PRECONDITION_HOLDS, Check());
  Set("If-Unmodified-Since", kBefore);
  EXPECT_EQ(PRECONDITION_FAILED, Check());
  Set("If-Unmodified-Since", "garbage");
  EXPECT_EQ(PRECONDITION_HOLDS, Check());
}

TEST_F(ValidatorsTest, IfRangeWantsAnExactMatch) {
  EXPECT_TRUE(validators_allow_range(&validators_, headers_));
  Set("If-Range", etag());
  EXPECT_TRUE(validators_allow_range(&validators_, headers_));
  Set("If-Range", kThen);
  EXPECT_TRUE(validators_allow_range(&validators_, headers_));
  for (const std::string &value : {"W/" + etag(), std::string("\"x\""), std::string(kBefore)}) {
    Set("If-Range", value);
    EXPECT_FALSE(validators_allow_range(&validators_, headers_)) << value;
  }
}

TEST_F(ValidatorsTest, ADateOfThisSecondDoesNotNameAState) {
  validators_init(&validators_, 1, timespec{time(nullptr) + 10, 0});
  Set("If-Range", validators_.last_modified);
  // The clock may tick over between the two calls: then the date has become good.
  bool allowed = validators_allow_range(&validators_, headers_);
  EXPECT_TRUE(!allowed || validators_.modified < time(nullptr));
}

}  // namespace
