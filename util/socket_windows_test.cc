// What sockets are on Windows alone.
#include "util/loopback_pair.h"

#include <gtest/gtest.h>

#include "util/socket.h"

static bool IsInherited(evutil_socket_t fd) {
  DWORD flags = 0;
  EXPECT_TRUE(GetHandleInformation((HANDLE)fd, &flags));
  return flags & HANDLE_FLAG_INHERIT;
}

static evutil_socket_t Connect(const struct sockaddr_in &addr) {
  evutil_socket_t fd = strata_socket_new(AF_INET, SOCK_STREAM, 0, 0);
  EXPECT_EQ(0, connect((SOCKET)fd, (const struct sockaddr *)&addr, sizeof(addr)));
  return fd;
}

static int PortOf(evutil_socket_t fd, bool of_peer) {
  struct sockaddr_in addr = {};
  int len = sizeof(addr);
  EXPECT_EQ(0, of_peer ? getpeername((SOCKET)fd, (struct sockaddr *)&addr, &len)
                       : getsockname((SOCKET)fd, (struct sockaddr *)&addr, &len));
  return ntohs(addr.sin_port);
}

TEST(SocketPairWindowsTest, EndsAreEachOthersPeersAndNotInherited) {
  evutil_socket_t fds[2];
  ASSERT_EQ(0, evutil_socketpair(AF_INET, SOCK_STREAM, 0, fds));
  EXPECT_EQ(PortOf(fds[0], false), PortOf(fds[1], true));
  EXPECT_EQ(PortOf(fds[1], false), PortOf(fds[0], true));
  for (evutil_socket_t fd : fds) {
    EXPECT_FALSE(IsInherited(fd));
    EXPECT_EQ(0, evutil_closesocket(fd));
  }
}

TEST(SocketPairWindowsTest, OnlyStreamsOfTheLoopbackInterface) {
  evutil_socket_t fds[2];
  EXPECT_EQ(-1, evutil_socketpair(AF_INET, SOCK_DGRAM, 0, fds));
  EXPECT_EQ(WSAEAFNOSUPPORT, EVUTIL_SOCKET_ERROR());
  EXPECT_EQ(-1, evutil_socketpair(AF_INET6, SOCK_STREAM, 0, fds));
  EXPECT_EQ(-1, evutil_socketpair(AF_INET, SOCK_STREAM, IPPROTO_TCP, fds));
  EXPECT_EQ(-1, strata_socketpair(AF_INET, SOCK_DGRAM, 0, fds));
}

TEST(SocketPairWindowsTest, StrangersWhoConnectFirstAreTurnedAway) {
  struct sockaddr_in addr;
  evutil_socket_t listener = strata_loopback_listen(&addr);
  ASSERT_GE(listener, 0);
  evutil_socket_t strangers[] = {Connect(addr), Connect(addr), Connect(addr)};
  evutil_socket_t connector = Connect(addr);
  evutil_socket_t accepted = strata_loopback_accept(listener, connector);
  ASSERT_GE(accepted, 0);
  EXPECT_EQ(PortOf(connector, false), PortOf(accepted, true));
  char byte;
  for (evutil_socket_t stranger : strangers) {
    EXPECT_LE(recv((SOCKET)stranger, &byte, 1, 0), 0);
    evutil_closesocket(stranger);
  }
  for (evutil_socket_t fd : {listener, connector, accepted}) evutil_closesocket(fd);
}

TEST(SocketPairWindowsTest, NobodyElseBindsTheListenersPort) {
  struct sockaddr_in addr;
  evutil_socket_t listener = strata_loopback_listen(&addr);
  ASSERT_GE(listener, 0);
  evutil_socket_t thief = strata_socket_new(AF_INET, SOCK_STREAM, 0, STRATA_SOCK_DEFAULT);
  EXPECT_NE(0, bind((SOCKET)thief, (struct sockaddr *)&addr, sizeof(addr)));
  evutil_closesocket(thief);
  evutil_closesocket(listener);
}

TEST(SocketInheritanceTest, CloseOnExecMeansNotInherited) {
  evutil_socket_t fd = strata_socket_new(AF_INET, SOCK_STREAM, 0, 0);
  EXPECT_TRUE(IsInherited(fd));
  EXPECT_EQ(0, evutil_make_socket_closeonexec(fd));
  EXPECT_FALSE(IsInherited(fd));
  evutil_closesocket(fd);
  EXPECT_EQ(-1, evutil_make_socket_closeonexec(fd));
  EXPECT_EQ(WSAENOTSOCK, EVUTIL_SOCKET_ERROR());
}
