#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include "util/socket.h"

static bool IsNonblocking(evutil_socket_t fd) {
  return fcntl(fd, F_GETFL) & O_NONBLOCK;
}
static bool ClosesOnExec(evutil_socket_t fd) {
  return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static void WaitFor(evutil_socket_t fd, short events) {
  struct pollfd poll_fd = {};
  poll_fd.fd = fd;
  poll_fd.events = events;
  ASSERT_EQ(1, poll(&poll_fd, 1, -1));
}

TEST(SocketNewTest, FlagsAreApplied) {
  for (int flags = 0; flags <= STRATA_SOCK_DEFAULT; ++flags) {
    evutil_socket_t fd = strata_socket_new(AF_INET, SOCK_STREAM, 0, flags);
    ASSERT_GE(fd, 0);
#ifndef _WIN32  // which does not tell before there is a connection
    EXPECT_EQ((flags & STRATA_SOCK_NONBLOCK) != 0, IsNonblocking(fd));
#endif
    EXPECT_EQ((flags & STRATA_SOCK_CLOEXEC) != 0, ClosesOnExec(fd));
    close(fd);
  }
}

TEST(SocketNewTest, UnknownFamilyFails) {
  EXPECT_EQ(-1, strata_socket_new(12345, SOCK_STREAM, 0, STRATA_SOCK_DEFAULT));
}

TEST(SocketNewTest, Pairs) {
  evutil_socket_t fds[4];
  ASSERT_EQ(0, strata_socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  ASSERT_EQ(0, strata_pipe(fds + 2));
  for (evutil_socket_t fd : fds) {
    EXPECT_TRUE(IsNonblocking(fd));
    EXPECT_TRUE(ClosesOnExec(fd));
  }
  for (evutil_socket_t fd : fds) close(fd);
}

// A listener on a loopback port of the system's choice.
class ConnectTest : public testing::Test {
 protected:
  void SetUp() override {
    listener_ = strata_socket_new(AF_INET, SOCK_STREAM, 0, STRATA_SOCK_DEFAULT);
    addr_ = {};
    addr_.sin_family = AF_INET;
    addr_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(0, bind(listener_, (struct sockaddr *)&addr_, sizeof(addr_)));
    socklen_t len = sizeof(addr_);
    ASSERT_EQ(0, getsockname(listener_, (struct sockaddr *)&addr_, &len));
    client_ = strata_socket_new(AF_INET, SOCK_STREAM, 0, STRATA_SOCK_DEFAULT);
  }
  void TearDown() override {
    close(listener_);
    close(client_);
  }
  enum strata_connect_state Connect() {
    enum strata_connect_state state =
        strata_socket_connect(client_, (struct sockaddr *)&addr_, sizeof(addr_));
    if (state != STRATA_CONNECT_PENDING) return state;
    WaitFor(client_, POLLOUT);
    return strata_socket_connect_result(client_);
  }
  evutil_socket_t listener_ = -1, client_ = -1;
  struct sockaddr_in addr_;
};

TEST_F(ConnectTest, ConnectAndAccept) {
  ASSERT_EQ(0, listen(listener_, 8));
  EXPECT_EQ(-1, strata_accept4(listener_, nullptr, nullptr, 0));
  EXPECT_TRUE(strata_error_would_block(EVUTIL_SOCKET_ERROR()));
  EXPECT_TRUE(strata_error_accept_retriable(EVUTIL_SOCKET_ERROR()));
  EXPECT_EQ(STRATA_CONNECT_DONE, Connect());
  WaitFor(listener_, POLLIN);
  struct sockaddr_storage peer;
  ev_socklen_t peer_len = sizeof(peer);
  evutil_socket_t fd =
      strata_accept4(listener_, (struct sockaddr *)&peer, &peer_len, STRATA_SOCK_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(AF_INET, peer.ss_family);
  EXPECT_FALSE(IsNonblocking(fd));
  EXPECT_TRUE(ClosesOnExec(fd));
  close(fd);
}

// What the listener is must not show in the connection.
TEST_F(ConnectTest, AcceptedSocketHasTheFlagsAskedFor) {
  ASSERT_EQ(0, listen(listener_, 8));
  for (int flags = 0; flags <= STRATA_SOCK_DEFAULT; ++flags) {
    EXPECT_EQ(STRATA_CONNECT_DONE, Connect());
    WaitFor(listener_, POLLIN);
    evutil_socket_t fd = strata_accept4(listener_, nullptr, nullptr, flags);
    ASSERT_GE(fd, 0);
    EXPECT_EQ((flags & STRATA_SOCK_NONBLOCK) != 0, IsNonblocking(fd));
    EXPECT_EQ((flags & STRATA_SOCK_CLOEXEC) != 0, ClosesOnExec(fd));
    close(fd);
    close(client_);
    client_ = strata_socket_new(AF_INET, SOCK_STREAM, 0, STRATA_SOCK_DEFAULT);
  }
}

TEST(SocketNewTest, FlagsCanBeTakenAway) {
  for (int flags = 0; flags <= STRATA_SOCK_DEFAULT; ++flags) {
    evutil_socket_t fds[2];
    ASSERT_EQ(0, strata_pipe(fds));
    EXPECT_EQ(0, strata_socket_drop_flags(fds[0], flags));
    EXPECT_EQ((flags & STRATA_SOCK_NONBLOCK) != 0, IsNonblocking(fds[0]));
    EXPECT_EQ((flags & STRATA_SOCK_CLOEXEC) != 0, ClosesOnExec(fds[0]));
    close(fds[0]);
    close(fds[1]);
  }
}

TEST_F(ConnectTest, Refused) {
  EXPECT_EQ(STRATA_CONNECT_FAILED, Connect());
  EXPECT_TRUE(strata_error_connect_refused(EVUTIL_SOCKET_ERROR()));
}

#ifndef _WIN32  // there: socket_error_windows_test.cc
TEST(SocketErrorTest, Classes) {
  EXPECT_TRUE(strata_error_rw_retriable(EINTR));
  EXPECT_TRUE(strata_error_rw_retriable(EWOULDBLOCK));
  EXPECT_FALSE(strata_error_rw_retriable(ECONNRESET));
  EXPECT_FALSE(strata_error_would_block(EINTR));
  EXPECT_TRUE(strata_error_connect_retriable(EINPROGRESS));
  EXPECT_FALSE(strata_error_connect_retriable(EAGAIN)) << "a full backlog of a Unix socket";
  for (int error : {EINTR, EAGAIN, ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN,
                    EHOSTUNREACH, ENETUNREACH})
    EXPECT_TRUE(strata_error_accept_retriable(error)) << error;
#ifdef ENONET
  EXPECT_TRUE(strata_error_accept_retriable(ENONET));
#endif
  for (int error : {EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP, EMFILE})
    EXPECT_FALSE(strata_error_accept_retriable(error)) << error;
  for (int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
    EXPECT_TRUE(strata_error_exhausted(error)) << error;
  EXPECT_FALSE(strata_error_exhausted(EAGAIN));
}
#endif
