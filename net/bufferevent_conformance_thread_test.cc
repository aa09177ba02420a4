// Every kind of bufferevent with BEV_OPT_THREADSAFE: both ends used from several threads while the
// loop runs in another. Locks in the wrong order show as a test that does not end.
#include <atomic>
#include <chrono>
#include <thread>

#include "net/conformance_testing.h"

namespace conformance {
namespace {

std::vector<Flavour> ThreadsafeFlavours() {
  std::vector<Flavour> flavours;
  for (const Flavour &flavour : AllFlavours()) {
    if (flavour.is_threadsafe()) flavours.push_back(flavour);
  }
  return flavours;
}

class ConformanceThread : public Conformance {
 protected:
  ConformanceThread() {
    keeper_ = event_new(
        loop_, -1, EV_PERSIST, [](evutil_socket_t, short, void *) {}, nullptr);
    const struct timeval often = Ms(1);
    event_add(keeper_, &often);
  }
  ~ConformanceThread() override { event_free(keeper_); }

  // Its filters do when they are written to while the loop runs.
  static bool LibeventLocksUp() { return kOnLibevent && flavour().has_filter(); }
  void Start() {
    thread_ = std::thread([this] { event_base_dispatch(loop_); });
  }
  void Stop() {
    event_base_loopexit(loop_, nullptr);  // also when it has not begun yet
    thread_.join();
  }
  template <typename Done>
  static bool WaitUntil(const Done &done) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::this_thread::yield();
    }
    return true;
  }

  struct event *keeper_;
  std::thread thread_;
};

INSTANTIATE_TEST_SUITE_P(All, ConformanceThread, ::testing::ValuesIn(ThreadsafeFlavours()),
                         FlavourName);

// What a callback counts; End is for one thread.
struct Sink {
  std::string bytes;
  std::atomic<size_t> len{0};

  static void OnRead(struct bufferevent *bev, void *arg) {
    Sink *self = static_cast<Sink *>(arg);
    char block[4096];
    size_t len;
    while ((len = bufferevent_read(bev, block, sizeof(block))) > 0) {
      self->bytes.append(block, len);
      self->len += len;
    }
  }
};

TEST_P(ConformanceThread, BothEndsWrittenToAtOnce) {
  if (LibeventLocksUp()) GTEST_SKIP();
  Sink sinks[2];
  for (int i = 0; i < 2; i++) {
    bufferevent_setcb(link_[i], Sink::OnRead, nullptr, nullptr, &sinks[i]);
    bufferevent_enable(link_[i], EV_READ);
  }
  Start();
  const std::string bytes[2] = {Pattern(200000, 1), Pattern(200000, 2)};
  std::thread writers[2];
  for (int i = 0; i < 2; i++) {
    writers[i] = std::thread([&, i] {
      for (size_t at = 0; at < bytes[i].size(); at += 200) {
        bufferevent_write(link_[i], bytes[i].data() + at, 200);
      }
    });
  }
  for (std::thread &writer : writers) writer.join();
  for (int i = 0; i < 2; i++) {
    EXPECT_TRUE(WaitUntil([&] { return sinks[1 - i].len >= bytes[i].size(); }));
  }
  Stop();
  EXPECT_TRUE(bytes[0] == sinks[1].bytes);
  EXPECT_TRUE(bytes[1] == sinks[0].bytes);
}

TEST_P(ConformanceThread, SwitchedOnAndOffWhileBytesPass) {
  if (LibeventLocksUp()) GTEST_SKIP();
  Sink sink;
  bufferevent_setcb(link_[1], Sink::OnRead, nullptr, nullptr, &sink);
  Start();
  const std::string bytes = Pattern(200000);
  std::thread writer([&] {
    for (size_t at = 0; at < bytes.size(); at += 400) {
      bufferevent_write(link_[0], bytes.data() + at, 400);
    }
  });
  for (int i = 0; i < 200; i++) {
    bufferevent_enable(link_[1], EV_READ);
    bufferevent_setwatermark(link_[1], EV_READ, 0, i % 2 ? 1000 : 0);
    bufferevent_trigger(link_[0], EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS);
    bufferevent_disable(link_[1], EV_READ);
    std::this_thread::yield();
  }
  bufferevent_setwatermark(link_[1], EV_READ, 0, 0);
  bufferevent_enable(link_[1], EV_READ);
  writer.join();
  EXPECT_TRUE(WaitUntil([&] { return sink.len >= bytes.size(); }));
  Stop();
  EXPECT_TRUE(bytes.substr(0, sink.bytes.size()) == sink.bytes);
}

TEST_P(ConformanceThread, FreedWhileTheLoopServesThem) {
  if (kOnLibevent) GTEST_SKIP() << "frees pairs and filters under the loop";
  Start();
  for (int i = 0; i < 100; i++) {
    Link link(loop_, flavour());
    for (int end = 0; end < 2; end++) {
      bufferevent_setcb(link[end], nullptr, nullptr, nullptr, nullptr);
      bufferevent_enable(link[end], EV_READ);
    }
    bufferevent_write(link[0], "abcdef", 6);
    bufferevent_write(link[1], "abcdef", 6);
    if (i % 2) std::this_thread::yield();
    // The two ends by two threads.
    std::thread other([&] { link[0].Free(); });
    link[1].Free();
    other.join();
  }
  Stop();
}

}  // namespace
}  // namespace conformance
