// Files in buffers: sendfile, mmap and read. Runs on strata and on the installed libevent.
#include <event2/util.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "buffer/buffer_testing.h"
#if !STRATA_ORACLE
#include "util/platform.h"
#endif

namespace {

bool IsOpen(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

class BufferFile : public ::testing::Test {
 protected:
  void SetUp() override {
    const char *dir = getenv("TEST_TMPDIR");
    path_ = std::string(dir ? dir : "/tmp") + "/file_test.XXXXXX";
    fd_ = mkstemp(&path_[0]);
    ASSERT_GE(fd_, 0);
    unlink(path_.c_str());
    for (int i = 0; content_.size() < 50000; i++) content_ += std::to_string(i) + " ";
    ASSERT_EQ(static_cast<ssize_t>(content_.size()), write(fd_, content_.data(), content_.size()));
    ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds_));
    evutil_make_socket_nonblocking(fds_[0]);
    evutil_make_socket_nonblocking(fds_[1]);
    buf_ = evbuffer_new();
  }
  void TearDown() override {
    evbuffer_free(buf_);
    close(fds_[0]);
    close(fds_[1]);
    if (fd_ >= 0) close(fd_);
  }
  // Writes the buffer and returns what arrives.
  std::string Send(struct evbuffer *buf) {
    std::string got;
    char part[65536];
    for (int rounds = 0; evbuffer_get_length(buf) > 0 && rounds < 10000; rounds++) {
      int len = evbuffer_write(buf, fds_[0]);
      if (len < 0 && LastError() != EAGAIN) break;
      ssize_t num;
      while ((num = read(fds_[1], part, sizeof(part))) > 0) {
        got.append(part, static_cast<size_t>(num));
      }
    }
    return got;
  }
  std::string path_;
  std::string content_;
  int fd_ = -1;
  int fds_[2] = {-1, -1};
  struct evbuffer *buf_ = nullptr;
};

// Every way to bring a file into a buffer.
class BufferFileWays : public BufferFile, public ::testing::WithParamInterface<unsigned> {
 protected:
  static constexpr unsigned kDrainsToFd = 0x100;
  void SetUp() override {
    BufferFile::SetUp();
    if (GetParam() & kDrainsToFd) evbuffer_set_flags(buf_, EVBUFFER_FLAG_DRAINS_TO_FD);
  }
  unsigned flags() const { return GetParam() & 0xff; }
};

TEST_P(BufferFileWays, ArriveWhole) {
  struct evbuffer_file_segment *segment = evbuffer_file_segment_new(fd_, 0, -1, flags());
  ASSERT_NE(nullptr, segment);
  evbuffer_add(buf_, "<", 1);
  EXPECT_EQ(0, evbuffer_add_file_segment(buf_, segment, 0, -1));
  evbuffer_add(buf_, ">", 1);
  evbuffer_file_segment_free(segment);
  EXPECT_EQ(content_.size() + 2, evbuffer_get_length(buf_));
  EXPECT_EQ("<" + content_ + ">", Send(buf_));
}

TEST_P(BufferFileWays, ArriveInParts) {
  struct evbuffer_file_segment *segment = evbuffer_file_segment_new(fd_, 5000, 20000, flags());
  ASSERT_NE(nullptr, segment);
  EXPECT_EQ(0, evbuffer_add_file_segment(buf_, segment, 100, 50));
  EXPECT_EQ(0, evbuffer_add_file_segment(buf_, segment, 7000, -1));
  EXPECT_EQ(0, evbuffer_add_file_segment(buf_, segment, 0, 1));
  if (!OnLibevent()) {  // which frees a segment that it could not add
    EXPECT_EQ(-1, evbuffer_add_file_segment(buf_, segment, 20001, -1));
    EXPECT_EQ(-1, evbuffer_add_file_segment(buf_, segment, 1, 20000));
  }
  evbuffer_file_segment_free(segment);
  EXPECT_EQ(content_.substr(5100, 50) + content_.substr(12000, 13000) + content_.substr(5000, 1),
            Send(buf_));
}

TEST_P(BufferFileWays, MoveBetweenBuffers) {
  struct evbuffer_file_segment *segment = evbuffer_file_segment_new(fd_, 0, -1, flags());
  ASSERT_NE(nullptr, segment);
  EXPECT_EQ(0, evbuffer_add_file_segment(buf_, segment, 0, -1));
  evbuffer_file_segment_free(segment);
  EXPECT_EQ(0, evbuffer_drain(buf_, 10));
  struct evbuffer *other = evbuffer_new();
  evbuffer_set_flags(other, EVBUFFER_FLAG_DRAINS_TO_FD);
  EXPECT_EQ(0, evbuffer_add_buffer(other, buf_));
  EXPECT_EQ(content_.substr(10), Send(other));
  evbuffer_free(other);
}

