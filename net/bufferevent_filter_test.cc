// Filters, over sockets and over pairs, against what event2/bufferevent.h documents.
#include "net/filter_testing.h"

namespace {

using namespace filter_testing;

using BuffereventFilter = FilterTest;

INSTANTIATE_FILTER_TESTS(BuffereventFilter);

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

// As with STARTTLS: what was read too far is taken by hand before the filter reads.
TEST_P(BuffereventFilter, BytesTakenFromBelowBeforeItReads) {
  bufferevent_enable(below_, EV_READ);
  peer_->Write("xxxx");
  ASSERT_TRUE(loop_.RunUntil([&] { return BelowInputLen() == 4; }));
  auto filter = Coded();
  evbuffer_drain(bufferevent_get_input(below_), 4);
  filter->Enable(EV_READ);
  loop_.Settle();
  peer_->Write("4142");
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->received == "AB"; }));
}

// The input function asks for a whole record's room.
enum bufferevent_filter_result TakeRecord(struct evbuffer *src, struct evbuffer *dst,
                                          ev_ssize_t limit, enum bufferevent_flush_mode, void *) {
  const size_t kRecordLen = 50;
  if (evbuffer_get_length(src) < kRecordLen) return BEV_NEED_MORE;
  if (limit >= 0 && limit < static_cast<ev_ssize_t>(kRecordLen)) return BEV_NEED_MORE;
  evbuffer_remove_buffer(src, dst, kRecordLen);
  return BEV_OK;
}

TEST_P(BuffereventFilter, MoreRoomIsNoticed) {
  if (kOnLibevent) GTEST_SKIP() << "waits for more bytes";
  auto filter = Over(below_, TakeRecord, nullptr, &context_);
  filter->StopTaking();
  filter->Watermark(EV_READ, 0, 90);
  filter->Enable(EV_READ);
  peer_->Write(std::string(100, 'r'));
  ASSERT_TRUE(loop_.RunUntil([&] { return filter->input_len() == 50 && BelowInputLen() == 50; }));
  loop_.Settle();
  EXPECT_EQ(50u, filter->input_len());
  filter->Watermark(EV_READ, 0, 1000);
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->input_len() == 100; }));
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

// ---- Functions that need more room than a watermark leaves ----

TEST_P(BuffereventFilter, OutputGoesOnWhenTheMarkBelowIsRaised) {
  if (kOnLibevent) GTEST_SKIP() << "waits for more output";
  bufferevent_setwatermark(below_, EV_WRITE, 0, 1);
  auto filter = Coded();
  filter->Write("A");  // Makes two bytes.
  loop_.Settle();
  EXPECT_EQ(1u, filter->output_len());
  bufferevent_setwatermark(below_, EV_WRITE, 0, 2);
  EXPECT_TRUE(loop_.RunUntil([&] { return peer_->received == "41"; }));
}

TEST_P(BuffereventFilter, SoDoesInputWhenItsOwnIs) {
  if (kOnLibevent) GTEST_SKIP() << "waits for more input";
  auto filter = Over(below_, PassBlocks, nullptr, &context_);
  filter->Watermark(EV_READ, 0, 8);
  filter->Enable(EV_READ);
  peer_->Write(std::string(16, 'x'));
  EXPECT_TRUE(loop_.RunUntil([&] { return BelowInputLen() == 16; }));
  loop_.Settle();
  EXPECT_EQ(0u, filter->received.size());
  filter->Watermark(EV_READ, 0, 0);
  EXPECT_TRUE(loop_.RunUntil([&] { return filter->received.size() == 16; }));
}

}  // namespace
