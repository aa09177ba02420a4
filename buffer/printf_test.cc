// evbuffer_add_printf. Runs on strata and on the installed libevent.
#include <climits>
#include <cstdint>
#include <cstdio>

#include "buffer/buffer_testing.h"

namespace {

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
  for (long value : {0L, -1L, 65536L, LONG_MAX, LONG_MIN}) {
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

}  // namespace
