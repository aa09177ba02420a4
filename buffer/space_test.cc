// Reserving space and committing it. Runs on strata and on the installed libevent.
#include <cstring>

#include "buffer/buffer_testing.h"

namespace {

TEST(BufferSpace, CommitsWhatWasWritten) {
  Buffer buf = NewBuffer();
  struct evbuffer_iovec vec[2];
  int num = evbuffer_reserve_space(buf.get(), 1000, vec, 2);
  ASSERT_GE(num, 1);
  memcpy(vec[0].iov_base, "hello", 5);
  vec[0].iov_len = 5;
  EXPECT_EQ(0, evbuffer_commit_space(buf.get(), vec, 1));
  EXPECT_EQ("hello", Content(buf));
  EXPECT_EQ(-1, evbuffer_commit_space(buf.get(), vec, 1)) << "the room has moved on";
  EXPECT_EQ("hello", Content(buf));
}

TEST(BufferSpace, SpansTwoBlocks) {
  Buffer buf = NewBuffer("abc");
  struct evbuffer_iovec vec[2];
  int num = evbuffer_reserve_space(buf.get(), 10000, vec, 2);
  ASSERT_GE(num, 1);
  ASSERT_LE(num, 2);
  std::string want = "abc";
  size_t total = 0;
  for (int i = 0; i < num; i++) {
    memset(vec[i].iov_base, 'x' + i, vec[i].iov_len);
    want += std::string(vec[i].iov_len, static_cast<char>('x' + i));
    total += vec[i].iov_len;
  }
  EXPECT_GE(total, 10000u);
  EXPECT_EQ(0, evbuffer_commit_space(buf.get(), vec, num));
  EXPECT_EQ(want, Content(buf));
}

TEST(BufferSpace, CommitsPartsOfBothBlocks) {
  Buffer buf = NewBuffer(std::string(10, '.'));
  struct evbuffer_iovec vec[2];
  int num = evbuffer_reserve_space(buf.get(), 10000, vec, 2);
  std::string want(10, '.');
  for (int i = 0; i < num; i++) {
    memset(vec[i].iov_base, '1' + i, 3);
    vec[i].iov_len = 3;
    want += std::string(3, static_cast<char>('1' + i));
  }
  EXPECT_EQ(0, evbuffer_commit_space(buf.get(), vec, num));
  evbuffer_add(buf.get(), "end", 3);
  EXPECT_EQ(want + "end", Content(buf));
}

TEST(BufferSpace, FirstExtentMayStayEmpty) {
  Buffer buf = NewBuffer(std::string(10, '.'));
  struct evbuffer_iovec vec[2];
  int num = evbuffer_reserve_space(buf.get(), 10000, vec, 2);
  if (num == 2) {
    vec[0].iov_len = 0;
    memcpy(vec[1].iov_base, "second", 6);
    vec[1].iov_len = 6;
    EXPECT_EQ(0, evbuffer_commit_space(buf.get(), vec, 2));
    evbuffer_add(buf.get(), "end", 3);
    EXPECT_EQ("..........secondend", Content(buf));
  }
}

TEST(BufferSpace, LendsTheSameRoomAgain) {
  Buffer buf = NewBuffer("abc");
  struct evbuffer_iovec first, second;
  ASSERT_EQ(1, evbuffer_reserve_space(buf.get(), 100, &first, 1));
  ASSERT_EQ(1, evbuffer_reserve_space(buf.get(), 100, &second, 1));
  EXPECT_EQ(first.iov_base, second.iov_base);
  EXPECT_EQ(first.iov_len, second.iov_len);
}

TEST(BufferSpace, RefusesForeignAndStaleExtents) {
  Buffer buf = NewBuffer("abc");
  struct evbuffer_iovec vec;
  ASSERT_EQ(1, evbuffer_reserve_space(buf.get(), 100, &vec, 1));
  struct evbuffer_iovec wrong = vec;
  wrong.iov_base = static_cast<char *>(vec.iov_base) + 1;
  wrong.iov_len = 1;
  EXPECT_EQ(-1, evbuffer_commit_space(buf.get(), &wrong, 1));
  wrong = vec;
  wrong.iov_len++;
  EXPECT_EQ(-1, evbuffer_commit_space(buf.get(), &wrong, 1)) << "more than was lent";
  evbuffer_add(buf.get(), "d", 1);
  vec.iov_len = 1;
  EXPECT_EQ(-1, evbuffer_commit_space(buf.get(), &vec, 1)) << "something was added meanwhile";
  EXPECT_EQ("abcd", Content(buf));
}

TEST(BufferSpace, CommitsNothing) {
  Buffer buf = NewBuffer();
  struct evbuffer_iovec vec;
  EXPECT_EQ(0, evbuffer_commit_space(buf.get(), &vec, 0));
  ASSERT_EQ(1, evbuffer_reserve_space(buf.get(), 100, &vec, 1));
  vec.iov_len = 0;
  EXPECT_EQ(0, evbuffer_commit_space(buf.get(), &vec, 1));
  EXPECT_EQ(0u, evbuffer_get_length(buf.get()));
  EXPECT_EQ(-1, evbuffer_reserve_space(buf.get(), -1, &vec, 1));
  EXPECT_EQ(-1, evbuffer_reserve_space(buf.get(), 1, &vec, 0));
  evbuffer_add(buf.get(), "abc", 3);
  EXPECT_EQ("abc", Content(buf));
}

}  // namespace
