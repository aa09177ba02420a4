#include <errno.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>

#include <string>

#include "util/log.h"

#ifdef _WIN32
static const int kError = WSAECONNRESET;
#else
static const int kError = ENOENT;
#endif
static int last_severity;
static std::string last_message;

static void Record(int severity, const char *message) {
  last_severity = severity;
  last_message = message;
  errno = EIO;
}

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    last_severity = -1;
    last_message.clear();
    strata_set_log_callback(Record);
  }
  void TearDown() override {
    strata_set_log_callback(nullptr);
    strata_set_debug_logging(0);
  }
};

TEST_F(LogTest, CallbackGetsSeverityAndText) {
  strata_log(STRATA_LOG_WARN, "%d of %s", 3, "x");
  EXPECT_EQ(STRATA_LOG_WARN, last_severity);
  EXPECT_EQ("3 of x", last_message);
}

TEST_F(LogTest, ErrorIsAppendedAndKept) {
  EVUTIL_SET_SOCKET_ERROR(kError);
  strata_log_errno(STRATA_LOG_ERR, "open %s", "f");
  EXPECT_EQ(std::string("open f: ") + evutil_socket_error_to_string(kError), last_message);
  EXPECT_EQ(kError, EVUTIL_SOCKET_ERROR());
  errno = ENOENT;
  EVUTIL_SET_SOCKET_ERROR(kError);
  strata_log(STRATA_LOG_MSG, "m");
  EXPECT_EQ(kError, EVUTIL_SOCKET_ERROR());
#ifdef _WIN32
  EXPECT_EQ(ENOENT, errno) << "which is another one there";
#endif
}

TEST_F(LogTest, LongMessagesAreCut) {
  std::string text(5000, 'a');
  errno = ENOENT;
  strata_log_errno(STRATA_LOG_MSG, "%s", text.c_str());
  EXPECT_EQ(text.substr(0, last_message.size()), last_message);
  EXPECT_GE(last_message.size(), 1000u);
}

TEST_F(LogTest, DebugMessagesOnRequestOnly) {
  strata_log_debug("one");
  EXPECT_EQ("", last_message);
  strata_set_debug_logging(~0u);
  strata_log_debug("two %d", 2);
  EXPECT_EQ("two 2", last_message);
  EXPECT_EQ(STRATA_LOG_DEBUG, last_severity);
}

TEST(LogDefaultTest, GoesToStderr) {
  testing::internal::CaptureStderr();
  strata_log(STRATA_LOG_MSG, "hello");
  EXPECT_EQ("[msg] hello\n", testing::internal::GetCapturedStderr());
}

TEST(LogDefaultTest, NamesEverySeverity) {
  testing::internal::CaptureStderr();
  for (int severity : {STRATA_LOG_DEBUG, STRATA_LOG_WARN, STRATA_LOG_ERR})
    strata_log(severity, "x");
  strata_log(99, "x");
  EXPECT_EQ("[debug] x\n[warn] x\n[err] x\n[\?\?\?] x\n", testing::internal::GetCapturedStderr());
}

TEST(FatalTest, ExitsWithTheError) {
  EXPECT_EXIT(strata_fatal(3, "no %s", "way"), testing::ExitedWithCode(3), "\\[err\\] no way");
}

static void FatalCallback(int error) {
  if (error == 7) _Exit(77);
}

TEST(FatalTest, CallbackMayEndTheProgram) {
  EXPECT_EXIT(
      {
        strata_set_fatal_callback(FatalCallback);
        strata_fatal(7, "x");
      },
      testing::ExitedWithCode(77), "");
}

TEST(FatalTest, CallbackMayNotReturn) {
  EXPECT_EXIT(
      {
        strata_set_fatal_callback(FatalCallback);
        strata_fatal(8, "x");
      },
      testing::ExitedWithCode(8), "");
}

TEST(FatalTest, FailedAssertionAborts) {
  int one = 1;
  strata_assert(one == 1);
  EXPECT_DEATH(strata_assert(one == 2), "Assertion one == 2 failed");
}

TEST(FatalTest, FailedAssertionGoesToTheCallback) {
  int one = 1;
  EXPECT_EXIT(
      {
        strata_set_fatal_callback([](int error) { exit(error == STRATA_ERR_ABORT ? 42 : 1); });
        strata_assert(one == 2);
      },
      testing::ExitedWithCode(42), "log_test.cc:.*Assertion one == 2 failed");
}
