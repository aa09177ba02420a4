#include <arpa/inet.h>
#include <event2/util.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static int Option(evutil_socket_t fd, int level, int option) {
  int value = 0;  // Winsock may set its first byte only
  socklen_t len = sizeof(value);
  EXPECT_EQ(0, getsockopt(fd, level, option, &value, &len));
  return value;
}

class SocketTest : public testing::Test {
 protected:
  void SetUp() override {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_GE(fd_, 0);
  }
  void TearDown() override { EXPECT_EQ(0, evutil_closesocket(fd_)); }
  evutil_socket_t fd_ = -1;
};

#ifndef _WIN32  // which does not tell: SocketPairTest.Nonblocking
TEST_F(SocketTest, Nonblocking) {
  EXPECT_EQ(0, evutil_make_socket_nonblocking(fd_));
  EXPECT_TRUE(fcntl(fd_, F_GETFL) & O_NONBLOCK);
  EXPECT_EQ(0, evutil_make_socket_nonblocking(fd_));
}
#endif

TEST_F(SocketTest, CloseOnExec) {
  EXPECT_EQ(0, evutil_make_socket_closeonexec(fd_));
  EXPECT_TRUE(fcntl(fd_, F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(0, evutil_make_socket_closeonexec(fd_));
}

#ifdef _WIN32
TEST_F(SocketTest, ListenerOptionsThatWindowsHasNot) {
  EXPECT_EQ(0, evutil_make_listen_socket_reuseable(fd_));
  EXPECT_EQ(0, Option(fd_, SOL_SOCKET, SO_REUSEADDR)) << "another program could take the address";
  EXPECT_EQ(0, evutil_make_listen_socket_reuseable_port(fd_));
  EXPECT_EQ(0, evutil_make_tcp_listen_socket_deferred(fd_));
}
#else
TEST_F(SocketTest, ListenerOptions) {
  EXPECT_EQ(0, evutil_make_listen_socket_reuseable(fd_));
  EXPECT_EQ(1, Option(fd_, SOL_SOCKET, SO_REUSEADDR));
  EXPECT_EQ(0, evutil_make_listen_socket_reuseable_port(fd_));
  EXPECT_EQ(1, Option(fd_, SOL_SOCKET, SO_REUSEPORT));
  EXPECT_EQ(0, evutil_make_tcp_listen_socket_deferred(fd_));
#ifdef TCP_DEFER_ACCEPT
  EXPECT_GE(Option(fd_, IPPROTO_TCP, TCP_DEFER_ACCEPT), 1);
#endif
}
#endif

TEST(SocketV6Test, V6Only) {
  evutil_socket_t fd = socket(AF_INET6, SOCK_STREAM, 0);
  if (fd < 0) GTEST_SKIP() << "no IPv6 here";
  EXPECT_EQ(0, evutil_make_listen_socket_ipv6only(fd));
  EXPECT_EQ(1, Option(fd, IPPROTO_IPV6, IPV6_V6ONLY));
#if !defined(STRATA_ORACLE)  // libevent 2.2
  EXPECT_EQ(0, evutil_make_listen_socket_not_ipv6only(fd));
  EXPECT_EQ(0, Option(fd, IPPROTO_IPV6, IPV6_V6ONLY));
#endif
  evutil_closesocket(fd);
}

#if !defined(STRATA_ORACLE)  // libevent 2.2
TEST_F(SocketTest, KeepAlive) {
  EXPECT_EQ(0, evutil_set_tcp_keepalive(fd_, 1, 300));
  EXPECT_EQ(1, Option(fd_, SOL_SOCKET, SO_KEEPALIVE));
#ifdef __linux__  // Windows' older versions do not tell, others have other names
  EXPECT_EQ(300, Option(fd_, IPPROTO_TCP, TCP_KEEPIDLE));
  EXPECT_EQ(100, Option(fd_, IPPROTO_TCP, TCP_KEEPINTVL));
  EXPECT_EQ(3, Option(fd_, IPPROTO_TCP, TCP_KEEPCNT));
  EXPECT_EQ(0, evutil_set_tcp_keepalive(fd_, 1, 1));
  EXPECT_EQ(1, Option(fd_, IPPROTO_TCP, TCP_KEEPINTVL));
#endif
  EXPECT_EQ(0, evutil_set_tcp_keepalive(fd_, 0, 300));
  EXPECT_EQ(0, Option(fd_, SOL_SOCKET, SO_KEEPALIVE));
}
#endif

TEST(SocketErrorTest, BadDescriptor) {
  EXPECT_EQ(-1, evutil_make_socket_nonblocking(-1));
  EXPECT_EQ(-1, evutil_make_socket_closeonexec(-1));
  EXPECT_EQ(-1, evutil_make_listen_socket_reuseable(-1));
  EXPECT_EQ(-1, evutil_closesocket(-1));
#ifdef _WIN32
  EXPECT_EQ(WSAENOTSOCK, EVUTIL_SOCKET_ERROR());
#else
  EXPECT_EQ(EBADF, EVUTIL_SOCKET_ERROR());
#endif
}

#ifndef _WIN32  // there: socket_error_windows_test.cc
TEST(SocketErrorTest, SetAndText) {
  EVUTIL_SET_SOCKET_ERROR(ECONNRESET);
  EXPECT_EQ(ECONNRESET, EVUTIL_SOCKET_ERROR());
  EXPECT_EQ(ECONNRESET, evutil_socket_geterror(0));
  EXPECT_STREQ(strerror(ECONNRESET), evutil_socket_error_to_string(ECONNRESET));
  EXPECT_EQ(-1, EVUTIL_INVALID_SOCKET);
}
#endif

TEST(SocketPairTest, BytesGoThrough) {
  evutil_socket_t fds[2];
  char byte = 0;
  ASSERT_EQ(0, evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  EXPECT_EQ(1, write(fds[0], "a", 1));
  EXPECT_EQ(1, read(fds[1], &byte, 1));
  EXPECT_EQ('a', byte);
  EXPECT_EQ(1, write(fds[1], "b", 1));
  EXPECT_EQ(1, read(fds[0], &byte, 1));
  EXPECT_EQ('b', byte);
  EVUTIL_CLOSESOCKET(fds[0]);
  EVUTIL_CLOSESOCKET(fds[1]);
}

TEST(SocketPairTest, Nonblocking) {
  evutil_socket_t fds[2];
  char byte;
  ASSERT_EQ(0, evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  EXPECT_EQ(0, evutil_make_socket_nonblocking(fds[0]));
  EXPECT_EQ(0, evutil_make_socket_nonblocking(fds[0]));
  EXPECT_EQ(-1, read(fds[0], &byte, 1));
  EXPECT_EQ(EAGAIN, errno);
  evutil_closesocket(fds[0]);
  evutil_closesocket(fds[1]);
}

TEST(SocketPairTest, UnknownDomain) {
  evutil_socket_t fds[2];
  EXPECT_EQ(-1, evutil_socketpair(12345, SOCK_STREAM, 0, fds));
}
