// Winsock is started by whatever needs it first. Each case needs a process of its own; the tests'
// own start (util/testing/posix_names.h) is taken back.
#include "util/winsock.h"

#include <event2/util.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "util/socket.h"
#include "util/wakeup.h"

#define CHECK_OR_EXIT(condition)            \
  do {                                      \
    if (!(condition)) exit(__LINE__ % 256); \
  } while (0)

static bool IsStarted() {
  SOCKET fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd == INVALID_SOCKET) return WSAGetLastError() != WSANOTINITIALISED;
  closesocket(fd);
  return true;
}

// How often somebody has started it must not matter.
static void Stop() {
  while (IsStarted()) CHECK_OR_EXIT(WSACleanup() == 0);
}

static void ByNewSocket() {
  Stop();
  evutil_socket_t fd = strata_socket_new(AF_INET, SOCK_STREAM, 0, STRATA_SOCK_DEFAULT);
  CHECK_OR_EXIT(fd >= 0);
  evutil_closesocket(fd);
  exit(0);
}

static void ByPair() {
  evutil_socket_t fds[2];
  Stop();
  CHECK_OR_EXIT(evutil_socketpair(AF_INET, SOCK_STREAM, 0, fds) == 0);
  exit(0);
}

static void ByWakeup() {
  struct strata_wakeup wakeup;
  Stop();
  CHECK_OR_EXIT(strata_wakeup_open(&wakeup) == 0);
  exit(0);
}

static void ByLookup() {
  struct evutil_addrinfo hints = {}, *list;
  hints.ai_socktype = SOCK_STREAM;
  Stop();
  CHECK_OR_EXIT(evutil_getaddrinfo("localhost", "80", &hints, &list) == 0);
  evutil_freeaddrinfo(list);
  exit(0);
}

static void ByManyThreads() {
  Stop();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([] {
      CHECK_OR_EXIT(strata_winsock_start() == 0);
      CHECK_OR_EXIT(IsStarted());
      CHECK_OR_EXIT(strata_winsock_start() == 0);
    });
  for (std::thread &thread : threads) thread.join();
  // Once, however many asked.
  CHECK_OR_EXIT(WSACleanup() == 0);
  CHECK_OR_EXIT(!IsStarted());
  exit(0);
}

static void NextToTheProgramsOwn() {
  WSADATA data;
  Stop();
  CHECK_OR_EXIT(WSAStartup(MAKEWORD(2, 2), &data) == 0);
  CHECK_OR_EXIT(strata_winsock_start() == 0);
  CHECK_OR_EXIT(WSACleanup() == 0);
  CHECK_OR_EXIT(IsStarted());
  exit(0);
}

static void NotByAddressesAlone() {
  char text[32];
  struct sockaddr_in in;
  int len = sizeof(in);
  Stop();
  CHECK_OR_EXIT(evutil_parse_sockaddr_port("1.2.3.4:80", (struct sockaddr *)&in, &len) == 0);
  CHECK_OR_EXIT(evutil_inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text)) != nullptr);
  CHECK_OR_EXIT(!IsStarted());
  exit(0);
}

TEST(WinsockTest, IsStartedByWhatNeedsIt) {
  EXPECT_EXIT(ByNewSocket(), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(ByPair(), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(ByWakeup(), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(ByLookup(), testing::ExitedWithCode(0), "");
}

TEST(WinsockTest, IsStartedOnce) {
  EXPECT_EXIT(ByManyThreads(), testing::ExitedWithCode(0), "");
}

TEST(WinsockTest, ProgramMayStartItToo) {
  EXPECT_EXIT(NextToTheProgramsOwn(), testing::ExitedWithCode(0), "");
}

TEST(WinsockTest, AddressesNeedNone) {
  EXPECT_EXIT(NotByAddressesAlone(), testing::ExitedWithCode(0), "");
}
