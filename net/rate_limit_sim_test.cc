// Rate limits on a virtual clock: exact to the byte and the tick, and instant. The sockets are
// real; what is ready, the test says.
#include <event2/buffer.h>
#include <event2/event.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <random>

#include "net/test_support.h"

extern "C" {
#include "backends/sim/sim.h"
#include "util/clock.h"
}

namespace {

constexpr int64_t kMs = STRATA_NS_PER_MS;
constexpr int64_t kSecond = STRATA_NS_PER_SECOND;

struct CfgFree {
  void operator()(struct ev_token_bucket_cfg *cfg) const { ev_token_bucket_cfg_free(cfg); }
};
using Cfg = std::unique_ptr<struct ev_token_bucket_cfg, CfgFree>;

// The same for both directions.
Cfg MakeCfg(size_t rate, size_t burst, long tick_ms = 1000) {
  const struct timeval tick = Ms(tick_ms);
  Cfg cfg(ev_token_bucket_cfg_new(rate, burst, rate, burst, &tick));
  EXPECT_NE(nullptr, cfg);
  return cfg;
}

// A group, freed with the object.
class Group {
 public:
  Group(struct event_base *base, const Cfg &cfg)
      : group_(bufferevent_rate_limit_group_new(base, cfg.get())) {
    EXPECT_NE(nullptr, group_);
  }
  ~Group() { Free(); }
  Group(const Group &) = delete;
  Group &operator=(const Group &) = delete;

  operator struct bufferevent_rate_limit_group *() const { return group_; }
  void Free() {
    if (group_ != nullptr) bufferevent_rate_limit_group_free(std::exchange(group_, nullptr));
  }
  uint64_t TotalRead() const {
    ev_uint64_t total = 0;
    bufferevent_rate_limit_group_get_totals(group_, &total, nullptr);
    return total;
  }
  uint64_t TotalWritten() const {
    ev_uint64_t total = 0;
    bufferevent_rate_limit_group_get_totals(group_, nullptr, &total);
    return total;
  }

 private:
  struct bufferevent_rate_limit_group *group_;
};

// What was moved, when: milliseconds since the start, and bytes.
using Log = std::vector<std::pair<int64_t, size_t>>;

class RateSim : public ::testing::Test {
 protected:
  RateSim() { EXPECT_NE(nullptr, base_); }
  ~RateSim() override {
    event_base_free(base_);
    strata_sim_free(sim_);
  }

  int64_t Now() const { return strata_sim_now_ns(sim_) - start_ns_; }
  // Runs the loop up to that time after the start; false when the loop has ended before.
  bool RunUntilMs(int64_t ms) {
    const int64_t left_ns = ms * kMs - Now();
    const struct timeval left = strata_ns_to_timeval(left_ns);
    event_base_loopexit(base_, &left);
    event_base_dispatch(base_);
    return Now() == ms * kMs;
  }
  int Dispatch() { return event_base_dispatch(base_); }

  struct strata_sim *sim_ = strata_sim_new();
  struct event_base *base_ = strata_sim_base_new(sim_, nullptr);
  const int64_t start_ns_ = strata_sim_now_ns(sim_);
};

// A connection that the test fills or drains.
struct Conn {
  Conn(struct strata_sim *sim, struct event_base *base, int options = 0)
      : sim_(sim), start_ns_(strata_sim_now_ns(sim)), bev(base, pair[0], options) {
    bev.on_read = [this] {
      NoteRead();
      if (on_read) on_read();
    };
  }
  ~Conn() { Forget(); }
  // The descriptor's number may be another one's soon.
  void Forget() { strata_sim_lower(sim_, pair[0], EV_READ | EV_WRITE); }