TEST_P(BufferFileWays, CanBeLookedAt) {
  if (OnLibevent() && (GetParam() & kDrainsToFd)) {
    GTEST_SKIP() << "undefined in libevent; strata brings the bytes into memory";
  }
  struct evbuffer_file_segment *segment = evbuffer_file_segment_new(fd_, 0, -1, flags());
  ASSERT_NE(nullptr, segment);
  EXPECT_EQ(0, evbuffer_add_file_segment(buf_, segment, 4097, -1));
  evbuffer_file_segment_free(segment);
  std::string want = content_.substr(4097);
  struct evbuffer *other = evbuffer_new();
  EXPECT_EQ(1000, evbuffer_remove_buffer(buf_, other, 1000));
  std::string part(1000, '\0');
  EXPECT_EQ(1000, evbuffer_remove(other, &part[0], 1000));
  EXPECT_EQ(want.substr(0, 1000), part);
  evbuffer_free(other);
  EXPECT_EQ(static_cast<ev_ssize_t>(want.find("9999 ") - 1000),
            evbuffer_search(buf_, "9999 ", 5, nullptr).pos);
  struct evbuffer_iovec vec;
  EXPECT_EQ(1, evbuffer_peek(buf_, 10, nullptr, &vec, 1));
  EXPECT_EQ(want.substr(1000, 10), std::string(static_cast<char *>(vec.iov_base), 10));
  unsigned char *bytes = evbuffer_pullup(buf_, -1);
  ASSERT_NE(nullptr, bytes);
  EXPECT_EQ(want.substr(1000), std::string(reinterpret_cast<char *>(bytes), want.size() - 1000));
}

INSTANTIATE_TEST_SUITE_P(All, BufferFileWays,
                         ::testing::Values(0u, EVBUF_FS_DISABLE_MMAP, EVBUF_FS_DISABLE_SENDFILE,
                                           EVBUF_FS_DISABLE_MMAP | EVBUF_FS_DISABLE_SENDFILE,
                                           EVBUF_FS_DISABLE_LOCKING, 0x100u,
                                           0x100u | EVBUF_FS_DISABLE_MMAP));

TEST_F(BufferFile, SendfileKeepsToTheLimit) {
  if (OnLibevent()) GTEST_SKIP() << "libevent's sendfile sends all that fits, whatever the limit";
  evbuffer_set_flags(buf_, EVBUFFER_FLAG_DRAINS_TO_FD);
  evbuffer_add(buf_, "head", 4);
  ASSERT_EQ(0, evbuffer_add_file(buf_, dup(fd_), 0, -1));
  EXPECT_EQ(104, evbuffer_write_atmost(buf_, fds_[0], 104));
  char part[200];
  EXPECT_EQ(104, read(fds_[1], part, sizeof(part)));
  EXPECT_EQ("head" + content_.substr(0, 100), std::string(part, 104));
}

TEST_F(BufferFile, ClosesTheDescriptorWhenDone) {
  int fd = dup(fd_);
  evbuffer_set_flags(buf_, EVBUFFER_FLAG_DRAINS_TO_FD);
  ASSERT_EQ(0, evbuffer_add_file(buf_, fd, 100, 200));
  EXPECT_TRUE(IsOpen(fd));
  EXPECT_EQ(content_.substr(100, 200), Send(buf_));
  EXPECT_FALSE(IsOpen(fd));
}

TEST_F(BufferFile, LeavesTheDescriptorOnFailure) {
  EXPECT_EQ(-1, evbuffer_add_file(buf_, fd_, -1, -1));
  EXPECT_EQ(-1, evbuffer_add_file(buf_, -1, 0, -1));
  EXPECT_TRUE(IsOpen(fd_));
}

void NoteGone(struct evbuffer_file_segment const *, int flags, void *arg) {
  *static_cast<int *>(arg) = flags;
}

