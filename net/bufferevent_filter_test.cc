// Filters, over sockets and over pairs, against what event2/bufferevent.h documents.
#include <event2/thread.h>

#include <atomic>
#include <memory>
#include <thread>

#include "net/test_support.h"

namespace {

const bool g_has_threads = evthread_use_pthreads() == 0;

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

size_t Bounded(size_t len, ev_ssize_t limit) {
  return limit < 0 ? len : std::min(len, static_cast<size_t>(limit));
}

// As the functions of real filters: a byte becomes two hexadecimal digits.
enum bufferevent_filter_result Encode(struct evbuffer *src, struct evbuffer *dst, ev_ssize_t limit,
                                      enum bufferevent_flush_mode mode, void *arg) {
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

int Digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

enum bufferevent_filter_result Decode(struct evbuffer *src, struct evbuffer *dst, ev_ssize_t limit,
                                      enum bufferevent_flush_mode mode, void *arg) {
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

void FreeContext(void *arg) {
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

void PrintTo(const Stack &stack, std::ostream *out) {
  *out << stack.name;
}

class BuffereventFilter : public ::testing::TestWithParam<Stack> {
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

INSTANTIATE_TEST_SUITE_P(, BuffereventFilter, ::testing::ValuesIn(kStacks),
                         [](const auto &info) { return std::string(info.param.name); });

TEST_P(BuffereventFilter, StartsAsDocumented) {
  auto filter = Coded();
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(*filter));
  EXPECT_EQ(EV_READ | EV_WRITE, bufferevent_get_enabled(below_));
  EXPECT_EQ(below_, bufferevent_get_underlying(*filter));
  EXPECT_EQ(fd_[0], bufferevent_getfd(*filter));
  EXPECT_EQ(loop_, bufferevent_get_base(*filter));
  EXPECT_EQ(-1, bufferevent_priority_set(*filter, 0));
  EXPECT_EQ(nullptr, bufferevent_pair_get_partner(*filter));
}

TEST_P(BuffereventFilter, WithoutFunctionsBytesPassAsTheyAre) {
  const std::string bytes = Pattern(300000);
  auto filter = Over(below_, nullptr, nullptr, &context_);
  filter->Enable(EV_READ);
  filter->Write(bytes);
  peer_->Write(bytes);
  EXPECT_TRUE(loop_.RunUntil([&] {
    return filter->received.size() >= bytes.size() && peer_->received.size() >= bytes.size();
  }));
  EXPECT_EQ(bytes, filter->received);
  EXPECT_EQ(bytes, peer_->received);
}

TEST_P(BuffereventFilter, Transforms) {
  auto filter = Coded();
  filter->Enable(EV_READ);
  filter->Write("AZ");
  peer_->Write("42434");
  EXPECT_TRUE(
      loop_.RunUntil([&] { return filter->received == "BC" && peer_->received == "415a"; }));
  EXPECT_LE(1, filter->writes);
  EXPECT_EQ(1u, BelowInputLen());
  peer_->Write("4");
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->received == "BCD"; }));
}

TEST_P(BuffereventFilter, FiltersOnBothSides) {
  const std::string bytes[2] = {Pattern(200000, 1), Pattern(150000, 2)};
  auto filter = Coded();
  struct bufferevent *other_below = peer_->get();
  Context context;
  auto other = Over(other_below, Decode, Encode, &context, 0);
  filter->Enable(EV_READ);
  other->Enable(EV_READ);
  filter->Write(bytes[0]);
  other->Write(bytes[1]);
  EXPECT_TRUE(loop_.RunUntil([&] {
    return other->received.size() >= bytes[0].size() && filter->received.size() >= bytes[1].size();
  }));
  EXPECT_EQ(bytes[0], other->received);
  EXPECT_EQ(bytes[1], filter->received);
}

TEST_P(BuffereventFilter, FilterOverFilter) {
  Context outer_context;
  struct bufferevent *inner = bufferevent_filter_new(
      below_, Decode, Encode, GetParam().options | BEV_OPT_CLOSE_ON_FREE, FreeContext, &context_);
  auto outer = Over(inner, Decode, Encode, &outer_context);
  outer->Enable(EV_READ);
  EXPECT_EQ(inner, bufferevent_get_underlying(*outer));
  EXPECT_EQ(fd_[0], bufferevent_getfd(*outer));
  outer->Write("A");
  peer_->Write("3435");
  EXPECT_TRUE(loop_.RunUntil([&] { return outer->received == "E" && peer_->received == "3431"; }));
  outer->Free();
  loop_.Settle();
  EXPECT_EQ(1, context_.num_freed);
  EXPECT_EQ(1, outer_context.num_freed);
}

// ---- Bounds ----

TEST_P(BuffereventFilter, InputStaysUnderTheHighWatermark) {
  const std::string bytes = Pattern(20000);
  auto filter = Over(below_, nullptr, nullptr, &context_);
  filter->StopTaking();
  filter->Watermark(EV_READ, 0, 1000);
  filter->Enable(EV_READ);
  peer_->Write(bytes);
  while (filter->received.size() < bytes.size()) {
    ASSERT_TRUE(loop_.RunUntil([&] { return filter->input_len() > 0; }));
    ASSERT_LE(filter->input_len(), 1000u);
    filter->Take(700);
  }
  EXPECT_EQ(bytes, filter->received);
}

TEST_P(BuffereventFilter, FunctionsAreToldTheLimit) {
  auto filter = Coded();
  filter->StopTaking();
  filter->Watermark(EV_READ, 0, 3);
  bufferevent_setwatermark(below_, EV_WRITE, 0, 4);
  filter->Enable(EV_READ);
  peer_->Write("4142434445");
  ASSERT_TRUE(loop_.RunUntil([&] { return filter->input_len() == 3; }));
  ASSERT_FALSE(context_.in.empty());
  EXPECT_EQ(3, context_.in[0].limit);
  EXPECT_EQ(BEV_NORMAL, context_.in[0].mode);
  peer_->Disable(EV_READ);
  filter->Write("ABC");
  ASSERT_FALSE(context_.out.empty());
  EXPECT_EQ(4, context_.out[0].limit);
  EXPECT_LE(BelowOutputLen(), 4u);
  peer_->Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return peer_->received == "414243"; }));
  filter->Take();  // On libevent, that takes what comes up meanwhile too.
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->received.size() + filter->input_len() == 5; }));
}

