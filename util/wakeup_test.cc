#include "util/wakeup.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "util/socket.h"

static bool IsReadable(evutil_socket_t fd, int timeout_ms = 0) {
  struct pollfd poll_fd = {};
  poll_fd.fd = fd;
  poll_fd.events = POLLIN;
  return poll(&poll_fd, 1, timeout_ms) == 1;
}

#ifdef _WIN32  // what goes over TCP arrives a little later, also after a drain
static const int kQuietMs = 100;
#else
static const int kQuietMs = 0;
#endif

static void Drain(struct strata_wakeup *wakeup) {
  do {
    strata_wakeup_drain(wakeup);
  } while (kQuietMs && IsReadable(wakeup->read_fd, kQuietMs));
  EXPECT_FALSE(IsReadable(wakeup->read_fd));
}

static void CheckSignalling(struct strata_wakeup *wakeup) {
  EXPECT_FALSE(IsReadable(wakeup->read_fd));
  strata_wakeup_drain(wakeup);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(0, strata_wakeup_signal(wakeup));
  EXPECT_TRUE(IsReadable(wakeup->read_fd, -1));
  Drain(wakeup);
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
  std::string bytes(65536, 'x');
  for (size_t len : {bytes.size(), (size_t)8, (size_t)1})
    while (write(wakeup.write_fd, bytes.data(), len) > 0) {
    }
  EXPECT_EQ(0, strata_wakeup_signal(&wakeup)) << "a full pipe is signalled already";
  Drain(&wakeup);
  strata_wakeup_close(&wakeup);
}

TEST(WakeupTest, SignalKeepsErrno) {
  struct strata_wakeup wakeup = STRATA_WAKEUP_INIT;
  errno = ENOENT;
#ifdef _WIN32
  WSASetLastError(WSAECONNRESET);
#endif
  EXPECT_EQ(-1, strata_wakeup_signal(&wakeup));
#ifdef _WIN32
  EXPECT_EQ(WSAECONNRESET, WSAGetLastError());
#endif
  EXPECT_EQ(ENOENT, errno);
}
