// Filters: what they pass on and tell.
#include "net/filter_testing.h"

namespace {

using namespace filter_testing;

using BuffereventFilterEvents = FilterTest;

INSTANTIATE_FILTER_TESTS(BuffereventFilterEvents);

TEST_P(BuffereventFilterEvents, EndOfDataComesAfterTheBytes) {
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

TEST_P(BuffereventFilterEvents, EndOfDataWaitsForAFullInput) {
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

// The function needs more room than the watermark leaves.
TEST_P(BuffereventFilterEvents, EndOfDataComesAfterWhatDidNotFit) {
  if (kOnLibevent) GTEST_SKIP() << "tells the end while bytes are still below";
  auto filter = Over(below_, PassBlocks, nullptr, &context_);
  filter->Watermark(EV_READ, 0, 8);
  filter->Enable(EV_READ);
  std::string seen_at_end;
  filter->on_event = [&](short) { seen_at_end = filter->received; };
  peer_->Write(std::string(16, 'x'));
  ASSERT_TRUE(loop_.RunUntil([&] { return BelowInputLen() == 16; }));
  End(peer_.get(), GetParam().over_pair);
  ASSERT_TRUE(loop_.RunUntil([&] { return !filter->events.empty(); }));
  EXPECT_EQ(std::vector<short>{kEof}, filter->events);
  EXPECT_EQ(std::string(16, 'x'), seen_at_end);
}

TEST_P(BuffereventFilterEvents, ErrorsOfTheSocketPass) {
  if (GetParam().over_pair) GTEST_SKIP();
  if (OnCompletions()) GTEST_SKIP();  // The peer receives it all: its close is no reset.
  if (ResetsLookLikeEnds()) GTEST_SKIP();
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

TEST_P(BuffereventFilterEvents, ConnectedPasses) {
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

TEST_P(BuffereventFilterEvents, ReadTimeout) {
  const struct timeval soon = Ms(20);
  auto filter = Coded();
  bufferevent_set_timeouts(*filter, &soon, nullptr);
  filter->Enable(EV_READ);
  ASSERT_TRUE(loop_.RunUntil([&] { return !filter->events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_TIMEOUT}, filter->events);
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(*filter));
}

TEST_P(BuffereventFilterEvents, WriteTimeout) {
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

TEST_P(BuffereventFilterEvents, SetFdWorksOnTheUnderlying) {
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

}  // namespace
