// References to memory and to buffers. Runs on strata and on the installed libevent.
#include <cstring>

#include "buffer/buffer_testing.h"

namespace {

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
