// What the conformance suite of bufferevents runs over: two connected ends of every kind (sockets,
// pairs, filters over either), with callbacks at once or deferred, with and without locks. Written
// against the public API alone.
#ifndef NET_CONFORMANCE_TESTING_H_
#define NET_CONFORMANCE_TESTING_H_

#include <event2/thread.h>

#include "net/test_support.h"
#include "net/zlib_codec_testing.h"

namespace conformance {

enum class Stream { kSocket, kPair };
enum class Layer { kNone, kIdentity, kZlib };

struct Flavour {
  const char *kind;
  const char *mode;
  Stream stream;
  Layer layer;
  int options;

  bool has_filter() const { return layer != Layer::kNone; }
  bool is_deferred() const { return options & BEV_OPT_DEFER_CALLBACKS; }
  bool is_threadsafe() const { return options & BEV_OPT_THREADSAFE; }
};

inline void PrintTo(const Flavour &flavour, std::ostream *out) {
  *out << flavour.kind << flavour.mode;
}
inline std::string FlavourName(const ::testing::TestParamInfo<Flavour> &info) {
  return std::string(info.param.kind) + info.param.mode;
}

inline std::vector<Flavour> AllFlavours() {
  const Flavour kinds[] = {
      {"Socket", "", Stream::kSocket, Layer::kNone, 0},
      {"Pair", "", Stream::kPair, Layer::kNone, 0},
      {"Identity", "", Stream::kSocket, Layer::kIdentity, 0},
      {"IdentityOverPair", "", Stream::kPair, Layer::kIdentity, 0},
      {"Zlib", "", Stream::kSocket, Layer::kZlib, 0},
      {"ZlibOverPair", "", Stream::kPair, Layer::kZlib, 0},
  };
  const int kSafe = BEV_OPT_THREADSAFE;
  const int kLater = BEV_OPT_DEFER_CALLBACKS;
  std::vector<Flavour> all;
  for (const Flavour &kind : kinds) {
    for (const auto &[mode, options] : std::initializer_list<std::pair<const char *, int>>{
             {"Now", 0},
             {"Deferred", kLater},
             {"SafeNow", kSafe},
             {"SafeDeferred", kSafe | kLater},
             {"SafeUnlocked", kSafe | kLater | BEV_OPT_UNLOCK_CALLBACKS}}) {
      all.push_back(kind);
      all.back().mode = mode;
      all.back().options = options;
    }
  }
  return all;
}

// Passes on bytes as they are, as many as it may.
inline enum bufferevent_filter_result PassOn(struct evbuffer *src, struct evbuffer *dst,
                                             ev_ssize_t limit, enum bufferevent_flush_mode,
                                             void *) {
  size_t len = evbuffer_get_length(src);
  if (limit >= 0) len = std::min(len, static_cast<size_t>(limit));
  if (len == 0) return BEV_NEED_MORE;
  return evbuffer_remove_buffer(src, dst, len) > 0 ? BEV_OK : BEV_ERROR;
}

// One end: records what it hears, and on strata complains when a callback runs inside a call.
class End {
 public:
  End() = default;
  ~End() { Free(); }
  End(const End &) = delete;
  End &operator=(const End &) = delete;

  void Adopt(struct bufferevent *bev, int *inside) {
    bev_ = bev;
    inside_ = inside;
    SetCallbacks();
  }
  void SetCallbacks() { bufferevent_setcb(bev_, OnRead, OnWrite, OnEvent, this); }
  // Leaves the input alone from now on; libevent calls a read callback that leaves the input at its
  // high watermark again and again.
  void StopTaking() { bufferevent_setcb(bev_, nullptr, OnWrite, OnEvent, this); }
  // Somebody else has freed it, or will.
  void Forget() { bev_ = nullptr; }
  void Free() {
    if (bev_ != nullptr) bufferevent_free(std::exchange(bev_, nullptr));
  }

  operator struct bufferevent *() const { return bev_; }
  struct bufferevent *get() const {
    return bev_;
  }
  struct evbuffer *input() const {
    return bufferevent_get_input(bev_);
  }
  struct evbuffer *output() const {
    return bufferevent_get_output(bev_);
  }
  size_t input_len() const { return evbuffer_get_length(input()); }
  size_t output_len() const { return evbuffer_get_length(output()); }

  int Enable(short what) {
    const Inside inside(inside_);
    return bufferevent_enable(bev_, what);
  }
  int Disable(short what) {
    const Inside inside(inside_);
    return bufferevent_disable(bev_, what);
  }
  void Watermark(short what, size_t low, size_t high) {
    const Inside inside(inside_);
    bufferevent_setwatermark(bev_, what, low, high);
  }
  int Write(const std::string &bytes) {
    const Inside inside(inside_);
    return bufferevent_write(bev_, bytes.data(), bytes.size());
  }
  int Flush(short what, enum bufferevent_flush_mode mode) {
    const Inside inside(inside_);
    return bufferevent_flush(bev_, what, mode);
  }
  void Take(size_t limit_len = SIZE_MAX) {
    const Inside inside(inside_);
    char block[16384];
    while (limit_len > 0) {
      const size_t len = bufferevent_read(bev_, block, std::min(sizeof(block), limit_len));
      if (len == 0) break;
      received.append(block, len);
      limit_len -= len;
    }
  }

  std::string received;
  std::vector<short> events;
  int reads = 0;
  int writes = 0;
  bool takes = true;  // The read callback takes all of the input.
  std::function<void()> on_read;
  std::function<void()> on_write;
  std::function<void(short)> on_event;

 private:
  struct Inside {
    explicit Inside(int *depth_of) : depth(depth_of) { ++*depth; }
    ~Inside() { --*depth; }
    int *depth;
  };

