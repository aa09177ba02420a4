#include "fuzz/async_port_model.h"

namespace async_port_model {

// ---- Making ----

size_t Model::ChooseLen() {
  static const size_t kLens[] = {1, 2, 7, 40, 300, 1500, 5000, 20000};
  return kLens[Choose(8)];
}

std::string Model::Bytes(size_t len) {
  std::string bytes(len, '\0');
  for (char &byte : bytes) byte = static_cast<char>(next_byte_ = (next_byte_ * 5 + 77) & 0xff);
  next_byte_++;
  return bytes;
}

evutil_socket_t Model::NewSocket() {
  const evutil_socket_t fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  given_fds_.erase(fd);
  return fd;
}

Model::Model(Source &source) : source_(source) {
  const size_t kind = Choose(4);
  const unsigned features = STRATA_PORT_PROVIDES_MEMORY |
                            (kind == 0 ? STRATA_PORT_SENDS_AT_ONCE : 0) |
                            (kind > 1 ? STRATA_PORT_REPEATS : 0);
  port_ = strata_scripted_port_new(sim_, features);
  base_ = strata_scripted_base_new(port_);
  CHECK(base_ != nullptr && event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY);
}

void Model::NewConn() {
  size_t num_alive = 0;
  for (auto &conn : conns_) num_alive += conn->bev != nullptr;
  if (num_alive >= kMaxConns) return;
  CountingMemory::StopFailing();
  conns_.emplace_back(new Conn);
  Conn *conn = conns_.back().get();
  conn->model = this;
  conn->number = static_cast<int>(conns_.size());
  conn->options =
      (Choose(2) ? BEV_OPT_CLOSE_ON_FREE : 0) | (Choose(3) ? 0 : BEV_OPT_DEFER_CALLBACKS);
  conn->fd = NewSocket();
  conn->bev = bufferevent_socket_new(base_, conn->fd, conn->options);
  CHECK(conn->bev != nullptr);
  bufferevent_setcb(conn->bev, OnRead, OnWrite, OnEvent, conn);
  evbuffer_add_cb(bufferevent_get_input(conn->bev), OnInput, conn);
  evbuffer_add_cb(bufferevent_get_output(conn->bev), OnOutput, conn);
  if (Choose(4)) bufferevent_enable(conn->bev, EV_READ);
}

Conn *Model::ChooseConn() {
  std::vector<Conn *> conns;
  for (auto &conn : conns_)
    if (conn->bev != nullptr) conns.push_back(conn.get());
  return conns.empty() ? nullptr : conns[Choose(conns.size())];
}

// ---- What the program does ----

void Model::Write(Conn *conn) {
  const size_t len = ChooseLen();
  if (conn->put.size() + len > kMaxUnmoved) return;
  const std::string bytes = Bytes(len);
  // Before the call, in which a callback may look.
  if (bufferevent_write(conn->bev, bytes.data(), len) == 0) conn->put += bytes;
}

void Model::Take(Conn *conn, size_t len) {
  struct evbuffer *input = bufferevent_get_input(conn->bev);
  if (Choose(3) == 0) {
    evbuffer_remove_buffer(input, taken_, len);
  } else if (Choose(2)) {
    std::string bytes(std::min(len, evbuffer_get_length(input)), '\0');
    bufferevent_read(conn->bev, &bytes[0], bytes.size());
  } else {
    evbuffer_drain(input, len);
  }
}

void Model::SetLimit(Conn *conn) {
  static const size_t kRates[] = {1, 10, 100, 1000, 30000};
  if (Choose(4) == 0) {
    bufferevent_set_rate_limit(conn->bev, nullptr);
    return;
  }
  const size_t read = kRates[Choose(5)], write = kRates[Choose(5)];
  const struct timeval tick = {0, 100000};
  struct ev_token_bucket_cfg *cfg =
      ev_token_bucket_cfg_new(read, read * 2, write, write * 2, &tick);
  if (cfg == nullptr) return;
  cfgs_.push_back(cfg);
  bufferevent_set_rate_limit(conn->bev, cfg);
}

// What it brought is lost, unless it is in the input.
void Model::GiveUpSocket(Conn *conn) {
  NotePending();
  for (auto &[number, owner] : known_)
    if (owner == conn) stale_.insert(number);
  conn->arrived.clear();
  conn->end = kNoEnd;
}

void Model::SetFd(Conn *conn) {
  GiveUpSocket(conn);
  const evutil_socket_t old_fd = conn->fd;
  const size_t which = Choose(4);
  if (which == 0)
    conn->fd = -1;
  else if (which > 1 || old_fd < 0)
    conn->fd = NewSocket();
  TRACE("  %d setfd %d\n", conn->number, conn->fd);
  if (old_fd >= 0 && old_fd != conn->fd) own_fds_.insert(old_fd);
  CHECK(bufferevent_setfd(conn->bev, conn->fd) == 0);
  CHECK(bufferevent_getfd(conn->bev) == conn->fd);
}

void Model::Replace(Conn *conn) {
  GiveUpSocket(conn);
  const evutil_socket_t old_fd = conn->fd;
  conn->fd = NewSocket();
  TRACE("  %d replacefd %d by %d\n", conn->number, old_fd, conn->fd);
  CHECK(bufferevent_replacefd(conn->bev, conn->fd) == 0);
  if (old_fd >= 0) given_fds_.insert(old_fd);
}

void Model::Free(Conn *conn) {
  GiveUpSocket(conn);
  if (conn->fd >= 0)
    (conn->options & BEV_OPT_CLOSE_ON_FREE ? given_fds_ : own_fds_).insert(conn->fd);
  struct bufferevent *bev = conn->bev;
  conn->bev = nullptr;
  bufferevent_free(bev);
}

void Model::Act() {
  if (action_depth_ >= kMaxDepth) return;
  action_depth_++;
  const size_t what = Choose(22);
  Conn *conn = ChooseConn();
  if (what == 0 || conn == nullptr) {
    if (action_depth_ == 1) NewConn();
    action_depth_--;
    return;
  }
  const short direction = Choose(2) ? EV_READ : EV_WRITE;
  TRACE(" action %zu on %d%s\n", what, conn->number, direction == EV_READ ? "r" : "w");
  switch (what) {
    case 1:
      Free(conn);
      break;
    case 2:
    case 3:
      SetFd(conn);
      break;
    case 4:
    case 5:
      Replace(conn);
      break;
    case 6:
    case 7:
    case 8:
      bufferevent_enable(conn->bev, Choose(3) ? direction : EV_READ | EV_WRITE);
      break;
    case 9:
    case 10:
      bufferevent_disable(conn->bev, Choose(3) ? direction : EV_READ | EV_WRITE);
      break;
    case 11:
      if (direction == EV_WRITE) {
        conn->write_low = Choose(200);
        bufferevent_setwatermark(conn->bev, EV_WRITE, conn->write_low, 0);
      } else {
        CountingMemory::StopFailing();  // Without memory there is no high watermark.
        conn->read_low = Choose(20);
        conn->read_high = Choose(3) ? 1 + Choose(200) * 11 : 0;
        bufferevent_setwatermark(conn->bev, EV_READ, conn->read_low, conn->read_high);
      }
      break;
    case 12:
      SetLimit(conn);
      break;
    case 13:
      conn->max_read = Choose(3) ? 1 + Choose(100) * 9 : 0;
      bufferevent_set_max_single_read(conn->bev, conn->max_read);
      bufferevent_set_max_single_write(conn->bev, Choose(100) * 9);
      break;
    case 14: {
      const struct timeval time = {static_cast<time_t>(Choose(3)), 1};
      conn->has_timeouts = true;
      bufferevent_set_timeouts(conn->bev, Choose(2) ? &time : nullptr, Choose(2) ? &time : nullptr);
      break;
    }
    case 15:
      bufferevent_flush(conn->bev, direction, Choose(2) ? BEV_FLUSH : BEV_FINISHED);
      break;
    case 16:
      bufferevent_priority_set(conn->bev, 0);
      break;
    case 17:
    case 18:
      Take(conn, ChooseLen());
      break;
    default:
      Write(conn);
      break;
  }
  action_depth_--;
}

void Model::MaybeAct(size_t one_in) {
  if (!is_finishing_ && !source_.IsEmpty() && Choose(one_in) == 0) Act();
}

}  // namespace async_port_model