  void Send(size_t len) {
    EXPECT_EQ(len, pair.Send(std::string(len, 'x')));
    strata_sim_raise(sim_, pair[0], EV_READ);
  }
  // Keeps more to read than anybody reads.
  void Flood() {
    EXPECT_EQ(0, bev.Enable(EV_READ));
    pair.Send(std::string(1 << 16, 'x'));
    strata_sim_raise(sim_, pair[0], EV_READ);
  }
  void NoteRead() {
    const size_t len = bev.received.size() - read_len;
    read_len = bev.received.size();
    const int64_t ms = (strata_sim_now_ns(sim_) - start_ns_) / kMs;
    if (!log.empty() && log.back().first == ms)
      log.back().second += len;
    else
      log.emplace_back(ms, len);
    chunks.push_back(len);
    unread_len_ += len;
    if (unread_len_ > 20000) {  // The socket's buffer has room for this.
      unread_len_ -= pair.Send(std::string(unread_len_, 'x'));
      strata_sim_raise(sim_, pair[0], EV_READ);
    }
  }

  struct strata_sim *sim_;
  int64_t start_ns_;
  Pair pair;
  Bev bev;
  Log log;
  std::vector<size_t> chunks;
  size_t read_len = 0;
  std::function<void()> on_read;

 private:
  size_t unread_len_ = 0;
};

// ---- A bufferevent's own limit ----

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

// ---- Groups ----

class Groups : public RateSim {
 protected:
  using Conns = std::vector<std::unique_ptr<Conn>>;

  Conns Make(int num, struct bufferevent_rate_limit_group *group) {
    Conns conns;
    for (int i = 0; i < num; i++) {
      conns.emplace_back(new Conn(sim_, base_));
      EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(conns.back()->bev, group));
    }
    return conns;
  }
  static void FloodAll(const Conns &conns) {
    for (const auto &conn : conns) conn->Flood();
  }
  static size_t Sum(const Conns &conns) {
    size_t sum = 0;
    for (const auto &conn : conns) sum += conn->read_len;
    return sum;
  }
  static size_t Spread(const Conns &conns) {
    size_t least = SIZE_MAX, most = 0;
    for (const auto &conn : conns) {
      least = std::min(least, conn->read_len);
      most = std::max(most, conn->read_len);
    }
    return most - least;
  }
};

TEST_F(Groups, LoneMemberGetsEverything) {
  Group group(base_, MakeCfg(1000, 3000));
  Conns conns = Make(1, group);
  FloodAll(conns);
  for (int s = 0; s < 10; s++) {
    RunUntilMs(1000 * s + 500);
    EXPECT_EQ(1000u * (s + 1), conns[0]->read_len);
  }
  EXPECT_EQ(10000u, group.TotalRead());
  EXPECT_EQ(0u, group.TotalWritten());
  EXPECT_EQ(0, bufferevent_rate_limit_group_get_read_limit(group));
}

TEST_F(Groups, IdleMembersLeaveEverythingToTheOthers) {
  Group group(base_, MakeCfg(1000, 1000));
  Conns conns = Make(50, group);
  for (const auto &conn : conns) conn->bev.Enable(EV_READ);
  conns[7]->Flood();
  conns[31]->Flood();
  for (int s = 0; s < 20; s++) {
    RunUntilMs(1000 * s + 500);
    EXPECT_EQ(1000u * (s + 1), conns[7]->read_len + conns[31]->read_len);
    EXPECT_GE(70u, std::max(conns[7]->read_len, conns[31]->read_len) -
                       std::min(conns[7]->read_len, conns[31]->read_len));
  }
}

TEST_F(Groups, ManyMembersShareExactly) {
  Group group(base_, MakeCfg(20000, 20000));
  bufferevent_rate_limit_group_set_min_share(group, 1);
  Conns conns = Make(200, group);
  FloodAll(conns);
  for (int s = 0; s < 30; s++) {
    RunUntilMs(1000 * s + 500);
    EXPECT_EQ(20000u * (s + 1), Sum(conns));
    // Whole rounds: each member has the same.
    EXPECT_GE(100u, Spread(conns)) << s;
  }
  EXPECT_EQ(600000u, group.TotalRead());
}

TEST_F(Groups, MinShareMakesMembersTakeTurns) {
  const int kMembers = 25;
  Group group(base_, MakeCfg(320, 640));
  Conns conns = Make(kMembers, group);
  FloodAll(conns);
  for (int s = 0; s < 200; s++) {
    RunUntilMs(1000 * s + 500);
    EXPECT_EQ(320u * (s + 1), Sum(conns));
    EXPECT_GE(128u, Spread(conns)) << s;
  }
  for (const auto &conn : conns)
    for (const size_t len : conn->chunks) EXPECT_LE(64u, len);
}

