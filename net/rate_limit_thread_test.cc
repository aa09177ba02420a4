// A group whose members live in the loops of several threads, while another thread changes what
// there is to change.
#include <event2/thread.h>

#include <atomic>
#include <memory>
#include <thread>

#include "net/test_support.h"

namespace {

// A loop in a thread of its own, with members that read all that comes.
class Worker {
 public:
  Worker(struct bufferevent_rate_limit_group *group, int num_members) : group_(group) {
    for (int i = 0; i < num_members; i++) {
      pairs_.emplace_back(new Pair);
      const int options = BEV_OPT_THREADSAFE | (i % 2 ? BEV_OPT_DEFER_CALLBACKS : 0);
      bevs_.push_back(bufferevent_socket_new(base_, (*pairs_[i])[0], options));
      bufferevent_setcb(bevs_[i], OnRead, nullptr, nullptr, this);
      EXPECT_EQ(0, bufferevent_add_to_rate_limit_group(bevs_[i], group));
      EXPECT_EQ(0, bufferevent_enable(bevs_[i], EV_READ));
      EXPECT_EQ(kBytes, pairs_[i]->Send(std::string(kBytes, 'x')));
    }
    num_left_ = num_members * kBytes;
  }
  ~Worker() {
    for (struct bufferevent *bev : bevs_) {
      bufferevent_remove_from_rate_limit_group(bev);
      bufferevent_free(bev);
    }
    event_base_free(base_);
  }

  void Start() {
    // Members that wait keep the loop going, though the group's timer is in another base.
    thread_ = std::thread([this] { event_base_dispatch(base_); });
  }
  void Join() {
    thread_.join();
    EXPECT_EQ(0u, num_left_);
  }
  struct bufferevent *bev(int i) const {
    return bevs_[i];
  }

  static constexpr size_t kBytes = 6000;

 private:
  static void OnRead(struct bufferevent *bev, void *arg) {
    auto *self = static_cast<Worker *>(arg);
    struct evbuffer *input = bufferevent_get_input(bev);
    const size_t len = evbuffer_get_length(input);
    evbuffer_drain(input, len);
    self->num_left_ -= len;
    if (self->num_left_ == 0) event_base_loopbreak(self->base_);
    if (++self->num_calls_ % 7 == 0) {
      bufferevent_remove_from_rate_limit_group(bev);
      bufferevent_add_to_rate_limit_group(bev, self->group_);
    }
  }

  struct bufferevent_rate_limit_group *group_;
  struct event_base *base_ = event_base_new();
  std::vector<std::unique_ptr<Pair>> pairs_;
  std::vector<struct bufferevent *> bevs_;
  std::thread thread_;
  size_t num_left_;
  int num_calls_ = 0;
};

TEST(RateThreads, GroupAcrossLoops) {
  // libevent's group resumes a member of another base with that member's lock alone, and loses
  // members whose lock is taken for a tick or more: it gets there, but races.
  if (kOnLibevent) GTEST_SKIP();
  ASSERT_EQ(0, evthread_use_pthreads());
  const int kMembers = 3;
  const struct timeval tick = Ms(1);
  auto *cfg = ev_token_bucket_cfg_new(1000, 2000, 1000, 2000, &tick);
  auto *other_cfg = ev_token_bucket_cfg_new(1500, 1500, 1500, 1500, &tick);
  struct event_base *group_base = event_base_new();
  auto *group = bufferevent_rate_limit_group_new(group_base, cfg);
  {
    Worker a(group, kMembers), b(group, kMembers);
    std::thread timer_thread([&] { event_base_loop(group_base, EVLOOP_NO_EXIT_ON_EMPTY); });
    a.Start();
    b.Start();
    for (int i = 0; i < 300; i++) {
      struct bufferevent *bev = (i % 2 ? a : b).bev(i % kMembers);
      bufferevent_rate_limit_group_set_cfg(group, i % 3 ? cfg : other_cfg);
      bufferevent_set_rate_limit(bev, i % 4 ? cfg : nullptr);
      bufferevent_rate_limit_group_set_min_share(group, i % 200);
      bufferevent_rate_limit_group_decrement_read(group, i % 5);
      bufferevent_get_max_to_read(bev);
      bufferevent_disable(bev, EV_READ);
      if (i % 10 == 0) {
        bufferevent_remove_from_rate_limit_group(bev);
        bufferevent_add_to_rate_limit_group(bev, group);
      }
      bufferevent_enable(bev, EV_READ);
      std::this_thread::yield();
    }
    a.Join();
    b.Join();
    event_base_loopbreak(group_base);
    timer_thread.join();
  }
  bufferevent_rate_limit_group_free(group);
  event_base_free(group_base);
  ev_token_bucket_cfg_free(cfg);
  ev_token_bucket_cfg_free(other_cfg);
  libevent_global_shutdown();
}

TEST(RateThreads, FreedWhileTheLoopRuns) {
  if (kOnLibevent) GTEST_SKIP();  // As above.
  ASSERT_EQ(0, evthread_use_pthreads());
  const struct timeval tick = Ms(1);
  auto *cfg = ev_token_bucket_cfg_new(100, 100, 100, 100, &tick);
  struct event_base *base = event_base_new();
  std::thread loop([&] { event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY); });
  for (int round = 0; round < 30; round++) {
    auto *group = bufferevent_rate_limit_group_new(base, cfg);
    Pair pairs[4];
    std::vector<struct bufferevent *> bevs;
    for (Pair &pair : pairs) {
      bevs.push_back(bufferevent_socket_new(base, pair[0], BEV_OPT_THREADSAFE));
      bufferevent_add_to_rate_limit_group(bevs.back(), group);
      if (round % 2) bufferevent_set_rate_limit(bevs.back(), cfg);
      bufferevent_enable(bevs.back(), EV_READ);
      pair.Send(std::string(1000, 'x'));
      bufferevent_write(bevs.back(), std::string(1000, 'x').data(), 1000);
    }
    if (pairs[0].Recv().size() < 1000) {
      EXPECT_TRUE(WaitFor(pairs[0][1], POLLIN));
    }
    for (struct bufferevent *bev : bevs) bufferevent_free(bev);
    bufferevent_rate_limit_group_free(group);
  }
  event_base_loopbreak(base);
  loop.join();
  event_base_free(base);
  ev_token_bucket_cfg_free(cfg);
  libevent_global_shutdown();
}

}  // namespace
