// The limit of one bufferevent, on a virtual clock.
#include <random>

#include "net/rate_limit_sim_testing.h"

namespace {

class Own : public RateSim {};

TEST_F(Own, ReadsTheRateEveryTick) {
  const Cfg cfg = MakeCfg(100, 250);
  Conn conn(sim_, base_);
  EXPECT_EQ(0, bufferevent_set_rate_limit(conn.bev, cfg.get()));
  conn.bev.Enable(EV_READ);
  conn.Send(450);
  EXPECT_TRUE(RunUntilMs(10000));
  EXPECT_EQ((Log{{0, 100}, {1000, 100}, {2000, 100}, {3000, 100}, {4000, 50}}), conn.log);
  EXPECT_EQ(250, bufferevent_get_read_limit(conn.bev));
  conn.Send(1000);
  EXPECT_TRUE(RunUntilMs(11500));
  EXPECT_EQ((std::pair<int64_t, size_t>(10000, 250)), conn.log[5]);
  EXPECT_EQ((std::pair<int64_t, size_t>(11000, 100)), conn.log[6]);
}

TEST_F(Own, WritesTheRateEveryTick) {
  const Cfg cfg = MakeCfg(100, 250);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  std::vector<int64_t> drained;
  conn.bev.on_write = [&] { drained.push_back(Now() / kMs); };
  conn.bev.Write(std::string(350, 'x'));
  // The loop goes on by itself until all is written.
  EXPECT_EQ(1, Dispatch());
  EXPECT_EQ(std::vector<int64_t>{3000}, drained);
  EXPECT_EQ(3000 * kMs, Now());
  EXPECT_EQ(350u, conn.pair.Recv().size());
  EXPECT_EQ(50, bufferevent_get_write_limit(conn.bev));
}

TEST_F(Own, DirectionsAreApart) {
  const Cfg cfg(ev_token_bucket_cfg_new(10, 10, 1000, 1000, nullptr));
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  conn.Flood();
  conn.bev.Write(std::string(3000, 'x'));
  EXPECT_TRUE(RunUntilMs(1500));
  EXPECT_EQ(20u, conn.read_len);
  EXPECT_EQ(2000u, conn.pair.Recv().size());
  EXPECT_TRUE(RunUntilMs(5500));
  EXPECT_EQ(60u, conn.read_len);
  EXPECT_EQ(1000u, conn.pair.Recv().size());
}

class OwnTicks : public Own, public ::testing::WithParamInterface<int> {};

// No drift, whatever divides a second, and however late the loop looks.
TEST_P(OwnTicks, NumberIsExact) {
  const int tick_ms = GetParam();
  const Cfg cfg = MakeCfg(13, 1000, tick_ms);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  std::mt19937 random(static_cast<unsigned>(tick_ms));
  conn.on_read = [&] {
    if (random() % 4 == 0) strata_sim_advance(sim_, random() % (2 * tick_ms) * kMs);
  };
  conn.Flood();
  const int64_t end_ms = 1000 * tick_ms + tick_ms / 2;
  RunUntilMs(end_ms);
  const int64_t num_ticks = Now() / kMs / tick_ms;
  EXPECT_LE(1000, num_ticks);
  // All that came was read, but for what came while the last callback ran.
  EXPECT_EQ(13u * (static_cast<size_t>(num_ticks) + 1),
            conn.read_len + static_cast<size_t>(bufferevent_get_read_limit(conn.bev)));
}
INSTANTIATE_TEST_SUITE_P(Lengths, OwnTicks, ::testing::Values(1, 7, 30, 333, 1000, 1700, 86400));

TEST_F(Own, FractionsOfAMillisecondAreDropped) {
  const struct timeval tick = {0, 1999};
  const Cfg cfg(ev_token_bucket_cfg_new(1, 1000, 1, 1000, &tick));
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  strata_sim_advance(sim_, 100 * kMs);
  EXPECT_EQ(101, bufferevent_get_read_limit(conn.bev));
}

TEST_F(Own, LargestNumbers) {
  if (EV_SSIZE_MAX < INT64_MAX) GTEST_SKIP() << "counts have 64 bits: these do not reach their end";
  const struct timeval tick = {INT32_MAX, 0};
  const Cfg cfg(
      ev_token_bucket_cfg_new(EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX, 1, EV_RATE_LIMIT_MAX, &tick));
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  EXPECT_EQ(0, bufferevent_decrement_read_limit(conn.bev, EV_SSIZE_MAX));
  EXPECT_EQ(0, bufferevent_decrement_read_limit(conn.bev, EV_SSIZE_MAX));
  EXPECT_EQ(-EV_SSIZE_MAX, bufferevent_get_read_limit(conn.bev));
  EXPECT_EQ(0, bufferevent_decrement_read_limit(conn.bev, 1));
  EXPECT_EQ(-EV_SSIZE_MAX, bufferevent_get_read_limit(conn.bev));
  EXPECT_EQ(0, bufferevent_decrement_write_limit(conn.bev, -EV_SSIZE_MAX));
  EXPECT_EQ(EV_SSIZE_MAX, bufferevent_get_write_limit(conn.bev));
  bufferevent_decrement_write_limit(conn.bev, EV_SSIZE_MAX);
  bufferevent_decrement_write_limit(conn.bev, EV_SSIZE_MAX);
  conn.bev.Enable(EV_READ);
  conn.bev.Write("x");
  EXPECT_TRUE(RunUntilMs(INT64_C(1000) * INT32_MAX));
  EXPECT_EQ(0, bufferevent_get_read_limit(conn.bev));
  EXPECT_EQ(1 - EV_SSIZE_MAX, bufferevent_get_write_limit(conn.bev));
}

TEST_F(Own, TokensFollowTheModel) {
  const Cfg cfgs[] = {MakeCfg(10, 55, 7), MakeCfg(3, 3, 7), MakeCfg(100, 4000, 7)};
  size_t current = 0;
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfgs[0].get());
  const int64_t rates[] = {10, 3, 100}, bursts[] = {55, 3, 4000};
  int64_t tokens = 10, ticks = 0;
  conn.Flood();
  std::mt19937 random(1);
  for (int step = 0; step < 3000; step++) {
    const size_t old_len = conn.read_len;
    const int64_t time_ms = Now() / kMs + random() % 20;
    switch (random() % 5) {
      case 0: {
        const int64_t amount = static_cast<int64_t>(random() % 100) - 30;
        if (tokens - amount > bursts[current]) break;
        bufferevent_decrement_read_limit(conn.bev, amount);
        tokens -= amount;
        break;
      }
      case 1:
        current = random() % 3;
        bufferevent_set_rate_limit(conn.bev, cfgs[current].get());
        tokens = std::min(tokens, bursts[current]);
        break;
      case 2:
        conn.bev.Disable(EV_READ);
        break;
      default:
        conn.bev.Enable(EV_READ);
        break;
    }
    // Between ticks as well as in several of them.
    while (Now() / kMs < time_ms) {
      const int64_t tick_end_ms = std::min(time_ms, (Now() / kMs / 7 + 1) * 7);
      RunUntilMs(tick_end_ms);
      const int64_t new_ticks = Now() / kMs / 7;
      const bool reads = bufferevent_get_enabled(conn.bev) & EV_READ;
      const int64_t before = tokens;
      if (reads) tokens = std::min<int64_t>(tokens, 0);
      if (new_ticks > ticks) tokens = std::min(bursts[current], tokens + rates[current]);
      if (reads) tokens = std::min<int64_t>(tokens, 0);
      ticks = new_ticks;
      (void)before;
      ASSERT_EQ(tokens, bufferevent_get_read_limit(conn.bev)) << step;
    }
    ASSERT_GE(conn.read_len, old_len);
  }
  EXPECT_LT(100000u, conn.read_len);
}

