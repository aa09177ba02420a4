// Peeking, pointers, searches and lines. Runs on strata and on the installed libevent.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "buffer/buffer_testing.h"

namespace {

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

}  // namespace
