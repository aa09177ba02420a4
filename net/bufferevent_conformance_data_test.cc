// Every kind of bufferevent: what goes in comes out, in order; directions; callbacks; getters.
#include "net/conformance_testing.h"

namespace conformance {
namespace {

class ConformanceData : public Conformance {
 protected:
  void EnableBoth() {
    a_.Enable(EV_READ);
    b_.Enable(EV_READ);
  }
};

INSTANTIATE_TEST_SUITE_P(All, ConformanceData, ::testing::ValuesIn(AllFlavours()), FlavourName);

TEST_P(ConformanceData, AllSizesBothWays) {
  EnableBoth();
  unsigned seed = 1;
  for (const size_t len : {size_t{1}, size_t{2}, size_t{100}, size_t{4095}, size_t{4096},
                           size_t{4097}, size_t{65535}, size_t{65537}, size_t{3} << 20}) {
    const std::string there = Pattern(len, seed++);
    const std::string back = Pattern(len + 1, seed++);
    a_.received.clear();
    b_.received.clear();
    EXPECT_EQ(0, a_.Write(there));
    EXPECT_EQ(0, b_.Write(back));
    ASSERT_TRUE(Until([&] {
      return b_.received.size() >= there.size() && a_.received.size() >= back.size();
    })) << len;
    ASSERT_TRUE(there == b_.received) << len;
    ASSERT_TRUE(back == a_.received) << len;
  }
  EXPECT_TRUE(a_.events.empty());
  EXPECT_TRUE(b_.events.empty());
}

TEST_P(ConformanceData, NothingIsNothing) {
  EnableBoth();
  EXPECT_EQ(0, a_.Write(""));
  EXPECT_EQ(0, bufferevent_write(a_, nullptr, 0));
  Settle();
  EXPECT_EQ(0, b_.reads);
  EXPECT_EQ(0u, b_.input_len());
  EXPECT_EQ(0u, a_.output_len());
  char byte;
  EXPECT_EQ(0u, bufferevent_read(b_, &byte, 1));
  EXPECT_TRUE(a_.events.empty());
}

TEST_P(ConformanceData, CompressibleBytes) {
  EnableBoth();
  const std::string bytes(3 << 20, 'x');
  a_.Write(bytes);
  ASSERT_TRUE(Receives(b_, bytes.size()));
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceData, ManyPiecesWhileTheLoopRuns) {
  EnableBoth();
  std::string sent[2];
  unsigned state = 7;
  for (int i = 0; i < 1500; i++) {
    state = state * 1664525u + 1013904223u;
    const int from = state >> 31;
    const std::string piece = Pattern((state >> 8) % 700, static_cast<unsigned>(i));
    link_[from].Write(piece);
    sent[from] += piece;
    if (state >> 20 & 1) event_base_loop(loop_, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  }
  ASSERT_TRUE(Until([&] {
    return b_.received.size() >= sent[0].size() && a_.received.size() >= sent[1].size();
  }));
  EXPECT_TRUE(sent[0] == b_.received);
  EXPECT_TRUE(sent[1] == a_.received);
}

TEST_P(ConformanceData, EchoFromCallbacks) {
  EnableBoth();
  size_t echoed = 0;
  b_.on_read = [&] {
    b_.Write(b_.received.substr(echoed));
    echoed = b_.received.size();
  };
  int rounds = 0;
  a_.on_read = [&] {
    if (a_.received.size() % 4 == 0 && ++rounds < 300) a_.Write("ping");
  };
  a_.Write("ping");
  EXPECT_TRUE(Until([&] { return rounds == 300; }));
  EXPECT_EQ(1200u, b_.received.size());
}

TEST_P(ConformanceData, ProducedOnDemandByTheWriteCallback) {
  EnableBoth();
  const std::string bytes = Pattern(1 << 20);
  size_t sent_len = 0;
  a_.on_write = [&] {
    if (a_.output_len() > 0 || sent_len == bytes.size()) return;
    const std::string piece = bytes.substr(sent_len, 10000);
    sent_len += piece.size();  // First: libevent may call back out of the write.
    a_.Write(piece);
  };
  a_.on_write();
  ASSERT_TRUE(Receives(b_, bytes.size()));
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceData, WholeBuffersMove) {
  b_.takes = false;
  b_.Enable(EV_READ);
  const std::string bytes = Pattern(3 << 20);
  struct evbuffer *buffer = evbuffer_new();
  evbuffer_add(buffer, bytes.data(), bytes.size());
  EXPECT_EQ(0, bufferevent_write_buffer(a_, buffer));
  EXPECT_EQ(0u, evbuffer_get_length(buffer));
  ASSERT_TRUE(Until([&] { return b_.input_len() >= bytes.size(); }));
  EXPECT_EQ(0, bufferevent_read_buffer(b_, buffer));
  EXPECT_EQ(0u, b_.input_len());
  ASSERT_EQ(bytes.size(), evbuffer_get_length(buffer));
  EXPECT_EQ(0, memcmp(bytes.data(), evbuffer_pullup(buffer, -1), bytes.size()));
  // Empty ones, too.
  evbuffer_drain(buffer, SIZE_MAX);
  EXPECT_EQ(0, bufferevent_write_buffer(a_, buffer));
  EXPECT_EQ(0, bufferevent_read_buffer(b_, buffer));
  EXPECT_EQ(0u, evbuffer_get_length(buffer));
  evbuffer_free(buffer);
}

TEST_P(ConformanceData, OutputBufferIsWrittenToo) {
  b_.Enable(EV_READ);
  static const char kStatic[] = "not copied";
  EXPECT_EQ(5, evbuffer_add_printf(a_.output(), "%d", 12345));
  EXPECT_EQ(0, evbuffer_add_reference(a_.output(), kStatic, sizeof(kStatic) - 1, nullptr, nullptr));
  ASSERT_TRUE(Receives(b_, 15));
  EXPECT_EQ("12345not copied", b_.received);
}

TEST_P(ConformanceData, ReadTakesWhatFits) {
  b_.takes = false;
  b_.Enable(EV_READ);
  a_.Write("abcdef");
  ASSERT_TRUE(Until([&] { return b_.input_len() == 6; }));
  char block[4];
  EXPECT_EQ(4u, bufferevent_read(b_, block, 4));
  EXPECT_EQ("abcd", std::string(block, 4));
  EXPECT_EQ(2u, bufferevent_read(b_, block, 4));
  EXPECT_EQ(0u, bufferevent_read(b_, block, 4));
}

TEST_P(ConformanceData, LeftInputIsNotAnnouncedAgain) {
  b_.takes = false;
  b_.Enable(EV_READ);
  a_.Write("abc");
  ASSERT_TRUE(Until([&] { return b_.reads > 0 && b_.input_len() == 3; }));
  Settle();
  const int reads = b_.reads;
  Settle();
  EXPECT_EQ(reads, b_.reads);
  a_.Write("def");
  ASSERT_TRUE(Until([&] { return b_.input_len() == 6; }));
  Settle();
  EXPECT_GT(b_.reads, reads);
}

TEST_P(ConformanceData, WriteCallbackComesWhenTheOutputIsEmpty) {
  b_.Enable(EV_READ);
  a_.on_write = [&] { EXPECT_EQ(0u, a_.output_len()); };
  a_.Write("abc");
  ASSERT_TRUE(Until([&] { return a_.writes > 0 && b_.received == "abc"; }));
  Settle();
  const int writes = a_.writes;
  Settle();
  EXPECT_EQ(writes, a_.writes);
}

TEST_P(ConformanceData, NewOneMayWriteButNotRead) {
  for (End *end : {&a_, &b_}) {
    EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(*end));
    EXPECT_EQ(0, end->Enable(EV_READ));
    EXPECT_EQ(EV_READ | EV_WRITE, bufferevent_get_enabled(*end));
    EXPECT_EQ(0, end->Disable(EV_WRITE));
    EXPECT_EQ(EV_READ, bufferevent_get_enabled(*end));
    EXPECT_EQ(0, end->Disable(EV_READ | EV_WRITE));
    EXPECT_EQ(0, bufferevent_get_enabled(*end));
  }
}

TEST_P(ConformanceData, NothingIsDeliveredToOneThatDoesNotRead) {
  a_.Write("early");
  Settle();
  EXPECT_EQ(0, b_.reads);
  EXPECT_EQ(0u, b_.input_len());
  b_.Enable(EV_READ);
  ASSERT_TRUE(Receives(b_, 5));
  b_.Disable(EV_READ);
  const int reads = b_.reads;
  a_.Write("late");
  Settle();
  EXPECT_EQ(reads, b_.reads);
  EXPECT_EQ(0u, b_.input_len());
  b_.Enable(EV_READ);
  ASSERT_TRUE(Receives(b_, 9));
  EXPECT_EQ("earlylate", b_.received);
}

TEST_P(ConformanceData, NothingIsSentByOneThatDoesNotWrite) {
  b_.Enable(EV_READ);
  a_.Disable(EV_WRITE);
  a_.Write("kept");
  Settle();
  EXPECT_EQ(0, b_.reads);
  EXPECT_EQ(4u, a_.output_len());
  EXPECT_EQ(0, a_.writes);
  a_.Enable(EV_WRITE);
  // libevent's filters look at the output again only when something is added.
  if (kOnLibevent && flavour().has_filter()) a_.Write("+");
  ASSERT_TRUE(Receives(b_, 4));
  EXPECT_EQ("kept", b_.received.substr(0, 4));
}

TEST_P(ConformanceData, DirectionsAreIndependent) {
  a_.Disable(EV_WRITE);
  a_.Enable(EV_READ);
  a_.Write("not yet");
  b_.Write("now");
  ASSERT_TRUE(Receives(a_, 3));
  EXPECT_EQ("now", a_.received);
  EXPECT_EQ(7u, a_.output_len());
}

TEST_P(ConformanceData, StoppedAndStartedAllTheWay) {
  const std::string bytes = Pattern(1 << 20);
  b_.Enable(EV_READ);
  a_.Write(bytes);
  b_.on_read = [&] { b_.Disable(EV_READ); };
  ASSERT_TRUE(Until([&] {
    b_.Enable(EV_READ);
    return b_.received.size() >= bytes.size();
  }));
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceData, WithoutCallbacks) {
  bufferevent_setcb(a_, nullptr, nullptr, nullptr, nullptr);
  bufferevent_setcb(b_, nullptr, nullptr, nullptr, nullptr);
  b_.Enable(EV_READ);
  a_.Write("silent");
  ASSERT_TRUE(Until([&] { return b_.input_len() == 6; }));
  bufferevent_trigger(b_, EV_READ | EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS);
  bufferevent_trigger_event(b_, BEV_EVENT_ERROR, 0);
  Settle();
  EXPECT_EQ(0, b_.reads);
  b_.SetCallbacks();
  Settle();
  EXPECT_EQ(0, b_.reads) << "setting callbacks is no news";
  a_.Write("!");
  ASSERT_TRUE(Receives(b_, 7));
  EXPECT_EQ("silent!", b_.received);
}

TEST_P(ConformanceData, CallbacksCanBeReadAndReplaced) {
  bufferevent_data_cb read, write;
  bufferevent_event_cb event;
  void *arg;
  bufferevent_getcb(b_, &read, &write, &event, &arg);
  EXPECT_NE(nullptr, read);
  EXPECT_NE(nullptr, write);
  EXPECT_NE(nullptr, event);
  EXPECT_EQ(&b_, arg);
  bufferevent_getcb(b_, nullptr, nullptr, nullptr, nullptr);
  int other_reads = 0;
  b_.on_read = [&] {
    bufferevent_setcb(
        b_,
        [](struct bufferevent *bev, void *count) {
          ++*static_cast<int *>(count);
          evbuffer_drain(bufferevent_get_input(bev), SIZE_MAX);
        },
        nullptr, nullptr, &other_reads);
  };
  b_.Enable(EV_READ);
  a_.Write("first");
  ASSERT_TRUE(Until([&] { return b_.reads == 1; }));
  a_.Write("second");
  EXPECT_TRUE(Until([&] { return other_reads == 1; }));
  EXPECT_EQ(1, b_.reads);
}

TEST_P(ConformanceData, TriggeredByHand) {
  // Pairs always defer.
  const bool deferred =
      flavour().is_deferred() || (flavour().stream == Stream::kPair && !flavour().has_filter());
  const int now = deferred ? 0 : 1;
  bufferevent_trigger(b_, EV_READ | EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS);
  EXPECT_EQ(now, b_.reads);
  EXPECT_EQ(now, b_.writes);
  Settle();
  EXPECT_EQ(1, b_.reads);
  EXPECT_EQ(1, b_.writes);
  bufferevent_trigger(b_, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
  EXPECT_EQ(1, b_.reads);
  Settle();
  EXPECT_EQ(2, b_.reads);
  b_.Watermark(EV_READ, 10, 0);
  bufferevent_trigger(b_, EV_READ, 0);
  Settle();
  EXPECT_EQ(2, b_.reads);
  bufferevent_trigger_event(b_, BEV_EVENT_TIMEOUT, 0);
  EXPECT_EQ(static_cast<size_t>(now), b_.events.size());
  Settle();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_TIMEOUT}, b_.events);
  bufferevent_trigger_event(b_, BEV_EVENT_READING, BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger_event(b_, BEV_EVENT_EOF, BEV_TRIG_DEFER_CALLBACKS);
  EXPECT_EQ(1u, b_.events.size());
  Settle();
  ASSERT_EQ(2u, b_.events.size());
  EXPECT_EQ(kEof, b_.events[1]);
}

TEST_P(ConformanceData, TriggeredWritingGoesByTheWatermark) {
  a_.Disable(EV_WRITE);
  a_.Write("abcdef");
  a_.Watermark(EV_WRITE, 5, 0);
  bufferevent_trigger(a_, EV_WRITE, 0);
  Settle();
  EXPECT_EQ(0, a_.writes);
  a_.Watermark(EV_WRITE, 6, 0);
  bufferevent_trigger(a_, EV_WRITE, 0);
  Settle();
  EXPECT_EQ(1, a_.writes);
}

TEST_P(ConformanceData, Getters) {
  for (int i = 0; i < 2; i++) {
    struct bufferevent *bev = link_[i];
    EXPECT_EQ(static_cast<struct event_base *>(loop_), bufferevent_get_base(bev));
    EXPECT_EQ(flavour().has_filter() ? link_.bottom(i) : nullptr, bufferevent_get_underlying(bev));
    EXPECT_NE(nullptr, bufferevent_get_input(bev));
    EXPECT_NE(nullptr, bufferevent_get_output(bev));
    EXPECT_NE(bufferevent_get_input(bev), bufferevent_get_output(bev));
    if (!flavour().has_filter()) {
      EXPECT_EQ(link_.fd(i), bufferevent_getfd(bev));
    }
    if (flavour().stream == Stream::kPair) {
      EXPECT_EQ(link_.bottom(1 - i), bufferevent_pair_get_partner(link_.bottom(i)));
    }
    EXPECT_GT(bufferevent_get_max_single_read(bev), 0);
    EXPECT_GT(bufferevent_get_max_single_write(bev), 0);
  }
}

TEST_P(ConformanceData, SmallSingleReadsAndWrites) {
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(0, bufferevent_set_max_single_read(link_.bottom(i), 100));
    EXPECT_EQ(0, bufferevent_set_max_single_write(link_.bottom(i), 77));
  }
  const std::string bytes = Pattern(20000);
  b_.Enable(EV_READ);
  a_.Write(bytes);
  ASSERT_TRUE(Receives(b_, bytes.size()));
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceData, BufferCallbacksSeeEveryByte) {
  struct Sums {
    size_t added = 0, deleted = 0;
  } in, out;
  const auto count = [](struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
    static_cast<Sums *>(arg)->added += info->n_added;
    static_cast<Sums *>(arg)->deleted += info->n_deleted;
  };
  evbuffer_add_cb(b_.input(), count, &in);
  evbuffer_add_cb(a_.output(), count, &out);
  b_.Enable(EV_READ);
  const std::string bytes = Pattern(300000);
  a_.Write(bytes);
  ASSERT_TRUE(Receives(b_, bytes.size()));
  Settle();
  EXPECT_EQ(bytes.size(), in.added);
  EXPECT_EQ(bytes.size(), in.deleted);
  EXPECT_EQ(bytes.size(), out.added);
  EXPECT_EQ(bytes.size(), out.deleted);
}

// A program may take the input from a callback of the buffer as well.
TEST_P(ConformanceData, InputTakenByABufferCallback) {
  struct Taker {
    std::string bytes;
  } taker;
  evbuffer_add_cb(
      b_.input(),
      [](struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg) {
        if (info->n_added == 0) return;
        const size_t len = evbuffer_get_length(input);
        std::string bytes(len, '\0');
        evbuffer_remove(input, &bytes[0], len);
        static_cast<Taker *>(arg)->bytes += bytes;
      },
      &taker);
  b_.Enable(EV_READ);
  const std::string bytes = Pattern(300000);
  a_.Write(bytes);
  EXPECT_TRUE(Until([&] { return taker.bytes.size() + b_.received.size() >= bytes.size(); }));
  EXPECT_TRUE(bytes == taker.bytes);
}

// The input is filled and the output emptied by the bufferevent alone.
TEST_P(ConformanceData, FrozenEnds) {
  // libevent does not freeze the buffers of filters.
  if (kOnLibevent && flavour().has_filter()) GTEST_SKIP();
  a_.Disable(EV_WRITE);
  a_.Write("abcdef");
  EXPECT_EQ(-1, evbuffer_drain(a_.output(), 1));
  EXPECT_EQ(-1, evbuffer_prepend(a_.output(), "x", 1));
  char byte;
  EXPECT_EQ(-1, evbuffer_remove(a_.output(), &byte, 1));
  EXPECT_EQ(6u, a_.output_len());
  EXPECT_EQ(-1, evbuffer_add(b_.input(), "x", 1));
  EXPECT_EQ(-1, evbuffer_add_buffer(b_.input(), a_.output()));
  EXPECT_EQ(0u, b_.input_len());
  b_.takes = false;
  b_.Enable(EV_READ);
  a_.Enable(EV_WRITE);
  ASSERT_TRUE(Until([&] { return b_.input_len() == 6; }));
  EXPECT_EQ(0, evbuffer_prepend(b_.input(), "<", 1));
  b_.Take();
  EXPECT_EQ("<abcdef", b_.received);
  EXPECT_EQ(-1, evbuffer_add(b_.input(), "x", 1)) << "still frozen after it was filled";
  EXPECT_EQ(-1, evbuffer_prepend(a_.output(), "x", 1));
}

TEST_P(ConformanceData, Priorities) {
  Loop loop;
  event_base_priority_init(loop, 5);
  Link link(loop, flavour());
  const bool has_one = !flavour().has_filter() && flavour().stream == Stream::kSocket;
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(2, bufferevent_get_priority(link[i]));
    EXPECT_EQ(-1, bufferevent_priority_set(link[i], 5));
    // Documented for sockets alone.
    const int result = bufferevent_priority_set(link[i], 4 * i);
    if (has_one) {
      EXPECT_EQ(0, result);
    }
    EXPECT_EQ(result == 0 ? 4 * i : 2, bufferevent_get_priority(link[i]));
    link[i].Enable(EV_READ);
  }
  link[0].Write("abc");
  EXPECT_TRUE(loop.RunUntil([&] { return link[1].received == "abc"; }));
  link[0].Free();
  link[1].Free();
  loop.Settle();
}

// Both ends idle: nothing to run for, as nothing is enabled for reading.
TEST_P(ConformanceData, AloneDoesNotKeepTheLoop) {
  EXPECT_EQ(1, event_base_dispatch(loop_));
  a_.Write("abc");
  EXPECT_EQ(1, event_base_dispatch(loop_));
  b_.Enable(EV_READ);
  ASSERT_TRUE(Receives(b_, 3));
  b_.Disable(EV_READ);
  EXPECT_EQ(1, event_base_dispatch(loop_));
}

}  // namespace
}  // namespace conformance
