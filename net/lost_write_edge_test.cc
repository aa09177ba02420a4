// Room that appears in the socket, or a peer that goes away, while the bufferevent may not write:
// afterwards everything queued goes out, in order, and no callback runs inside the call that lets
// it out. The counterpart of lost_edge_test.cc.
#include "net/test_support.h"

namespace {

class LostWriteEdge : public ::testing::TestWithParam<Kind> {
 protected:
  Loop loop_;
};

INSTANTIATE_TEST_SUITE_P(All, LostWriteEdge, ::testing::ValuesIn(kKinds), KindName);

// Fills the way to the peer; returns what was queued.
std::string Clog(Loop *loop, Bev *bev, size_t len) {
  const std::string bytes = Pattern(len);
  bev->Write(bytes);
  loop->Settle(10);
  EXPECT_GT(bev->output_len(), 0u);
  return bytes;
}

TEST_P(LostWriteEdge, RoomThatAppearsWhileWritingIsDisabled) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  const size_t kLen = 8 << 20;
  const std::string bytes = Clog(&loop_, &bev, kLen);
  bev.Disable(EV_WRITE);
  const size_t left = bev.output_len();
  std::string got;
  for (int i = 0; i < 50; i++) {
    got += pair.Recv();
    loop_.Settle(2);
  }
  // What a port has begun to send goes, where it can't be taken back.
  const size_t begun_len = !kHasUnixSockets && OnCompletions() ? 256 << 10 : 0;
  EXPECT_GE(left, bev.output_len());
  EXPECT_LE(left, bev.output_len() + begun_len);
  EXPECT_EQ(0, bev.writes);
  bev.Enable(EV_WRITE);
  EXPECT_TRUE(Drain(&loop_, &pair, &got, kLen));
  EXPECT_EQ(bytes, got);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.writes > 0; }));
  EXPECT_EQ(0u, bev.output_len());
  EXPECT_TRUE(bev.events.empty());
}

TEST_P(LostWriteEdge, WrittenWhileDisabledOrWithoutADescriptor) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.Disable(EV_WRITE);
  bev.Write("abc");
  loop_.Settle();
  EXPECT_EQ("", pair.Recv());
  bev.Enable(EV_WRITE);
  std::string got;
  EXPECT_TRUE(Drain(&loop_, &pair, &got, 3));
  EXPECT_EQ("abc", got);

  Pair later(GetParam().tcp);
  Bev floating(loop_, -1, GetParam().options);
  floating.Write("def");
  loop_.Settle();
  floating.SetFd(later[0]);
  got.clear();
  EXPECT_TRUE(Drain(&loop_, &later, &got, 3));
  EXPECT_EQ("def", got);
}

TEST_P(LostWriteEdge, WriteBudget) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  EXPECT_EQ(0, bufferevent_set_max_single_write(bev, 1000));
  const std::string bytes = Pattern(300000);
  bev.Write(bytes);
  std::string got;
  EXPECT_TRUE(Drain(&loop_, &pair, &got, bytes.size()));
  EXPECT_EQ(bytes, got);
}

TEST_P(LostWriteEdge, PeerGoneWhileWritingIsDisabled) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.Disable(EV_WRITE);
  pair.Reset();
  ASSERT_TRUE(WaitFor(pair[0], POLLIN));
  bev.Write("abc");
  loop_.Settle();
  EXPECT_TRUE(bev.events.empty());
  bev.Enable(EV_WRITE);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  loop_.Settle(10);
  EXPECT_EQ(std::vector<short>{BEV_EVENT_WRITING | BEV_EVENT_ERROR}, bev.events);
  EXPECT_TRUE(bev.errors[0] == EPIPE || bev.errors[0] == ECONNRESET) << bev.errors[0];
}

TEST_P(LostWriteEdge, DescriptorSetWhileOutputWaits) {
  Pair first(GetParam().tcp);
  Pair second(GetParam().tcp);
  Bev bev(loop_, first[0], GetParam().options);
  const size_t kLen = 8 << 20;
  const std::string bytes = Clog(&loop_, &bev, kLen);
  const size_t left = bev.output_len();
  bev.SetFd(second[0]);
  std::string got;
  if (!kHasUnixSockets && OnCompletions()) {
    // What a port has sent of it is known a little later.
    EXPECT_TRUE(loop_.RunUntil([&] {
      got += second.Recv();
      return bev.output_len() == 0;
    }));
    got += second.Recv();
    ASSERT_LE(got.size(), left);
  } else {
    EXPECT_TRUE(Drain(&loop_, &second, &got, left));
    EXPECT_EQ(left, got.size());
  }
  EXPECT_TRUE(bytes.substr(kLen - got.size()) == got);
}
}  // namespace