TEST_F(Own, NothingWakesTheLoopForADisabledBufferevent) {
  const Cfg cfg = MakeCfg(10, 10);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  conn.Flood();
  conn.bev.on_write = [] { ADD_FAILURE(); };
  RunUntilMs(500);
  EXPECT_EQ(10u, conn.read_len);
  conn.bev.Disable(EV_READ);
  // Nothing is pending any more.
  EXPECT_EQ(1, Dispatch());
  EXPECT_EQ(1000 * kMs, Now() + 500 * kMs);
  const long num_waits = strata_sim_num_waits(sim_);
  EXPECT_TRUE(RunUntilMs(3600000));
  EXPECT_EQ(1, strata_sim_num_waits(sim_) - num_waits);
  conn.bev.Enable(EV_READ);
  RunUntilMs(3600000);
  EXPECT_EQ(20u, conn.read_len);
}

TEST_F(Own, NothingWakesTheLoopWithoutNeed) {
  // A hundred bytes too many are paid off in ten ticks, and nobody looks before.
  const Cfg cfg = MakeCfg(10, 10);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  conn.Flood();
  EXPECT_TRUE(RunUntilMs(500));
  bufferevent_decrement_read_limit(conn.bev, 100);
  const long num_waits = strata_sim_num_waits(sim_);
  EXPECT_TRUE(RunUntilMs(10500));
  EXPECT_EQ(10u, conn.read_len);
  EXPECT_GE(2, strata_sim_num_waits(sim_) - num_waits);
  EXPECT_TRUE(RunUntilMs(11500));
  EXPECT_EQ(20u, conn.read_len);
}

