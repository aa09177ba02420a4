// Out of memory at every allocation in turn while limits are set, on a virtual clock.
#include "net/rate_limit_sim_testing.h"
#include "util/testing/counting_memory.h"

namespace {

TEST(RateMemory, EveryAllocationFailsOnce) {
  const QuietLog quiet;
  CountingMemory::Install(event_set_mem_functions);
  bool is_through = false;
  for (long n = 1; n < 100 && !is_through; n++) {
    struct strata_sim *sim = strata_sim_new();
    struct event_base *base = strata_sim_base_new(sim, nullptr);
    {
      Conn conn(sim, base);
      conn.bev.Enable(EV_READ);
      CountingMemory::Begin(n);
      struct ev_token_bucket_cfg *cfg;
      struct bufferevent_rate_limit_group *group;
      while ((cfg = ev_token_bucket_cfg_new(100, 100, 100, 100, nullptr)) == nullptr) continue;
      while ((group = bufferevent_rate_limit_group_new(base, cfg)) == nullptr) continue;
      while (bufferevent_add_to_rate_limit_group(conn.bev, group) < 0) continue;
      while (bufferevent_set_rate_limit(conn.bev, cfg) < 0) continue;
      conn.Send(250);
      while (conn.read_len < 250) {
        event_base_dispatch(base);
        // Where there was no memory for a timer, the program was told.
        if (conn.bev.events.empty()) break;
        conn.bev.events.clear();
        conn.bev.Enable(EV_READ);
      }
      EXPECT_EQ(250u, conn.read_len) << n;
      is_through = !CountingMemory::has_failed();
      CountingMemory::StopFailing();
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

// ---- No memory for the timer of a direction that has used up its limit ----

// A connection in a world that has had no timer yet, so that there is no room for one.
class LimitTimer : public ::testing::TestWithParam<short> {
 protected:
  LimitTimer() {
    CountingMemory::Install(event_set_mem_functions);
    sim_ = strata_sim_new();
    base_ = strata_sim_base_new(sim_, nullptr);
    cfg_ = MakeCfg(100, 100);
    conn_.reset(new Conn(sim_, base_));
    conn_->bev.Enable(EV_READ);
    conn_->bev.Write("out");
    EXPECT_EQ(0, bufferevent_set_rate_limit(conn_->bev, cfg_.get()));
  }
  ~LimitTimer() override {
    CountingMemory::StopFailing();
    conn_.reset();
    cfg_.reset();
    event_base_free(base_);
    strata_sim_free(sim_);
    event_set_mem_functions(nullptr, nullptr, nullptr);
  }
  void Turn(int num = 3) {
    for (int i = 0; i < num; i++)
      event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
  }
  static void UseUp(Conn *conn, short directions) {
    if (directions & EV_READ) bufferevent_decrement_read_limit(conn->bev, 100);
    if (directions & EV_WRITE) bufferevent_decrement_write_limit(conn->bev, 100);
  }
  static short What(short directions) {
    return static_cast<short>(BEV_EVENT_ERROR | (directions & EV_READ ? BEV_EVENT_READING : 0) |
                              (directions & EV_WRITE ? BEV_EVENT_WRITING : 0));
  }

  const QuietLog quiet_;
  struct strata_sim *sim_;
  struct event_base *base_;
  Cfg cfg_;
  std::unique_ptr<Conn> conn_;
};

class LimitTimerOf : public LimitTimer {};

TEST_P(LimitTimerOf, OnlyThatDirectionIsDisabled) {
  const short limited = GetParam(), other = (EV_READ | EV_WRITE) & ~limited;
  Bev &bev = conn_->bev;
  CountingMemory::Begin(1, CountingMemory::kAll);
  UseUp(conn_.get(), limited);
  CountingMemory::StopFailing();
  EXPECT_EQ(other, bufferevent_get_enabled(bev));
  conn_->Send(10);
  strata_sim_raise(sim_, conn_->pair[0], EV_WRITE);
  Turn();
  EXPECT_EQ(std::vector<short>{What(limited)}, bev.events);
  EXPECT_EQ(std::vector<int>{kNoMemory}, bev.errors);
  EXPECT_EQ(limited & EV_WRITE ? "" : "out", conn_->pair.Recv());
  EXPECT_EQ(limited & EV_READ ? 0u : 10u, bev.received.size());
  // With memory it goes on where it stopped.
  EXPECT_EQ(0, bev.Enable(limited));
  const struct timeval later = Ms(1100);
  event_base_loopexit(base_, &later);
  event_base_dispatch(base_);
  EXPECT_EQ(10u, bev.received.size());
  EXPECT_EQ(0u, bev.output_len());
}

INSTANTIATE_TEST_SUITE_P(Directions, LimitTimerOf,
                         ::testing::Values(EV_READ, EV_WRITE, EV_READ | EV_WRITE));

TEST_F(LimitTimer, OneThatIsDisabledNeedsNone) {
  conn_->bev.Disable(EV_READ);
  CountingMemory::Begin(1, CountingMemory::kAll);
  UseUp(conn_.get(), EV_READ);
  EXPECT_FALSE(CountingMemory::has_failed());
  // Enabling it fails, and leaves the other direction alone.
  EXPECT_EQ(-1, conn_->bev.Enable(EV_READ));
  EXPECT_EQ(ENOMEM, errno);
  CountingMemory::StopFailing();
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(conn_->bev));
  strata_sim_raise(sim_, conn_->pair[0], EV_WRITE);
  Turn();
  EXPECT_EQ("out", conn_->pair.Recv());
  EXPECT_TRUE(conn_->bev.events.empty());
}

// ---- No memory for the timer of a group ----

class GroupTimer : public RateSim {
 protected:
  // Arms timers until there is room for no other.
  static void FillHeap(evutil_socket_t, short, void *arg) {
    GroupTimer *self = static_cast<GroupTimer *>(arg);
    const struct timeval late = Ms(3600 * 1000);
    CountingMemory::Begin(1, CountingMemory::kAll);
    for (struct event *filler : self->fillers_)
      if (event_add(filler, &late) < 0) return;
    ADD_FAILURE() << "there was room for all of them";
  }
  GroupTimer() {
    CountingMemory::Install(event_set_mem_functions);
    for (int i = 0; i < 200; i++)
      fillers_.push_back(event_new(
          base_, -1, 0, [](evutil_socket_t, short, void *) {}, nullptr));
  }
  ~GroupTimer() override {
    CountingMemory::StopFailing();
    for (struct event *filler : fillers_) event_free(filler);
  }

  const QuietLog quiet_;
  std::vector<struct event *> fillers_;
};

TEST_F(GroupTimer, ThoseWhoWaitAreTold) {
  Group group(base_, MakeCfg(100, 100));
  std::vector<std::unique_ptr<Conn>> conns;
  for (int i = 0; i < 3; i++) {
    conns.emplace_back(new Conn(sim_, base_));
    EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(conns[i]->bev, group));
    conns[i]->Flood();
  }
  struct event *fill = event_new(base_, -1, 0, FillHeap, this);
  EXPECT_TRUE(RunUntilMs(900));
  // Both come in one turn, and the group's timer finds its place taken when it is armed again.
  const struct timeval before_tick = Ms(99);
  event_add(fill, &before_tick);
  strata_sim_advance(sim_, 150 * kMs);
  for (int i = 0; i < 5; i++) event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_TRUE(CountingMemory::has_failed());
  CountingMemory::StopFailing();
  for (struct event *filler : fillers_) event_del(filler);
  event_free(fill);
  // Nobody waits in silence: without those who were told, the others go on.
  RunUntilMs(6500);
  for (const auto &conn : conns) {
    const size_t len = conn->read_len;
    if (conn->bev.events.empty()) {
      EXPECT_LE(300u, len);
      EXPECT_EQ(EV_READ, bufferevent_get_enabled(conn->bev) & EV_READ);
      continue;
    }
    EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_ERROR}, conn->bev.events);
    EXPECT_EQ(0, bufferevent_get_enabled(conn->bev) & EV_READ);
    conn->bev.events.clear();
  }
  for (const auto &conn : conns) EXPECT_EQ(0, conn->bev.Enable(EV_READ));
  // With memory all go on, each with its share.
  const uint64_t before = group.TotalRead();
  RunUntilMs(26500);
  EXPECT_LE(before + 1900, group.TotalRead());
  for (const auto &conn : conns) {
    EXPECT_LE(500u, conn->read_len);
    EXPECT_TRUE(conn->bev.events.empty());
  }
  for (const auto &conn : conns) conn->bev.Free();
}

}  // namespace
