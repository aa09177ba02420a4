// Rate limits by the public interface alone, in real time; rate_limit_sim_test.cc has the exact
// ones.
#include <climits>
#include <memory>

#include "net/test_support.h"

namespace {

struct ev_token_bucket_cfg *NewCfg(size_t read_rate, size_t read_burst, size_t write_rate,
                                   size_t write_burst, long tick_ms) {
  const struct timeval tick = Ms(tick_ms);
  return ev_token_bucket_cfg_new(read_rate, read_burst, write_rate, write_burst, &tick);
}

// Long enough for no tick to pass during a test, mostly. (libevent's ticks begin at multiples of
// their length on its clock.)
const long kHourMs = 3600000;

class Rate : public ::testing::Test {
 protected:
  struct ev_token_bucket_cfg *Cfg(size_t read_rate, size_t read_burst, size_t write_rate,
                                  size_t write_burst, long tick_ms = kHourMs) {
    cfgs_.push_back(NewCfg(read_rate, read_burst, write_rate, write_burst, tick_ms));
    EXPECT_NE(nullptr, cfgs_.back());
    return cfgs_.back();
  }
  struct bufferevent_rate_limit_group *NewGroup(const struct ev_token_bucket_cfg *cfg) {
    auto *group = bufferevent_rate_limit_group_new(loop_, cfg);
    EXPECT_NE(nullptr, group);
    return group;
  }
  ~Rate() override {
    for (auto *cfg : cfgs_) ev_token_bucket_cfg_free(cfg);
  }

