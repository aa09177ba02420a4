// What layers above keep for each base.
extern "C" {
#include "loop/attachment.h"
#include "loop/base_clock.h"
}

#include "loop/test_support.h"

namespace {

int num_made, num_released;
bool make_fails;

void *Make() {
  if (make_fails) return nullptr;
  num_made++;
  return new int(num_made);
}

void Release(void *data) {
  num_released++;
  delete static_cast<int *>(data);
}

class Attachment : public ::testing::Test {
 protected:
  void SetUp() override {
    num_made = num_released = 0;
    make_fails = false;
  }
  static void *Get(struct event_base *base, const void *key) {
    return event_base_get_attachment(base, key, Make, Release);
  }
  static const char keys_[EVENT_BASE_MAX_ATTACHMENTS + 1];
};
const char Attachment::keys_[EVENT_BASE_MAX_ATTACHMENTS + 1] = {};

TEST_F(Attachment, IsMadeOnceForEachKeyAndBase) {
  {
    Loop loop, other;
    void *first = Get(loop, &keys_[0]);
    ASSERT_NE(nullptr, first);
    EXPECT_EQ(first, Get(loop, &keys_[0]));
    EXPECT_EQ(1, num_made);
    EXPECT_NE(first, Get(loop, &keys_[1]));
    EXPECT_NE(first, Get(other, &keys_[0]));
    EXPECT_EQ(first, Get(loop, &keys_[0]));
    EXPECT_EQ(3, num_made);
    EXPECT_EQ(0, num_released);
  }
  EXPECT_EQ(3, num_released);
}

TEST_F(Attachment, FailureIsNotRemembered) {
  Loop loop;
  make_fails = true;
  EXPECT_EQ(nullptr, Get(loop, &keys_[0]));
  make_fails = false;
  EXPECT_NE(nullptr, Get(loop, &keys_[0]));
  EXPECT_EQ(1, num_made);
}

TEST_F(Attachment, ThereIsRoomForAFewOnly) {
  Loop loop;
  for (int i = 0; i < EVENT_BASE_MAX_ATTACHMENTS; i++) EXPECT_NE(nullptr, Get(loop, &keys_[i]));
  EXPECT_DEATH(Get(loop, &keys_[EVENT_BASE_MAX_ATTACHMENTS]), "Assertion");
}

// Layers above also ask how long a timeout is that a user gave.
TEST(Duration, OfPlainAndCommonTimeouts) {
  Loop loop;
  const struct timeval plain = {10, 500000};
  EXPECT_EQ(10500000000, event_base_duration_ns(loop, &plain));
  const struct timeval *common = event_base_init_common_timeout(loop, &plain);
  ASSERT_NE(nullptr, common);
  EXPECT_EQ(10500000000, event_base_duration_ns(loop, common));
}

}  // namespace
