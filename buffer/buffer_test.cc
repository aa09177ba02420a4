// The public API, operation by operation. Runs on strata and on the installed libevent.
#include <cstdint>
#include <cstring>

#include "buffer/buffer_testing.h"

namespace {

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

}  // namespace