TEST_P(BuffereventFilter, OutputGoesOnWhenThatBelowHasEmptied) {
  const std::string bytes = Pattern(100000);
  auto filter = Over(below_, nullptr, nullptr, &context_);
  bufferevent_setwatermark(below_, EV_WRITE, 0, 1000);
  filter->Write(bytes);
  EXPECT_LE(BelowOutputLen(), 1000u);
  EXPECT_TRUE(loop_.RunUntil([&] { return peer_->received.size() >= bytes.size(); }));
  EXPECT_EQ(bytes, peer_->received);
}

TEST_P(BuffereventFilter, OutputIsFilteredInsideTheCall) {
  auto filter = Coded();
  peer_->Disable(EV_READ);
  filter->Write("A");
  EXPECT_EQ(0u, filter->output_len());
  EXPECT_EQ(2u, BelowOutputLen());
}

TEST_P(BuffereventFilter, DisabledReadingStopsTheUnderlying) {
  auto filter = Over(below_, nullptr, nullptr, &context_);
  peer_->Write("early");
  loop_.Settle();
  EXPECT_EQ(0u, BelowInputLen());
  EXPECT_EQ(0u, filter->input_len());
  filter->Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->received == "early"; }));
  filter->Disable(EV_READ);
  peer_->Write("late");
  loop_.Settle();
  EXPECT_EQ(0u, BelowInputLen());
  filter->Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->received == "earlylate"; }));
}

