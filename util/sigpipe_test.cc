#include "util/sigpipe.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

sigset_t OnlySigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

bool IsPending() {
  sigset_t pending;
  EXPECT_EQ(0, sigpending(&pending));
  return sigismember(&pending, SIGPIPE);
}

bool IsBlocked() {
  sigset_t mask;
  EXPECT_EQ(0, pthread_sigmask(SIG_BLOCK, nullptr, &mask));
  return sigismember(&mask, SIGPIPE);
}

void SetBlocked(bool blocked) {
  sigset_t set = OnlySigpipe();
  ASSERT_EQ(0, pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr));
}

void TakePending() {
  sigset_t set = OnlySigpipe();
  int number = 0;
  ASSERT_EQ(0, sigwait(&set, &number));
  EXPECT_EQ(SIGPIPE, number);
}

// A signal that gets through ends the test: its disposition is the default one.
class SigpipeTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds_));
    ASSERT_NE(SIG_ERR, signal(SIGPIPE, SIG_DFL));
    SetBlocked(false);
  }
  void TearDown() override {
    SetBlocked(false);
    close(fds_[0]);
    close(fds_[1]);
  }
  void CloseReader() {
    close(fds_[1]);
    fds_[1] = -1;
  }
  // write(2) between the two; its errno, or 0.
  int HeldWrite() {
    strata_sigpipe held;
    strata_sigpipe_hold(&held);
    int error = write(fds_[0], "!", 1) == 1 ? 0 : errno;
    errno = EDOM;
    strata_sigpipe_release(&held, error);
    EXPECT_EQ(EDOM, errno);
    return error;
  }

  int fds_[2];
};

TEST_F(SigpipeTest, AWriteThatSucceedsChangesNothing) {
  EXPECT_EQ(0, HeldWrite());
  EXPECT_FALSE(IsBlocked());
}

TEST_F(SigpipeTest, ASignalIsTakenBack) {
  CloseReader();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(EPIPE, HeldWrite());
    EXPECT_FALSE(IsBlocked());
    EXPECT_FALSE(IsPending());
  }
}

TEST_F(SigpipeTest, WhoBlocksItSeesNoneEither) {
  CloseReader();
  SetBlocked(true);
  EXPECT_EQ(EPIPE, HeldWrite());
  EXPECT_TRUE(IsBlocked());
  EXPECT_FALSE(IsPending());
}

TEST_F(SigpipeTest, OneThatWasWaitingStays) {
  CloseReader();
  SetBlocked(true);
  ASSERT_EQ(0, pthread_kill(pthread_self(), SIGPIPE));
  EXPECT_EQ(EPIPE, HeldWrite());
  EXPECT_TRUE(IsPending());
  TakePending();
}

TEST_F(SigpipeTest, WhoIgnoresItGoesOnDoingSo) {
  CloseReader();
  ASSERT_NE(SIG_ERR, signal(SIGPIPE, SIG_IGN));
  EXPECT_EQ(EPIPE, HeldWrite());
  EXPECT_FALSE(IsPending());
  raise(SIGPIPE);
}

}  // namespace
