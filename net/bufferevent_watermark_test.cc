// Watermarks of socket bufferevents.
#include "net/test_support.h"

namespace {

class Watermark : public ::testing::TestWithParam<Kind> {
 protected:
  Watermark() : pair_(GetParam().tcp), bev_(loop_, pair_[0], GetParam().options) {}

  Loop loop_;
  Pair pair_;
  Bev bev_;
};

INSTANTIATE_TEST_SUITE_P(All, Watermark, ::testing::ValuesIn(kKinds), KindName);

TEST_P(Watermark, ReadLow) {
  bev_.Watermark(EV_READ, 6, 0);
  bev_.Enable(EV_READ);
  pair_.Send("abc");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 3; }));
  loop_.Settle();
  EXPECT_EQ(0, bev_.reads);
  pair_.Send("def");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.reads == 1; }));
  EXPECT_EQ("abcdef", bev_.received);
  pair_.Send("ghi");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 3; }));
  loop_.Settle();
  EXPECT_EQ(1, bev_.reads);
}

TEST_P(Watermark, ReadHighBoundsTheInput) {
  bev_.StopTaking();
  bev_.Watermark(EV_READ, 0, 10);
  bev_.Enable(EV_READ);
  pair_.Send(Pattern(100));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 10; }));
  loop_.Settle();
  EXPECT_EQ(10u, bev_.input_len());
  bev_.Watermark(EV_READ, 0, 30);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 30; }));
  loop_.Settle();
  EXPECT_EQ(30u, bev_.input_len());
  bev_.Watermark(EV_READ, 0, 5);  // Below what is there: stays suspended.
  bev_.Take(20);
  loop_.Settle();
  EXPECT_EQ(10u, bev_.input_len());
  bev_.Watermark(EV_READ, 0, 0);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 80; }));
}

TEST_P(Watermark, ReadCallbackThatLeavesTheHighOneIsNotCalledInALoop) {
  // libevent calls it again and again until the input shrinks.
  if (kOnLibevent) GTEST_SKIP();
  bev_.Watermark(EV_READ, 0, 4);
  int calls = 0;
  bufferevent_setcb(
      bev_, [](struct bufferevent *, void *arg) { ++*static_cast<int *>(arg); }, nullptr, nullptr,
      &calls);
  bev_.Enable(EV_READ);
  pair_.Send("abcdefgh");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 4; }));
  loop_.Settle(20);
  EXPECT_EQ(1, calls);
  evbuffer_drain(bev_.input(), 4);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev_.input_len() == 4; }));
  loop_.Settle();
  EXPECT_EQ(2, calls);
}

TEST_P(Watermark, WriteLow) {
  const size_t kLow = 1 << 20;
  std::vector<size_t> left;
  bev_.on_write = [&] { left.push_back(bev_.output_len()); };
  bev_.Watermark(EV_WRITE, kLow, 0);
  const std::string bytes = Pattern(8 << 20);
  bev_.Write(bytes);
  loop_.Settle(10);
  EXPECT_TRUE(left.empty());
  std::string got;
  EXPECT_TRUE(Drain(&loop_, &pair_, &got, bytes.size()));
  EXPECT_TRUE(loop_.RunUntil([&] { return !left.empty() && left.back() == 0; }));
  for (const size_t len : left) EXPECT_LE(len, kLow);
  EXPECT_TRUE(bytes == got);
}

TEST_P(Watermark, CanBeRead) {
  size_t low = 1, high = 1;
  EXPECT_EQ(0, bufferevent_getwatermark(bev_, EV_READ, &low, &high));
  EXPECT_EQ(0u, low);
  EXPECT_EQ(0u, high);
  bev_.Watermark(EV_READ, 3, 7);
  bev_.Watermark(EV_WRITE, 5, 11);
  EXPECT_EQ(0, bufferevent_getwatermark(bev_, EV_READ, &low, &high));
  EXPECT_EQ(3u, low);
  EXPECT_EQ(7u, high);
  EXPECT_EQ(0, bufferevent_getwatermark(bev_, EV_WRITE, &low, nullptr));
  EXPECT_EQ(5u, low);
  EXPECT_EQ(0, bufferevent_getwatermark(bev_, EV_WRITE, nullptr, &high));
  EXPECT_EQ(11u, high);
  EXPECT_NE(0, bufferevent_getwatermark(bev_, EV_READ | EV_WRITE, &low, &high));
}

}  // namespace
