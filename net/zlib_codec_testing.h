// zlib as the two filters of a bufferevent.
#ifndef NET_ZLIB_CODEC_TESTING_H_
#define NET_ZLIB_CODEC_TESTING_H_

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace conformance {

// A context of bufferevent_filter_new(). A lazy codec keeps what it was given until it is flushed.
class ZlibCodec {
 public:
  explicit ZlibCodec(bool lazy = false) : lazy_(lazy) {
    deflateInit(&deflate_, 1);
    inflateInit(&inflate_);
    alive_++;
  }
  ~ZlibCodec() {
    deflateEnd(&deflate_);
    inflateEnd(&inflate_);
    alive_--;
  }
  ZlibCodec(const ZlibCodec &) = delete;
  ZlibCodec &operator=(const ZlibCodec &) = delete;

  static int num_alive() { return alive_; }
  bool saw_end() const { return saw_end_; }

  static void Free(void *codec) { delete static_cast<ZlibCodec *>(codec); }

  static enum bufferevent_filter_result Deflate(struct evbuffer *src, struct evbuffer *dst,
                                                ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                                void *codec) {
    return static_cast<ZlibCodec *>(codec)->DeflateSome(src, dst, limit, mode);
  }
  static enum bufferevent_filter_result Inflate(struct evbuffer *src, struct evbuffer *dst,
                                                ev_ssize_t limit, enum bufferevent_flush_mode,
                                                void *codec) {
    return static_cast<ZlibCodec *>(codec)->InflateSome(src, dst, limit);
  }

 private:
  static constexpr size_t kBlockLen = 16384;

  // The limit bounds what is taken in, which is about what comes out of incompressible bytes.
  enum bufferevent_filter_result DeflateSome(struct evbuffer *src, struct evbuffer *dst,
                                             ev_ssize_t limit, enum bufferevent_flush_mode mode) {
    size_t budget = limit < 0 ? SIZE_MAX : static_cast<size_t>(limit);
    bool produced = false;
    while (budget > 0 && evbuffer_get_length(src) > 0) {
      unsigned char block[kBlockLen];
      const int len = evbuffer_remove(src, block, std::min(sizeof(block), budget));
      if (len <= 0) return BEV_ERROR;
      budget -= static_cast<size_t>(len);
      holds_ = true;
      deflate_.next_in = block;
      deflate_.avail_in = static_cast<unsigned>(len);
      if (!Pump(dst, Z_NO_FLUSH, &produced)) return BEV_ERROR;
    }
    const bool finish = mode == BEV_FINISHED && !finished_ && evbuffer_get_length(src) == 0;
    if (finish || (holds_ && (!lazy_ || mode != BEV_NORMAL))) {
      if (!Pump(dst, finish ? Z_FINISH : Z_SYNC_FLUSH, &produced)) return BEV_ERROR;
      holds_ = false;
      finished_ = finished_ || finish;
    }
    return produced ? BEV_OK : BEV_NEED_MORE;
  }

  bool Pump(struct evbuffer *dst, int flush, bool *inout_produced) {
    do {
      unsigned char block[kBlockLen];
      deflate_.next_out = block;
      deflate_.avail_out = sizeof(block);
      if (deflate(&deflate_, flush) == Z_STREAM_ERROR) return false;
      const size_t len = sizeof(block) - deflate_.avail_out;
      if (len > 0) {
        if (evbuffer_add(dst, block, len) < 0) return false;
        *inout_produced = true;
      }
    } while (deflate_.avail_out == 0);
    return true;
  }

  enum bufferevent_filter_result InflateSome(struct evbuffer *src, struct evbuffer *dst,
                                             ev_ssize_t limit) {
    size_t budget = limit < 0 ? SIZE_MAX : static_cast<size_t>(limit);
    bool produced = false;
    bool filled = false;
    // What zlib has taken in but not given out is asked for even without budget: nothing would
    // call for it later.
    while (!saw_end_ && (evbuffer_get_length(src) > 0 ? budget > 0 : filled)) {
      struct evbuffer_iovec chunk = {nullptr, 0};
      evbuffer_peek(src, -1, nullptr, &chunk, 1);
      unsigned char block[kBlockLen];
      inflate_.next_in = static_cast<unsigned char *>(chunk.iov_base);
      inflate_.avail_in = static_cast<unsigned>(chunk.iov_len);
      inflate_.next_out = block;
      const size_t room = budget > 0 ? std::min(sizeof(block), budget) : sizeof(block);
      inflate_.avail_out = static_cast<unsigned>(room);
      const int result = inflate(&inflate_, Z_NO_FLUSH);
      evbuffer_drain(src, chunk.iov_len - inflate_.avail_in);
      const size_t len = room - inflate_.avail_out;
      filled = inflate_.avail_out == 0;
      if (len > 0) {
        if (evbuffer_add(dst, block, len) < 0) return BEV_ERROR;
        produced = true;
        budget -= std::min(budget, len);
      }
      if (result == Z_STREAM_END) saw_end_ = true;
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return BEV_ERROR;
    }
    return produced ? BEV_OK : BEV_NEED_MORE;
  }

  static inline std::atomic<int> alive_{0};
  z_stream deflate_ = {};
  z_stream inflate_ = {};
  const bool lazy_;
  bool holds_ = false;  // Bytes were taken in since the last flush.
  bool finished_ = false;
  bool saw_end_ = false;
};

}  // namespace conformance

#endif  // NET_ZLIB_CODEC_TESTING_H_