  Loop loop_;
  std::vector<struct ev_token_bucket_cfg *> cfgs_;
};

TEST_F(Rate, ConfigurationsThatMakeNoSense) {
  EXPECT_EQ(nullptr, NewCfg(0, 1, 1, 1, 1000));
  EXPECT_EQ(nullptr, NewCfg(1, 1, 0, 1, 1000));
  EXPECT_EQ(nullptr, NewCfg(2, 1, 1, 1, 1000));
  EXPECT_EQ(nullptr, NewCfg(1, 1, 2, 1, 1000));
  const size_t too_much = static_cast<size_t>(EV_RATE_LIMIT_MAX) + 1;
  EXPECT_EQ(nullptr, NewCfg(1, too_much, 1, 1, 1000));
  EXPECT_EQ(nullptr, NewCfg(1, 1, too_much, too_much, 1000));
  Cfg(1, 1, 1, 1);
  Cfg(EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX, 1, EV_RATE_LIMIT_MAX);
  cfgs_.push_back(ev_token_bucket_cfg_new(1, 1, 1, 1, nullptr));
  EXPECT_NE(nullptr, cfgs_.back());
  // libevent takes it, and divides by zero later.
  if (!kOnLibevent) {
    EXPECT_EQ(nullptr, NewCfg(1, 1, 1, 1, 0));
  }
}

TEST_F(Rate, ConfigurationFreedWithTheBuffereventInItsCallback) {
  struct Context {
    struct ev_token_bucket_cfg *cfg;
    bool is_done = false;
  } context = {NewCfg(100, 100, 100, 100, 10)};
  Pair pair;
  struct bufferevent *bev = bufferevent_socket_new(loop_, pair.Release(0), BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(
      bev,
      [](struct bufferevent *self, void *arg) {
        Context *own = static_cast<Context *>(arg);
        bufferevent_free(self);
        // libevent looks at it once more.
        if (!kOnLibevent) ev_token_bucket_cfg_free(own->cfg);
        own->is_done = true;
      },
      nullptr, nullptr, &context);
  ASSERT_EQ(0, bufferevent_set_rate_limit(bev, context.cfg));
  bufferevent_enable(bev, EV_READ);
  pair.Send("abc");
  EXPECT_TRUE(loop_.RunUntil([&] { return context.is_done; }));
  loop_.Settle();
  if (kOnLibevent) ev_token_bucket_cfg_free(context.cfg);
}

TEST_F(Rate, NoLimit) {
  Bev bev(loop_, -1);
  EXPECT_EQ(EV_SSIZE_MAX, bufferevent_get_read_limit(bev));
  EXPECT_EQ(EV_SSIZE_MAX, bufferevent_get_write_limit(bev));
  EXPECT_EQ(bufferevent_get_max_single_read(bev), bufferevent_get_max_to_read(bev));
  EXPECT_EQ(bufferevent_get_max_single_write(bev), bufferevent_get_max_to_write(bev));
  EXPECT_EQ(nullptr, bufferevent_get_token_bucket_cfg(bev));
  EXPECT_EQ(0, bufferevent_set_rate_limit(bev, nullptr));
  EXPECT_EQ(0, bufferevent_remove_from_rate_limit_group(bev));
  // libevent stops the program.
  if (!kOnLibevent) {
    EXPECT_EQ(-1, bufferevent_decrement_read_limit(bev, 1));
    EXPECT_EQ(-1, bufferevent_decrement_write_limit(bev, 1));
  }
}

TEST_F(Rate, GettersOfABuffereventsOwnBucket) {
  auto *cfg = Cfg(100, 250, 10, 20), *smaller = Cfg(30, 40, 5, 5);
  Bev bev(loop_, -1);
  EXPECT_EQ(0, bufferevent_set_rate_limit(bev, cfg));
  EXPECT_EQ(cfg, bufferevent_get_token_bucket_cfg(bev));
  EXPECT_EQ(100, bufferevent_get_read_limit(bev));
  EXPECT_EQ(10, bufferevent_get_write_limit(bev));
  EXPECT_EQ(100, bufferevent_get_max_to_read(bev));
  EXPECT_EQ(10, bufferevent_get_max_to_write(bev));
  EXPECT_EQ(0, bufferevent_decrement_read_limit(bev, 130));
  EXPECT_EQ(0, bufferevent_decrement_write_limit(bev, -5));
  EXPECT_EQ(-30, bufferevent_get_read_limit(bev));
  EXPECT_EQ(15, bufferevent_get_write_limit(bev));
  EXPECT_EQ(0, bufferevent_get_max_to_read(bev));
  EXPECT_EQ(0, bufferevent_set_rate_limit(bev, cfg));  // The same again changes nothing.
  EXPECT_EQ(-30, bufferevent_get_read_limit(bev));
  EXPECT_EQ(0, bufferevent_decrement_read_limit(bev, -230));
  EXPECT_EQ(0, bufferevent_set_rate_limit(bev, smaller));
  EXPECT_EQ(40, bufferevent_get_read_limit(bev));
  EXPECT_EQ(5, bufferevent_get_write_limit(bev));
  EXPECT_EQ(0, bufferevent_set_rate_limit(bev, nullptr));
  EXPECT_EQ(nullptr, bufferevent_get_token_bucket_cfg(bev));
  EXPECT_EQ(EV_SSIZE_MAX, bufferevent_get_read_limit(bev));
  EXPECT_EQ(0, bufferevent_set_rate_limit(bev, cfg));
  EXPECT_EQ(100, bufferevent_get_read_limit(bev));
}

TEST_F(Rate, SingleReadsStayLimitedToo) {
  Bev bev(loop_, -1);
  bufferevent_set_max_single_read(bev, 100);
  bufferevent_set_rate_limit(bev, Cfg(1000, 1000, 1000, 1000));
  // libevent reads up to the whole bucket at once.
  EXPECT_EQ(kOnLibevent ? 1000 : 100, bufferevent_get_max_to_read(bev));
}

TEST_F(Rate, GettersOfAGroup) {
  auto *group = NewGroup(Cfg(1000, 2500, 100, 200));
  EXPECT_EQ(1000, bufferevent_rate_limit_group_get_read_limit(group));
  EXPECT_EQ(100, bufferevent_rate_limit_group_get_write_limit(group));
  EXPECT_EQ(0, bufferevent_rate_limit_group_decrement_read(group, 1001));
  EXPECT_EQ(0, bufferevent_rate_limit_group_decrement_write(group, -20));
  EXPECT_EQ(-1, bufferevent_rate_limit_group_get_read_limit(group));
  EXPECT_EQ(120, bufferevent_rate_limit_group_get_write_limit(group));
  EXPECT_EQ(0, bufferevent_rate_limit_group_decrement_read(group, -2001));
  EXPECT_EQ(2000, bufferevent_rate_limit_group_get_read_limit(group));
  Bev a(loop_, -1), b(loop_, -1);
  EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(a, group));
  EXPECT_EQ(2000, bufferevent_get_max_to_read(a));
  EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(b, group));
  EXPECT_EQ(1000, bufferevent_get_max_to_read(a));
  EXPECT_EQ(EV_SSIZE_MAX, bufferevent_get_read_limit(a));
  EXPECT_EQ(nullptr, bufferevent_get_token_bucket_cfg(a));
  EXPECT_EQ(0, bufferevent_rate_limit_group_set_min_share(group, 80));
  EXPECT_EQ(0, bufferevent_rate_limit_group_set_cfg(group, Cfg(10, 500, 10, 60)));
  EXPECT_EQ(500, bufferevent_rate_limit_group_get_read_limit(group));
  EXPECT_EQ(60, bufferevent_rate_limit_group_get_write_limit(group));
  EXPECT_EQ(250, bufferevent_get_max_to_read(a));
  ev_uint64_t num_read = 1, num_written = 1;
  bufferevent_rate_limit_group_get_totals(group, &num_read, &num_written);
  EXPECT_EQ(0u, num_read + num_written);
  bufferevent_rate_limit_group_get_totals(group, nullptr, nullptr);
  EXPECT_EQ(0, bufferevent_remove_from_rate_limit_group(a));
  EXPECT_EQ(500, bufferevent_get_max_to_read(b));
  EXPECT_EQ(0, bufferevent_remove_from_rate_limit_group(b));
  EXPECT_EQ(-1, bufferevent_rate_limit_group_set_min_share(
                    group, static_cast<size_t>(EV_RATE_LIMIT_MAX) + 1));
  EXPECT_EQ(-1, bufferevent_rate_limit_group_set_cfg(group, nullptr));
  bufferevent_rate_limit_group_free(group);
}

