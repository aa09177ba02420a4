#ifndef STRATA_BUFFER_TAG_TESTING_H_
#define STRATA_BUFFER_TAG_TESTING_H_

#include <event2/buffer.h>

#include <algorithm>
#include <string>

namespace tag_testing {

// A buffer that holds bytes, in blocks of block_len, or in one when that is 0.
class Buffer {
 public:
  explicit Buffer(const std::string &bytes = "", size_t block_len = 0) : bytes_(bytes) {
    if (block_len == 0) block_len = bytes_.size();
    for (size_t at = 0; at < bytes_.size(); at += block_len) {
      size_t len = std::min(block_len, bytes_.size() - at);
      evbuffer_add_reference(buf_, bytes_.data() + at, len, nullptr, nullptr);
    }
  }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  ~Buffer() { evbuffer_free(buf_); }
  operator struct evbuffer *() { return buf_; }

  std::string Bytes() {
    std::string bytes(evbuffer_get_length(buf_), '\0');
    if (evbuffer_copyout(buf_, &bytes[0], bytes.size()) < 0) return "cannot be looked at";
    return bytes;
  }

 private:
  std::string bytes_;
  struct evbuffer *buf_ = evbuffer_new();
};

}  // namespace tag_testing

#endif
