#include "util/platform.h"

#include <gtest/gtest.h>

#include "util/wakeup.h"

namespace {

#ifdef STRATA_PORTABLE
constexpr bool kPortable = true;
#else
constexpr bool kPortable = false;
#endif

#ifdef __linux__
constexpr bool kFastLinux = !kPortable;
#else
constexpr bool kFastLinux = false;
#endif

struct Choice {
  const char *name;
  bool value;
  bool is_linux;  // Linux has it.
};

const Choice kChoices[] = {
    {"SOCK_FLAGS", STRATA_HAVE_SOCK_FLAGS, true},
    {"EVENTFD", STRATA_HAVE_EVENTFD, true},
    {"GETRANDOM", STRATA_HAVE_GETRANDOM, true},
    {"ARC4RANDOM_BUF", STRATA_HAVE_ARC4RANDOM_BUF, false},
    {"COND_CLOCK", STRATA_HAVE_COND_CLOCK, true},
    {"MSG_NOSIGNAL", STRATA_HAVE_MSG_NOSIGNAL, true},
    {"SO_NOSIGPIPE", STRATA_HAVE_SO_NOSIGPIPE, false},
    {"MSG_MORE", STRATA_HAVE_MSG_MORE, true},
    {"SENDFILE", STRATA_HAVE_SENDFILE, true},
    {"FILE_MAPS", STRATA_HAVE_FILE_MAPS, true},
    {"EPOLL_PWAIT2", STRATA_HAVE_EPOLL_PWAIT2, true},
    {"PPOLL", STRATA_HAVE_PPOLL, true},
    {"PORT_BALANCING", STRATA_HAVE_PORT_BALANCING, true},
};

TEST(Platform, APortableBuildHasNothing) {
  for (const Choice &choice : kChoices) EXPECT_FALSE(kPortable && choice.value) << choice.name;
}

TEST(Platform, LinuxHasWhatItHas) {
  if (!kFastLinux) GTEST_SKIP() << "another system, or a portable build";
  for (const Choice &choice : kChoices) EXPECT_EQ(choice.is_linux, choice.value) << choice.name;
}

TEST(Platform, AWakeupIsAPipeWithoutEventfd) {
  strata_wakeup wakeup = STRATA_WAKEUP_INIT;
  ASSERT_EQ(0, strata_wakeup_open(&wakeup));
  EXPECT_EQ(STRATA_HAVE_EVENTFD != 0, wakeup.read_fd == wakeup.write_fd);
  strata_wakeup_close(&wakeup);
}

}  // namespace
