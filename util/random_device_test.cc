// Random bytes on a system that has no getrandom(2), or one that gives a little at a time: this
// program's own getrandom stands in for the C library's. A portable build asks for nothing but the
// device, and has no use for the script.
#include <errno.h>
#include <event2/util.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <deque>
#include <fstream>
#include <string>

#include "util/platform.h"

// What the next calls return: a length, or an errno below zero. With nothing left: ENOSYS.
static std::deque<int> script;
static int num_calls;

extern "C" ssize_t getrandom(void *bytes, size_t len, unsigned flags);
extern "C" ssize_t getrandom(void *bytes, size_t len, unsigned) {
  ++num_calls;
  int next = script.empty() ? -ENOSYS : script.front();
  if (!script.empty()) script.pop_front();
  if (next < 0) {
    errno = -next;
    return -1;
  }
  size_t part_len = static_cast<size_t>(next) < len ? static_cast<size_t>(next) : len;
  memset(bytes, 'g', part_len);
  return static_cast<ssize_t>(part_len);
}

// The device can only be chosen before it is first used, so it is one file for all tests, and
// what it has is written anew for each.
class RandomDeviceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char *dir = getenv("TEST_TMPDIR");
    path_ = new std::string(std::string(dir ? dir : "/tmp") + "/random_device_test.XXXXXX");
    int fd = mkstemp(&(*path_)[0]);
    ASSERT_GE(fd, 0);
    close(fd);
    ASSERT_EQ(0, evutil_secure_rng_set_urandom_device_file(&(*path_)[0]));
  }
  static void TearDownTestSuite() {
    unlink(path_->c_str());
    delete path_;
  }
  void SetUp() override {
    script.clear();
    num_calls = 0;
  }
  void WriteDevice(const std::string &bytes) { std::ofstream(*path_) << bytes; }
  static std::string Draw(size_t len) {
    std::string bytes(len, '\0');
    evutil_secure_rng_get_bytes(&bytes[0], len);
    return bytes;
  }

  static std::string *path_;
};
std::string *RandomDeviceTest::path_;

TEST_F(RandomDeviceTest, StandsInForGetrandom) {
  WriteDevice("0123456789abcdef and more");
  EXPECT_EQ("0123456789abcdef", Draw(16));
  EXPECT_EQ(0, evutil_secure_rng_init());
  EXPECT_EQ(-1, evutil_secure_rng_set_urandom_device_file(&(*path_)[0])) << "it is in use";
}

TEST_F(RandomDeviceTest, ShortAndInterruptedCallsGoOn) {
  WriteDevice("dddddddd");
  script = {-EINTR, 3, -EINTR, 4, 100};
  if (!STRATA_HAVE_GETRANDOM) {
    EXPECT_EQ("dddddddd", Draw(8));
    EXPECT_EQ(0, num_calls);
    return;
  }
  EXPECT_EQ(std::string(10, 'g'), Draw(10));
  EXPECT_EQ(5, num_calls);
}

TEST_F(RandomDeviceTest, GivesWhatGetrandomDidNot) {
  WriteDevice("dddddddd");
  script = {3};
  EXPECT_EQ(STRATA_HAVE_GETRANDOM ? "gggddddd" : "dddddddd", Draw(8));
}

TEST_F(RandomDeviceTest, ProgramEndsRatherThanGoOnWithoutRandomness) {
  WriteDevice("0123");
  EXPECT_EQ(0, evutil_secure_rng_init()) << "one byte is there";
  EXPECT_EXIT(Draw(5), testing::ExitedWithCode(1), "random");
  ASSERT_EQ(0, unlink(path_->c_str()));
  EXPECT_EQ(-1, evutil_secure_rng_init());
  EXPECT_EXIT(Draw(1), testing::ExitedWithCode(1), "random");
  WriteDevice("");
}