TEST_F(BufferFile, CallsCleanupWhenNobodyNeedsIt) {
  int gone = 0;
  struct evbuffer_file_segment *segment =
      evbuffer_file_segment_new(fd_, 0, 10, EVBUF_FS_CLOSE_ON_FREE);
  evbuffer_file_segment_add_cleanup_cb(segment, NoteGone, &gone);
  EXPECT_EQ(0, evbuffer_add_file_segment(buf_, segment, 0, 5));
  EXPECT_EQ(0, evbuffer_add_file_segment(buf_, segment, 5, 5));
  evbuffer_file_segment_free(segment);
  EXPECT_EQ(0, gone);
  evbuffer_drain(buf_, 5);
  EXPECT_EQ(0, gone);
  evbuffer_drain(buf_, 5);
  EXPECT_EQ(EVBUF_FS_CLOSE_ON_FREE, gone);
  EXPECT_FALSE(IsOpen(fd_));
  fd_ = -1;
}

TEST_F(BufferFile, ReadPathRefusesToReadPastTheEnd) {
  EXPECT_EQ(nullptr, evbuffer_file_segment_new(fd_, 0, static_cast<ev_off_t>(content_.size()) + 1,
                                               EVBUF_FS_DISABLE_MMAP | EVBUF_FS_DISABLE_SENDFILE));
}

TEST_F(BufferFile, CannotBeReferencedByOtherBuffers) {
  ASSERT_EQ(0, evbuffer_add_file(buf_, dup(fd_), 0, 10));
  struct evbuffer *other = evbuffer_new();
  EXPECT_EQ(-1, evbuffer_add_buffer_reference(other, buf_));
  evbuffer_free(other);
}

// Where libevent is wrong.
#if !STRATA_ORACLE

TEST_F(BufferFile, MappingRefusesToGoPastTheEnd) {  // libevent maps pages that raise SIGBUS
  EXPECT_EQ(nullptr,
            evbuffer_file_segment_new(fd_, 0, static_cast<ev_off_t>(content_.size()) + 10000,
                                      EVBUF_FS_DISABLE_SENDFILE));
}

TEST_F(BufferFile, AllFromAnOffsetEndsWithTheFile) {  // libevent counts the offset twice
  ASSERT_EQ(0, evbuffer_add_file(buf_, dup(fd_), 49000, -1));
  EXPECT_EQ(content_.size() - 49000, evbuffer_get_length(buf_));
  EXPECT_EQ(content_.substr(49000), Send(buf_));
}

TEST_F(BufferFile, EmptyFileAddsNothing) {  // libevent fails in mmap
  ASSERT_EQ(0, ftruncate(fd_, 0));
  int fd = dup(fd_);
  EXPECT_EQ(0, evbuffer_add_file(buf_, fd, 0, -1));
  EXPECT_EQ(0u, evbuffer_get_length(buf_));
  EXPECT_FALSE(IsOpen(fd));
}

TEST_F(BufferFile, NegativeOffsetInASegmentFails) {  // libevent shows bytes before the segment
  struct evbuffer_file_segment *segment = evbuffer_file_segment_new(fd_, 100, 10, 0);
  EXPECT_EQ(-1, evbuffer_add_file_segment(buf_, segment, -1, 1));
  evbuffer_file_segment_free(segment);
}

TEST_F(BufferFile, TruncationWhileSendingIsAnError) {  // libevent returns 0 for ever
  evbuffer_set_flags(buf_, EVBUFFER_FLAG_DRAINS_TO_FD);
  ASSERT_EQ(0, evbuffer_add_file(buf_, dup(fd_), 0, -1));
  ASSERT_EQ(0, ftruncate(fd_, 1000));
  if (STRATA_HAVE_SENDFILE) {
    EXPECT_EQ(1000, evbuffer_write(buf_, fds_[0]));
  }
  EXPECT_EQ(-1, evbuffer_write(buf_, fds_[0]));
  EXPECT_EQ(EIO, LastError());
}

