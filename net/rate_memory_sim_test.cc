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

}  // namespace
