// Reading and writing descriptors. Runs on strata and on the installed libevent.
#include <event2/util.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "buffer/buffer_testing.h"

namespace {

class BufferIo : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds_));
    evutil_make_socket_nonblocking(fds_[0]);
    evutil_make_socket_nonblocking(fds_[1]);
    buf_ = evbuffer_new();
  }
  void TearDown() override {
    evbuffer_free(buf_);
    for (int fd : fds_) {
      if (fd >= 0) close(fd);
    }
  }
  void Close(int i) {
    close(fds_[i]);
    fds_[i] = -1;
  }
  std::string Take() {
    std::string bytes(evbuffer_get_length(buf_), '\0');
    evbuffer_remove(buf_, &bytes[0], bytes.size());
    return bytes;
  }
  // All that has arrived at the other end.
  std::string Receive(int fd) {
    std::string bytes;
    char part[4096];
    ssize_t len;
    while ((len = read(fd, part, sizeof(part))) > 0) bytes.append(part, static_cast<size_t>(len));
    return bytes;
  }
  int fds_[2] = {-1, -1};
  struct evbuffer *buf_ = nullptr;
};

TEST_F(BufferIo, ReadsWhatIsThere) {
  ASSERT_EQ(5, write(fds_[1], "hello", 5));
  EXPECT_EQ(5, evbuffer_read(buf_, fds_[0], -1));
  EXPECT_EQ("hello", Take());
  ASSERT_EQ(5, write(fds_[1], "hello", 5));
  EXPECT_EQ(2, evbuffer_read(buf_, fds_[0], 2));
  EXPECT_EQ(3, evbuffer_read(buf_, fds_[0], 1000));
  EXPECT_EQ("hello", Take());
}

TEST_F(BufferIo, ReadsLargeAmountsInOrder) {
  std::string bytes;
  for (int i = 0; bytes.size() < 60000; i++) bytes += std::to_string(i) + ",";
  ASSERT_EQ(static_cast<ssize_t>(bytes.size()), write(fds_[1], bytes.data(), bytes.size()));
  Close(1);
  int len;
  while ((len = evbuffer_read(buf_, fds_[0], -1)) > 0) {
    EXPECT_LE(len, 4096);
  }
  EXPECT_EQ(0, len);
  EXPECT_EQ(bytes, Take());
}

TEST_F(BufferIo, ReportsEndAndEmptiness) {
  EXPECT_EQ(-1, evbuffer_read(buf_, fds_[0], -1));
  EXPECT_EQ(EAGAIN, LastError());
  Close(1);
  EXPECT_EQ(0, evbuffer_read(buf_, fds_[0], -1));
  EXPECT_EQ(-1, evbuffer_read(buf_, -1, -1));
  EXPECT_TRUE(LastError() == EBADF || LastError() == ENOTSOCK);
  EXPECT_EQ(0u, evbuffer_get_length(buf_));
}

TEST_F(BufferIo, WritesAndDrains) {
  evbuffer_add(buf_, "hello ", 6);
  evbuffer_add_reference(buf_, "world", 5, nullptr, nullptr);
  EXPECT_EQ(3, evbuffer_write_atmost(buf_, fds_[0], 3));
  EXPECT_EQ(8u, evbuffer_get_length(buf_));
  EXPECT_EQ(5, evbuffer_write_atmost(buf_, fds_[0], 5));
  EXPECT_EQ(3, evbuffer_write(buf_, fds_[0]));
  EXPECT_EQ("hello world", Receive(fds_[1]));
  EXPECT_EQ(-1, evbuffer_write(buf_, fds_[0])) << "nothing to write";
}

TEST_F(BufferIo, WritesManyBlocks) {
  std::string want;
  static const char digits[] = "0123456789";
  for (int i = 0; i < 1000; i++) {
    evbuffer_add_reference(buf_, digits + i % 10, 1, nullptr, nullptr);
    want += digits[i % 10];
  }
  int len;
  while (evbuffer_get_length(buf_) > 0 && (len = evbuffer_write(buf_, fds_[0])) > 0) {
  }
  EXPECT_EQ(want, Receive(fds_[1]));
}

TEST_F(BufferIo, KeepsWhatDidNotFit) {
  std::string bytes(4 << 20, 'x');
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<char>('a' + i % 26);
  evbuffer_add(buf_, bytes.data(), bytes.size());
  std::string got;
  while (evbuffer_get_length(buf_) > 0) {
    int len = evbuffer_write(buf_, fds_[0]);
    if (len < 0) {
      ASSERT_EQ(EAGAIN, LastError());
      got += Receive(fds_[1]);
    }
  }
  got += Receive(fds_[1]);
  EXPECT_EQ(bytes, got);
}

TEST_F(BufferIo, WorksOnPipes) {
  int pipe_fds[2];
  ASSERT_EQ(0, pipe(pipe_fds));
  evbuffer_add(buf_, "hello ", 6);
  evbuffer_add_reference(buf_, "pipe", 4, nullptr, nullptr);
  EXPECT_EQ(10, evbuffer_write(buf_, pipe_fds[1]));
  EXPECT_EQ(10, evbuffer_read(buf_, pipe_fds[0], 100));
  EXPECT_EQ("hello pipe", Take());
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

#if !STRATA_ORACLE

// libevent leaves the signal to the program.
TEST_F(BufferIo, BrokenConnectionIsAnErrorNotASignal) {
  Close(1);
  do {  // TCP takes bytes until it hears that nobody will read them
    evbuffer_drain(buf_, SIZE_MAX);
    evbuffer_add(buf_, "hello", 5);
  } while (evbuffer_write(buf_, fds_[0]) > 0);
  EXPECT_TRUE(LastError() == EPIPE || LastError() == ECONNRESET || LastError() == ECONNABORTED)
      << LastError();
  EXPECT_EQ("hello", Take());
}

// Since libevent 2.2.
TEST_F(BufferIo, MaxReadCanBeChanged) {
  EXPECT_EQ(4096u, evbuffer_get_max_read(buf_));
  EXPECT_EQ(0, evbuffer_set_max_read(buf_, 100000));
  EXPECT_EQ(100000u, evbuffer_get_max_read(buf_));
  EXPECT_EQ(-1, evbuffer_set_max_read(buf_, static_cast<size_t>(1) << 31));
  std::string bytes(50000, 'x');
  ASSERT_EQ(50000, write(fds_[1], bytes.data(), bytes.size()));
  EXPECT_EQ(50000, evbuffer_read(buf_, fds_[0], -1));
  EXPECT_EQ(bytes, Take());
}

#endif

}  // namespace