TEST_F(Own, IdleBuffereventWithAnEmptyBucketWakesNobody) {
  const Cfg cfg = MakeCfg(10, 10);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  conn.bev.Write(std::string(10, 'x'));
  EXPECT_EQ(1, Dispatch());
  EXPECT_EQ(0, Now());
  EXPECT_EQ(0, bufferevent_get_write_limit(conn.bev));
}

TEST_F(Own, TimeoutsRestWhileThereAreNoTokens) {
  const Cfg cfg = MakeCfg(10, 10, 5000);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  const struct timeval limit = Ms(1000);
  bufferevent_set_timeouts(conn.bev, &limit, &limit);
  conn.bev.Enable(EV_READ);
  conn.Send(15);
  conn.bev.Write(std::string(25, 'x'));
  EXPECT_TRUE(RunUntilMs(4999));
  EXPECT_EQ(std::vector<short>{}, conn.bev.events);
  EXPECT_TRUE(RunUntilMs(5999));
  EXPECT_EQ(std::vector<short>{}, conn.bev.events);
  EXPECT_EQ(15u, conn.read_len);
  EXPECT_TRUE(RunUntilMs(6001));  // There were tokens, and nothing came.
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_TIMEOUT}, conn.bev.events);
  EXPECT_TRUE(RunUntilMs(20000));
  EXPECT_EQ(1u, conn.bev.events.size());
  EXPECT_EQ(25u, conn.pair.Recv().size());
}

TEST_F(Own, EndOfDataIsToldWhenThereAreTokens) {
  const Cfg cfg = MakeCfg(10, 10);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  conn.bev.Enable(EV_READ);
  conn.Send(20);
  conn.pair.ShutdownWrite();
  RunUntilMs(1500);
  EXPECT_EQ(20u, conn.read_len);
  EXPECT_TRUE(conn.bev.events.empty());
  RunUntilMs(2500);
  EXPECT_EQ(std::vector<short>{kEof}, conn.bev.events);
}

TEST_F(Own, ConnectingNeedsNoTokens) {
  const evutil_socket_t listener = Listen();
  const struct sockaddr_in sin = AddressOf(listener);
  const Cfg cfg = MakeCfg(10, 10);
  Bev bev(base_, -1, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_set_rate_limit(bev, cfg.get());
  bufferevent_decrement_write_limit(bev, 10);
  bufferevent_decrement_read_limit(bev, 10);
  bev.Write("hello");
  ASSERT_EQ(0, bufferevent_socket_connect(bev, reinterpret_cast<const struct sockaddr *>(&sin),
                                          sizeof(sin)));
  const evutil_socket_t fd = bufferevent_getfd(bev);
  EXPECT_TRUE(WaitFor(fd, POLLOUT));
  strata_sim_raise(sim_, fd, EV_WRITE);
  RunUntilMs(999);
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev.events);
  EXPECT_EQ(5u, bev.output_len());
  RunUntilMs(1000);
  EXPECT_EQ(0u, bev.output_len());
  strata_sim_lower(sim_, fd, EV_WRITE);
  evutil_closesocket(listener);
}

TEST_F(Own, HighWatermarkAndLimitTogether) {
  const Cfg cfg = MakeCfg(10, 30);
  Conn conn(sim_, base_);
  conn.bev.StopTaking();
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  conn.bev.Watermark(EV_READ, 0, 15);
  conn.Flood();
  RunUntilMs(500);
  EXPECT_EQ(10u, conn.bev.input_len());
  RunUntilMs(10500);
  EXPECT_EQ(15u, conn.bev.input_len());
  EXPECT_EQ(30, bufferevent_get_read_limit(conn.bev));
  conn.bev.Watermark(EV_READ, 0, 100);
  RunUntilMs(10600);
  EXPECT_EQ(45u, conn.bev.input_len());
  RunUntilMs(15600);
  EXPECT_EQ(95u, conn.bev.input_len());
}

