#include "fuzz/rate_limit_model.h"

namespace rate_limit_model {

// ---- Making ----

Config *Model::NewConfig() {
  static const int64_t kRates[] = {1, 3, 10, 64, 100, 500, 4000, 100000};
  static const int64_t kTicksMs[] = {1, 7, 50, 1000};
  configs_.emplace_back(new Config);
  Config *config = configs_.back().get();
  for (int d = 0; d < kDirections; d++) {
    config->rate[d] = kRates[Choose(8)];
    config->burst[d] =
        config->rate[d] * static_cast<int64_t>(1 + Choose(5)) + static_cast<int64_t>(Choose(50));
  }
  const int64_t tick_ms = kTicksMs[Choose(4)];
  config->tick_ns = tick_ms * STRATA_NS_PER_MS;
  const struct timeval tick = strata_ns_to_timeval(config->tick_ns);
  config->cfg = ev_token_bucket_cfg_new(
      static_cast<size_t>(config->rate[kRead]), static_cast<size_t>(config->burst[kRead]),
      static_cast<size_t>(config->rate[kWrite]), static_cast<size_t>(config->burst[kWrite]), &tick);
  CHECK(config->cfg != nullptr);
  TRACE("configuration %d/%d %d/%d %d ms\n", static_cast<int>(config->rate[0]),
        static_cast<int>(config->burst[0]), static_cast<int>(config->rate[1]),
        static_cast<int>(config->burst[1]), static_cast<int>(tick_ms));
  return config;
}

void Model::MakeGroup(Group *group) {
  const Config *config = NewConfig();
  group->group = bufferevent_rate_limit_group_new(base_, config->cfg);
  CHECK(group->group != nullptr);
  group->bucket.Start(config, Now());
  for (uint64_t &total : group->totals) total = 0;
}

Model::Model(Source &source) : source_(source) {
  for (Group &group : groups_) MakeGroup(&group);
}

void Model::NewConn() {
  size_t num_alive = 0;
  for (auto &conn : conns_) num_alive += conn->bev != nullptr;
  if (num_alive >= kMaxConns) return;
  int fds[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  for (int fd : fds) evutil_make_socket_nonblocking(fd);
  conns_.emplace_back(new Conn);
  Conn *conn = conns_.back().get();
  conn->model = this;
  conn->fd = fds[0];
  conn->peer = fds[1];
  conn->bev = bufferevent_socket_new(
      base_, conn->fd, BEV_OPT_CLOSE_ON_FREE | (Choose(2) ? BEV_OPT_DEFER_CALLBACKS : 0));
  CHECK(conn->bev != nullptr);
  bufferevent_setcb(conn->bev, OnData, OnData, OnEvent, conn);
  evbuffer_add_cb(bufferevent_get_input(conn->bev), OnInput, conn);
  evbuffer_add_cb(bufferevent_get_output(conn->bev), OnOutput, conn);
  bufferevent_enable(conn->bev, EV_READ);
  const size_t group = Choose(kNumGroups + 1);
  if (group == kNumGroups || groups_[group].group == nullptr) return;
  conn->group = &groups_[group];
  CHECK(bufferevent_add_to_rate_limit_group(conn->bev, conn->group->group) == 0);
}

Conn *Model::ChooseConn() {
  std::vector<Conn *> conns;
  for (auto &conn : conns_)
    if (conn->bev != nullptr) conns.push_back(conn.get());
  return conns.empty() ? nullptr : conns[Choose(conns.size())];
}

// ---- What program and peer do ----

void Model::Send(Conn *conn) {
  static const size_t kLens[] = {1, 10, 63, 300, 1000};
  const size_t len = kLens[Choose(5)];
  if (conn->is_ended || conn->num_sent - conn->num_read + len > kMaxUnmoved) return;
  const std::string bytes(len, 'r');
  const ssize_t sent_len = send(conn->peer, bytes.data(), len, MSG_NOSIGNAL);
  if (sent_len < 0) return;
  conn->num_sent += static_cast<uint64_t>(sent_len);
  strata_sim_raise(sim_, conn->fd, EV_READ);
}

void Model::PutOut(Conn *conn) {
  static const size_t kLens[] = {1, 10, 63, 300, 1000};
  const size_t len = kLens[Choose(5)];
  if (conn->num_put - conn->num_written + len > kMaxUnmoved) return;
  const std::string bytes(len, 'w');
  conn->num_put += len;
  CHECK(bufferevent_write(conn->bev, bytes.data(), len) == 0);
}

void Model::Receive(Conn *conn) {
  char bytes[4096];
  ssize_t len;
  while ((len = recv(conn->peer, bytes, sizeof(bytes), 0)) > 0)
    conn->num_received += static_cast<uint64_t>(len);
  strata_sim_raise(sim_, conn->fd, EV_WRITE);
}

void Model::Drain(Conn *conn) {
  struct evbuffer *input = bufferevent_get_input(conn->bev);
  conn->num_drained += evbuffer_get_length(input);
  evbuffer_drain(input, evbuffer_get_length(input));
}

void Model::SetOwnLimit(Conn *conn) {
  if (Choose(4) == 0) {
    conn->own.config = nullptr;
    CHECK(bufferevent_set_rate_limit(conn->bev, nullptr) == 0);
    return;
  }
  const Config *config =
      Choose(3) && !configs_.empty() ? configs_[Choose(configs_.size())].get() : NewConfig();
  if (config != conn->own.config) {
    if (conn->own.config != nullptr)
      conn->own.Change(config, Now());
    else
      conn->own.Start(config, Now());
  }
  CHECK(bufferevent_set_rate_limit(conn->bev, config->cfg) == 0);
  CHECK(bufferevent_get_token_bucket_cfg(conn->bev) == config->cfg);
}

void Model::ChangeGroup() {
  Group *group = &groups_[Choose(kNumGroups)];
  const size_t what = Choose(6);
  if (group->group == nullptr) {
    MakeGroup(group);
    return;
  }
  if (what == 0) {
    const Config *config = NewConfig();
    group->bucket.Change(config, Now());
    TRACE("group configuration\n");
    CHECK(bufferevent_rate_limit_group_set_cfg(group->group, config->cfg) == 0);
  } else if (what == 1) {
    CHECK(bufferevent_rate_limit_group_set_min_share(group->group, Choose(200)) == 0);
  } else if (what == 2) {
    FreeGroup(group);
  } else if (what == 3) {
    const ev_ssize_t decr = static_cast<ev_ssize_t>(Choose(200)) - 50;
    const Direction d = Choose(2) ? kRead : kWrite;
    group->bucket.Update(Now());
    group->bucket.tokens[d] -= decr;
    if (d == kRead)
      bufferevent_rate_limit_group_decrement_read(group->group, decr);
    else
      bufferevent_rate_limit_group_decrement_write(group->group, decr);
  } else if (what == 4) {
    for (uint64_t &total : group->totals) total = 0;
    bufferevent_rate_limit_group_reset_totals(group->group);
  }
}

void Model::Decrement(Conn *conn) {
  const ev_ssize_t decr = static_cast<ev_ssize_t>(Choose(200)) - 50;
  const Direction d = Choose(2) ? kRead : kWrite;
  const int result = d == kRead ? bufferevent_decrement_read_limit(conn->bev, decr)
                                : bufferevent_decrement_write_limit(conn->bev, decr);
  CHECK((result == 0) == (conn->own.config != nullptr));
  if (result < 0) return;
  conn->own.Update(Now());
  conn->own.tokens[d] -= decr;
}

void Model::Free(Conn *conn) {
  // The descriptor's number may be another one's soon.
  strata_sim_lower(sim_, conn->fd, EV_READ | EV_WRITE | EV_CLOSED);
  bufferevent_free(conn->bev);
  evutil_closesocket(conn->peer);
  conn->bev = nullptr;
}

void Model::FreeGroup(Group *group) {
  for (auto &conn : conns_) {
    if (conn->group != group) continue;
    conn->group = nullptr;
    if (conn->bev != nullptr) CHECK(bufferevent_remove_from_rate_limit_group(conn->bev) == 0);
  }
  bufferevent_rate_limit_group_free(group->group);
  group->group = nullptr;
}

void Model::Act() {
  const size_t what = Choose(20);
  if (what == 0) NewConn();
  if (what == 1) ChangeGroup();
  Conn *conn = what < 2 ? nullptr : ChooseConn();
  TRACE("action %zu on %d\n", what, conn == nullptr ? -1 : static_cast<int>(conn->fd));
  if (conn == nullptr) return;
  const short direction = Choose(2) ? EV_READ : EV_WRITE;
  switch (what) {
    case 2:
      Free(conn);
      break;
    case 3:
    case 4:
      SetOwnLimit(conn);
      break;
    case 5:
    case 6: {
      Group *group = &groups_[Choose(kNumGroups)];
      if (group->group == nullptr) break;
      conn->group = group;
      CHECK(bufferevent_add_to_rate_limit_group(conn->bev, group->group) == 0);
      break;
    }
    case 7:
      conn->group = nullptr;
      CHECK(bufferevent_remove_from_rate_limit_group(conn->bev) == 0);
      break;
    case 8:
      bufferevent_enable(conn->bev, direction);
      break;
    case 9:
      bufferevent_disable(conn->bev, direction);
      break;
    case 10:
      bufferevent_setwatermark(conn->bev, EV_READ, Choose(20), Choose(3) ? 0 : 1 + Choose(100));
      break;
    case 11:
      Decrement(conn);
      break;
    case 12:
      bufferevent_set_max_single_read(conn->bev, Choose(100));
      bufferevent_set_max_single_write(conn->bev, Choose(100));
      break;
    case 13:
      if (!conn->is_ended) shutdown(conn->peer, SHUT_WR);
      conn->is_ended = true;
      strata_sim_raise(sim_, conn->fd, EV_READ | EV_CLOSED);
      break;
    case 14:
      Drain(conn);
      break;
    case 15:
      Receive(conn);
      break;
    case 16:
    case 17:
      Send(conn);
      break;
    default:
      PutOut(conn);
      break;
  }
}

void Model::RunFor(int64_t ns) {
  const int64_t end_ns = Now() + ns;
  TRACE("run for %lld ms\n", static_cast<long long>(ns / STRATA_NS_PER_MS));
  const struct timeval time = strata_ns_to_timeval(ns);
  event_base_loopexit(base_, &time);
  event_base_dispatch(base_);
  CHECK(Now() <= end_ns);
}

void Model::Step() {
  static const int64_t kTimesMs[] = {0, 1, 3, 20, 1000, 5000};
  const size_t what = Choose(8);
  if (what < 2) {
    RunFor(kTimesMs[Choose(6)] * STRATA_NS_PER_MS);
  } else if (what == 2) {
    // Nobody looks at the time meanwhile. The loop counts in whole microseconds.
    TRACE("advance from %lld\n", static_cast<long long>(Now() % 1000000000000));
    strata_sim_advance(sim_, kTimesMs[Choose(6)] * STRATA_NS_PER_MS + 345 * STRATA_NS_PER_US);
  } else {
    Act();
  }
  CheckAll();
}

// ---- What the library calls ----

void Model::OnMoved(Conn *conn, Direction d, size_t len) {
  const int64_t now_ns = conn->model->Now();
  TRACE(" %d own %d group %d at %lld ns\n", static_cast<int>(conn->fd), conn->own.config != nullptr,
        conn->group != nullptr, static_cast<long long>(now_ns % 1000000000000));
  if (conn->own.config != nullptr) conn->own.Move(d, len, now_ns);
  if (conn->group == nullptr) return;
  conn->group->bucket.Move(d, len, now_ns);
  conn->group->totals[d] += len;
}

void Model::OnInput(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
  Conn *conn = static_cast<Conn *>(arg);
  if (!info->n_added) return;
  conn->num_read += info->n_added;
  OnMoved(conn, kRead, info->n_added);
}

void Model::OnOutput(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
  Conn *conn = static_cast<Conn *>(arg);
  if (!info->n_deleted) return;
  conn->num_written += info->n_deleted;
  OnMoved(conn, kWrite, info->n_deleted);
  // The kernel charges much for each small write: the peer must not let them pile up.
  if (conn->model->is_finishing_) conn->model->Receive(conn);
}

void Model::OnData(struct bufferevent *bev, void *arg) {
  Conn *conn = static_cast<Conn *>(arg);
  Model *model = conn->model;
  CHECK(conn->bev == bev);
  if (model->is_finishing_) {
    model->Drain(conn);
    model->Receive(conn);
  } else if (!model->source_.IsEmpty()) {
    if (model->Choose(2)) model->Act();
  }
}

void Model::OnEvent(struct bufferevent *bev, short what, void *arg) {
  Conn *conn = static_cast<Conn *>(arg);
  CHECK(conn->bev == bev);
  CHECK(what == (BEV_EVENT_READING | BEV_EVENT_EOF));
  CHECK(conn->is_ended && conn->num_read == conn->num_sent);
  conn->has_seen_end = true;
  if (!conn->model->is_finishing_ && conn->model->Choose(2)) conn->model->Act();
}

// ---- What must hold ----

void Model::CheckGroup(Group *group) {
  if (group->group == nullptr) return;
  group->bucket.Update(Now());
  CHECK(bufferevent_rate_limit_group_get_read_limit(group->group) == group->bucket.tokens[kRead]);
  CHECK(bufferevent_rate_limit_group_get_write_limit(group->group) == group->bucket.tokens[kWrite]);
  ev_uint64_t num_read, num_written;
  bufferevent_rate_limit_group_get_totals(group->group, &num_read, &num_written);
  CHECK(num_read == group->totals[kRead] && num_written == group->totals[kWrite]);
}

void Model::CheckConn(Conn *conn) {
  if (conn->bev == nullptr) return;
  CHECK(conn->num_read - conn->num_drained ==
        evbuffer_get_length(bufferevent_get_input(conn->bev)));
  CHECK(conn->num_put - conn->num_written ==
        evbuffer_get_length(bufferevent_get_output(conn->bev)));
  const ev_ssize_t max_read = bufferevent_get_max_to_read(conn->bev),
                   max_write = bufferevent_get_max_to_write(conn->bev);
  CHECK(max_read >= 0 && max_write >= 0);
  if (conn->own.config == nullptr) {
    CHECK(bufferevent_get_read_limit(conn->bev) == EV_SSIZE_MAX);
    return;
  }
  conn->own.Update(Now());
  CHECK(bufferevent_get_read_limit(conn->bev) == conn->own.tokens[kRead]);
  CHECK(bufferevent_get_write_limit(conn->bev) == conn->own.tokens[kWrite]);
  CHECK(max_read <= std::max<int64_t>(conn->own.tokens[kRead], 0));
  CHECK(max_write <= std::max<int64_t>(conn->own.tokens[kWrite], 0));
}

void Model::CheckAll() {
  for (Group &group : groups_) CheckGroup(&group);
  for (auto &conn : conns_) CheckConn(conn.get());
}

bool Model::IsDone(const Conn &conn) {
  return conn.bev == nullptr ||
         (conn.num_read == conn.num_sent && conn.num_written == conn.num_put &&
          conn.has_seen_end == conn.is_ended);
}

// Everybody may move everything: nobody may be left waiting.
void Model::Finish() {
  int64_t time_ns = STRATA_NS_PER_SECOND;
  size_t len = 0;
  is_finishing_ = true;
  for (auto &conn : conns_) {
    if (conn->bev == nullptr) continue;
    len += conn->num_sent - conn->num_read + conn->num_put - conn->num_written;
    bufferevent_setwatermark(conn->bev, EV_READ, 0, 0);
    Drain(conn.get());
    Receive(conn.get());
    bufferevent_enable(conn->bev, EV_WRITE);
    if (!conn->has_seen_end) bufferevent_enable(conn->bev, EV_READ);
  }
  CheckAll();
  for (auto &conn : conns_)
    if (conn->bev != nullptr && conn->own.config != nullptr) time_ns += conn->own.TimeFor(len);
  for (Group &group : groups_)
    if (group.group != nullptr) time_ns += group.bucket.TimeFor(len);
  RunFor(time_ns);
  CheckAll();
  for (auto &conn : conns_) {
    CHECK(IsDone(*conn));
    if (conn->bev != nullptr) Receive(conn.get());
    if (conn->bev != nullptr) CHECK(conn->num_received == conn->num_written);
  }
}

Model::~Model() {
  for (auto &conn : conns_)
    if (conn->bev != nullptr) Free(conn.get());
  for (Group &group : groups_)
    if (group.group != nullptr) FreeGroup(&group);
  event_base_free(base_);
  strata_sim_free(sim_);
  for (auto &config : configs_) ev_token_bucket_cfg_free(config->cfg);
}

}  // namespace rate_limit_model

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace rate_limit_model;
  Source source(data, size);
  Model model(source);
  for (int i = 0; i < 200 && !source.IsEmpty(); i++) model.Step();
  model.Finish();
  return 0;
}
