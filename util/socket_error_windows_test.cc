// Winsock's error numbers and their texts.
#include <event2/util.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "util/cleanup.h"
#include "util/memory.h"
#include "util/socket.h"
#include "util/testing/counting_memory.h"

TEST(SocketErrorWindowsTest, Classes) {
  EXPECT_TRUE(strata_error_rw_retriable(WSAEINTR));
  EXPECT_TRUE(strata_error_rw_retriable(WSAEWOULDBLOCK));
  EXPECT_FALSE(strata_error_rw_retriable(WSAECONNRESET));
  EXPECT_FALSE(strata_error_would_block(WSAEINTR));
  EXPECT_TRUE(strata_error_connect_retriable(WSAEWOULDBLOCK));
  EXPECT_FALSE(strata_error_connect_retriable(WSAEINVAL)) << "a listener cannot connect";
  EXPECT_TRUE(strata_error_connect_refused(WSAECONNREFUSED));
  for (int error : {WSAEINTR, WSAEWOULDBLOCK, WSAECONNABORTED, WSAECONNRESET})
    EXPECT_TRUE(strata_error_accept_retriable(error)) << error;
  for (int error : {WSAEBADF, WSAEINVAL, WSAENOTSOCK, WSAEOPNOTSUPP, WSAEMFILE, WSAENETDOWN})
    EXPECT_FALSE(strata_error_accept_retriable(error)) << error;
  for (int error : {WSAEMFILE, WSAENOBUFS, (int)WSA_NOT_ENOUGH_MEMORY})
    EXPECT_TRUE(strata_error_exhausted(error)) << error;
  EXPECT_FALSE(strata_error_exhausted(WSAEWOULDBLOCK));
}

TEST(SocketErrorWindowsTest, LastErrorIsWinsocks) {
  EVUTIL_SET_SOCKET_ERROR(WSAECONNRESET);
  EXPECT_EQ(WSAECONNRESET, EVUTIL_SOCKET_ERROR());
  EXPECT_EQ(WSAECONNRESET, WSAGetLastError());
  EXPECT_EQ(WSAECONNRESET, evutil_socket_geterror(-1));
  EXPECT_EQ(-1, (evutil_socket_t)EVUTIL_INVALID_SOCKET);
}

// A socket that only says "would block" is asked itself.
TEST(SocketErrorWindowsTest, PendingErrorComesFromTheSocket) {
  evutil_socket_t fds[2];
  ASSERT_EQ(0, strata_pipe(fds));
  EVUTIL_SET_SOCKET_ERROR(WSAEWOULDBLOCK);
  EXPECT_EQ(WSAEWOULDBLOCK, evutil_socket_geterror(fds[0]));
  EXPECT_EQ(WSAEWOULDBLOCK, evutil_socket_geterror(-1));
  evutil_closesocket(fds[0]);
  evutil_closesocket(fds[1]);
}

TEST(SocketErrorWindowsTest, FromErrno) {
  EXPECT_EQ(WSAENOBUFS, strata_error_from_errno(ENOMEM));
  EXPECT_EQ(WSAEINVAL, strata_error_from_errno(EINVAL));
  EXPECT_EQ(WSA_OPERATION_ABORTED, strata_error_from_errno(ECANCELED));
  EXPECT_EQ(WSASYSCALLFAILURE, strata_error_from_errno(ENOENT));
  EVUTIL_SET_SOCKET_ERROR(0);
  errno = EMFILE;
  strata_errno_to_socket_error();
  EXPECT_EQ(WSAEMFILE, EVUTIL_SOCKET_ERROR());
}

TEST(SocketErrorTextTest, IsALineOfTheSystems) {
  // Those for which Wine has a text too.
  for (int error : {WSAECONNRESET, WSAECONNREFUSED, WSAEINVAL, WSAEMFILE}) {
    std::string text = evutil_socket_error_to_string(error);
    EXPECT_GT(text.size(), 5u);
    EXPECT_EQ(std::string::npos, text.find_first_of("\r\n")) << text;
    EXPECT_EQ(std::string::npos, text.find("Unknown error")) << text;
  }
  EXPECT_STRNE(evutil_socket_error_to_string(WSAECONNRESET),
               evutil_socket_error_to_string(WSAECONNREFUSED));
}

TEST(SocketErrorTextTest, UnknownNumberIsNamed) {
  EXPECT_STREQ("Unknown error 987654", evutil_socket_error_to_string(987654));
  EXPECT_STREQ("Unknown error -5", evutil_socket_error_to_string(-5));
}

TEST(SocketErrorTextTest, IsKeptAndLeavesTheLastErrorAlone) {
  EVUTIL_SET_SOCKET_ERROR(WSAEMFILE);
  const char *text = evutil_socket_error_to_string(WSAENETRESET);
  EXPECT_EQ(text, evutil_socket_error_to_string(WSAENETRESET));
  EXPECT_EQ(WSAEMFILE, EVUTIL_SOCKET_ERROR());
}

TEST(SocketErrorTextTest, ManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] {
      for (int error = 10000; error < 10100; ++error) {
        std::string text = evutil_socket_error_to_string(error);
        EXPECT_EQ(text, evutil_socket_error_to_string(error));
      }
    });
  for (std::thread &thread : threads) thread.join();
}

class SocketErrorMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    strata_cleanup_run_all();  // frees what the other allocator made
    CountingMemory::Install(strata_set_mem_functions);
    CountingMemory::Begin();
  }
  void TearDown() override {
    strata_cleanup_run_all();
    strata_set_mem_functions(nullptr, nullptr, nullptr);
  }
};

// libevent_global_shutdown() runs the clean-ups.
TEST_F(SocketErrorMemoryTest, ShutdownFreesTexts) {
  for (int round = 0; round < 2; ++round) {
    EXPECT_STRNE("", evutil_socket_error_to_string(WSAECONNRESET));
    EXPECT_STRNE("", evutil_socket_error_to_string(WSAEMFILE));
    EXPECT_EQ(2, CountingMemory::num_blocks());
    strata_cleanup_run_all();
    EXPECT_EQ(0, CountingMemory::num_blocks());
  }
}

TEST_F(SocketErrorMemoryTest, WithoutMemoryThereIsStillAText) {
  CountingMemory::Begin(1, CountingMemory::kAll);
  std::string text = evutil_socket_error_to_string(WSAECONNRESET);
  EXPECT_NE("", text);
  CountingMemory::StopFailing();
  EXPECT_NE(text, evutil_socket_error_to_string(WSAECONNRESET));
}
