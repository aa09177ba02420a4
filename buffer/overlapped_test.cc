// Bytes that the kernel moves by itself: what is pinned stays where it is, whatever becomes of the
// buffer.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "buffer/buffer_testing.h"
#include "buffer/evbuffer_internal.h"

namespace {

constexpr int kMaxPieces = 8;

// An operation's view of a buffer, from its launch to its completion.
struct Pinned {
  Pinned(struct evbuffer *buf, size_t max_len, int num_max = kMaxPieces) : buf(buf) {
    num = evbuffer_pin_front(buf, max_len, vecs, chains, num_max);
  }
  ~Pinned() { Unpin(); }
  void Unpin() {
    if (num > 0) evbuffer_unpin_front(buf, chains, num);
    num = 0;
  }
  std::string Bytes() const {
    std::string bytes;
    for (int i = 0; i < num; i++)
      bytes.append(static_cast<const char *>(vecs[i].iov_base), vecs[i].iov_len);
    return bytes;
  }
  struct evbuffer *buf;
  struct evbuffer_iovec vecs[kMaxPieces];
  struct evbuffer_chain *chains[kMaxPieces];
  int num;
};

TEST(Overlapped, PinsTheFront) {
  Buffer buf = Pieces({"abc", "defgh", "ij"});
  EXPECT_EQ("abcdefghij", Pinned(buf.get(), 100).Bytes());
  EXPECT_EQ("abcd", Pinned(buf.get(), 4).Bytes());
  EXPECT_EQ("abcdefgh", Pinned(buf.get(), 100, 2).Bytes());
  EXPECT_EQ(0, Pinned(buf.get(), 0).num);
  EXPECT_EQ(0, Pinned(NewBuffer().get(), 100).num);
}

TEST(Overlapped, PinnedBytesOutliveWhatIsDoneToTheBuffer) {
  Buffer buf = NewBuffer();
  const std::string first = Pattern(700), second = Pattern(9000);
  evbuffer_add(buf.get(), first.data(), first.size());
  evbuffer_add_reference(buf.get(), second.data(), second.size(), nullptr, nullptr);
  Pinned pinned(buf.get(), SIZE_MAX);
  evbuffer_prepend(buf.get(), "before", 6);
  evbuffer_add(buf.get(), "after", 5);
  evbuffer_pullup(buf.get(), -1);
  EXPECT_EQ("before" + first + second + "after", Content(buf));
  evbuffer_drain(buf.get(), 1000);
  EXPECT_TRUE(first + second == pinned.Bytes());
  Buffer other = NewBuffer();
  evbuffer_add_buffer(other.get(), buf.get());
  other.reset();
  EXPECT_TRUE(first + second == pinned.Bytes());
}

TEST(Overlapped, WhatWasSentIsDrainedAtTheCompletion) {
  Buffer buf = Pieces({"abc", "def"});
  Pinned pinned(buf.get(), SIZE_MAX);
  evbuffer_add(buf.get(), "ghi", 3);
  evbuffer_freeze(buf.get(), 1);
  pinned.Unpin();
  evbuffer_drain_sent(buf.get(), 0);
  evbuffer_drain_sent(buf.get(), 4);
  evbuffer_unfreeze(buf.get(), 1);
  EXPECT_EQ("efghi", Content(buf));
  evbuffer_drain_sent(buf.get(), 100);
  EXPECT_EQ("", Content(buf));
}

TEST(Overlapped, WhatArrivesIsAddedToAFrozenBuffer) {
  static int num_cleanups;
  num_cleanups = 0;
  static const char arrived[] = "0123456789";
  Buffer buf = NewBuffer();
  evbuffer_freeze(buf.get(), 0);
  EXPECT_EQ(0, evbuffer_add_received(buf.get(), "abc", 3));
  EXPECT_EQ(0, evbuffer_add_received_reference(
                   buf.get(), arrived, 3, 5, [](const void *, size_t, void *) { num_cleanups++; },
                   nullptr));
  EXPECT_EQ("abc34567", Content(buf));
  buf.reset();
  EXPECT_EQ(1, num_cleanups);
}

TEST(Overlapped, PinsAFile) {
  const char *dir = getenv("TEST_TMPDIR");
  std::string path = std::string(dir ? dir : "/tmp") + "/overlapped_test.XXXXXX";
  const int fd = mkstemp(&path[0]);
  ASSERT_GE(fd, 0);
  unlink(path.c_str());
  const std::string content = Pattern(200000);
  ASSERT_EQ(static_cast<ssize_t>(content.size()), write(fd, content.data(), content.size()));
  Buffer buf = NewBuffer();
  evbuffer_set_flags(buf.get(), EVBUFFER_FLAG_DRAINS_TO_FD);
  evbuffer_add(buf.get(), "head", 4);
  ASSERT_EQ(0, evbuffer_add_file(buf.get(), fd, 100000, -1));
  Pinned pinned(buf.get(), SIZE_MAX);
  evbuffer_drain_sent(buf.get(), SIZE_MAX);  // the mapping stays until it is unpinned
  EXPECT_TRUE("head" + content.substr(100000) == pinned.Bytes());
}

#ifdef _WIN32

// What Winsock does itself with pinned memory: the send goes on while the buffer is taken apart.
TEST(Overlapped, WinsockSendsPinnedPieces) {
  int fds[2];
  ASSERT_EQ(0, socketpair(AF_INET, SOCK_STREAM, 0, fds));
  std::string want;
  Buffer buf = NewBuffer();
  for (int i = 0; i < kMaxPieces; i++) {
    const std::string piece = Pattern(300000 + static_cast<size_t>(i));
    Buffer part = NewBuffer();
    evbuffer_add(part.get(), piece.data(), piece.size());
    evbuffer_add_buffer(buf.get(), part.get());
    want += piece;
  }
  WSABUF bufs[kMaxPieces];
  {
    Pinned pinned(buf.get(), SIZE_MAX);
    ASSERT_EQ(kMaxPieces, pinned.num);
    for (int i = 0; i < pinned.num; i++) {
      bufs[i].buf = static_cast<char *>(pinned.vecs[i].iov_base);
      bufs[i].len = static_cast<ULONG>(pinned.vecs[i].iov_len);
    }
    WSAOVERLAPPED overlapped = {};
    overlapped.hEvent = WSACreateEvent();
    const int result = WSASend(static_cast<SOCKET>(fds[0]), bufs, static_cast<DWORD>(pinned.num),
                               nullptr, 0, &overlapped, nullptr);
    ASSERT_TRUE(result == 0 || WSAGetLastError() == WSA_IO_PENDING);
    evbuffer_prepend(buf.get(), "x", 1);
    evbuffer_pullup(buf.get(), -1);
    evbuffer_drain(buf.get(), SIZE_MAX);
    std::string got(want.size(), '\0');
    size_t got_len = 0;
    ssize_t part_len = 1;
    for (; got_len < want.size() && part_len > 0; got_len += static_cast<size_t>(part_len))
      part_len = recv(fds[1], &got[got_len], want.size() - got_len, 0);
    EXPECT_TRUE(want == got);
    DWORD len = 0, flags;
    EXPECT_TRUE(
        WSAGetOverlappedResult(static_cast<SOCKET>(fds[0]), &overlapped, &len, TRUE, &flags));
    EXPECT_EQ(want.size(), len);
    WSACloseEvent(overlapped.hEvent);
  }
  close(fds[0]);
  close(fds[1]);
}

#endif

}  // namespace
