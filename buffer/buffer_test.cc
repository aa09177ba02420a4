// The public API, operation by operation. Runs on strata and on the installed libevent.
#include <event2/buffer.h>
#include <gtest/gtest.h>

// libevent's header does not say so itself.
extern "C" {
#include <event2/buffer_compat.h>
}

#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#ifndef STRATA_ORACLE
#define STRATA_ORACLE 0
#endif

namespace {

bool OnLibevent() {
  return STRATA_ORACLE;
}

struct Free {
  void operator()(struct evbuffer *buf) const { evbuffer_free(buf); }
};
using Buffer = std::unique_ptr<struct evbuffer, Free>;

Buffer NewBuffer(const std::string &content = "") {
  Buffer buf(evbuffer_new());
  if (!content.empty()) evbuffer_add(buf.get(), content.data(), content.size());
  return buf;
}

std::string Content(struct evbuffer *buf) {
  std::string content(evbuffer_get_length(buf), '\0');
  ev_ssize_t len = evbuffer_copyout(buf, &content[0], content.size());
  EXPECT_EQ(static_cast<ev_ssize_t>(content.size()), len);
  return content;
}
std::string Content(const Buffer &buf) {
  return Content(buf.get());
}

// A buffer with the pieces in blocks of their own.
Buffer Pieces(const std::vector<const char *> &pieces) {
  Buffer buf = NewBuffer();
  for (const char *piece : pieces) {
    evbuffer_add_reference(buf.get(), piece, strlen(piece), nullptr, nullptr);
  }
  return buf;
}

std::string Pattern(size_t len) {
  std::string bytes(len, '\0');
  for (size_t i = 0; i < len; i++) bytes[i] = static_cast<char>('a' + i * 7 % 23 + i / 1000 % 3);
  return bytes;
}

TEST(Buffer, IsEmptyWhenNew) {
  Buffer buf = NewBuffer();
  EXPECT_EQ(0u, evbuffer_get_length(buf.get()));
  EXPECT_EQ(0u, evbuffer_get_contiguous_space(buf.get()));
  EXPECT_EQ(nullptr, evbuffer_pullup(buf.get(), -1));
  EXPECT_EQ(0, evbuffer_drain(buf.get(), 10));
  char byte;
  EXPECT_EQ(0, evbuffer_remove(buf.get(), &byte, 1));
  EXPECT_EQ(0, evbuffer_copyout(buf.get(), &byte, 1));
}

TEST(Buffer, GivesBackWhatWasAdded) {
  Buffer buf = NewBuffer("hello ");
  EXPECT_EQ(0, evbuffer_add(buf.get(), "world", 5));
  EXPECT_EQ("hello world", Content(buf));
  char bytes[8];
  EXPECT_EQ(8, evbuffer_remove(buf.get(), bytes, 8));
  EXPECT_EQ("hello wo", std::string(bytes, 8));
  EXPECT_EQ(3, evbuffer_remove(buf.get(), bytes, 8));
  EXPECT_EQ("rld", std::string(bytes, 3));
}

TEST(Buffer, AddsNothing) {
  Buffer buf = NewBuffer();
  EXPECT_EQ(0, evbuffer_add(buf.get(), nullptr, 0));
  EXPECT_EQ(0, evbuffer_prepend(buf.get(), nullptr, 0));
  EXPECT_EQ(0u, evbuffer_get_length(buf.get()));
}

TEST(Buffer, KeepsOrderAcrossManySizes) {
  Buffer buf = NewBuffer();
  std::string want;
  for (size_t len = 1; len < 40000; len = len * 3 / 2 + 1) {
    std::string piece = Pattern(len);
    ASSERT_EQ(0, evbuffer_add(buf.get(), piece.data(), piece.size()));
    want += piece;
  }
  EXPECT_EQ(want, Content(buf));
}

TEST(Buffer, RefusesLengthsThatOverflow) {
  Buffer buf = NewBuffer("abc");
  EXPECT_EQ(-1, evbuffer_expand(buf.get(), SIZE_MAX - 10));
  EXPECT_EQ(-1, evbuffer_prepend(buf.get(), "x", SIZE_MAX - 10));
  EXPECT_EQ(-1, evbuffer_add(buf.get(), "x", SIZE_MAX - 2));
  EXPECT_EQ("abc", Content(buf));
}

TEST(Buffer, DrainsInPieces) {
  std::string bytes = Pattern(30000);
  Buffer buf = NewBuffer(bytes.substr(0, 500));
  evbuffer_add(buf.get(), bytes.data() + 500, bytes.size() - 500);
  size_t done = 0;
  for (size_t len = 1; done + len < bytes.size(); len = len * 2) {
    EXPECT_EQ(0, evbuffer_drain(buf.get(), len));
    done += len;
    EXPECT_EQ(bytes.substr(done), Content(buf));
  }
  EXPECT_EQ(0, evbuffer_drain(buf.get(), SIZE_MAX));
  EXPECT_EQ(0u, evbuffer_get_length(buf.get()));
}

TEST(Buffer, ExpandMakesRoomWithoutChangingContent) {
  Buffer buf = NewBuffer("abc");
  EXPECT_EQ(0, evbuffer_expand(buf.get(), 100000));
  EXPECT_EQ("abc", Content(buf));
  struct evbuffer_iovec vec;
  EXPECT_EQ(1, evbuffer_reserve_space(buf.get(), 100000, &vec, 1));
  EXPECT_GE(vec.iov_len, 100000u);
}

TEST(Buffer, PrependsBeforeContent) {
  Buffer buf = NewBuffer("tail");
  EXPECT_EQ(0, evbuffer_prepend(buf.get(), "head ", 5));
  EXPECT_EQ("head tail", Content(buf));
  std::string large = Pattern(9000);
  EXPECT_EQ(0, evbuffer_prepend(buf.get(), large.data(), large.size()));
  EXPECT_EQ(large + "head tail", Content(buf));
  EXPECT_EQ(0, evbuffer_add(buf.get(), "!", 1));
  EXPECT_EQ(large + "head tail!", Content(buf));
}

TEST(Buffer, PrependsToEmptyAndDrained) {
  Buffer buf = NewBuffer();
  EXPECT_EQ(0, evbuffer_prepend(buf.get(), "abc", 3));
  EXPECT_EQ("abc", Content(buf));
  evbuffer_drain(buf.get(), 3);
  EXPECT_EQ(0, evbuffer_prepend(buf.get(), "def", 3));
  evbuffer_drain(buf.get(), 2);
  EXPECT_EQ(0, evbuffer_prepend(buf.get(), "xyz", 3));
  EXPECT_EQ("xyzf", Content(buf));
}

TEST(Buffer, PrependLeavesReferencedMemoryAlone) {
  char memory[] = "0123456789";
  Buffer buf = NewBuffer();
  evbuffer_add_reference(buf.get(), memory, 10, nullptr, nullptr);
  evbuffer_drain(buf.get(), 5);
  evbuffer_prepend(buf.get(), "abc", 3);
  EXPECT_EQ("abc56789", Content(buf));
  EXPECT_STREQ("0123456789", memory);
}

TEST(Buffer, PullupGathers) {
  Buffer buf = Pieces({"abc", "def", "ghi"});
  EXPECT_EQ(nullptr, evbuffer_pullup(buf.get(), 10));
  EXPECT_EQ(nullptr, evbuffer_pullup(buf.get(), 0));
  unsigned char *bytes = evbuffer_pullup(buf.get(), 2);
  ASSERT_NE(nullptr, bytes);
  EXPECT_EQ(0, memcmp(bytes, "ab", 2));
  bytes = evbuffer_pullup(buf.get(), 5);
  EXPECT_EQ(0, memcmp(bytes, "abcde", 5));
  EXPECT_GE(evbuffer_get_contiguous_space(buf.get()), 5u);
  bytes = evbuffer_pullup(buf.get(), -1);
  EXPECT_EQ(0, memcmp(bytes, "abcdefghi", 9));
  EXPECT_EQ("abcdefghi", Content(buf));
  evbuffer_add(buf.get(), "jkl", 3);
  EXPECT_EQ("abcdefghijkl", Content(buf));
}

TEST(Buffer, PullupGathersLargeContent) {
  std::string bytes = Pattern(100000);
  Buffer buf = NewBuffer();
  for (size_t i = 0; i < bytes.size(); i += 1000) evbuffer_add(buf.get(), &bytes[i], 1000);
  for (ev_ssize_t len : {1500, 5000, 40000, 99999, 100000}) {
    unsigned char *front = evbuffer_pullup(buf.get(), len);
    ASSERT_NE(nullptr, front);
    EXPECT_EQ(0, memcmp(front, bytes.data(), static_cast<size_t>(len)));
    EXPECT_EQ(bytes, Content(buf));
  }
}

TEST(Buffer, MovesAllToAnother) {
  Buffer from = NewBuffer("world"), to = NewBuffer("hello ");
  EXPECT_EQ(0, evbuffer_add_buffer(to.get(), from.get()));
  EXPECT_EQ("hello world", Content(to));
  EXPECT_EQ(0u, evbuffer_get_length(from.get()));
  EXPECT_EQ(0, evbuffer_add_buffer(to.get(), from.get()));
  EXPECT_EQ(0, evbuffer_add_buffer(to.get(), to.get()));
  EXPECT_EQ("hello world", Content(to));
  evbuffer_add(from.get(), "again", 5);
  EXPECT_EQ(0, evbuffer_prepend_buffer(to.get(), from.get()));
  EXPECT_EQ("againhello world", Content(to));
  EXPECT_EQ(0, evbuffer_prepend_buffer(from.get(), to.get()));
  EXPECT_EQ("againhello world", Content(from));
  EXPECT_EQ(0u, evbuffer_get_length(to.get()));
  evbuffer_add(to.get(), "x", 1);
  evbuffer_add(from.get(), "y", 1);
  EXPECT_EQ("againhello worldy", Content(from));
}

TEST(Buffer, MovesLargeContentAndGoesOn) {
  std::string bytes = Pattern(50000);
  Buffer from = NewBuffer(bytes), to = NewBuffer("first");
  evbuffer_expand(to.get(), 20000);
  EXPECT_EQ(0, evbuffer_add_buffer(to.get(), from.get()));
  evbuffer_add(to.get(), "last", 4);
  EXPECT_EQ("first" + bytes + "last", Content(to));
}

TEST(Buffer, RemovesIntoAnother) {
  std::string bytes = Pattern(20000);
  Buffer from = NewBuffer(), to = NewBuffer("x");
  for (size_t i = 0; i < bytes.size(); i += 500) evbuffer_add(from.get(), &bytes[i], 500);
  std::string want = "x";
  size_t done = 0;
  for (size_t len : {0, 1, 10, 499, 500, 501, 6000, 1}) {
    EXPECT_EQ(static_cast<int>(len), evbuffer_remove_buffer(from.get(), to.get(), len));
    want += bytes.substr(done, len);
    done += len;
    EXPECT_EQ(want, Content(to));
    EXPECT_EQ(bytes.substr(done), Content(from));
  }
  EXPECT_EQ(static_cast<int>(bytes.size() - done),
            evbuffer_remove_buffer(from.get(), to.get(), 1000000));
  EXPECT_EQ("x" + bytes, Content(to));
  EXPECT_EQ(0, evbuffer_remove_buffer(from.get(), to.get(), 1));
  EXPECT_EQ(0, evbuffer_remove_buffer(to.get(), to.get(), 1));
}

TEST(Buffer, AddsExtents) {
  Buffer buf = NewBuffer("<");
  char a[] = "one", b[] = "", c[] = "three";
  struct evbuffer_iovec vec[3] = {{a, 3}, {b, 0}, {c, 5}};
  EXPECT_EQ(8u, evbuffer_add_iovec(buf.get(), vec, 3));
  EXPECT_EQ("<onethree", Content(buf));
  EXPECT_EQ(0u, evbuffer_add_iovec(buf.get(), vec, 0));
}

// ---- Printf ----

TEST(BufferPrintf, FormatsShortAndLong) {
  Buffer buf = NewBuffer();
  EXPECT_EQ(5, evbuffer_add_printf(buf.get(), "%s-%d", "ab", 12));
  std::string large = Pattern(70000);
  EXPECT_EQ(70002, evbuffer_add_printf(buf.get(), "[%s]", large.c_str()));
  EXPECT_EQ(0, evbuffer_add_printf(buf.get(), "%s", ""));
  EXPECT_EQ("ab-12[" + large + "]", Content(buf));
}

TEST(BufferPrintf, FillsBlocksExactly) {
  Buffer buf = NewBuffer();
  std::string want;
  for (int i = 0; i < 3000; i++) {
    std::string piece = Pattern(static_cast<size_t>(i % 97));
    ASSERT_EQ(i % 97, evbuffer_add_printf(buf.get(), "%s", piece.c_str()));
    want += piece;
  }
  EXPECT_EQ(want, Content(buf));
}

// What snprintf(3) makes of the same arguments, at the end of a block and in the middle of one.
#define EXPECT_LIKE_SNPRINTF(...)                                                           \
  do {                                                                                      \
    char want[300];                                                                         \
    int len = snprintf(want, sizeof(want), __VA_ARGS__);                                    \
    for (size_t before_len : {0, 10, 900, 970}) {                                           \
      Buffer buf = NewBuffer(std::string(before_len, '.'));                                 \
      EXPECT_EQ(len, evbuffer_add_printf(buf.get(), __VA_ARGS__));                          \
      EXPECT_EQ(std::string(before_len, '.') + std::string(want, static_cast<size_t>(len)), \
                Content(buf));                                                              \
    }                                                                                       \
  } while (0)

TEST(BufferPrintf, FormatsNumbers) {
  for (int value : {0, 1, -1, 9, 10, -10, 12345, INT_MAX, INT_MIN}) {
    EXPECT_LIKE_SNPRINTF("%d|%i|%u|%x", value, value, static_cast<unsigned>(value),
                         static_cast<unsigned>(value));
  }
  for (long value : {0L, -1L, 4294967296L, LONG_MAX, LONG_MIN}) {
    EXPECT_LIKE_SNPRINTF("%ld %li %lu %lx", value, value, static_cast<unsigned long>(value),
                         static_cast<unsigned long>(value));
  }
  for (long long value : {0LL, -1LL, 4294967296LL, LLONG_MAX, LLONG_MIN}) {
    EXPECT_LIKE_SNPRINTF("%lld %lli %llu %llx", value, value,
                         static_cast<unsigned long long>(value),
                         static_cast<unsigned long long>(value));
  }
  for (size_t value : {static_cast<size_t>(0), static_cast<size_t>(77), SIZE_MAX}) {
    EXPECT_LIKE_SNPRINTF("%zu %zx %zd", value, value, static_cast<ev_ssize_t>(value));
  }
}

TEST(BufferPrintf, FormatsText) {
  EXPECT_LIKE_SNPRINTF("plain");
  EXPECT_LIKE_SNPRINTF("100%% %s%c%s.", "of", ' ', "it");
  EXPECT_LIKE_SNPRINTF("%c%c", 'a', '\0');
  EXPECT_LIKE_SNPRINTF("%s: %d\r\n", "Content-Length", 5);
  std::string long_string(200, 'l');
  EXPECT_LIKE_SNPRINTF("<%s>", long_string.c_str());
}

TEST(BufferPrintf, FormatsWhatIsRare) {
  EXPECT_LIKE_SNPRINTF("%s %.2f|%5d|%-5d|%05d|%+d", "x", 2.5, 1, 2, 3, 4);
  EXPECT_LIKE_SNPRINTF("%d %.*s %*d", 7, 2, "abc", 4, 9);
  EXPECT_LIKE_SNPRINTF("%s %hd %hhu %X %#x %o", "y", static_cast<short>(-3),
                       static_cast<unsigned char>(200), 255u, 255u, 8u);
}

// ---- Reserve and commit ----

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

// ---- Peek and pointers ----

TEST(BufferPeek, ShowsBlocks) {
  Buffer buf = Pieces({"abc", "defg", "hi"});
  struct evbuffer_iovec vec[4];
  EXPECT_EQ(3, evbuffer_peek(buf.get(), -1, nullptr, nullptr, 0));
  EXPECT_EQ(3, evbuffer_peek(buf.get(), -1, nullptr, vec, 4));
  EXPECT_EQ("defg", std::string(static_cast<char *>(vec[1].iov_base), vec[1].iov_len));
  EXPECT_EQ(2, evbuffer_peek(buf.get(), 4, nullptr, vec, 4));
  EXPECT_EQ(3, evbuffer_peek(buf.get(), 8, nullptr, vec, 1)) << "more are needed";
  EXPECT_EQ(2, evbuffer_peek(buf.get(), -1, nullptr, vec, 2));
  EXPECT_EQ(3, evbuffer_peek(buf.get(), 100, nullptr, vec, 4)) << "there is no more";
  struct evbuffer_ptr at;
  ASSERT_EQ(0, evbuffer_ptr_set(buf.get(), &at, 4, EVBUFFER_PTR_SET));
  EXPECT_EQ(2, evbuffer_peek(buf.get(), -1, &at, vec, 4));
  EXPECT_EQ("efg", std::string(static_cast<char *>(vec[0].iov_base), vec[0].iov_len));
  EXPECT_EQ(1, evbuffer_peek(buf.get(), 3, &at, vec, 4));
  ASSERT_EQ(0, evbuffer_ptr_set(buf.get(), &at, 9, EVBUFFER_PTR_SET));
  EXPECT_EQ(0, evbuffer_peek(buf.get(), -1, &at, vec, 4));
}

TEST(BufferPointer, MovesForward) {
  Buffer buf = Pieces({"abc", "defg", "hi"});
  struct evbuffer_ptr at;
  for (size_t i = 0; i <= 9; i++) {
    ASSERT_EQ(0, evbuffer_ptr_set(buf.get(), &at, i, EVBUFFER_PTR_SET));
    EXPECT_EQ(static_cast<ev_ssize_t>(i), at.pos);
    std::string rest(9 - i, '\0');
    EXPECT_EQ(static_cast<ev_ssize_t>(9 - i),
              evbuffer_copyout_from(buf.get(), &at, &rest[0], rest.size()));
    EXPECT_EQ(std::string("abcdefghi").substr(i), rest);
    for (size_t step = 0; i + step <= 9; step++) {
      struct evbuffer_ptr next = at;
      ASSERT_EQ(0, evbuffer_ptr_set(buf.get(), &next, step, EVBUFFER_PTR_ADD));
      EXPECT_EQ(static_cast<ev_ssize_t>(i + step), next.pos);
    }
    struct evbuffer_ptr beyond = at;
    EXPECT_EQ(-1, evbuffer_ptr_set(buf.get(), &beyond, 10 - i, EVBUFFER_PTR_ADD));
    EXPECT_EQ(-1, beyond.pos);
  }
  EXPECT_EQ(-1, evbuffer_ptr_set(buf.get(), &at, 10, EVBUFFER_PTR_SET));
  EXPECT_EQ(-1, at.pos);
  ASSERT_EQ(0, evbuffer_ptr_set(buf.get(), &at, 3, EVBUFFER_PTR_SET));
  EXPECT_EQ(-1, evbuffer_ptr_set(buf.get(), &at, SIZE_MAX - 1, EVBUFFER_PTR_ADD));
}

TEST(BufferPointer, WorksInEmptyBuffer) {
  Buffer buf = NewBuffer();
  struct evbuffer_ptr at;
  EXPECT_EQ(0, evbuffer_ptr_set(buf.get(), &at, 0, EVBUFFER_PTR_SET));
  EXPECT_EQ(0, at.pos);
  EXPECT_EQ(-1, evbuffer_ptr_set(buf.get(), &at, 1, EVBUFFER_PTR_SET));
  EXPECT_EQ(0, evbuffer_peek(buf.get(), -1, nullptr, nullptr, 0));
}

// ---- Search ----

TEST(BufferSearch, FindsAcrossBlocks) {
  Buffer buf = Pieces({"ab", "ca", "bcd", "x"});
  EXPECT_EQ(0, evbuffer_search(buf.get(), "abc", 3, nullptr).pos);
  EXPECT_EQ(3, evbuffer_search(buf.get(), "abcd", 4, nullptr).pos);
  EXPECT_EQ(6, evbuffer_search(buf.get(), "dx", 2, nullptr).pos);
  EXPECT_EQ(-1, evbuffer_search(buf.get(), "xy", 2, nullptr).pos);
  EXPECT_EQ(-1, evbuffer_search(buf.get(), "y", 1, nullptr).pos);
  EXPECT_EQ(0, evbuffer_search(buf.get(), "", 0, nullptr).pos);
  struct evbuffer_ptr start;
  evbuffer_ptr_set(buf.get(), &start, 1, EVBUFFER_PTR_SET);
  struct evbuffer_ptr found = evbuffer_search(buf.get(), "abc", 3, &start);
  EXPECT_EQ(3, found.pos);
  char bytes[3];
  EXPECT_EQ(3, evbuffer_copyout_from(buf.get(), &found, bytes, 3));
  EXPECT_EQ("abc", std::string(bytes, 3));
}

// Few different bytes, so that much matches in part.
TEST(BufferSearch, FindsWhatAStringFinds) {
  unsigned random = 1;
  auto choose = [&random](unsigned limit) {
    random = random * 1103515245u + 12345u;
    return static_cast<size_t>((random >> 16) % limit);
  };
  for (int round = 0; round < 300; round++) {
    Buffer buf = NewBuffer();
    std::string bytes;
    for (size_t num = 1 + choose(4); num > 0; num--) {
      Buffer piece = NewBuffer();
      std::string text(choose(round % 3 ? 300 : 3000), 'b');
      for (char &c : text) c = choose(round % 5 + 1) ? 'b' : static_cast<char>('a' + choose(3));
      evbuffer_add(piece.get(), text.data(), text.size());
      evbuffer_add_buffer(buf.get(), piece.get());
      bytes += text;
    }
    std::string what =
        bytes.substr(choose(static_cast<unsigned>(bytes.size()) + 1), 1 + choose(12));
    if (choose(2)) what.push_back(static_cast<char>('a' + choose(4)));
    size_t from = choose(static_cast<unsigned>(bytes.size()) + 1);
    struct evbuffer_ptr start;
    evbuffer_ptr_set(buf.get(), &start, from, EVBUFFER_PTR_SET);
    if (what.empty() || from == bytes.size()) continue;
    EXPECT_EQ(static_cast<ev_ssize_t>(bytes.find(what, from)),
              evbuffer_search(buf.get(), what.data(), what.size(), &start).pos);
  }
}

TEST(BufferSearch, StopsAtTheEndOfTheRange) {
  Buffer buf = Pieces({"ab", "ca", "bcd"});
  struct evbuffer_ptr end;
  for (size_t i = 0; i <= 7; i++) {
    evbuffer_ptr_set(buf.get(), &end, i, EVBUFFER_PTR_SET);
    EXPECT_EQ(i >= 3 ? 0 : -1, evbuffer_search_range(buf.get(), "abc", 3, nullptr, &end).pos) << i;
    EXPECT_EQ(i >= 7 ? 6 : -1, evbuffer_search_range(buf.get(), "d", 1, nullptr, &end).pos) << i;
  }
}

TEST(BufferSearch, FindReturnsContiguousMatch) {
  Buffer buf = Pieces({"ab", "ca", "bcd"});
  unsigned char *found =
      evbuffer_find(buf.get(), reinterpret_cast<const unsigned char *>("abcd"), 4);
  ASSERT_NE(nullptr, found);
  EXPECT_EQ(0, memcmp(found, "abcd", 4));
  EXPECT_EQ(nullptr, evbuffer_find(buf.get(), reinterpret_cast<const unsigned char *>("zz"), 2));
}

// ---- Lines ----

struct EolCase {
  enum evbuffer_eol_style style;
  std::vector<const char *> pieces;
  ev_ssize_t pos;
  size_t eol_len;
};

TEST(BufferEol, FindsEndings) {
  const EolCase cases[] = {
      {EVBUFFER_EOL_ANY, {"abc\r\n"}, 3, 2},
      {EVBUFFER_EOL_ANY, {"abc\n\r\n\rx"}, 3, 4},
      {EVBUFFER_EOL_ANY, {"abc\r", "\n", "\nx"}, 3, 3},
      {EVBUFFER_EOL_ANY, {"\n"}, 0, 1},
      {EVBUFFER_EOL_ANY, {"abc"}, -1, 0},
      {EVBUFFER_EOL_CRLF, {"abc\r\n"}, 3, 2},
      {EVBUFFER_EOL_CRLF, {"abc\n"}, 3, 1},
      {EVBUFFER_EOL_CRLF, {"abc\r", "\n"}, 3, 2},
      {EVBUFFER_EOL_CRLF, {"abc", "\r", "\n"}, 3, 2},
      {EVBUFFER_EOL_CRLF, {"abc\r"}, -1, 0},
      {EVBUFFER_EOL_CRLF, {"a\rb\n"}, 3, 1},
      {EVBUFFER_EOL_CRLF, {"\n"}, 0, 1},
      {EVBUFFER_EOL_CRLF, {"\r\n"}, 0, 2},
      {EVBUFFER_EOL_CRLF, {"abc", "\n"}, 3, 1},
      {EVBUFFER_EOL_CRLF_STRICT, {"abc\r\n"}, 3, 2},
      {EVBUFFER_EOL_CRLF_STRICT, {"a\nb\r", "\r\n"}, 4, 2},
      {EVBUFFER_EOL_CRLF_STRICT, {"abc", "\r", "\n"}, 3, 2},
      {EVBUFFER_EOL_CRLF_STRICT, {"abc\n"}, -1, 0},
      {EVBUFFER_EOL_CRLF_STRICT, {"abc\r"}, -1, 0},
      {EVBUFFER_EOL_LF, {"ab\r", "\n"}, 3, 1},
      {EVBUFFER_EOL_LF, {"ab\r"}, -1, 0},
  };
  for (const EolCase &c : cases) {
    Buffer buf = Pieces(c.pieces);
    size_t eol_len = 99;
    struct evbuffer_ptr found = evbuffer_search_eol(buf.get(), nullptr, &eol_len, c.style);
    EXPECT_EQ(c.pos, found.pos) << c.style << c.pieces[0];
    if (c.pos >= 0) {
      EXPECT_EQ(c.eol_len, eol_len) << c.style << c.pieces[0];
    }
  }
}

TEST(BufferEol, FindsNul) {
  Buffer buf = NewBuffer(std::string("ab\0c", 4));
  size_t eol_len;
  EXPECT_EQ(2, evbuffer_search_eol(buf.get(), nullptr, &eol_len, EVBUFFER_EOL_NUL).pos);
  EXPECT_EQ(1u, eol_len);
}

TEST(BufferEol, StartsWhereTold) {
  Buffer buf = Pieces({"a\r\n", "b\r", "\nc"});
  struct evbuffer_ptr start;
  evbuffer_ptr_set(buf.get(), &start, 2, EVBUFFER_PTR_SET);
  size_t eol_len;
  EXPECT_EQ(2, evbuffer_search_eol(buf.get(), &start, &eol_len, EVBUFFER_EOL_CRLF).pos);
  EXPECT_EQ(1u, eol_len) << "the CR is before the start";
  evbuffer_ptr_set(buf.get(), &start, 3, EVBUFFER_PTR_SET);
  EXPECT_EQ(4, evbuffer_search_eol(buf.get(), &start, &eol_len, EVBUFFER_EOL_CRLF).pos);
  EXPECT_EQ(2u, eol_len);
  evbuffer_ptr_set(buf.get(), &start, 7, EVBUFFER_PTR_SET);
  EXPECT_EQ(-1, evbuffer_search_eol(buf.get(), &start, &eol_len, EVBUFFER_EOL_CRLF).pos);
}

TEST(BufferEol, ReadsLines) {
  Buffer buf = Pieces({"one\r", "\ntwo\n", "\r\nrest"});
  const char *want[] = {"one", "two", ""};
  for (const char *line : want) {
    size_t len = 99;
    char *got = evbuffer_readln(buf.get(), &len, EVBUFFER_EOL_CRLF);
    ASSERT_NE(nullptr, got);
    EXPECT_STREQ(line, got);
    EXPECT_EQ(strlen(line), len);
    free(got);
  }
  size_t len = 99;
  EXPECT_EQ(nullptr, evbuffer_readln(buf.get(), &len, EVBUFFER_EOL_CRLF));
  EXPECT_EQ(0u, len);
  EXPECT_EQ("rest", Content(buf));
  evbuffer_add(buf.get(), "\n\r\n", 3);
  char *got = evbuffer_readline(buf.get());
  EXPECT_STREQ("rest", got);
  free(got);
  EXPECT_EQ(0u, evbuffer_get_length(buf.get()));
}

TEST(BufferEol, FindsFarAwayEnding) {
  std::string line(100000, 'x');
  for (size_t pos : {0, 1, 255, 256, 257, 4000, 99998}) {
    for (const char *eol : {"\n", "\r\n"}) {
      std::string bytes = line;
      bytes.replace(pos, strlen(eol), eol);
      Buffer buf = NewBuffer(bytes);
      size_t eol_len;
      EXPECT_EQ(static_cast<ev_ssize_t>(pos),
                evbuffer_search_eol(buf.get(), nullptr, &eol_len, EVBUFFER_EOL_ANY).pos);
      EXPECT_EQ(strlen(eol), eol_len);
    }
  }
}

// ---- Freezing ----

TEST(BufferFreeze, FrontStopsTaking) {
  Buffer buf = NewBuffer("abc"), other = NewBuffer("x");
  char byte;
  EXPECT_EQ(0, evbuffer_freeze(buf.get(), 1));
  EXPECT_EQ(-1, evbuffer_drain(buf.get(), 1));
  EXPECT_EQ(-1, evbuffer_remove(buf.get(), &byte, 1));
  EXPECT_EQ(-1, evbuffer_copyout(buf.get(), &byte, 1));
  EXPECT_EQ(-1, evbuffer_prepend(buf.get(), "x", 1));
  EXPECT_EQ(-1, evbuffer_prepend_buffer(buf.get(), other.get()));
  EXPECT_EQ(-1, evbuffer_add_buffer(other.get(), buf.get()));
  EXPECT_EQ(-1, evbuffer_remove_buffer(buf.get(), other.get(), 1));
  EXPECT_EQ(-1, evbuffer_write(buf.get(), -1));
  EXPECT_EQ(nullptr, evbuffer_readln(buf.get(), nullptr, EVBUFFER_EOL_LF));
  EXPECT_EQ(0, evbuffer_add(buf.get(), "d", 1)) << "the back is not frozen";
  EXPECT_EQ(0, evbuffer_unfreeze(buf.get(), 1));
  EXPECT_EQ("abcd", Content(buf));
  EXPECT_EQ("x", Content(other));
}

TEST(BufferFreeze, BackStopsAdding) {
  Buffer buf = NewBuffer("abc"), other = NewBuffer("x");
  struct evbuffer_iovec vec = {const_cast<char *>("y"), 1};
  EXPECT_EQ(0, evbuffer_freeze(buf.get(), 0));
  EXPECT_EQ(-1, evbuffer_add(buf.get(), "x", 1));
  EXPECT_EQ(-1, evbuffer_add_printf(buf.get(), "x"));
  EXPECT_EQ(-1, evbuffer_add_reference(buf.get(), "x", 1, nullptr, nullptr));
  EXPECT_EQ(-1, evbuffer_add_buffer(buf.get(), other.get()));
  EXPECT_EQ(-1, evbuffer_remove_buffer(other.get(), buf.get(), 1));
  EXPECT_EQ(-1, evbuffer_add_buffer_reference(buf.get(), other.get()));
  EXPECT_EQ(0u, evbuffer_add_iovec(buf.get(), &vec, 1));
  EXPECT_EQ(-1, evbuffer_reserve_space(buf.get(), 1, &vec, 1));
  EXPECT_EQ(-1, evbuffer_read(buf.get(), -1, 1));
  EXPECT_EQ(0, evbuffer_prepend(buf.get(), "-", 1)) << "the front is not frozen";
  EXPECT_EQ(0, evbuffer_unfreeze(buf.get(), 0));
  EXPECT_EQ("-abc", Content(buf));
}

// ---- References ----

struct Cleanups {
  int num = 0;
  const void *data = nullptr;
  size_t len = 0;
};

void NoteCleanup(const void *data, size_t len, void *arg) {
  auto *cleanups = static_cast<Cleanups *>(arg);
  cleanups->num++;
  cleanups->data = data;
  cleanups->len = len;
}

TEST(BufferReference, CleansUpWhenDrained) {
  static const char memory[] = "0123456789";
  Cleanups cleanups;
  Buffer buf = NewBuffer("<");
  EXPECT_EQ(0, evbuffer_add_reference(buf.get(), memory, 10, NoteCleanup, &cleanups));
  evbuffer_add(buf.get(), ">", 1);
  EXPECT_EQ("<0123456789>", Content(buf));
  evbuffer_drain(buf.get(), 10);
  EXPECT_EQ(0, cleanups.num);
  evbuffer_drain(buf.get(), 1);
  EXPECT_EQ(1, cleanups.num);
  EXPECT_EQ(memory, cleanups.data);
  EXPECT_EQ(10u, cleanups.len);
  EXPECT_EQ(">", Content(buf));
}

TEST(BufferReference, CleansUpWhenFreedMovedOrGathered) {
  Cleanups cleanups;
  {
    Buffer buf = NewBuffer();
    evbuffer_add_reference(buf.get(), "ab", 2, NoteCleanup, &cleanups);
    evbuffer_add_reference(buf.get(), "cd", 2, NoteCleanup, &cleanups);
    Buffer other = NewBuffer("x");
    evbuffer_add_buffer(other.get(), buf.get());
    EXPECT_EQ(0, cleanups.num);
    EXPECT_EQ(0, memcmp(evbuffer_pullup(other.get(), 4), "xabc", 4));
    EXPECT_EQ(1, cleanups.num);
  }
  EXPECT_EQ(2, cleanups.num);
}

TEST(BufferReference, IsNotCleanedUpOnFailure) {
  Cleanups cleanups;
  Buffer buf = NewBuffer();
  evbuffer_freeze(buf.get(), 0);
  EXPECT_EQ(-1, evbuffer_add_reference(buf.get(), "ab", 2, NoteCleanup, &cleanups));
  EXPECT_EQ(0, cleanups.num);
}

// What an emptied buffer may have kept of the reference is of no use to the other operations.
TEST(BufferReference, LeavesAnEmptyBuffer) {
  Buffer buf = NewBuffer(), other = NewBuffer();
  struct evbuffer_iovec vec[2];
  for (int i = 0; i < 9; i++) {
    EXPECT_EQ(0, evbuffer_add_reference(buf.get(), "0123456789", 10, nullptr, nullptr));
    EXPECT_EQ("0123456789", Content(buf));
    evbuffer_drain(buf.get(), 4);
    EXPECT_EQ("456789", Content(buf));
    evbuffer_drain(buf.get(), 6);
    EXPECT_EQ(0, evbuffer_peek(buf.get(), -1, nullptr, vec, 2));
    if (i == 1) evbuffer_add(buf.get(), "x", 1);
    if (i == 2) evbuffer_prepend(buf.get(), "x", 1);
    if (i == 3) evbuffer_add_printf(buf.get(), "x");
    if (i == 4) evbuffer_expand(buf.get(), 100);
    if (i == 5) evbuffer_add_buffer(buf.get(), NewBuffer("x").get());
    if (i == 6) {
      ASSERT_LT(0, evbuffer_reserve_space(buf.get(), 1, vec, 2));
      memcpy(vec[0].iov_base, "x", 1);
      vec[0].iov_len = 1;
      EXPECT_EQ(0, evbuffer_commit_space(buf.get(), vec, 1));
    }
    if (i == 7) {
      evbuffer_add_reference(other.get(), "x", 1, nullptr, nullptr);
      evbuffer_add_buffer(buf.get(), other.get());
    }
    EXPECT_EQ(i >= 1 && i != 4 && i != 8 ? "x" : "", Content(buf));
    evbuffer_drain(buf.get(), 1);
  }
}

TEST(BufferReference, CleansUpEmptyReference) {
  Cleanups cleanups;
  {
    Buffer buf = NewBuffer();
    EXPECT_EQ(0, evbuffer_add_reference(buf.get(), "", 0, NoteCleanup, &cleanups));
    EXPECT_EQ(0u, evbuffer_get_length(buf.get()));
  }
  EXPECT_EQ(1, cleanups.num);
}

void DrainInCleanup(const void *, size_t, void *arg) {
  evbuffer_add(static_cast<struct evbuffer *>(arg), "!", 1);
}

TEST(BufferReference, CleanupMayUseTheBuffer) {
  if (OnLibevent()) GTEST_SKIP() << "libevent calls it while the buffer is being changed";
  Buffer buf = NewBuffer();
  evbuffer_add_reference(buf.get(), "ab", 2, DrainInCleanup, buf.get());
  evbuffer_add(buf.get(), "cd", 2);
  evbuffer_drain(buf.get(), 3);
  EXPECT_EQ("d!", Content(buf));
}

#if !STRATA_ORACLE
TEST(BufferReference, StartsAtAnOffset) {  // since libevent 2.2
  static const char memory[] = "0123456789";
  Cleanups cleanups;
  Buffer buf = NewBuffer();
  EXPECT_EQ(0, evbuffer_add_reference_with_offset(buf.get(), memory, 4, 5, NoteCleanup, &cleanups));
  EXPECT_EQ("45678", Content(buf));
  evbuffer_drain(buf.get(), 5);
  EXPECT_EQ(memory, cleanups.data);
  EXPECT_EQ(9u, cleanups.len);
}
#endif

TEST(BufferReference, OfABuffer) {
  Cleanups cleanups;
  Buffer from = NewBuffer("abc");
  evbuffer_add_reference(from.get(), "def", 3, NoteCleanup, &cleanups);
  Buffer to = NewBuffer("<"), third = NewBuffer();
  EXPECT_EQ(0, evbuffer_add_buffer_reference(to.get(), from.get()));
  EXPECT_EQ("<abcdef", Content(to));
  EXPECT_EQ("abcdef", Content(from));
  EXPECT_EQ(-1, evbuffer_add_buffer_reference(third.get(), to.get())) << "references of references";
  EXPECT_EQ(-1, evbuffer_add_buffer_reference(to.get(), to.get()));
  evbuffer_add(from.get(), "ghi", 3);
  evbuffer_drain(from.get(), 1);
  evbuffer_prepend(from.get(), "XY", 2);
  EXPECT_EQ("XYbcdefghi", Content(from));
  EXPECT_EQ("<abcdef", Content(to));
  from.reset();
  EXPECT_EQ(0, cleanups.num);
  EXPECT_EQ("<abcdef", Content(to));
  evbuffer_pullup(to.get(), -1);
  EXPECT_EQ("<abcdef", Content(to));
  to.reset();
  EXPECT_EQ(1, cleanups.num);
}

TEST(BufferReference, OfABufferOutlivesNothing) {
  Buffer from = NewBuffer("abc"), to = NewBuffer();
  EXPECT_EQ(0, evbuffer_add_buffer_reference(to.get(), from.get()));
  to.reset();
  evbuffer_add(from.get(), "def", 3);
  EXPECT_EQ("abcdef", Content(from));
  Buffer empty = NewBuffer();
  EXPECT_EQ(0, evbuffer_add_buffer_reference(from.get(), empty.get()));
}

}  // namespace
