// Every kind of bufferevent: the end of the stream, flushing, and filters that fail.
#include "net/conformance_testing.h"

namespace conformance {
namespace {

class ConformanceFlush : public Conformance {
 protected:
  // Ends what a_ sends, the way of its stream.
  void Finish() {
    if (flavour().stream == Stream::kPair) {
      a_.Flush(EV_WRITE, BEV_FINISHED);
      return;
    }
    a_.Flush(EV_WRITE, BEV_FINISHED);  // A codec may have an end of its own.
    EXPECT_TRUE(Until([&] {
      return a_.output_len() + evbuffer_get_length(bufferevent_get_output(link_.bottom(0))) == 0;
    }));
    EXPECT_EQ(0, shutdown(link_.fd(0), SHUT_WR));
  }
};

INSTANTIATE_TEST_SUITE_P(All, ConformanceFlush, ::testing::ValuesIn(AllFlavours()), FlavourName);

TEST_P(ConformanceFlush, DataComesBeforeTheEnd) {
  std::string order;
  b_.on_read = [&] { order += 'r'; };
  b_.on_event = [&](short) { order += 'e'; };
  b_.Enable(EV_READ);
  a_.Write("last words");
  Finish();
  ASSERT_TRUE(Until([&] { return !b_.events.empty(); }));
  EXPECT_EQ("last words", b_.received);
  EXPECT_EQ(kEof, b_.events[0]);
  EXPECT_EQ('e', order.back());
  EXPECT_NE(std::string::npos, order.find('r'));
  Settle();
  EXPECT_EQ(1u, b_.events.size());
}

TEST_P(ConformanceFlush, BigDataComesBeforeTheEnd) {
  b_.Enable(EV_READ);
  const std::string bytes = Pattern(1 << 20);
  size_t at_the_end = 0;
  b_.on_event = [&](short) { at_the_end = b_.received.size(); };
  a_.Write(bytes);
  Finish();
  ASSERT_TRUE(Until([&] { return !b_.events.empty(); }));
  EXPECT_EQ(bytes.size(), at_the_end);
  EXPECT_TRUE(bytes == b_.received);
}

TEST_P(ConformanceFlush, TheOtherDirectionGoesOn) {
  a_.Enable(EV_READ);
  b_.Enable(EV_READ);
  a_.Write("request");
  Finish();
  ASSERT_TRUE(Until([&] { return !b_.events.empty(); }));
  EXPECT_TRUE(bufferevent_get_enabled(b_) & EV_WRITE);
  b_.Write("response");
  ASSERT_TRUE(Receives(a_, 8));
  EXPECT_EQ("response", a_.received);
  EXPECT_TRUE(a_.events.empty());
}

TEST_P(ConformanceFlush, FreedAtTheEnd) {
  b_.on_event = [&](short) { b_.Free(); };
  b_.Enable(EV_READ);
  a_.Write("abc");
  Finish();
  ASSERT_TRUE(Until([&] { return b_.get() == nullptr; }));
  Settle();
  EXPECT_EQ("abc", b_.received);
  EXPECT_EQ(1u, b_.events.size());
}

TEST_P(ConformanceFlush, NormalIsHarmless) {
  b_.Enable(EV_READ);
  EXPECT_GE(a_.Flush(EV_READ | EV_WRITE, BEV_NORMAL), 0);
  a_.Write("abc");
  EXPECT_GE(a_.Flush(EV_WRITE, BEV_NORMAL), 0);
  EXPECT_GE(a_.Flush(EV_READ | EV_WRITE, BEV_FLUSH), 0);
  ASSERT_TRUE(Receives(b_, 3));
  Settle();
  EXPECT_EQ("abc", b_.received);
  EXPECT_TRUE(a_.events.empty());
  EXPECT_TRUE(b_.events.empty());
}

TEST_P(ConformanceFlush, OfASocketDoesNothing) {
  if (flavour().has_filter() || flavour().stream != Stream::kSocket) GTEST_SKIP();
  a_.Write("abc");
  EXPECT_EQ(0, a_.Flush(EV_READ | EV_WRITE, BEV_NORMAL));
  EXPECT_EQ(0, a_.Flush(EV_WRITE, BEV_FLUSH));
  EXPECT_EQ(0, a_.Flush(EV_WRITE, BEV_FINISHED));
  b_.Enable(EV_READ);
  ASSERT_TRUE(Receives(b_, 3));
  EXPECT_TRUE(b_.events.empty());
}

TEST_P(ConformanceFlush, FinishedTellsThePartner) {
  if (flavour().has_filter() || flavour().stream != Stream::kPair) GTEST_SKIP();
  a_.Enable(EV_READ);
  b_.Enable(EV_READ);
  EXPECT_EQ(0, a_.Flush(EV_READ, BEV_FINISHED));
  ASSERT_TRUE(Until([&] { return !b_.events.empty(); }));
  EXPECT_EQ(BEV_EVENT_WRITING | BEV_EVENT_EOF, b_.events[0]);
  EXPECT_EQ(0, a_.Flush(EV_WRITE, BEV_FINISHED));
  ASSERT_TRUE(Until([&] { return b_.events.size() == 2; }));
  EXPECT_EQ(kEof, b_.events[1]);
  EXPECT_TRUE(a_.events.empty());
  b_.Free();
  Settle();
  EXPECT_EQ(-1, a_.Flush(EV_WRITE, BEV_FINISHED));
}

// A codec that collects: nothing passes until it is flushed.
TEST_P(ConformanceFlush, BringsOutWhatALazyFilterHolds) {
  if (flavour().layer != Layer::kZlib) GTEST_SKIP();
  Link link(loop_, flavour(), true, true);
  End &a = link[0], &b = link[1];
  b.Enable(EV_READ);
  a.Write("collected");
  Settle();
  EXPECT_EQ("", b.received);
  EXPECT_GE(a.Flush(EV_WRITE, BEV_FLUSH), 0);
  ASSERT_TRUE(Until([&] { return b.received.size() >= 9; }));
  EXPECT_EQ("collected", b.received);
  a.Write(" again");
  Settle();
  EXPECT_EQ("collected", b.received);
  EXPECT_GE(a.Flush(EV_WRITE, BEV_FINISHED), 0);
  ASSERT_TRUE(Until([&] { return b.received.size() >= 15; }));
  EXPECT_EQ("collected again", b.received);
  a.Free();
  b.Free();
  Settle();
}

TEST_P(ConformanceFlush, AFilterThatFailsIsReported) {
  if (flavour().layer != Layer::kZlib) GTEST_SKIP();
  if (kOnLibevent) GTEST_SKIP() << "says nothing";
  Link link(loop_, flavour(), true);
  // Past a_'s filter: not zlib's format.
  b_.Enable(EV_READ);
  bufferevent_write(link_.bottom(0), "this is no zlib", 15);
  ASSERT_TRUE(Until([&] { return !b_.events.empty(); }));
  EXPECT_EQ(BEV_EVENT_READING | BEV_EVENT_ERROR, b_.events[0]);
  Settle();
  EXPECT_EQ(1u, b_.events.size());
  EXPECT_EQ(0, bufferevent_get_enabled(b_) & EV_READ);
}

}  // namespace
}  // namespace conformance
