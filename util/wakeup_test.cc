#include "util/wakeup.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <thread>

#include "util/socket.h"

static bool IsReadable(int fd, int timeout_ms = 0) {
  struct pollfd poll_fd = {fd, POLLIN, 0};
  return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void CheckSignalling(struct strata_wakeup *wakeup) {
  EXPECT_FALSE(IsReadable(wakeup->read_fd));
  strata_wakeup_drain(wakeup);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(0, strata_wakeup_signal(wakeup));
  EXPECT_TRUE(IsReadable(wakeup->read_fd));
  strata_wakeup_drain(wakeup);
  EXPECT_FALSE(IsReadable(wakeup->read_fd));
  std::thread other([&] { EXPECT_EQ(0, strata_wakeup_signal(wakeup)); });
  EXPECT_TRUE(IsReadable(wakeup->read_fd, -1));
  other.join();
  strata_wakeup_drain(wakeup);
}

TEST(WakeupTest, Default) {
  struct strata_wakeup wakeup;
  ASSERT_EQ(0, strata_wakeup_open(&wakeup));
  EXPECT_TRUE(fcntl(wakeup.read_fd, F_GETFD) & FD_CLOEXEC);
  CheckSignalling(&wakeup);
  strata_wakeup_close(&wakeup);
  EXPECT_EQ(-1, wakeup.read_fd);
  strata_wakeup_close(&wakeup);
}

TEST(WakeupTest, OverAPipe) {
  evutil_socket_t fds[2];
  ASSERT_EQ(0, strata_pipe(fds));
  struct strata_wakeup wakeup = {fds[0], fds[1]};
  CheckSignalling(&wakeup);
  while (write(wakeup.write_fd, "12345678", 8) > 0) {
  }
  EXPECT_EQ(0, strata_wakeup_signal(&wakeup)) << "a full pipe is signalled already";
  strata_wakeup_drain(&wakeup);
  EXPECT_FALSE(IsReadable(wakeup.read_fd));
  strata_wakeup_close(&wakeup);
}

TEST(WakeupTest, SignalKeepsErrno) {
  struct strata_wakeup wakeup = STRATA_WAKEUP_INIT;
  errno = ENOENT;
  EXPECT_EQ(-1, strata_wakeup_signal(&wakeup));
  EXPECT_EQ(ENOENT, errno);
}