TEST_F(Groups, MinShareThatDividesNothing) {
  // What is left of a tick, less than a share, is kept for the next one.
  Group group(base_, MakeCfg(100, 1000));
  Conns conns = Make(3, group);
  FloodAll(conns);
  for (int s = 0; s < 300; s++) {
    RunUntilMs(1000 * s + 500);
    EXPECT_EQ(100 * (s + 1),
              static_cast<int>(Sum(conns)) + bufferevent_rate_limit_group_get_read_limit(group));
    EXPECT_GT(64, bufferevent_rate_limit_group_get_read_limit(group));
    EXPECT_GE(200u, Spread(conns)) << s;
  }
  for (const auto &conn : conns)
    for (const size_t len : conn->chunks) EXPECT_LE(64u, len);
}

TEST_F(Groups, MinShareAboveTheRate) {
  Group group(base_, MakeCfg(10, 10));
  EXPECT_EQ(0, bufferevent_rate_limit_group_set_min_share(group, 5000));
  EXPECT_EQ(-1, bufferevent_rate_limit_group_set_min_share(group, EV_RATE_LIMIT_MAX + size_t{1}));
  Conns conns = Make(4, group);
  FloodAll(conns);
  for (int s = 0; s < 40; s++) {
    RunUntilMs(1000 * s + 500);
    EXPECT_EQ(10u * (s + 1), Sum(conns));
    EXPECT_GE(10u, Spread(conns));
  }
}

TEST_F(Groups, MinShareOfZero) {
  Group group(base_, MakeCfg(3, 3));
  bufferevent_rate_limit_group_set_min_share(group, 0);
  Conns conns = Make(5, group);
  FloodAll(conns);
  RunUntilMs(99500);
  EXPECT_EQ(300u, Sum(conns));
  EXPECT_GE(1u, Spread(conns));
}

TEST_F(Groups, WritersShareExactly) {
  Group group(base_, MakeCfg(1000, 1000, 70));
  bufferevent_rate_limit_group_set_min_share(group, 10);
  Conns conns = Make(8, group);
  for (const auto &conn : conns) conn->bev.Write(std::string(5000, 'x'));
  std::vector<size_t> got(conns.size());
  for (int tick = 0; tick < 40; tick++) {
    RunUntilMs(70 * tick + 35);
    size_t sum = 0, least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < conns.size(); i++) {
      got[i] += conns[i]->pair.Recv().size();
      sum += got[i];
      least = std::min(least, got[i]);
      most = std::max(most, got[i]);
    }
    EXPECT_EQ(1000u * (tick + 1), sum);
    EXPECT_GE(125u, most - least);
  }
  EXPECT_EQ(40000u, group.TotalWritten());
  // Nothing is left to do, and the group keeps nobody awake.
  EXPECT_EQ(1, Dispatch());
  EXPECT_EQ((39 * 70 + 35) * kMs, Now());
}

TEST_F(Groups, RequestsPassByTheBulk) {
  // One member that asks for little now and then does not wait behind those who always want more.
  Group group(base_, MakeCfg(6400, 6400, 100));
  Conns conns = Make(11, group);
  for (int i = 1; i < 11; i++) conns[i]->Flood();
  conns[0]->bev.Enable(EV_READ);
  RunUntilMs(1001);
  for (int i = 0; i < 20; i++) {
    const size_t old_len = conns[0]->read_len;
    conns[0]->Send(20);
    RunUntilMs(1001 + 100 * (i + 1));
    EXPECT_EQ(old_len + 20, conns[0]->read_len);
  }
}

TEST_F(Groups, OwnLimitAndGroupTogether) {
  Group group(base_, MakeCfg(1000, 1000));
  const Cfg slow = MakeCfg(50, 50);
  Conns conns = Make(3, group);
  bufferevent_set_rate_limit(conns[0]->bev, slow.get());
  FloodAll(conns);
  for (int s = 0; s < 20; s++) {
    RunUntilMs(1000 * s + 500);
    EXPECT_EQ(50u * (s + 1), conns[0]->read_len);
    // A member that can't use its share leaves it to the others.
    EXPECT_LE(950u * (s + 1), conns[1]->read_len + conns[2]->read_len + 64);
    EXPECT_GE(1000u * (s + 1), Sum(conns));
  }
}

