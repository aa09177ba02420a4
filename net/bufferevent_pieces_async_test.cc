// A receive over a completion port that goes on: it brings several pieces at once, and more after
// it is not wanted.
#include "net/async_testing.h"

namespace {

TEST_F(Async, PiecesWaitWhileDisabled) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  Settle();
  bev.Disable(EV_READ);
  const std::string bytes = Pattern(400000);
  size_t sent_len = pair.Send(bytes);
  Settle();
  sent_len += pair.Send(bytes.substr(sent_len, 1000));
  Settle();
  EXPECT_EQ(0u, bev.input_len());
  bev.Enable(EV_READ);
  EXPECT_TRUE(RunUntil([&] { return bev.received.size() == sent_len; }));
  EXPECT_TRUE(bytes.substr(0, sent_len) == bev.received);
}

// What nobody wants stays in the socket, but for what was on its way.
TEST_F(Async, NotMuchIsTakenWhileDisabled) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  Settle();
  bev.Disable(EV_READ);
  size_t sent_len = 0, last_len = 1;
  for (int i = 0; i < 1000 && last_len > 0; i++) {
    last_len = pair.Send(std::string(10000, 'x'));
    sent_len += last_len;
    Settle(2);
  }
  EXPECT_EQ(0u, last_len) << "the socket never gets full";
  bev.Enable(EV_READ);
  EXPECT_TRUE(RunUntil([&] { return bev.received.size() == sent_len; }));
}

TEST_F(Async, SwitchedOffAndOnAtRandom) {
  Pair pair;
  Bev bev(base_, pair[0]);
  const std::string bytes = Pattern(1 << 20);
  size_t sent_len = 0;
  unsigned seed = 3;
  EXPECT_TRUE(RunUntil([&] {
    seed = seed * 1103515245 + 12345;
    const unsigned draw = seed >> 16;
    draw & 1 ? bev.Enable(EV_READ) : bev.Disable(EV_READ);
    if (draw & 6) sent_len += pair.Send(bytes.substr(sent_len, 1 << (draw & 15)));
    const int reads = bev.reads;
    event_base_loop(base_, kLook);
    EXPECT_TRUE(draw & 1 || bev.reads == reads);
    return sent_len == bytes.size();
  }));
  bev.Enable(EV_READ);
  EXPECT_TRUE(RunUntil([&] { return bev.received.size() == bytes.size(); }));
  EXPECT_TRUE(bytes == bev.received);
}

TEST_F(Async, EachReadCallbackDisables) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.on_read = [&] {
    bev.Take();
    bufferevent_disable(bev, EV_READ);
  };
  bev.Enable(EV_READ);
  Settle();
  const std::string bytes = Pattern(100000);
  ASSERT_EQ(bytes.size(), pair.Send(bytes));
  pair.ShutdownWrite();
  for (int i = 0; i < 1000 && bev.events.empty(); i++) {
    const int reads = bev.reads;
    bev.Enable(EV_READ);
    Settle(2);
    EXPECT_LE(bev.reads, reads + 1);
  }
  EXPECT_TRUE(bytes == bev.received);
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
}

TEST_F(Async, WatermarkBoundsPiecesAsWell) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  Settle();
  bev.StopTaking();
  const std::string bytes = Pattern(150000);
  ASSERT_EQ(bytes.size(), pair.Send(bytes));
  bev.Watermark(EV_READ, 0, 1000);
  EXPECT_TRUE(RunUntil([&] {
    EXPECT_LE(bev.input_len(), 1000u);
    bev.Take();
    return bev.received.size() == bytes.size();
  }));
  EXPECT_TRUE(bytes == bev.received);
}

TEST_F(Async, SmallReadsOfPieces) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  Settle();
  const std::string bytes = Pattern(100000);
  ASSERT_EQ(bytes.size(), pair.Send(bytes));
  EXPECT_EQ(0, bufferevent_set_max_single_read(bev, 700));
  size_t last_len = 0;
  bev.on_read = [&] {
    bev.Take();
    EXPECT_LE(bev.received.size() - last_len, 700u);
    last_len = bev.received.size();
  };
  EXPECT_TRUE(RunUntil([&] { return bev.received.size() == bytes.size(); }));
  EXPECT_TRUE(bytes == bev.received);
}

TEST_F(Async, RateLimitThatComesLater) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  Settle();
  const std::string bytes = Pattern(100000);
  ASSERT_EQ(bytes.size(), pair.Send(bytes));
  const struct timeval tick = {0, 10000};
  struct ev_token_bucket_cfg *config = ev_token_bucket_cfg_new(20000, 20000, 20000, 20000, &tick);
  EXPECT_EQ(0, bufferevent_set_rate_limit(bev, config));
  Settle(1);
  EXPECT_LE(bev.received.size(), 40000u);
  EXPECT_TRUE(RunUntil([&] { return bev.received.size() == bytes.size(); }));
  EXPECT_TRUE(bytes == bev.received);
  EXPECT_EQ(0, bufferevent_set_rate_limit(bev, nullptr));
  ev_token_bucket_cfg_free(config);
  pair.Send("and on");
  EXPECT_TRUE(RunUntil([&] { return bev.received.size() == bytes.size() + 6; }));
}

TEST_F(Async, FreedByTheReadCallbackOfAPiece) {
  for (const bool closes : {false, true}) {
    Pair pair;
    Bev bev(base_, pair.Release(0), BEV_OPT_CLOSE_ON_FREE);
    bev.on_read = [&] { bev.Free(); };
    bev.may_call_inside = true;
    bev.Enable(EV_READ);
    Settle();
    pair.Send(Pattern(100000));
    if (closes) pair.ShutdownWrite();
    Settle();
    EXPECT_EQ(nullptr, bev.get());
  }
}

// The pieces of the old socket are nobody's.
TEST_F(Async, ReplacedByTheReadCallbackOfAPiece) {
  Pair pair, fresh;
  Bev bev(base_, pair[0]);
  bool is_replaced = false;
  bev.on_read = [&] {
    bev.Take();
    if (is_replaced) return;
    is_replaced = true;
    bev.received.clear();
    EXPECT_EQ(0, bufferevent_setfd(bev, fresh[0]));
  };
  bev.Enable(EV_READ);
  Settle();
  pair.Send(Pattern(100000));
  EXPECT_TRUE(RunUntil([&] { return is_replaced; }));
  Settle();
  fresh.Send("fresh");
  EXPECT_TRUE(RunUntil([&] { return bev.received.size() >= 5; }));
  EXPECT_EQ("fresh", bev.received);
}

TEST_F(Async, BaseFreedWithPiecesUntold) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.on_read = [&] { event_base_loopbreak(base_); };
  bev.Enable(EV_READ);
  Settle();
  pair.Send(Pattern(100000));
  EXPECT_TRUE(RunUntil([&] { return bev.reads > 0; }));
  const int reads = bev.reads;
  bev.Free();
  FreeBase();
  EXPECT_EQ(reads, bev.reads);
}

}  // namespace
