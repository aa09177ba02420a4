// A test that is linked with the installed libevent by mistake; see BUILD.

#include <event2/event.h>
#include <gtest/gtest.h>

TEST(Planted, Passes) {
  EXPECT_NE(event_get_version(), nullptr);
}