TEST_F(Groups, JoiningAndLeaving) {
  Group group(base_, MakeCfg(100, 100)), other(base_, MakeCfg(10, 10));
  Conns conns = Make(2, group);
  FloodAll(conns);
  RunUntilMs(500);
  EXPECT_EQ(100u, Sum(conns));
  bufferevent_remove_from_rate_limit_group(conns[0]->bev);
  RunUntilMs(500);
  EXPECT_LT(60000u, conns[0]->read_len);
  EXPECT_EQ(0, bufferevent_remove_from_rate_limit_group(conns[0]->bev));
  conns[0]->Flood();
  EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(conns[0]->bev, group));
  EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(conns[0]->bev, group));
  const size_t len = conns[0]->read_len;
  RunUntilMs(999);
  EXPECT_EQ(len, conns[0]->read_len);
  bufferevent_add_to_rate_limit_group(conns[0]->bev, other);
  bufferevent_add_to_rate_limit_group(conns[1]->bev, other);
  group.Free();
  const size_t sum = Sum(conns);
  RunUntilMs(10500);
  EXPECT_EQ(sum + 110, Sum(conns));
  bufferevent_add_to_rate_limit_group(conns[0]->bev, nullptr);
  bufferevent_add_to_rate_limit_group(conns[1]->bev, nullptr);
  other.Free();
}

TEST_F(Groups, ConfigurationChangedInFlight) {
  Group group(base_, MakeCfg(100, 100));
  Conns conns = Make(2, group);
  FloodAll(conns);
  RunUntilMs(1500);
  EXPECT_EQ(200u, Sum(conns));
  EXPECT_EQ(0, bufferevent_rate_limit_group_set_cfg(group, MakeCfg(1000, 1000).get()));
  RunUntilMs(1999);
  EXPECT_EQ(200u, Sum(conns));
  RunUntilMs(2300);
  EXPECT_EQ(1200u, Sum(conns));
  EXPECT_EQ(0, bufferevent_rate_limit_group_set_cfg(group, MakeCfg(10, 10, 100).get()));
  RunUntilMs(2399);
  EXPECT_EQ(1200u, Sum(conns));
  RunUntilMs(2400);
  EXPECT_EQ(1210u, Sum(conns));
  // Tokens above the new burst are lost.
  conns[0]->bev.Disable(EV_READ);
  conns[1]->bev.Disable(EV_READ);
  bufferevent_rate_limit_group_set_cfg(group, MakeCfg(500, 500, 100).get());
  RunUntilMs(3450);
  EXPECT_EQ(500, bufferevent_rate_limit_group_get_read_limit(group));
  bufferevent_rate_limit_group_set_cfg(group, MakeCfg(7, 70, 100).get());
  EXPECT_EQ(70, bufferevent_rate_limit_group_get_read_limit(group));
}

TEST_F(Groups, ManualChanges) {
  Group group(base_, MakeCfg(100, 1000, 1000));
  bufferevent_rate_limit_group_set_min_share(group, 1);
  Conns conns = Make(2, group);
  EXPECT_EQ(0, bufferevent_rate_limit_group_decrement_read(group, 300));
  EXPECT_EQ(-200, bufferevent_rate_limit_group_get_read_limit(group));
  EXPECT_EQ(0, bufferevent_get_max_to_read(conns[0]->bev));
  FloodAll(conns);
  EXPECT_TRUE(RunUntilMs(2500));
  EXPECT_EQ(0u, Sum(conns));
  EXPECT_EQ(0, bufferevent_rate_limit_group_decrement_read(group, -60));
  EXPECT_TRUE(RunUntilMs(2501));
  EXPECT_EQ(60u, Sum(conns));
  EXPECT_TRUE(RunUntilMs(3000));
  EXPECT_EQ(160u, Sum(conns));
  EXPECT_EQ(160u, group.TotalRead());
  bufferevent_rate_limit_group_reset_totals(group);
  EXPECT_EQ(0u, group.TotalRead());
  EXPECT_EQ(0, bufferevent_rate_limit_group_decrement_write(group, -10));
  EXPECT_EQ(410, bufferevent_rate_limit_group_get_write_limit(group));
  EXPECT_EQ(205, bufferevent_get_max_to_write(conns[0]->bev));
}