TEST_F(Rate, OwnBucketInBothDirections) {
  Pair pair;
  Bev bev(loop_, pair[0]);
  // Six ticks at least, of which the first may be a short one.
  EXPECT_EQ(0, bufferevent_set_rate_limit(bev, Cfg(1000, 1000, 500, 500, 10)));
  const long long begin = WallUsec();
  bev.Enable(EV_READ);
  pair.Send(std::string(6000, 'r'));
  bev.Write(std::string(3000, 'w'));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received.size() == 6000 && !bev.output_len(); }));
  EXPECT_LE(40000, WallUsec() - begin);
  EXPECT_EQ(3000u, pair.Recv().size());
}

TEST_F(Rate, GroupInBothDirections) {
  auto *group = NewGroup(Cfg(1000, 1000, 500, 500, 10));
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Bev>> bevs;
  const long long begin = WallUsec();
  for (int i = 0; i < 3; i++) {
    pairs.emplace_back(new Pair(i == 1));
    bevs.emplace_back(new Bev(loop_, (*pairs[i])[0], i == 2 ? BEV_OPT_DEFER_CALLBACKS : 0));
    bufferevent_add_to_rate_limit_group(*bevs[i], group);
    bevs[i]->Enable(EV_READ);
    pairs[i]->Send(std::string(2000, 'r'));
    bevs[i]->Write(std::string(1000, 'w'));
  }
  EXPECT_TRUE(loop_.RunUntil([&] {
    for (const auto &bev : bevs)
      if (bev->received.size() < 2000 || bev->output_len()) return false;
    return true;
  }));
  // libevent lets every member overdraw the bucket by a share.
  EXPECT_LE(kOnLibevent ? 20000 : 40000, WallUsec() - begin);
  ev_uint64_t num_read, num_written;
  bufferevent_rate_limit_group_get_totals(group, &num_read, &num_written);
  EXPECT_EQ(6000u, num_read);
  EXPECT_EQ(3000u, num_written);
  bufferevent_rate_limit_group_reset_totals(group);
  bufferevent_rate_limit_group_get_totals(group, &num_read, &num_written);
  EXPECT_EQ(0u, num_read + num_written);
  for (const auto &bev : bevs) bufferevent_remove_from_rate_limit_group(*bev);
  bufferevent_rate_limit_group_free(group);
}

TEST_F(Rate, SuspendedAndResumedByHand) {
  Pair pair;
  Bev bev(loop_, pair[0]);
  bufferevent_set_rate_limit(bev, Cfg(100, 100, 100, 100));
  bufferevent_decrement_read_limit(bev, 100);
  bufferevent_decrement_write_limit(bev, 100);
  bev.Enable(EV_READ);
  pair.Send("hello");
  bev.Write("world");
  loop_.Settle();
  EXPECT_EQ("", bev.received);
  EXPECT_EQ("", pair.Recv());
  bufferevent_decrement_read_limit(bev, -3);
  bufferevent_decrement_write_limit(bev, -3);
  loop_.Settle();
  EXPECT_EQ("hel", bev.received);
  EXPECT_EQ("wor", pair.Recv());
  bufferevent_set_rate_limit(bev, nullptr);
  loop_.Settle();
  EXPECT_EQ("hello", bev.received);
  EXPECT_EQ("ld", pair.Recv());
}