TEST_P(BuffereventFilter, DisabledWritingHoldsTheOutput) {
  auto filter = Over(below_, nullptr, nullptr, &context_);
  filter->Disable(EV_WRITE);
  filter->Write("held");
  loop_.Settle();
  EXPECT_EQ(4u, filter->output_len());
  filter->Enable(EV_WRITE);
  // libevent looks at the output again only when there is more of it.
  if (kOnLibevent) filter->Write("!");
  EXPECT_TRUE(loop_.RunUntil([&] { return peer_->received.substr(0, 4) == "held"; }));
}

TEST_P(BuffereventFilter, BytesReadBeforeTheFilterWasMade) {
  if (kOnLibevent) GTEST_SKIP() << "leaves them until more come";
  bufferevent_enable(below_, EV_READ);
  peer_->Write("4142");
  ASSERT_TRUE(loop_.RunUntil([&] { return BelowInputLen() == 4; }));
  auto filter = Coded();
  loop_.Settle();
  EXPECT_EQ(0u, filter->input_len());
  filter->Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->received == "AB"; }));
}

// ---- What functions return, and flushing ----

TEST_P(BuffereventFilter, NeedMoreWaitsForMore) {
  auto filter = Coded();
  context_.in_result = context_.out_result = BEV_NEED_MORE;
  filter->Enable(EV_READ);
  filter->Write("A");
  peer_->Write("41");
  ASSERT_TRUE(loop_.RunUntil([&] { return BelowInputLen() == 2; }));
  loop_.Settle();
  EXPECT_EQ(1u, context_.in.size());
  EXPECT_GE(2u, context_.out.size());
  EXPECT_EQ(0, filter->reads + filter->writes);
  context_.in_result = context_.out_result = BEV_OK;
  filter->Write("B");
  peer_->Write("42");
  EXPECT_TRUE(
      loop_.RunUntil([&] { return filter->received == "AB" && peer_->received == "4142"; }));
}

TEST_P(BuffereventFilter, ErrorsAreReportedAndLoseNothing) {
  auto filter = Coded();
  context_.in_result = context_.out_result = BEV_ERROR;
  filter->Enable(EV_READ);
  filter->Write("A");
  EXPECT_EQ(1u, filter->output_len());
  peer_->Write("41");
  ASSERT_TRUE(loop_.RunUntil([&] { return BelowInputLen() == 2; }));
  loop_.Settle();
  if (kOnLibevent) return;  // Says nothing.
  EXPECT_EQ(0, bufferevent_get_enabled(*filter));
  short what = 0;
  for (const short event : filter->events) what |= event;
  EXPECT_EQ(BEV_EVENT_ERROR | BEV_EVENT_READING | BEV_EVENT_WRITING, what);
  context_.in_result = context_.out_result = BEV_OK;
  filter->Enable(EV_READ | EV_WRITE);
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->received == "A" && peer_->received == "41"; }));
}

TEST_P(BuffereventFilter, FlushPassesItsMode) {
  auto filter = Coded();
  EXPECT_EQ(0, bufferevent_flush(*filter, EV_READ | EV_WRITE, BEV_FLUSH));
  ASSERT_EQ(1u, context_.in.size());
  ASSERT_EQ(1u, context_.out.size());
  EXPECT_EQ(BEV_FLUSH, context_.in[0].mode);
  EXPECT_EQ(BEV_FLUSH, context_.out[0].mode);
  EXPECT_EQ(-1, context_.out[0].limit);
  bufferevent_setwatermark(below_, EV_WRITE, 0, 4);
  filter->Disable(EV_WRITE);
  filter->Write("ABCD");
  EXPECT_EQ(1u, context_.out.size());
  EXPECT_EQ(1, bufferevent_flush(*filter, EV_WRITE, BEV_FINISHED));
  ASSERT_LE(2u, context_.out.size());
  EXPECT_EQ(BEV_FINISHED, context_.out[1].mode);
  EXPECT_EQ(-1, context_.out[1].limit);
  EXPECT_EQ(0u, filter->output_len());
  EXPECT_TRUE(loop_.RunUntil([&] { return peer_->received == "41424344"; }));
  // The flush went on to what is below.
  loop_.Settle();
  EXPECT_EQ(GetParam().over_pair ? std::vector<short>{kEof} : std::vector<short>(), peer_->events);
}

