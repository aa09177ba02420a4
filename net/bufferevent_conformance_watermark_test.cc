// Every kind of bufferevent: watermarks.
#include "net/conformance_testing.h"

namespace conformance {
namespace {

class ConformanceWatermark : public Conformance {
 protected:
  // Its filters forget what is below them when the read callback, called at once, takes input that
  // stood at the high mark.
  static bool LibeventStalls() {
    return kOnLibevent && flavour().has_filter() && !flavour().is_deferred();
  }
  // Waits until b_'s input stands still at len, or a little above where the
  // flavour allows it.
  void ExpectInput(size_t len) {
    EXPECT_TRUE(Until([&] { return b_.input_len() >= len; }));
    Settle();
    EXPECT_GE(b_.input_len(), len);
    EXPECT_LE(b_.input_len(), len + Slack());
  }
};

INSTANTIATE_TEST_SUITE_P(All, ConformanceWatermark, ::testing::ValuesIn(AllFlavours()),
                         FlavourName);

TEST_P(ConformanceWatermark, CanBeRead) {
  size_t low = 1, high = 1;
  for (const short direction : {EV_READ, EV_WRITE}) {
    EXPECT_EQ(0, bufferevent_getwatermark(a_, direction, &low, &high));
    EXPECT_EQ(0u, low);
    EXPECT_EQ(0u, high);
  }
  a_.Watermark(EV_READ, 3, 7);
  a_.Watermark(EV_WRITE, 5, 11);
  EXPECT_EQ(0, bufferevent_getwatermark(a_, EV_READ, &low, &high));
  EXPECT_EQ(3u, low);
  EXPECT_EQ(7u, high);
  EXPECT_EQ(0, bufferevent_getwatermark(a_, EV_WRITE, &low, nullptr));
  EXPECT_EQ(5u, low);
  EXPECT_EQ(0, bufferevent_getwatermark(a_, EV_WRITE, nullptr, &high));
  EXPECT_EQ(11u, high);
  EXPECT_NE(0, bufferevent_getwatermark(a_, EV_READ | EV_WRITE, &low, &high));
  a_.Watermark(EV_READ | EV_WRITE, 1, 2);
  EXPECT_EQ(0, bufferevent_getwatermark(a_, EV_READ, &low, &high));
  EXPECT_EQ(1u, low);
  EXPECT_EQ(0, bufferevent_getwatermark(a_, EV_WRITE, &low, &high));
  EXPECT_EQ(2u, high);
}

TEST_P(ConformanceWatermark, ReadLow) {
  b_.Watermark(EV_READ, 6, 0);
  b_.Enable(EV_READ);
  a_.Write("abc");
  ExpectInput(3);
  EXPECT_EQ(0, b_.reads);
  a_.Write("de");
  ExpectInput(5);
  EXPECT_EQ(0, b_.reads);
  a_.Write("f");
  ASSERT_TRUE(Until([&] { return b_.reads > 0; }));
  EXPECT_EQ("abcdef", b_.received);
  a_.Write("ghi");
  ExpectInput(3);
  EXPECT_EQ(1, b_.reads);
  b_.Watermark(EV_READ, 0, 0);
  a_.Write("j");
  ASSERT_TRUE(Receives(b_, 10));
  EXPECT_EQ("abcdefghij", b_.received);
}

TEST_P(ConformanceWatermark, ReadCallbackNeverBelowLow) {
  const size_t kLow = 1000;
  b_.takes = false;
  b_.Watermark(EV_READ, kLow, 0);
  b_.Enable(EV_READ);
  b_.on_read = [&] {
    EXPECT_GE(b_.input_len(), kLow);
    b_.Take(700);
  };
  const std::string bytes = Pattern(50000);
  for (size_t at = 0; at < bytes.size(); at += 250) {
    a_.Write(bytes.substr(at, 250));
    event_base_loop(loop_, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  }
  ASSERT_TRUE(Until([&] { return b_.received.size() + b_.input_len() >= bytes.size(); }));
  EXPECT_GT(b_.reads, 0);
  b_.Take();
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceWatermark, ReadHighBoundsTheInput) {
  b_.StopTaking();
  b_.Watermark(EV_READ, 0, 10);
  b_.Enable(EV_READ);
  const std::string bytes = Pattern(100);
  a_.Write(bytes);
  ExpectInput(10);
  b_.Take(4);
  ExpectInput(10);
  // libevent's filters go on only when something happens to the buffers.
  if (kOnLibevent && flavour().has_filter()) return;
  b_.Watermark(EV_READ, 0, 30);
  ExpectInput(30);
  b_.Watermark(EV_READ, 0, 5);  // Below what is there: stays suspended.
  const size_t before = b_.input_len();
  b_.Take(20);
  Settle();
  EXPECT_EQ(before - 20, b_.input_len());
  b_.Watermark(EV_READ, 0, 0);
  ASSERT_TRUE(Until([&] { return b_.input_len() == 76; }));
  b_.Take();
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceWatermark, ReadHighIsNeverPassed) {
  const size_t kHigh = 10000;
  b_.StopTaking();
  b_.Watermark(EV_READ, 0, kHigh);
  size_t most = 0;
  struct Peak {
    size_t *most;
  } peak = {&most};
  evbuffer_add_cb(
      b_.input(),
      [](struct evbuffer *input, const struct evbuffer_cb_info *, void *arg) {
        size_t *len = static_cast<Peak *>(arg)->most;
        *len = std::max(*len, evbuffer_get_length(input));
      },
      &peak);
  b_.Enable(EV_READ);
  const std::string bytes = Pattern(1 << 20);
  a_.Write(bytes);
  ASSERT_TRUE(Until([&] {
    b_.Take(3333);
    return b_.received.size() >= bytes.size();
  }));
  EXPECT_LE(most, kHigh + Slack());
  EXPECT_TRUE(bytes == b_.received);
}

// The usual program: takes everything in the read callback, with a watermark as a bound.
TEST_P(ConformanceWatermark, ReadHighWithAReaderThatTakesAll) {
  if (LibeventStalls()) GTEST_SKIP();
  b_.Watermark(EV_READ, 0, 5000);
  b_.Enable(EV_READ);
  const std::string bytes = Pattern(1 << 20);
  a_.Write(bytes);
  ASSERT_TRUE(Receives(b_, bytes.size()));
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceWatermark, LowAndHighTheSame) {
  if (LibeventStalls()) GTEST_SKIP();
  b_.takes = false;
  b_.Watermark(EV_READ, 500, 500);
  b_.Enable(EV_READ);
  b_.on_read = [&] {
    EXPECT_GE(b_.input_len(), 500u);
    EXPECT_LE(b_.input_len(), 500 + Slack());
    b_.Take(500);
  };
  const std::string bytes = Pattern(50000);
  a_.Write(bytes);
  // The rest of what the codec gave out too much may lie below the mark.
  EXPECT_TRUE(Until([&] { return b_.received.size() + b_.input_len() >= bytes.size(); }));
  b_.Take();
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceWatermark, ReadCallbackThatLeavesTheHighMark) {
  // libevent calls it again and again until the input shrinks.
  if (kOnLibevent) GTEST_SKIP();
  b_.takes = false;
  b_.Watermark(EV_READ, 0, 4);
  b_.Enable(EV_READ);
  a_.Write("abcdefgh");
  ExpectInput(4);
  loop_.Settle(20);
  EXPECT_EQ(1, b_.reads);
  if (Slack() > 0) return;  // All of it is there.
  evbuffer_drain(b_.input(), 4);
  ExpectInput(4);
  EXPECT_EQ(2, b_.reads);
}

TEST_P(ConformanceWatermark, WriteLow) {
  const size_t kLow = 100000;
  std::vector<size_t> left;
  a_.on_write = [&] { left.push_back(a_.output_len()); };
  a_.Watermark(EV_WRITE, kLow, 0);
  const std::string bytes = Clog();
  // What a filter kept back is less after its first pass: callbacks may come, but not above low.
  EXPECT_TRUE(left.empty());
  b_.Enable(EV_READ);
  ASSERT_TRUE(Receives(b_, bytes.size()));
  Settle();
  EXPECT_FALSE(left.empty());
  for (const size_t len : left) EXPECT_LE(len, kLow);
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceWatermark, NoWriteCallbackWhileOutputIsLeft) {
  a_.on_write = [&] { EXPECT_EQ(0u, a_.output_len()); };
  const std::string bytes = Clog();
  EXPECT_EQ(0, a_.writes);
  b_.Enable(EV_READ);
  ASSERT_TRUE(Receives(b_, bytes.size()));
  EXPECT_TRUE(Until([&] { return a_.writes > 0; }));
}

TEST_P(ConformanceWatermark, WriteCallbackBelowLowKeepsTheOutputFilled) {
  const std::string bytes = Pattern(2 << 20);
  size_t sent_len = 0;
  a_.Watermark(EV_WRITE, 20000, 0);
  bool is_writing = false;
  a_.on_write = [&] {
    if (is_writing) return;  // libevent's filters call back out of the write.
    is_writing = true;
    while (sent_len < bytes.size() && a_.output_len() <= 20000) {
      const std::string piece = bytes.substr(sent_len, 30000);
      sent_len += piece.size();
      a_.Write(piece);
      if (flavour().has_filter()) break;
    }
    is_writing = false;
  };
  b_.Enable(EV_READ);
  a_.on_write();
  ASSERT_TRUE(Until([&] {
    if (kOnLibevent) a_.on_write();
    return b_.received.size() >= bytes.size();
  }));
  EXPECT_TRUE(bytes == b_.received);
}

// The write high mark of what is under a filter bounds what the filter puts there.
TEST_P(ConformanceWatermark, WriteHighBoundsTheFilter) {
  if (!flavour().has_filter()) GTEST_SKIP();
  const size_t kHigh = 5000;
  bufferevent_setwatermark(link_.bottom(0), EV_WRITE, 0, kHigh);
  size_t most = 0;
  evbuffer_add_cb(
      bufferevent_get_output(link_.bottom(0)),
      [](struct evbuffer *output, const struct evbuffer_cb_info *, void *arg) {
        size_t *len = static_cast<size_t *>(arg);
        *len = std::max(*len, evbuffer_get_length(output));
      },
      &most);
  const std::string bytes = Pattern(kMoreThanALinkHolds);
  a_.Write(bytes);
  Settle();
  EXPECT_GT(a_.output_len(), 0u);
  EXPECT_EQ(0, a_.writes);
  b_.Enable(EV_READ);
  ASSERT_TRUE(Receives(b_, bytes.size()));
  EXPECT_TRUE(bytes == b_.received);
  EXPECT_LE(most, kHigh + Slack());
  EXPECT_GT(a_.writes, 0);
}

// The read marks of both sides of a filter at once.
TEST_P(ConformanceWatermark, ReadHighBelowAndAboveTheFilter) {
  if (!flavour().has_filter()) GTEST_SKIP();
  // libevent spins between the pair, which is full, and the filter.
  if (kOnLibevent && flavour().stream == Stream::kPair) GTEST_SKIP();
  bufferevent_setwatermark(link_.bottom(1), EV_READ, 0, 3000);
  b_.StopTaking();
  b_.Watermark(EV_READ, 0, 1000);
  b_.Enable(EV_READ);
  const std::string bytes = Pattern(300000);
  a_.Write(bytes);
  ASSERT_TRUE(Until([&] {
    EXPECT_LE(b_.input_len(), 1000 + Slack());
    EXPECT_LE(evbuffer_get_length(bufferevent_get_input(link_.bottom(1))), 3000u);
    b_.Take(777);
    return b_.received.size() >= bytes.size();
  }));
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceWatermark, HighSetAfterTheInputHasMore) {
  b_.StopTaking();
  b_.Enable(EV_READ);
  a_.Write(std::string(100, 'x'));
  ExpectInput(100);
  b_.Watermark(EV_READ, 0, 50);
  a_.Write("y");
  Settle();
  EXPECT_EQ(100u, b_.input_len());
  b_.Take(51);
  ASSERT_TRUE(Until([&] { return b_.input_len() == 50; }));
}

}  // namespace
}  // namespace conformance
