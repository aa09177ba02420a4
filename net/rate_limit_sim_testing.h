// Rate limits on a virtual clock: exact to the byte and the tick, and instant. The sockets are
// real; what is ready, the test says.
#ifndef NET_RATE_LIMIT_SIM_TESTING_H_
#define NET_RATE_LIMIT_SIM_TESTING_H_

#include <memory>
#include <utility>
#include <vector>

#include "net/test_support.h"

extern "C" {
#include "backends/sim/sim.h"
#include "util/clock.h"
}

constexpr int64_t kMs = STRATA_NS_PER_MS;
constexpr int64_t kSecond = STRATA_NS_PER_SECOND;

struct CfgFree {
  void operator()(struct ev_token_bucket_cfg *cfg) const { ev_token_bucket_cfg_free(cfg); }
};
using Cfg = std::unique_ptr<struct ev_token_bucket_cfg, CfgFree>;

// The same for both directions.
inline Cfg MakeCfg(size_t rate, size_t burst, long tick_ms = 1000) {
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

#endif  // NET_RATE_LIMIT_SIM_TESTING_H_