TEST_P(BuffereventFilter, FlushedInputIsAnnounced) {
  if (kOnLibevent) GTEST_SKIP() << "does not call the read callback";
  bufferevent_enable(below_, EV_READ);
  peer_->Write("4142");
  ASSERT_TRUE(loop_.RunUntil([&] { return BelowInputLen() == 4; }));
  auto filter = Coded();
  EXPECT_EQ(1, bufferevent_flush(*filter, EV_READ, BEV_FLUSH));
  EXPECT_EQ(0, filter->reads);
  loop_.Settle();
  EXPECT_EQ(1, filter->reads);
}

// ---- Events ----

void End(Bev *bev, bool is_pair) {
  if (is_pair)
    bufferevent_flush(*bev, EV_WRITE, BEV_FINISHED);
  else
    bev->Free();
}

TEST_P(BuffereventFilter, EndOfDataComesAfterTheBytes) {
  auto filter = Coded();
  std::string seen_at_end;
  filter->on_event = [&](short) { seen_at_end = filter->received; };
  filter->Enable(EV_READ);
  peer_->Write("4142");
  // A socket that is closed with output in it drops that.
  ASSERT_TRUE(loop_.RunUntil([&] { return peer_->output_len() == 0; }));
  End(peer_.get(), GetParam().over_pair);
  ASSERT_TRUE(loop_.RunUntil([&] { return !filter->events.empty(); }));
  EXPECT_EQ(std::vector<short>{kEof}, filter->events);
  EXPECT_EQ("AB", seen_at_end);
}

TEST_P(BuffereventFilter, EndOfDataWaitsForAFullInput) {
  if (kOnLibevent) GTEST_SKIP() << "tells the end while bytes are still below";
  auto filter = Coded();
  filter->StopTaking();
  filter->Watermark(EV_READ, 0, 2);
  filter->Enable(EV_READ);
  peer_->Write("4142434445");
  ASSERT_TRUE(loop_.RunUntil([&] { return peer_->output_len() == 0; }));
  End(peer_.get(), GetParam().over_pair);
  ASSERT_TRUE(loop_.RunUntil([&] { return filter->input_len() == 2; }));
  loop_.Settle();
  EXPECT_TRUE(filter->events.empty());
  while (filter->events.empty()) {
    EXPECT_LE(filter->input_len(), 2u);
    filter->Take();
    loop_.Settle(2);
  }
  filter->Take();
  EXPECT_EQ("ABCDE", filter->received);
  EXPECT_EQ(std::vector<short>{kEof}, filter->events);
}

TEST_P(BuffereventFilter, ErrorsOfTheSocketPass) {
  if (GetParam().over_pair) GTEST_SKIP();
  if (OnCompletions()) GTEST_SKIP();  // The peer receives it all: its close is no reset.
  auto filter = Coded();
  filter->Enable(EV_READ);
  peer_->Disable(EV_READ);
  filter->Write("unread");  // On a Unix socket, that makes the close a reset.
  loop_.Settle();
  peer_->Free();
  ASSERT_TRUE(loop_.RunUntil([&] { return !filter->events.empty(); }));
  EXPECT_EQ(BEV_EVENT_READING | BEV_EVENT_ERROR, filter->events[0]);
  EXPECT_EQ(ECONNRESET, filter->errors[0]);
}