TEST_F(Groups, MemberThatIsCalledAndGoneHoldsUpNobody) {
  Group group(base_, MakeCfg(1000, 1000));
  Conns conns = Make(3, group);
  FloodAll(conns);
  RunUntilMs(999);
  // Waiting, disabled when it would be its turn.
  conns[0]->bev.Disable(EV_READ);
  conns[1]->bev.SetFd(-1);
  const size_t len = conns[2]->read_len, others = conns[0]->read_len + conns[1]->read_len;
  RunUntilMs(1000);
  EXPECT_EQ(len + 1000, conns[2]->read_len);
  EXPECT_EQ(others, conns[0]->read_len + conns[1]->read_len);
  conns[2]->bev.Free();
  EXPECT_EQ(1, Dispatch());
  EXPECT_EQ(1000 * kMs, Now());
}

TEST_F(Groups, FreedByACallback) {
  // A callback frees all members and the group.
  for (const int victim : {0, 1, 2}) {
    Group group(base_, MakeCfg(300, 300));
    Conns conns = Make(3, group);
    int calls = 0;
    conns[victim]->on_read = [&] {
      if (++calls < 3) return;
      for (const auto &conn : conns) conn->bev.Free();
      group.Free();
    };
    FloodAll(conns);
    EXPECT_EQ(1, Dispatch());
    EXPECT_EQ(3, calls);
  }
}

TEST_F(Groups, LeftInACallbackOfTheBuffer) {
  // The innermost place: while bytes are being added to the input.
  Group group(base_, MakeCfg(300, 300));
  Conns conns = Make(2, group);
  struct Leaver {
    Conns *conns;
    Group *group;
    static void Run(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
      auto *self = static_cast<Leaver *>(arg);
      if (!info->n_added) return;
      for (const auto &conn : *self->conns) bufferevent_remove_from_rate_limit_group(conn->bev);
      self->group->Free();
    }
  } leaver = {&conns, &group};
  evbuffer_add_cb(conns[1]->bev.input(), Leaver::Run, &leaver);
  FloodAll(conns);
  // Without limits the flood has no end.
  int calls = 0;
  for (const auto &conn : conns) {
    conn->on_read = [&] {
      if (++calls == 50) event_base_loopbreak(base_);
    };
  }
  Dispatch();
  EXPECT_LT(60000u, conns[0]->read_len);
  EXPECT_LT(60000u, conns[1]->read_len);
}

