// The limit of a group, on a virtual clock.
#include <map>
#include <memory>
#include <random>

#include "net/rate_limit_sim_testing.h"

namespace {

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

}  // namespace