TEST_F(Rate, SuspendedByTheGroup) {
  Pair pair;
  Bev bev(loop_, pair[0]);
  auto *group = NewGroup(Cfg(100, 100, 100, 100));
  bufferevent_rate_limit_group_decrement_read(group, 100);
  bufferevent_rate_limit_group_decrement_write(group, 100);
  bufferevent_add_to_rate_limit_group(bev, group);
  bev.Enable(EV_READ);
  pair.Send("hello");
  bev.Write("world");
  loop_.Settle();
  EXPECT_EQ("", bev.received);
  EXPECT_EQ("", pair.Recv());
  bufferevent_rate_limit_group_decrement_read(group, -90);
  bufferevent_rate_limit_group_decrement_write(group, -90);
  loop_.Settle();
  EXPECT_EQ("hello", bev.received);
  EXPECT_EQ("world", pair.Recv());
  bufferevent_rate_limit_group_decrement_read(group, 100);
  pair.Send("hello");
  loop_.Settle();
  EXPECT_EQ("hello", bev.received);
  bufferevent_remove_from_rate_limit_group(bev);
  loop_.Settle();
  EXPECT_EQ("hellohello", bev.received);
  bufferevent_rate_limit_group_free(group);
}

TEST_F(Rate, EverythingFreedInACallback) {
  Pair pair;
  Bev bev(loop_, pair[0]);
  auto *group = NewGroup(Cfg(10, 10, 10, 10, 5));
  bufferevent_add_to_rate_limit_group(bev, group);
  bufferevent_set_rate_limit(bev, Cfg(5, 5, 5, 5, 5));
  bev.on_read = [&] {
    if (bev.received.size() < 20) return;
    // libevent's bufferevent leaves when its memory goes, after the callback: too late for the
    // group.
    if (kOnLibevent) bufferevent_remove_from_rate_limit_group(bev);
    bev.Free();
    bufferevent_rate_limit_group_free(std::exchange(group, nullptr));
  };
  bev.Enable(EV_READ);
  pair.Send(std::string(100, 'x'));
  EXPECT_TRUE(loop_.RunUntil([&] { return group == nullptr; }));
  loop_.Settle();
  EXPECT_LE(20u, bev.received.size());
}

TEST_F(Rate, LoopEndsWhenNothingWaits) {
  Pair pair;
  Bev bev(loop_, pair[0]);
  bufferevent_set_rate_limit(bev, Cfg(10, 10, 10, 10, 5));
  bev.Write(std::string(35, 'x'));
  EXPECT_EQ(1, event_base_dispatch(loop_));
  EXPECT_EQ(35u, pair.Recv().size());
  // libevent's group has a timer that never ends.
  if (kOnLibevent) return;
  auto *group = NewGroup(Cfg(10, 10, 10, 10, 5));
  bufferevent_add_to_rate_limit_group(bev, group);
  bev.Write(std::string(35, 'x'));
  EXPECT_EQ(1, event_base_dispatch(loop_));
  EXPECT_EQ(35u, pair.Recv().size());
  bev.Free();
  bufferevent_rate_limit_group_free(group);
}

// While something of a high priority is always active, what is below has no turn.
TEST_F(Rate, PriorityIsThatOfTheBufferevent) {
  if (kOnLibevent) GTEST_SKIP() << "the limit's timer keeps the one that it began with";
  ASSERT_EQ(0, event_base_priority_init(loop_, 3));
  Pair pair;
  Bev bev(loop_, pair[0]);
  bufferevent_set_rate_limit(bev, Cfg(10, 10, 10, 10, 5));
  ASSERT_EQ(0, bufferevent_priority_set(bev, 0));
  struct Busy {
    struct event *event;
    Bev *bev;
    const long long deadline = WallUsec() + 10000000;
  } busy = {nullptr, &bev};
  busy.event = event_new(
      loop_, -1, 0,
      [](evutil_socket_t, short, void *arg) {
        const Busy *self = static_cast<Busy *>(arg);
        if (self->bev->output_len() > 0 && WallUsec() < self->deadline)
          event_active(self->event, EV_TIMEOUT, 0);
      },
      &busy);
  event_priority_set(busy.event, 0);
  event_active(busy.event, EV_TIMEOUT, 0);
  bev.Write(std::string(35, 'x'));
  event_base_dispatch(loop_);
  EXPECT_EQ(0u, bev.output_len());
  EXPECT_LT(WallUsec(), busy.deadline);
  EXPECT_EQ(35u, pair.Recv().size());
  event_free(busy.event);
}

TEST_F(Rate, MovesToAnotherBase) {
  // libevent leaves the timer in the old base.
  if (kOnLibevent) GTEST_SKIP();
  Pair pair;
  Loop other;
  Bev bev(loop_, pair[0]);
  bufferevent_set_rate_limit(bev, Cfg(10, 10, 10, 10, 5));
  bufferevent_decrement_write_limit(bev, 10);
  bufferevent_decrement_read_limit(bev, 10);
  ASSERT_EQ(0, bufferevent_base_set(other, bev));
  bev.Enable(EV_READ);
  bev.Write(std::string(35, 'x'));
  EXPECT_TRUE(other.RunUntil([&] { return bev.output_len() == 0; }));
  EXPECT_EQ(1, event_base_dispatch(loop_));
}

}  // namespace
