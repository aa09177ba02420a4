// What the tests of buffers share. Header only and written against the public API alone, so that
// the same source is built against strata and against the installed libevent.
#ifndef BUFFER_BUFFER_TESTING_H_
#define BUFFER_BUFFER_TESTING_H_

#include <event2/buffer.h>
#include <gtest/gtest.h>

// libevent's header does not say so itself.
extern "C" {
#include <event2/buffer_compat.h>
}

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#ifndef STRATA_ORACLE
#define STRATA_ORACLE 0
#endif

// Asked by a test that strata passes in a way of its own, which says why.
inline bool OnLibevent() {
  return STRATA_ORACLE;
}

// Why the last read or write of a descriptor failed, as a number of errno.
inline int LastError() {
#ifdef _WIN32
  return posix_names::PosixError(WSAGetLastError());
#else
  return errno;
#endif
}

struct Free {
  void operator()(struct evbuffer *buf) const { evbuffer_free(buf); }
};
using Buffer = std::unique_ptr<struct evbuffer, Free>;

inline Buffer NewBuffer(const std::string &content = "") {
  Buffer buf(evbuffer_new());
  if (!content.empty()) evbuffer_add(buf.get(), content.data(), content.size());
  return buf;
}

inline std::string Content(struct evbuffer *buf) {
  std::string content(evbuffer_get_length(buf), '\0');
  ev_ssize_t len = evbuffer_copyout(buf, &content[0], content.size());
  EXPECT_EQ(static_cast<ev_ssize_t>(content.size()), len);
  return content;
}
inline std::string Content(const Buffer &buf) {
  return Content(buf.get());
}

// A buffer with the pieces in blocks of their own.
inline Buffer Pieces(const std::vector<const char *> &pieces) {
  Buffer buf = NewBuffer();
  for (const char *piece : pieces) {
    evbuffer_add_reference(buf.get(), piece, strlen(piece), nullptr, nullptr);
  }
  return buf;
}

inline std::string Pattern(size_t len) {
  std::string bytes(len, '\0');
  for (size_t i = 0; i < len; i++) bytes[i] = static_cast<char>('a' + i * 7 % 23 + i / 1000 % 3);
  return bytes;
}

#endif