// Bytes that are promised and not there cannot be looked at; what is before them can.
TEST_F(BufferFile, TruncationBeforeLooking) {
  if (OnLibevent()) GTEST_SKIP() << "undefined in libevent, see CanBeLookedAt";
  evbuffer_set_flags(buf_, EVBUFFER_FLAG_DRAINS_TO_FD);
  evbuffer_add(buf_, "head", 4);
  struct evbuffer_file_segment *segment =
      evbuffer_file_segment_new(fd_, 0, -1, EVBUF_FS_DISABLE_MMAP);
  ASSERT_NE(nullptr, segment);
  EXPECT_EQ(0, evbuffer_add_file_segment(buf_, segment, 0, -1));
  evbuffer_file_segment_free(segment);
  evbuffer_add(buf_, "\r\n", 2);
  const size_t len = evbuffer_get_length(buf_);
  ASSERT_EQ(0, ftruncate(fd_, 1000));
  char bytes[100];
  struct evbuffer_ptr at;
  ASSERT_EQ(0, evbuffer_ptr_set(buf_, &at, 2, EVBUFFER_PTR_SET));
  EXPECT_EQ(-1, evbuffer_copyout_from(buf_, &at, bytes, 100));
  EXPECT_EQ(-1, evbuffer_copyout(buf_, bytes, 100));
  EXPECT_EQ(-1, evbuffer_remove(buf_, bytes, 100));
  EXPECT_EQ(nullptr, evbuffer_pullup(buf_, 100));
  EXPECT_EQ(nullptr, evbuffer_readln(buf_, nullptr, EVBUFFER_EOL_CRLF));
  EXPECT_EQ(len, evbuffer_get_length(buf_));
  EXPECT_EQ(4, evbuffer_remove(buf_, bytes, 4));
  EXPECT_EQ("head", std::string(bytes, 4));
  EXPECT_EQ(nullptr, evbuffer_pullup(buf_, 1));
  EXPECT_EQ(0, evbuffer_drain(buf_, len - 6));
  EXPECT_EQ(2, evbuffer_remove(buf_, bytes, 100));
}

#ifndef _WIN32  // where there is no such signal

// sendfile(2) has no flag against the signal, which libevent leaves to the program.
TEST_F(BufferFile, BrokenConnectionIsAnErrorNotASignal) {
  close(fds_[1]);
  fds_[1] = -1;
  for (int drains : {0, 1}) {
    if (drains) evbuffer_set_flags(buf_, EVBUFFER_FLAG_DRAINS_TO_FD);
    ASSERT_EQ(0, evbuffer_add_file(buf_, dup(fd_), 0, -1));
    EXPECT_EQ(-1, evbuffer_write(buf_, fds_[0]));
    EXPECT_EQ(EPIPE, LastError());
    evbuffer_drain(buf_, SIZE_MAX);
  }
}

#endif

TEST_F(BufferFile, LeavesTheDescriptorOfAFrozenBuffer) {  // libevent closes it
  evbuffer_freeze(buf_, 0);
  EXPECT_EQ(-1, evbuffer_add_file(buf_, fd_, 0, 10));
  EXPECT_TRUE(IsOpen(fd_));
}

TEST_F(BufferFile, LargeOffsets) {
  const ev_off_t offset = static_cast<ev_off_t>(5) << 30;
  // What is added may have to be read, and has to be less than SIZE_MAX.
  const ev_off_t from = STRATA_HAVE_FILE_MAPS && sizeof(size_t) > 4 ? 0 : offset - 1;
  ASSERT_EQ(0, ftruncate(fd_, offset));
  ASSERT_EQ(4, pwrite(fd_, "tail", 4, offset));
  for (int drains : {0, 1}) {
    if (drains) evbuffer_set_flags(buf_, EVBUFFER_FLAG_DRAINS_TO_FD);
    ASSERT_EQ(0, evbuffer_add_file(buf_, dup(fd_), from, -1));
    EXPECT_EQ(static_cast<size_t>(offset - from) + 4, evbuffer_get_length(buf_));
    EXPECT_EQ(0, evbuffer_drain(buf_, static_cast<size_t>(offset - from) - 1));
    EXPECT_EQ(std::string("\0tail", 5), Send(buf_));
  }
}

#ifndef _WIN32  // where buffers are written to sockets alone

TEST_F(BufferFile, FallsBackWhereSendfileCannotServe) {  // O_APPEND: EINVAL from sendfile(2)
  std::string out_path = path_ + ".out";
  int out = open(out_path.c_str(), O_RDWR | O_CREAT | O_APPEND, 0600);
  ASSERT_GE(out, 0);
  unlink(out_path.c_str());
  evbuffer_set_flags(buf_, EVBUFFER_FLAG_DRAINS_TO_FD);
  evbuffer_add(buf_, "head", 4);
  ASSERT_EQ(0, evbuffer_add_file(buf_, dup(fd_), 0, -1));
  while (evbuffer_get_length(buf_) > 0) ASSERT_GT(evbuffer_write(buf_, out), 0);
  std::string got(content_.size() + 4, '\0');
  EXPECT_EQ(static_cast<ssize_t>(got.size()), pread(out, &got[0], got.size(), 0));
  EXPECT_EQ("head" + content_, got);
  close(out);
}

#endif

#endif

}  // namespace