TEST_P(BuffereventFilter, ConnectedPasses) {
  if (GetParam().over_pair) GTEST_SKIP();
  const evutil_socket_t listener = Listen();
  struct sockaddr_in address = AddressOf(listener);
  struct bufferevent *below =
      bufferevent_socket_new(loop_, -1, GetParam().options | BEV_OPT_CLOSE_ON_FREE);
  Context context;
  auto filter = Over(below, Decode, Encode, &context);
  EXPECT_EQ(0, bufferevent_socket_connect(below, reinterpret_cast<struct sockaddr *>(&address),
                                          sizeof(address)));
  ASSERT_TRUE(loop_.RunUntil([&] { return !filter->events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, filter->events);
  evutil_closesocket(listener);
  bufferevent_free(below_);
}

TEST_P(BuffereventFilter, ReadTimeout) {
  const struct timeval soon = Ms(20);
  auto filter = Coded();
  bufferevent_set_timeouts(*filter, &soon, nullptr);
  filter->Enable(EV_READ);
  ASSERT_TRUE(loop_.RunUntil([&] { return !filter->events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_TIMEOUT}, filter->events);
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(*filter));
}

TEST_P(BuffereventFilter, WriteTimeout) {
  if (kOnLibevent) GTEST_SKIP() << "its timer starts only with progress";
  const struct timeval soon = Ms(20);
  auto filter = Coded();
  bufferevent_set_timeouts(*filter, nullptr, &soon);
  context_.out_result = BEV_NEED_MORE;
  filter->Write("A");
  ASSERT_TRUE(loop_.RunUntil([&] { return !filter->events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_WRITING | BEV_EVENT_TIMEOUT}, filter->events);
  EXPECT_EQ(1u, filter->output_len());
}

TEST_P(BuffereventFilter, SetFdWorksOnTheUnderlying) {
  if (GetParam().over_pair) GTEST_SKIP();
  auto filter = Coded();
  filter->Enable(EV_READ);
  Pair other;
  const evutil_socket_t fd = other.Release(0);
  EXPECT_EQ(0, filter->SetFd(fd));
  evutil_closesocket(fd_[0]);
  EXPECT_EQ(fd, bufferevent_getfd(*filter));
  EXPECT_EQ(fd, bufferevent_getfd(below_));
  other.Send("4142");
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->received == "AB"; }));
}

// ---- Lifetimes ----

TEST_P(BuffereventFilter, FreeingItFreesTheUnderlying) {
  auto filter = Coded();
  filter->Free();
  loop_.Settle();
  EXPECT_EQ(1, context_.num_freed);
  if (GetParam().over_pair)
    EXPECT_EQ(nullptr, bufferevent_pair_get_partner(*peer_));
  else
    EXPECT_EQ(-1, fcntl(fd_[0], F_GETFD));
}

TEST_P(BuffereventFilter, FreeingItGivesTheUnderlyingBack) {
  auto filter = Over(below_, Decode, Encode, &context_, 0);
  filter->Free();
  loop_.Settle();
  EXPECT_EQ(1, context_.num_freed);
  bufferevent_data_cb readcb;
  bufferevent_getcb(below_, &readcb, nullptr, nullptr, nullptr);
  EXPECT_EQ(nullptr, readcb);
  Bev below(below_);
  below.Enable(EV_READ);
  peer_->Write("plain");
  EXPECT_TRUE(loop_.RunUntil([&] { return below.received == "plain"; }));
}

TEST_P(BuffereventFilter, AFailureLeavesTheUnderlyingAlone) {
  const QuietLog quiet;
  EXPECT_EQ(nullptr, bufferevent_filter_new(below_, Decode, Encode, BEV_OPT_UNLOCK_CALLBACKS,
                                            FreeContext, &context_));
  EXPECT_EQ(0, context_.num_freed);
  Bev below(below_);
  below.Enable(EV_READ);
  peer_->Write("plain");
  EXPECT_TRUE(loop_.RunUntil([&] { return below.received == "plain"; }));
}

TEST_P(BuffereventFilter, OutlivesAnUnderlyingThatIsFreed) {
  if (kOnLibevent) GTEST_SKIP() << "frees it twice";
  auto filter = Coded();
  filter->Enable(EV_READ);
  bufferevent_free(below_);
  filter->Write("x");
  loop_.Settle();
  EXPECT_EQ(1u, filter->output_len());
  EXPECT_EQ(0, bufferevent_flush(*filter, EV_READ | EV_WRITE, BEV_FINISHED));
  filter->Free();
  loop_.Settle();
  EXPECT_EQ(1, context_.num_freed);
}

