// Rate limits of bufferevents and of groups, used as the input says, on a virtual clock, against
// plain token buckets. The sockets are real; what is ready, the model says. Each move of bytes must
// fit into the buckets that bind it, the library's buckets must agree with the model's to the token
// after every step, and in the end, with everything enabled, every byte must arrive in the time
// that the rates leave for it.
#ifndef STRATA_FUZZ_RATE_LIMIT_MODEL_H_
#define STRATA_FUZZ_RATE_LIMIT_MODEL_H_

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/model.h"

extern "C" {
#include "backends/sim/sim.h"
#include "util/clock.h"
}

namespace rate_limit_model {

using fuzz_model::Source;

constexpr size_t kMaxConns = 6, kNumGroups = 2;
constexpr size_t kMaxUnmoved = 1500;  // A connection's bytes per direction, so that runs end.
constexpr int kDirections = 2;        // kRead, kWrite.
enum Direction { kRead, kWrite };

struct Config {
  int64_t rate[kDirections], burst[kDirections], tick_ns;
  struct ev_token_bucket_cfg *cfg;
};

struct Bucket {
  const Config *config = nullptr;
  int64_t tokens[kDirections], since_ns;

  void Start(const Config *with, int64_t now_ns) {
    config = with;
    for (int d = 0; d < kDirections; d++) tokens[d] = config->rate[d];
    since_ns = now_ns;
  }
  void Update(int64_t now_ns) {
    const int64_t num_ticks = (now_ns - since_ns) / config->tick_ns;
    if (!num_ticks) return;
    for (int d = 0; d < kDirections; d++)
      tokens[d] = std::min(tokens[d] + num_ticks * config->rate[d], config->burst[d]);
    since_ns += num_ticks * config->tick_ns;
  }
  // It keeps its tokens and the running tick.
  void Change(const Config *to, int64_t now_ns) {
    Update(now_ns);
    config = to;
    for (int d = 0; d < kDirections; d++) tokens[d] = std::min(tokens[d], config->burst[d]);
    since_ns = now_ns - (now_ns - since_ns) % config->tick_ns;
  }
  void Move(Direction d, size_t len, int64_t now_ns) {
    Update(now_ns);
    TRACE("  %s %zu of %lld\n", d == kRead ? "reads" : "writes", len,
          static_cast<long long>(tokens[d]));
    CHECK(static_cast<int64_t>(len) <= tokens[d]);
    tokens[d] -= static_cast<int64_t>(len);
  }
  // How long this many bytes take at most, waiting for one's turn included.
  int64_t TimeFor(size_t len) const {
    int64_t num_ticks = 0;
    for (int d = 0; d < kDirections; d++)
      num_ticks += (static_cast<int64_t>(len) - std::min<int64_t>(tokens[d], 0)) / config->rate[d];
    return (3 * num_ticks + 20) * config->tick_ns;
  }
};

struct Group {
  struct bufferevent_rate_limit_group *group = nullptr;
  Bucket bucket;
  uint64_t totals[kDirections] = {0, 0};
};

class Model;

struct Conn {
  Model *model;
  struct bufferevent *bev;  // nullptr: freed.
  evutil_socket_t fd, peer;
  Bucket own;
  Group *group = nullptr;
  uint64_t num_sent = 0, num_read = 0;         // What its peer sent, what it read of that.
  uint64_t num_put = 0, num_written = 0;       // What the program wrote, what it wrote of that.
  uint64_t num_drained = 0, num_received = 0;  // What the program and the peer took.
  bool is_ended = false, has_seen_end = false;
};

class Model {
 public:
  explicit Model(Source &source);
  ~Model();
  void Step();
  void Finish();

 private:
  size_t Choose(size_t limit) { return source_.Choose(limit); }
  int64_t Now() const { return strata_sim_now_ns(sim_); }
  Config *NewConfig();
  Conn *ChooseConn();
  void NewConn();
  void MakeGroup(Group *group);

  void Act();
  void Send(Conn *conn);
  void PutOut(Conn *conn);
  void Receive(Conn *conn);
  void SetOwnLimit(Conn *conn);
  void ChangeGroup();
  void Decrement(Conn *conn);
  void Drain(Conn *conn);
  void Free(Conn *conn);
  void FreeGroup(Group *group);
  void RunFor(int64_t ns);

  void CheckAll();
  void CheckGroup(Group *group);
  void CheckConn(Conn *conn);
  static bool IsDone(const Conn &conn);

  static void OnMoved(Conn *conn, Direction d, size_t len);
  static void OnInput(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg);
  static void OnOutput(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg);
  static void OnData(struct bufferevent *bev, void *arg);
  static void OnEvent(struct bufferevent *bev, short what, void *arg);

  Source &source_;
  struct strata_sim *sim_ = strata_sim_new();
  struct event_base *base_ = strata_sim_base_new(sim_, nullptr);
  std::vector<std::unique_ptr<Config>> configs_;
  std::vector<std::unique_ptr<Conn>> conns_;
  Group groups_[kNumGroups];
  bool is_finishing_ = false;
};

}  // namespace rate_limit_model

#endif
