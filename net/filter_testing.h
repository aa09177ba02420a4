// Filters to be tested: their functions, and what they lie over.
#ifndef NET_FILTER_TESTING_H_
#define NET_FILTER_TESTING_H_

#include <event2/thread.h>

#include <memory>

#include "net/test_support.h"

namespace filter_testing {

inline const bool g_has_threads = evthread_use_pthreads() == 0;

// ---- Filter functions ----

struct Call {
  size_t src_len;
  ev_ssize_t limit;
  enum bufferevent_flush_mode mode;
};

// The context of the functions below.
struct Context {
  std::vector<Call> in, out;
  enum bufferevent_filter_result in_result = BEV_OK, out_result = BEV_OK;
  std::function<void()> on_call;
  int num_freed = 0;
};

inline size_t Bounded(size_t len, ev_ssize_t limit) {
  return limit < 0 ? len : std::min(len, static_cast<size_t>(limit));
}

// As the functions of real filters: a byte becomes two hexadecimal digits.
inline enum bufferevent_filter_result Encode(struct evbuffer *src, struct evbuffer *dst,
                                             ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                             void *arg) {
  Context *context = static_cast<Context *>(arg);
  context->out.push_back({evbuffer_get_length(src), limit, mode});
  if (context->on_call) context->on_call();
  if (context->out_result != BEV_OK) return context->out_result;
  unsigned char block[1024];
  const size_t len = std::min(sizeof(block), Bounded(2 * evbuffer_get_length(src), limit) / 2);
  if (len == 0) return BEV_NEED_MORE;
  evbuffer_remove(src, block, len);
  std::string digits;
  for (size_t i = 0; i < len; i++) {
    digits += "0123456789abcdef"[block[i] >> 4];
    digits += "0123456789abcdef"[block[i] & 15];
  }
  evbuffer_add(dst, digits.data(), digits.size());
  return BEV_OK;
}

inline int Digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

inline enum bufferevent_filter_result Decode(struct evbuffer *src, struct evbuffer *dst,
                                             ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                             void *arg) {
  Context *context = static_cast<Context *>(arg);
  context->in.push_back({evbuffer_get_length(src), limit, mode});
  if (context->on_call) context->on_call();
  if (context->in_result != BEV_OK) return context->in_result;
  char block[1024];
  const size_t len = std::min(sizeof(block) / 2, Bounded(evbuffer_get_length(src) / 2, limit));
  if (len == 0) return BEV_NEED_MORE;
  evbuffer_remove(src, block, 2 * len);
  for (size_t i = 0; i < len; i++)
    block[i] = static_cast<char>(Digit(block[2 * i]) * 16 + Digit(block[2 * i + 1]));
  evbuffer_add(dst, block, len);
  return BEV_OK;
}

// Blocks of 16 bytes, and no part of one.
inline enum bufferevent_filter_result PassBlocks(struct evbuffer *src, struct evbuffer *dst,
                                                 ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                                 void *arg) {
  static_cast<Context *>(arg)->in.push_back({evbuffer_get_length(src), limit, mode});
  const size_t len = Bounded(evbuffer_get_length(src), limit) / 16 * 16;
  if (len == 0) return BEV_NEED_MORE;
  evbuffer_remove_buffer(src, dst, len);
  return BEV_OK;
}

inline void FreeContext(void *arg) {
  static_cast<Context *>(arg)->num_freed++;
}

// ---- What the tests run over ----

struct Stack {
  const char *name;
  bool over_pair;
  int options;
};

const Stack kStacks[] = {
    {"Socket", false, 0},
    {"SocketDeferred", false, BEV_OPT_DEFER_CALLBACKS},
    {"SocketThreadsafe", false, BEV_OPT_THREADSAFE},
    {"SocketUnlocked", false,
     BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS},
    {"Pair", true, 0},
    {"PairThreadsafe", true, BEV_OPT_THREADSAFE},
    {"PairUnlocked", true, BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS},
};

inline void PrintTo(const Stack &stack, std::ostream *out) {
  *out << stack.name;
}

class FilterTest : public ::testing::TestWithParam<Stack> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(g_has_threads);
    Open();
  }

  // Tests that go on own it.
  void TearDown() override {
    if (IsSkipped()) bufferevent_free(below_);
  }

  // Two connected bufferevents: the first to be filtered, the other one plain.
  void Open() {
    struct bufferevent *ends[2];
    if (GetParam().over_pair) {
      ASSERT_EQ(0, bufferevent_pair_new(loop_, GetParam().options, ends));
    } else {
      sockets_ = std::make_unique<Pair>();
      for (int i = 0; i < 2; i++) {
        fd_[i] = sockets_->Release(i);
        ends[i] = bufferevent_socket_new(loop_, fd_[i], GetParam().options | BEV_OPT_CLOSE_ON_FREE);
      }
    }
    below_ = ends[0];
    peer_ = std::make_unique<Bev>(ends[1]);
    peer_->Enable(EV_READ | EV_WRITE);
  }

  std::unique_ptr<Bev> Over(struct bufferevent *underlying, bufferevent_filter_cb in,
                            bufferevent_filter_cb out, Context *context,
                            int options = BEV_OPT_CLOSE_ON_FREE) {
    auto bev = std::make_unique<Bev>(bufferevent_filter_new(
        underlying, in, out, GetParam().options | options, FreeContext, context));
    // libevent calls back from inside of writing, draining and flushing.
    bev->may_call_inside = kOnLibevent;
    return bev;
  }
  std::unique_ptr<Bev> Coded() { return Over(below_, Decode, Encode, &context_); }

  size_t BelowInputLen() const { return evbuffer_get_length(bufferevent_get_input(below_)); }
  size_t BelowOutputLen() const { return evbuffer_get_length(bufferevent_get_output(below_)); }

  Loop loop_;
  Context context_;
  std::unique_ptr<Pair> sockets_;
  evutil_socket_t fd_[2] = {-1, -1};
  struct bufferevent *below_ = nullptr;
  std::unique_ptr<Bev> peer_;
};

// Makes the other end's data end.
inline void End(Bev *bev, bool is_pair) {
  if (is_pair)
    bufferevent_flush(*bev, EV_WRITE, BEV_FINISHED);
  else
    bev->Free();
}

// The tests of one file.
#define INSTANTIATE_FILTER_TESTS(suite)                                           \
  INSTANTIATE_TEST_SUITE_P(, suite, ::testing::ValuesIn(filter_testing::kStacks), \
                           [](const auto &info) { return std::string(info.param.name); })

}  // namespace filter_testing

#endif  // NET_FILTER_TESTING_H_