TEST_P(BuffereventFilter, CallbacksMayFree) {
  bufferevent_free(below_);
  peer_->Free();
  enum { kFilter = 1, kUnderlying = 2, kPeer = 4, kEnd = 8 };
  for (int which = 1; which < kEnd; which++) {
    // libevent can't have the underlying freed from under a filter that owns it.
    if (kOnLibevent && which & kUnderlying) continue;
    for (int callback = 0; callback < 3; callback++) {
      Open();
      Context context;
      auto filter = Over(below_, Decode, Encode, &context);
      bool has_acted = false;
      const auto act = [&] {
        if (std::exchange(has_acted, true)) return;
        if (which & kUnderlying) bufferevent_free(below_);
        if (which & kFilter) filter->Free();
        if (which & kPeer) peer_->Free();
      };
      if (callback == 0) filter->on_read = act;
      if (callback == 1) filter->on_write = act;
      if (callback == 2) filter->on_event = [&](short) { act(); };
      filter->Enable(EV_READ);
      filter->Write("A");
      if (peer_->get()) peer_->Write("4142");
      loop_.Settle();
      if (callback == 2 && peer_->get()) End(peer_.get(), GetParam().over_pair);
      loop_.Settle();
      EXPECT_EQ(which & kFilter ? nullptr : filter->get(), filter->get());
      filter->Free();
      peer_->Free();
      loop_.Settle();
      EXPECT_EQ(1, context.num_freed);
    }
  }
}

TEST_P(BuffereventFilter, FunctionsMayFree) {
  if (kOnLibevent) GTEST_SKIP() << "uses freed memory";
  bufferevent_free(below_);
  peer_->Free();
  for (int direction = 0; direction < 2; direction++) {
    Open();
    Context context;
    auto filter = Over(below_, Decode, Encode, &context);
    context.on_call = [&] {
      filter->Free();
      peer_->Free();
    };
    filter->Enable(EV_READ);
    if (direction == 0)
      bufferevent_write(*filter, "A", 1);
    else
      bufferevent_write(*peer_, "41", 2);
    loop_.Settle();
    EXPECT_EQ(nullptr, filter->get());
    EXPECT_EQ(0, filter->reads + filter->writes);
    EXPECT_EQ(1, context.num_freed);
  }
}

TEST_P(BuffereventFilter, NoCallbackAfterFree) {
  auto filter = Coded();
  filter->Enable(EV_READ);
  peer_->Write("4142");
  filter->Free();
  loop_.Settle();
  EXPECT_EQ(0, filter->reads + filter->writes);
}

TEST_P(BuffereventFilter, WriteThenFreeInACallback) {
  auto filter = Over(below_, Decode, Encode, &context_, 0);
  filter->on_read = [&] {
    bufferevent_write(*filter, "Z", 1);
    filter->Free();
  };
  filter->Enable(EV_READ);
  peer_->Write("41");
  EXPECT_TRUE(loop_.RunUntil([&] { return peer_->received == "5a"; }));
  bufferevent_free(below_);
}

// ---- Threads ----

void CountInput(struct bufferevent *bev, void *arg) {
  struct evbuffer *input = bufferevent_get_input(bev);
  char block[4096];
  int len;
  while ((len = evbuffer_remove(input, block, sizeof(block))) > 0)
    *static_cast<std::atomic<size_t> *>(arg) += static_cast<size_t>(len);
}