  // libevent's filters and pairs call back out of bufferevent_write() and others.
  void CheckOutside(const char *which) const {
    if (!kOnLibevent) {
      EXPECT_EQ(0, *inside_) << which << " callback inside a call";
    }
  }
  static void OnRead(struct bufferevent *bev, void *arg) {
    End *self = static_cast<End *>(arg);
    self->CheckOutside("read");
    EXPECT_EQ(self->bev_, bev);
    self->reads++;
    if (self->takes) self->Take();
    if (self->on_read) self->on_read();
  }
  static void OnWrite(struct bufferevent *bev, void *arg) {
    End *self = static_cast<End *>(arg);
    self->CheckOutside("write");
    EXPECT_EQ(self->bev_, bev);
    self->writes++;
    if (self->on_write) self->on_write();
  }
  static void OnEvent(struct bufferevent *bev, short what, void *arg) {
    End *self = static_cast<End *>(arg);
    self->CheckOutside("event");
    EXPECT_EQ(self->bev_, bev);
    self->events.push_back(what);
    if (self->on_event) self->on_event(what);
  }

  struct bufferevent *bev_ = nullptr;
  int *inside_ = nullptr;
};

// Two connected ends. `owning` filters free what is under them; the sockets are always closed.
class Link {
 public:
  Link(struct event_base *base, const Flavour &flavour, bool owning = true, bool lazy = false) {
    MakeStreams(base, flavour);
    for (int i = 0; i < 2; i++) {
      struct bufferevent *top = bottom_[i];
      const int options = flavour.options | (owning ? BEV_OPT_CLOSE_ON_FREE : 0);
      if (flavour.layer == Layer::kIdentity) {
        top = bufferevent_filter_new(bottom_[i], PassOn, PassOn, options, nullptr, nullptr);
      } else if (flavour.layer == Layer::kZlib) {
        top = bufferevent_filter_new(bottom_[i], ZlibCodec::Inflate, ZlibCodec::Deflate, options,
                                     ZlibCodec::Free, new ZlibCodec(lazy));
      }
      EXPECT_NE(nullptr, top);
      ends_[i].Adopt(top, &inside_);
    }
  }
  End &operator[](int i) { return ends_[i]; }
  // What is under the filter; the end itself where there is none.
  struct bufferevent *bottom(int i) const {
    return bottom_[i];
  }
  evutil_socket_t fd(int i) const { return fd_[i]; }

 private:
  void MakeStreams(struct event_base *base, const Flavour &flavour) {
    if (flavour.stream == Stream::kPair) {
      ASSERT_EQ(0, bufferevent_pair_new(base, flavour.options, bottom_));
      return;
    }
    ASSERT_EQ(0, evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, fd_));
    for (int i = 0; i < 2; i++) {
      evutil_make_socket_nonblocking(fd_[i]);
      bottom_[i] = bufferevent_socket_new(base, fd_[i], flavour.options | BEV_OPT_CLOSE_ON_FREE);
      ASSERT_NE(nullptr, bottom_[i]);
    }
  }

  int inside_ = 0;
  evutil_socket_t fd_[2] = {-1, -1};
  struct bufferevent *bottom_[2] = {nullptr, nullptr};
  End ends_[2];
};

// So that output waits while nobody reads. TCP holds more than a socket pair of Unix.
constexpr size_t kMoreThanALinkHolds = kHasUnixSockets ? 2 << 20 : 16 << 20;

class Conformance : public ::testing::TestWithParam<Flavour> {
 protected:
  static void SetUpTestSuite() { ASSERT_EQ(0, evthread_use_pthreads()); }

  Conformance() : link_(loop_, GetParam()), a_(link_[0]), b_(link_[1]) {}
  void TearDown() override {
    a_.Free();
    b_.Free();
    loop_.Settle(10);
    EXPECT_EQ(0, ZlibCodec::num_alive());
  }

  static const Flavour &flavour() { return GetParam(); }
  // The filter of the zlib kinds has to give out what it has taken in, beyond the limit.
  static size_t Slack() { return flavour().layer == Layer::kZlib ? 8192 : 0; }
  void Settle() { loop_.Settle(10); }
  // done() is asked at least every millisecond: what it looks at may change without an event.
  bool Until(const std::function<bool()> &done) {
    struct event *tick = event_new(
        loop_, -1, EV_PERSIST, [](evutil_socket_t, short, void *) {}, nullptr);
    const struct timeval often = Ms(1);
    event_add(tick, &often);
    const bool is_done = loop_.RunUntil(done, 30000);
    event_free(tick);
    return is_done;
  }
  bool Receives(const End &end, size_t len) {
    return Until([&] { return end.received.size() >= len; });
  }
  // Lets time pass that a timer measures.
  void Pass(long ms) {
    bool passed = false;
    struct event *timer = event_new(
        loop_, -1, 0, [](evutil_socket_t, short, void *arg) { *static_cast<bool *>(arg) = true; },
        &passed);
    const struct timeval tv = Ms(ms);
    event_add(timer, &tv);
    EXPECT_TRUE(Until([&] { return passed; }));
    event_free(timer);
  }
  // Fills what is under a_ so that its own output stays; b_ must not be reading. Returns what was
  // written.
  std::string Clog() {
    if (flavour().has_filter()) bufferevent_setwatermark(link_.bottom(0), EV_WRITE, 0, 4096);
    const std::string bytes = Pattern(kMoreThanALinkHolds);
    a_.Write(bytes);
    Settle();
    EXPECT_GT(a_.output_len(), 0u);
    return bytes;
  }

  Loop loop_;
  Link link_;
  End &a_;
  End &b_;
};

}  // namespace conformance

#endif  // NET_CONFORMANCE_TESTING_H_
