#ifndef STRATA_HTTP_STREAMING_TESTING_H_
#define STRATA_HTTP_STREAMING_TESTING_H_

#include <algorithm>
#include <string>

#include "http/http_testing.h"

namespace http_testing {

// Calls `then` after a while, from the loop.
inline void Later(Loop *loop, int ms, std::function<void()> then) {
  timeval delay = {ms / 1000, ms % 1000 * 1000};
  event_base_once(
      loop->base(), -1, EV_TIMEOUT,
      [](evutil_socket_t, short, void *arg) {
        auto *call = static_cast<std::function<void()> *>(arg);
        (*call)();
        delete call;
      },
      new std::function<void()>(std::move(then)), &delay);
}

// Bytes that show when some are lost, doubled or out of order.
inline std::string Pattern(size_t len) {
  std::string bytes(len, '\0');
  for (size_t i = 0; i < len; ++i)
    bytes[i] = static_cast<char>('a' + (i * 31 + (i >> 8) * 7 + (i >> 16)) % 26);
  return bytes;
}

// A provider of a string, in pieces, that checks how it is called.
class Provider {
 public:
  explicit Provider(std::string bytes, size_t piece = 10000)
      : bytes_(std::move(bytes)), piece_(piece) {}

  static int Call(evhttp_request *req, evbuffer *out, size_t room, void *arg) {
    Provider *self = static_cast<Provider *>(arg);
    EXPECT_EQ(self->ended, 0) << "called after its last call";
    if (out == nullptr) {
      self->ended++;
      if (self->on_end) self->on_end();
      return EVHTTP_BODY_MORE;
    }
    EXPECT_GT(room, 0u);
    EXPECT_EQ(evbuffer_get_length(out), 0u);
    self->asked++;
    if (self->on_ask) {
      int result = self->on_ask(req, out);
      if (result != kUsual) return result;
    }
    return self->Give(out);
  }
  int Give(evbuffer *out) {
    size_t len = std::min(piece_, bytes_.size() - given);
    evbuffer_add(out, bytes_.data() + given, len);
    given += len;
    return given < bytes_.size() ? EVHTTP_BODY_MORE : EVHTTP_BODY_LAST;
  }

  static const int kUsual = 1000;
  std::function<int(evhttp_request *, evbuffer *)> on_ask;
  std::function<void()> on_end;
  size_t given = 0;
  int asked = 0, ended = 0;

 private:
  std::string bytes_;
  size_t piece_;
};

// A server whose sockets take little, so that backpressure shows early.
class StreamingTest : public testing::Test {
 public:
  static const int kSmall = 16 * 1024;

  StreamingTest() {
    evhttp_foreach_bound_socket(
        server_.http(),
        [](evhttp_bound_socket *bound, void *) {
          int len = kSmall;
          evutil_socket_t fd = evhttp_bound_socket_get_fd(bound);
          setsockopt(fd, SOL_SOCKET, SO_RCVBUF, reinterpret_cast<char *>(&len), sizeof(len));
          setsockopt(fd, SOL_SOCKET, SO_SNDBUF, reinterpret_cast<char *>(&len), sizeof(len));
        },
        nullptr);
    evhttp_set_newreqcb(
        server_.http(),
        [](evhttp_request *req, void *arg) {
          StreamingTest *self = static_cast<StreamingTest *>(arg);
          if (self->on_header_) {
            evhttp_request_set_header_cb(
                req, [](evhttp_request *of, void *) { return current_->on_header_(of); });
          }
          if (self->on_chunk_) {
            evhttp_request_set_chunked_cb(
                req, [](evhttp_request *of, void *) { current_->on_chunk_(of); });
          }
          evhttp_request_set_error_cb(req,
                                      [](evhttp_request_error, void *) { current_->errors_++; });
          return 0;
        },
        this);
    current_ = this;
    server_.OnAny([this](evhttp_request *req) {
      handled_++;
      Reply(req, "done");
    });
  }
  ~StreamingTest() override { current_ = nullptr; }

  // Takes all that is in the input buffer.
  void Take(evhttp_request *req) {
    evbuffer *body = evhttp_request_get_input_buffer(req);
    taken_ += BodyOf(req);
    evbuffer_drain(body, evbuffer_get_length(body));
  }
  // Replies to "/" with a provider.
  void Provide(Provider *provider, ev_int64_t len) {
    server_.OnAny([this, provider, len](evhttp_request *req) {
      handled_++;
      evhttp_send_reply_provided(req, 200, "OK", len, Provider::Call, provider);
      EXPECT_EQ(provider->asked, 0);
    });
  }
  bool WaitEnded(const Provider &provider) {
    return loop_.RunUntil([&] { return provider.ended > 0; });
  }
  bool WaitNoConnection() {
    return loop_.RunUntil([&] { return evhttp_get_connection_count(server_.http()) == 0; });
  }

  static StreamingTest *current_;
  Loop loop_;
  Server server_{&loop_};
  std::function<int(evhttp_request *)> on_header_;
  std::function<void(evhttp_request *)> on_chunk_;
  int handled_ = 0, errors_ = 0;
  std::string taken_;
};

inline StreamingTest *StreamingTest::current_ = nullptr;

}  // namespace http_testing

#endif
