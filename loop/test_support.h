// What the tests of the loop share. Header only and written against the public API alone, so that
// the same source is built against strata and against the installed libevent.
#ifndef LOOP_TEST_SUPPORT_H_
#define LOOP_TEST_SUPPORT_H_

#include "loop/loop_testing.h"

// Bytes between two sockets, either of which may be watched.
class Pair : public SocketPair {
 public:
  void Send(size_t i, const std::string &bytes) {
    EXPECT_EQ(static_cast<ev_ssize_t>(bytes.size()),
              static_cast<ev_ssize_t>(send((*this)[i], bytes.data(), bytes.size(), 0)));
  }
  // Takes what is there, up to 64 KiB.
  std::string Recv(size_t i) {
    std::string bytes(65536, '\0');
    const ev_ssize_t len = recv((*this)[i], &bytes[0], bytes.size(), 0);
    bytes.resize(len > 0 ? static_cast<size_t>(len) : 0);
    return bytes;
  }
  // Writes until the kernel takes no more; returns the number of bytes it took.
  size_t Fill(size_t i) {
    const std::string block(16384, 'x');
    size_t total_len = 0;
    for (;;) {
      const ev_ssize_t len = send((*this)[i], block.data(), block.size(), 0);
      if (len <= 0) return total_len;
      total_len += static_cast<size_t>(len);
    }
  }
};

#endif  // LOOP_TEST_SUPPORT_H_