// Members that come, go, are enabled and disabled, and change groups, some in callbacks: the totals
// are exact to the byte all the time, and whoever wants to read does.
TEST_F(Groups, RandomLives) {
  std::mt19937 random(7);
  const Cfg own = MakeCfg(200, 400, 33);
  Group groups[] = {{base_, MakeCfg(1000, 3000, 10)}, {base_, MakeCfg(70, 70, 17)}};
  const size_t rates[] = {1000, 70}, bursts[] = {3000, 70};
  const int64_t ticks_ms[] = {10, 17};
  std::map<int, std::unique_ptr<Conn>> conns;
  std::vector<std::unique_ptr<Conn>> grave;
  int next_id = 0;
  auto act = [&] {
    if (conns.empty()) return;
    auto it = conns.begin();
    std::advance(it, random() % conns.size());
    Conn *conn = it->second.get();
    switch (random() % 7) {
      case 0:
        conn->bev.Free();
        grave.push_back(std::move(it->second));
        conns.erase(it);
        break;
      case 1:
        conn->bev.Disable(EV_READ);
        break;
      case 2:
        conn->bev.Enable(EV_READ);
        break;
      case 3:
        bufferevent_add_to_rate_limit_group(conn->bev, groups[random() % 2]);
        break;
      case 4:
        bufferevent_set_rate_limit(conn->bev, random() % 2 ? own.get() : nullptr);
        break;
      case 5:
        conn->bev.Write(std::string(random() % 300, 'w'));
        break;
      default:
        bufferevent_rate_limit_group_set_min_share(groups[0], random() % 200);
        break;
    }
  };
  for (int step = 1; step <= 1500; step++) {
    if (conns.size() < 20) {
      auto conn =
          std::unique_ptr<Conn>(new Conn(sim_, base_, random() % 2 ? BEV_OPT_DEFER_CALLBACKS : 0));
      bufferevent_add_to_rate_limit_group(conn->bev, groups[random() % 2]);
      conn->on_read = [&] {
        if (random() % 3 == 0) act();
      };
      conn->Flood();
      conns[next_id++] = std::move(conn);
    }
    act();
    RunUntilMs(Now() / kMs + random() % 12);
    for (auto &conn : grave) conn->Forget();
    grave.clear();
    for (int g = 0; g < 2; g++) {
      const size_t brought = rates[g] * static_cast<size_t>(1 + Now() / kMs / ticks_ms[g]);
      ASSERT_GE(brought, groups[g].TotalRead());
      ASSERT_GE(brought, groups[g].TotalWritten());
      const ev_ssize_t tokens = bufferevent_rate_limit_group_get_read_limit(groups[g]);
      ASSERT_LE(0, tokens);
      ASSERT_GE(static_cast<ev_ssize_t>(bursts[g]), tokens);
    }
    for (auto &entry : conns) entry.second->pair.Recv();
  }
  EXPECT_LT(200000u, groups[0].TotalRead());
  EXPECT_LT(10000u, groups[1].TotalRead());
  // Nobody was forgotten in a queue: everybody reads in the time of many rounds.
  std::map<int, size_t> old_lens;
  for (auto &entry : conns) {
    entry.second->on_read = nullptr;
    entry.second->Flood();
    old_lens[entry.first] = entry.second->read_len;
  }
  RunUntilMs(Now() / kMs + 2000);
  for (auto &entry : conns) EXPECT_LT(old_lens[entry.first], entry.second->read_len);
  conns.clear();
}

// ---- No memory ----

long g_failing_in;  // Calls until the one that fails; 0: none does.

void *Malloc(size_t size) {
  return g_failing_in && --g_failing_in == 0 ? nullptr : malloc(size);
}
void *Realloc(void *block, size_t size) {
  return g_failing_in && --g_failing_in == 0 ? nullptr : realloc(block, size);
}

TEST(RateMemory, EveryAllocationFailsOnce) {
  const QuietLog quiet;
  event_set_mem_functions(Malloc, Realloc, free);
  bool is_through = false;
  for (long n = 1; n < 100 && !is_through; n++) {
    struct strata_sim *sim = strata_sim_new();
    struct event_base *base = strata_sim_base_new(sim, nullptr);
    {
      Conn conn(sim, base);
      conn.bev.Enable(EV_READ);
      g_failing_in = n;
      struct ev_token_bucket_cfg *cfg;
      struct bufferevent_rate_limit_group *group;
      while ((cfg = ev_token_bucket_cfg_new(100, 100, 100, 100, nullptr)) == nullptr) continue;
      while ((group = bufferevent_rate_limit_group_new(base, cfg)) == nullptr) continue;
      while (bufferevent_add_to_rate_limit_group(conn.bev, group) < 0) continue;
      while (bufferevent_set_rate_limit(conn.bev, cfg) < 0) continue;
      conn.Send(250);
      const bool is_failing = g_failing_in != 0;
      while (conn.read_len < 250) {
        event_base_dispatch(base);
        // Where there was no memory for a timer, the program was told.
        if (conn.bev.events.empty()) break;
        conn.bev.events.clear();
        conn.bev.Enable(EV_READ);
      }
      EXPECT_EQ(250u, conn.read_len) << n;
      is_through = is_failing && g_failing_in != 0;
      g_failing_in = 0;
      conn.bev.Free();
      bufferevent_rate_limit_group_free(group);
      ev_token_bucket_cfg_free(cfg);
    }
    event_base_free(base);
    strata_sim_free(sim);
  }
  EXPECT_TRUE(is_through);
  event_set_mem_functions(nullptr, nullptr, nullptr);
}

}  // namespace
