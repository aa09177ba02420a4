#include "fuzz/async_port_model.h"

namespace async_port_model {

// ---- What the kernel does ----

// Brings known_ up to date. What was launched is on its bufferevent's present socket.
void Model::NotePending() {
  std::map<long, Conn *> pending;
  std::set<std::pair<Conn *, int>> kinds;
  for (struct event_operation *operation = strata_scripted_first(port_); operation != nullptr;
       operation = strata_scripted_next(operation)) {
    // One that was cancelled holds its socket by itself.
    CHECK(strata_scripted_is_cancelled(operation) || fcntl(operation->fd, F_GETFD) != -1);
    const auto known = known_.find(strata_scripted_number(operation));
    Conn *owner = known == known_.end() ? nullptr : known->second;
    for (auto &conn : conns_)
      if (owner == nullptr && conn->bev != nullptr && conn->fd == operation->fd) owner = conn.get();
    CHECK(owner != nullptr);
    CHECK(operation->kind == EVENT_OPERATION_RECV || operation->kind == EVENT_OPERATION_SEND);
    CHECK(kinds.emplace(owner, operation->kind).second);  // One of a kind at a time.
    pending[strata_scripted_number(operation)] = owner;
  }
  for (auto stale = stale_.begin(); stale != stale_.end();)
    stale = pending.count(*stale) ? std::next(stale) : stale_.erase(stale);
  known_ = pending;
}

void Model::Fail(struct event_operation *operation, int error) {
  strata_scripted_finish(port_, operation, -1, error);
}

void Model::Bring(struct event_operation *operation, Conn *conn, size_t len) {
  if (operation->max_len) len = std::min(len, operation->max_len);
  const std::string bytes = Bytes(len);
  if (strata_scripted_receive(port_, operation, bytes.data(), len) < 0) {
    Fail(operation, ENOMEM);
    has_lacked_memory_ = true;
    if (!stale_.count(strata_scripted_number(operation)))
      conn->end = kError, conn->end_error = ENOMEM, conn->num_ends++;
  } else if (!stale_.count(strata_scripted_number(operation))) {
    conn->arrived += bytes;
  }
}

void Model::EndReceive(struct event_operation *operation, Conn *conn) {
  const bool is_stale = stale_.count(strata_scripted_number(operation));
  const size_t how = Choose(8);
  TRACE(" receive of %d ends: %zu%s\n", conn->number, how, is_stale ? " stale" : "");
  CHECK(is_stale || operation->repeats || conn->arrived.empty());
  if (conn->arrived.size() > kMaxUnmoved) return;
  if (strata_scripted_is_cancelled(operation) && how < 4) {
    Fail(operation, ECANCELED);
  } else if (how == 4 || how == 5) {
    if (!is_stale) {
      conn->end = how == 4 ? kEof : kError;
      conn->end_error = kReceiveError;
      conn->num_ends++;
    }
    if (how == 4)
      strata_scripted_finish(port_, operation, 0, 0);
    else
      Fail(operation, kReceiveError);
  } else if (how == 6) {
    Fail(operation, Choose(2) ? EAGAIN : EINTR);
  } else {
    Bring(operation, conn, ChooseLen());
  }
}

void Model::TakeFrom(struct event_operation *operation, Conn *conn, size_t len) {
  std::string shown;
  for (int i = 0; i < operation->num_spans; i++)
    shown.append(static_cast<const char *>(operation->spans[i].data), operation->spans[i].len);
  CHECK(!shown.empty() && conn->ended.empty());
  CHECK(conn->put.compare(0, shown.size(), shown) == 0);
  len = std::min(len, shown.size());
  conn->put.erase(0, len);
  conn->ended.assign(shown, 0, len);
  strata_scripted_finish(port_, operation, static_cast<ev_ssize_t>(len), 0);
}

void Model::EndSend(struct event_operation *operation, Conn *conn) {
  const size_t how = Choose(8);
  TRACE(" send of %d ends: %zu\n", conn->number, how);
  if (strata_scripted_is_cancelled(operation) && how < 4) {
    Fail(operation, ECANCELED);
  } else if (how == 4) {
    conn->num_write_errors++;
    Fail(operation, kSendError);
  } else if (how == 5) {
    Fail(operation, Choose(2) ? EAGAIN : EINTR);
  } else {
    TakeFrom(operation, conn, how == 6 ? SIZE_MAX : ChooseLen());
  }
}

void Model::EndSome() {
  NotePending();
  if (known_.empty()) return;
  size_t which = Choose(known_.size());
  struct event_operation *operation = strata_scripted_first(port_);
  while (which--) operation = strata_scripted_next(operation);
  if (operation->kind == EVENT_OPERATION_RECV)
    EndReceive(operation, known_[strata_scripted_number(operation)]);
  else
    EndSend(operation, known_[strata_scripted_number(operation)]);
  NotePending();
}

// ---- What the library calls ----

void Model::OnInput(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
  Conn *conn = static_cast<Conn *>(arg);
  conn->input.erase(0, info->n_deleted);
  if (!info->n_added) return;
  TRACE("  %d reads %zu\n", conn->number, info->n_added);
  CHECK(conn->bev != nullptr && bufferevent_get_enabled(conn->bev) & EV_READ);
  CHECK(info->n_added <= conn->arrived.size());
  conn->input.append(conn->arrived, 0, info->n_added);
  conn->arrived.erase(0, info->n_added);
  CHECK(!conn->read_high || conn->input.size() <= conn->read_high);
  CHECK(!conn->max_read || info->n_added <= conn->max_read);
  if (conn->input.size() >= conn->read_low) conn->must_tell_read = true;
}

void Model::OnOutput(struct evbuffer *, const struct evbuffer_cb_info *info, void *arg) {
  Conn *conn = static_cast<Conn *>(arg);
  if (!info->n_deleted || conn->bev == nullptr) return;
  TRACE("  %d has sent %zu\n", conn->number, info->n_deleted);
  CHECK(info->n_deleted == conn->ended.size());
  conn->ended.clear();
  if (conn->put.size() <= conn->write_low) conn->must_tell_write = true;
}

void Model::OnRead(struct bufferevent *bev, void *arg) {
  Conn *conn = static_cast<Conn *>(arg);
  CHECK(conn->bev == bev);
  conn->must_tell_read = false;
  if (conn->model->is_finishing_) conn->model->Take(conn, SIZE_MAX / 4);
  conn->model->MaybeAct(2);
}

void Model::OnWrite(struct bufferevent *bev, void *arg) {
  Conn *conn = static_cast<Conn *>(arg);
  CHECK(conn->bev == bev);
  conn->must_tell_write = false;
  conn->model->MaybeAct(2);
}

// Deferred calls are one for all that has happened.
void Model::CheckEvent(Conn *conn, short what, int error) {
  const bool is_late = conn->options & BEV_OPT_DEFER_CALLBACKS;
  const bool is_of_reading = what & BEV_EVENT_READING, is_of_writing = what & BEV_EVENT_WRITING;
  CHECK(is_of_reading || is_of_writing);
  CHECK(!(what & BEV_EVENT_CONNECTED));
  if (what & BEV_EVENT_TIMEOUT) CHECK(conn->has_timeouts);
  if (what & BEV_EVENT_EOF || (what & BEV_EVENT_ERROR && error == kReceiveError))
    CHECK(is_of_reading && conn->num_ends > 0);
  if (what & BEV_EVENT_ERROR && !is_late) {
    if (error == kSendError) CHECK(is_of_writing && conn->num_write_errors > 0);
    if (error == ENOMEM) CHECK(has_lacked_memory_ || CountingMemory::has_failed());
    if (error == kRefusal) CHECK(strata_scripted_has_refused(port_));
    CHECK(error == kReceiveError || error == kSendError || error == ENOMEM || error == kRefusal);
  }
  const bool is_end =
      what & BEV_EVENT_EOF || (is_of_reading && what & BEV_EVENT_ERROR && error == conn->end_error);
  if (is_late || !is_end || conn->end == kNoEnd) return;
  if (what & BEV_EVENT_EOF) CHECK(conn->end == kEof);
  // What says that there was no memory may be for something else.
  if (error == ENOMEM && !(what & BEV_EVENT_EOF)) return;
  CHECK(conn->arrived.empty());
  conn->end = kNoEnd;
}

void Model::OnEvent(struct bufferevent *bev, short what, void *arg) {
  Conn *conn = static_cast<Conn *>(arg);
  const int error = EVUTIL_SOCKET_ERROR();
  CHECK(conn->bev == bev);
  TRACE("  event %x of %d, error %d\n", what, conn->number, error);
  conn->model->CheckEvent(conn, what, error);
  conn->model->MaybeAct(2);
}

// ---- The loop, and what must hold ----

void Model::CheckConn(Conn *conn) {
  if (conn->bev == nullptr) return;
  CHECK(evbuffer_get_length(bufferevent_get_output(conn->bev)) ==
        conn->put.size() + conn->ended.size());
  struct evbuffer *input = bufferevent_get_input(conn->bev);
  CHECK(evbuffer_get_length(input) == conn->input.size());
  std::vector<struct evbuffer_iovec> blocks(
      static_cast<size_t>(evbuffer_peek(input, -1, nullptr, nullptr, 0)));
  evbuffer_peek(input, -1, nullptr, blocks.data(), static_cast<int>(blocks.size()));
  size_t at = 0;
  for (const struct evbuffer_iovec &block : blocks) {
    CHECK(conn->input.compare(at, block.iov_len, static_cast<char *>(block.iov_base),
                              block.iov_len) == 0);
    at += block.iov_len;
  }
}

void Model::CheckAll() {
  NotePending();
  for (auto &conn : conns_) CheckConn(conn.get());
}

void Model::RunOnce() {
  TRACE("run\n");
  event_base_loop(base_, EVLOOP_NONBLOCK | EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
}

void Model::RunFor(int64_t ns) {
  TRACE("run for %lld ms\n", static_cast<long long>(ns / STRATA_NS_PER_MS));
  const struct timeval time = strata_ns_to_timeval(ns);
  if (event_base_loopexit(base_, &time) < 0) return;
  event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY);
  for (auto &conn : conns_) CHECK(conn->bev == nullptr || !conn->must_tell_read);
  for (auto &conn : conns_) CHECK(conn->bev == nullptr || !conn->must_tell_write);
}

void Model::Step() {
  static const int64_t kTimesMs[] = {0, 1, 20, 100, 1000, 3000};
  const size_t what = Choose(16);
  if (what < 4) {
    EndSome();
  } else if (what < 7) {
    RunOnce();
  } else if (what == 7) {
    RunFor(kTimesMs[Choose(6)] * STRATA_NS_PER_MS);
  } else if (what == 8) {
    strata_scripted_refuse(port_, Choose(2) ? kRefusal : 0);
  } else if (what == 9) {
    has_lacked_memory_ |= CountingMemory::has_failed();
    CountingMemory::Begin(static_cast<long>(Choose(6)), 1 + static_cast<long>(Choose(4)));
  } else {
    Act();
  }
  CheckAll();
}

// ---- The end ----

// As it would have ended at the latest. Receives that are wanted wait for bytes.
void Model::EndAllForGood() {
  NotePending();
  struct event_operation *next;
  for (struct event_operation *operation = strata_scripted_first(port_); operation != nullptr;
       operation = next) {
    next = strata_scripted_next(operation);
    if (operation->kind == EVENT_OPERATION_SEND)
      TakeFrom(operation, known_[strata_scripted_number(operation)], SIZE_MAX);
    else if (strata_scripted_is_cancelled(operation))
      Fail(operation, ECANCELED);
  }
}

bool Model::IsAllMoved() const {
  for (auto &conn : conns_)
    if (conn->bev != nullptr && (!conn->arrived.empty() || !conn->put.empty())) return false;
  return true;
}

// Nothing is in the way of anybody any more, and nothing fails: nothing may stay where it is.
void Model::Finish() {
  TRACE("finish\n");
  is_finishing_ = true;
  has_lacked_memory_ |= CountingMemory::has_failed();
  CountingMemory::StopFailing();
  strata_scripted_refuse(port_, 0);
  for (auto &conn : conns_) {
    if (conn->bev == nullptr) continue;
    conn->read_low = conn->read_high = conn->write_low = conn->max_read = 0;
    bufferevent_set_rate_limit(conn->bev, nullptr);
    bufferevent_setwatermark(conn->bev, EV_READ | EV_WRITE, 0, 0);
    bufferevent_set_max_single_read(conn->bev, 0);
    bufferevent_set_max_single_write(conn->bev, 0);
    bufferevent_set_timeouts(conn->bev, nullptr, nullptr);
    if (conn->fd < 0) CHECK(bufferevent_setfd(conn->bev, conn->fd = NewSocket()) == 0);
  }
  for (int round = 0; round < 20; round++) {
    for (auto &conn : conns_)
      if (conn->bev != nullptr) CHECK(bufferevent_enable(conn->bev, EV_READ | EV_WRITE) == 0);
    EndAllForGood();
    RunFor(STRATA_NS_PER_SECOND);
    CheckAll();
    if (round > 2 && IsAllMoved()) break;
  }
  for (auto &conn : conns_) {
    if (conn->bev == nullptr) continue;
    CHECK(conn->arrived.empty() && conn->put.empty() && conn->ended.empty());
    CHECK(conn->end == kNoEnd || conn->options & BEV_OPT_DEFER_CALLBACKS ||
          conn->end_error == ENOMEM);
  }
}

Model::~Model() {
  for (auto &conn : conns_)
    if (conn->bev != nullptr) Free(conn.get());
  // The port ends what was cancelled, or the base does when it is freed.
  if (conns_.size() % 2 == 0) {
    RunFor(STRATA_NS_PER_MS);
    CHECK(strata_scripted_first(port_) == nullptr);
    CHECK(event_base_loop(base_, EVLOOP_NONBLOCK) == 1);
  }
  event_base_free(base_);
  evbuffer_free(taken_);
  CHECK(strata_scripted_num_received(port_) == 0);
  strata_scripted_port_free(port_);
  strata_sim_free(sim_);
  for (struct ev_token_bucket_cfg *cfg : cfgs_) ev_token_bucket_cfg_free(cfg);
  for (const evutil_socket_t fd : given_fds_) CHECK(fcntl(fd, F_GETFD) == -1);
  for (const evutil_socket_t fd : own_fds_) CHECK(close(fd) == 0);
}

}  // namespace async_port_model

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const bool is_installed = [] {
    CountingMemory::Install(event_set_mem_functions);
    event_set_log_callback([](int, const char *) {});
    return true;
  }();
  using namespace async_port_model;
  CHECK(is_installed);
  const long num_blocks = CountingMemory::num_blocks();
  CountingMemory::Begin();
  {
    Source source(data, size);
    Model model(source);
    for (int i = 0; i < 400 && !source.IsEmpty(); i++) model.Step();
    model.Finish();
  }
  CHECK(CountingMemory::num_blocks() == num_blocks);
  return 0;
}