// Filters over both partners of a pair, or over both ends of a connection, written to from two
// threads while the loop reads.
TEST_P(BuffereventFilter, WritersOnBothSides) {
  // libevent stalls now and then.
  if (kOnLibevent || !(GetParam().options & BEV_OPT_THREADSAFE)) GTEST_SKIP();
  const size_t kNumWrites = 1000;
  const std::string message = Pattern(100);
  struct bufferevent *below[2] = {below_, peer_->get()};
  struct bufferevent *filter[2];
  std::atomic<size_t> received_len[2] = {{0}, {0}};
  for (int i = 0; i < 2; i++) {
    filter[i] =
        bufferevent_filter_new(below[i], nullptr, nullptr, GetParam().options, nullptr, nullptr);
    ASSERT_NE(nullptr, filter[i]);
    bufferevent_setcb(filter[i], CountInput, nullptr, nullptr, &received_len[i]);
    bufferevent_enable(filter[i], EV_READ | EV_WRITE);
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; i++) {
    threads.emplace_back([&, i] {
      for (size_t k = 0; k < kNumWrites; k++)
        bufferevent_write(filter[i], message.data(), message.size());
    });
  }
  EXPECT_TRUE(loop_.RunUntil([&] {
    const struct timeval soon = {0, 1000};
    event_base_once(
        loop_, -1, EV_TIMEOUT, [](evutil_socket_t, short, void *) {}, nullptr, &soon);
    return received_len[0] == kNumWrites * message.size() &&
           received_len[1] == kNumWrites * message.size();
  }));
  for (std::thread &thread : threads) thread.join();
  for (struct bufferevent *bev : filter) bufferevent_free(bev);
  bufferevent_free(below_);
}

TEST_P(BuffereventFilter, FreedFromAnotherThreadWhileTheLoopRuns) {
  // libevent's filters race with their underlying here.
  if (kOnLibevent || !(GetParam().options & BEV_OPT_THREADSAFE)) GTEST_SKIP();
  bufferevent_free(below_);
  peer_->Free();
  std::thread runner([&] { event_base_loop(loop_, EVLOOP_NO_EXIT_ON_EMPTY); });
  std::atomic<size_t> received_len{0};
  for (int round = 0; round < 100; round++) {
    struct bufferevent *ends[2];
    if (GetParam().over_pair) {
      ASSERT_EQ(0, bufferevent_pair_new(loop_, GetParam().options, ends));
    } else {
      Pair sockets;
      for (int i = 0; i < 2; i++)
        ends[i] = bufferevent_socket_new(loop_, sockets.Release(i),
                                         GetParam().options | BEV_OPT_CLOSE_ON_FREE);
    }
    struct bufferevent *filter = bufferevent_filter_new(
        ends[0], nullptr, nullptr, GetParam().options | BEV_OPT_CLOSE_ON_FREE, nullptr, nullptr);
    bufferevent_setcb(filter, CountInput, nullptr, nullptr, &received_len);
    bufferevent_enable(filter, EV_READ);
    bufferevent_enable(ends[1], EV_READ);
    std::thread other([&] {
      bufferevent_write(ends[1], "other", 5);
      bufferevent_free(ends[1]);
    });
    bufferevent_write(filter, "this", 4);
    bufferevent_free(filter);
    other.join();
  }
  event_base_loopexit(loop_, nullptr);
  runner.join();
}

// The filter gives the underlying a lock.
TEST_P(BuffereventFilter, ThreadsafeOverOneThatIsNot) {
  if (GetParam().options) GTEST_SKIP();
  if (kOnLibevent) GTEST_SKIP() << "the buffers below stay without a lock";
  auto filter =
      Over(below_, nullptr, nullptr, &context_, BEV_OPT_THREADSAFE | BEV_OPT_CLOSE_ON_FREE);
  filter->Enable(EV_READ);
  const size_t kNumWrites = 1000;
  std::thread writer([&] {
    for (size_t k = 0; k < kNumWrites; k++) bufferevent_write(*filter, "0123456789", 10);
  });
  // Over a pair, the partner has a lock now too.
  EXPECT_TRUE(loop_.RunUntil([&] {
    const struct timeval soon = {0, 1000};
    event_base_once(
        loop_, -1, EV_TIMEOUT, [](evutil_socket_t, short, void *) {}, nullptr, &soon);
    return peer_->received.size() == 10 * kNumWrites;
  }));
  writer.join();
}

}  // namespace