TEST_F(Own, ChangedInFlight) {
  const Cfg slow = MakeCfg(10, 10), fast = MakeCfg(100, 200), other = MakeCfg(50, 50, 300);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, slow.get());
  EXPECT_EQ(slow.get(), bufferevent_get_token_bucket_cfg(conn.bev));
  conn.Flood();
  RunUntilMs(1500);
  EXPECT_EQ(20u, conn.read_len);
  // In the same ticks; the bucket was used up.
  bufferevent_set_rate_limit(conn.bev, fast.get());
  RunUntilMs(1999);
  EXPECT_EQ(20u, conn.read_len);
  RunUntilMs(2500);
  EXPECT_EQ(120u, conn.read_len);
  // Half a second of the old tick is 200 ms of the running new one.
  bufferevent_set_rate_limit(conn.bev, other.get());
  RunUntilMs(2599);
  EXPECT_EQ(120u, conn.read_len);
  RunUntilMs(2600);
  EXPECT_EQ(170u, conn.read_len);
  RunUntilMs(3300);
  EXPECT_EQ(270u, conn.read_len);
  bufferevent_set_rate_limit(conn.bev, nullptr);
  EXPECT_EQ(nullptr, bufferevent_get_token_bucket_cfg(conn.bev));
  RunUntilMs(3300);
  EXPECT_LT(60000u, conn.read_len);
  bufferevent_set_rate_limit(conn.bev, slow.get());
  EXPECT_EQ(10, bufferevent_get_read_limit(conn.bev));
}

TEST_F(Own, ChangedInACallback) {
  const Cfg slow = MakeCfg(10, 10), fast = MakeCfg(1000, 1000);
  for (const int options : {0, static_cast<int>(BEV_OPT_DEFER_CALLBACKS)}) {
    Conn conn(sim_, base_, options);
    bufferevent_set_rate_limit(conn.bev, slow.get());
    int calls = 0;
    conn.on_read = [&] {
      calls++;
      bufferevent_set_rate_limit(conn.bev, calls % 3 == 0 ? nullptr : fast.get());
      if (calls % 3 == 1) bufferevent_set_rate_limit(conn.bev, slow.get());
      if (calls == 20) conn.bev.Free();
    };
    conn.Flood();
    EXPECT_EQ(1, Dispatch());
    EXPECT_EQ(20, calls);
  }
}

TEST_F(Own, FreedWhileSuspended) {
  const Cfg cfg = MakeCfg(10, 10);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  conn.Flood();
  RunUntilMs(10);
  conn.bev.Free();
  EXPECT_EQ(1, Dispatch());
  EXPECT_EQ(10 * kMs, Now());
}

TEST_F(Own, ManualRefill) {
  const Cfg cfg = MakeCfg(10, 20, 100000);
  Conn conn(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  conn.Flood();
  conn.bev.Write(std::string(1000, 'x'));
  RunUntilMs(10);
  bufferevent_decrement_read_limit(conn.bev, -70);
  EXPECT_EQ(70, bufferevent_get_read_limit(conn.bev));
  bufferevent_decrement_write_limit(conn.bev, 30);
  RunUntilMs(20);
  EXPECT_EQ(80u, conn.read_len);
  bufferevent_decrement_write_limit(conn.bev, -31);
  RunUntilMs(30);
  EXPECT_EQ(11u, conn.pair.Recv().size());
  conn.bev.Disable(EV_READ);
  bufferevent_decrement_read_limit(conn.bev, -1000);
  RunUntilMs(100000);
  EXPECT_EQ(20, bufferevent_get_read_limit(conn.bev));
}

TEST_F(Own, AnotherSocketKeepsTheBucket) {
  const Cfg cfg = MakeCfg(10, 10);
  Conn conn(sim_, base_), other(sim_, base_);
  bufferevent_set_rate_limit(conn.bev, cfg.get());
  conn.Flood();
  RunUntilMs(500);
  const evutil_socket_t fd = bufferevent_getfd(other.bev);
  other.bev.Free();
  other.pair.Send(std::string(100, 'y'));
  conn.bev.SetFd(fd);
  strata_sim_raise(sim_, fd, EV_READ);
  RunUntilMs(999);
  EXPECT_EQ(10u, conn.read_len);
  RunUntilMs(1001);
  EXPECT_EQ(20u, conn.read_len);
  EXPECT_EQ('y', conn.bev.received.back());
  conn.bev.SetFd(-1);
  EXPECT_EQ(1, Dispatch());
  EXPECT_EQ(1001 * kMs, Now());
}

}  // namespace
