#include "fuzz/pair_filter_model.h"

namespace pair_filter_model {

// ---- What the library calls ----

void Model::BeginCallback(Node *node) {
  CHECK(!node->is_freed);
  CHECK(!node->above);
  // From the loop, never from inside a call.
  CHECK(!call_depth_ || trigger_depth_);
  CHECK(!moving_ || trigger_depth_);
  if (!call_depth_) CheckStreams();
}

void Model::OnRead(struct bufferevent *bev, void *arg) {
  Node *node = static_cast<Node *>(arg);
  CHECK(node->bev == bev);
  node->model->BeginCallback(node);
  CHECK(node->has_read_callback);
  TRACE(" readcb %zu\n", node->model->Number(node));
  node->num_seen = node->num_consumed + node->Len(kIn);
  node->model->MaybeAct(2);
}

void Model::OnWrite(struct bufferevent *bev, void *arg) {
  Node *node = static_cast<Node *>(arg);
  CHECK(node->bev == bev);
  node->model->BeginCallback(node);
  node->model->MaybeAct(2);
}

void Model::OnEvent(struct bufferevent *bev, short what, void *arg) {
  Node *node = static_cast<Node *>(arg);
  Model *model = node->model;
  CHECK(node->bev == bev);
  model->BeginCallback(node);
  CHECK(what & (BEV_EVENT_READING | BEV_EVENT_WRITING));
  TRACE(" eventcb %zu %x\n", model->Number(node), what);
  CHECK(!(what & BEV_EVENT_CONNECTED));
  if (what & BEV_EVENT_EOF) CHECK(model->was_finished_);
  if (what & BEV_EVENT_ERROR) CHECK(model->has_failed_ || model->was_triggered_);
  if (what & BEV_EVENT_TIMEOUT) CHECK(model->had_timeouts_);
  model->MaybeAct(2);
}

void Model::OnBuffer(struct evbuffer *, const struct evbuffer_cb_info *, void *arg) {
  Node *node = static_cast<Node *>(arg);
  if (!node->is_freed) node->model->MaybeAct(3);
}

void Model::OnContextFree(void *arg) {
  Node *node = static_cast<Node *>(arg);
  CHECK(node->is_freed);
  CHECK(!node->num_extra_refs);
  for (const Function &function : node->functions) CHECK(!function.is_running);
  node->num_context_frees++;
}

enum bufferevent_filter_result Model::OnInput(struct evbuffer *src, struct evbuffer *dst,
                                              ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                              void *arg) {
  Node *node = static_cast<Node *>(arg);
  return node->model->Filter(node, kIn, src, dst, limit, mode);
}

enum bufferevent_filter_result Model::OnOutput(struct evbuffer *src, struct evbuffer *dst,
                                               ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                               void *arg) {
  Node *node = static_cast<Node *>(arg);
  return node->model->Filter(node, kOut, src, dst, limit, mode);
}

void Model::CheckFilterCall(const Node *node, Side side, struct evbuffer *src, struct evbuffer *dst,
                            ev_ssize_t limit, enum bufferevent_flush_mode mode) const {
  const Node *from = side == kIn ? node->below : node, *to = side == kIn ? node : node->below;
  CHECK(!node->is_freed && !node->below->is_freed && !node->num_context_frees);
  CHECK(src == from->Buffer(side) && dst == to->Buffer(side));
  CHECK(!node->functions[side].is_running);
  if (mode != BEV_NORMAL) {
    CHECK(limit == -1);
    return;
  }
  CHECK(evbuffer_get_length(src) > 0);
  CHECK(node->IsEnabled(side == kIn ? EV_READ : EV_WRITE));
  const size_t high = side == kIn ? node->read_high : node->below->write_high;
  if (!high) {
    CHECK(limit == -1);
    return;
  }
  CHECK(limit > 0 && high - evbuffer_get_length(dst) == static_cast<size_t>(limit));
}

// What the function makes of these bytes: how many it takes, and its answer.
enum bufferevent_filter_result Model::Decide(Function *function, const std::string &bytes,
                                             size_t limit, bool is_flush, size_t *out_len) const {
  size_t len = std::min(bytes.size(), limit);
  switch (function->kind) {
    case kBlock:
      if (!is_flush) len -= len % function->parameter;
      break;
    case kTrickle:
      len = std::min(len, function->parameter);
      break;
    case kFailing: {
      const size_t end = bytes.find(static_cast<char>(kPoison));
      if (end == 0) {
        *out_len = 0;
        return BEV_ERROR;
      }
      len = std::min(len, end);
      break;
    }
    case kIdle:
      if (function->position++ % 4) len = 0;
      *out_len = len;
      return BEV_OK;
    default:
      break;
  }
  *out_len = len;
  return len ? BEV_OK : BEV_NEED_MORE;
}

enum bufferevent_filter_result Model::Filter(Node *node, Side side, struct evbuffer *src,
                                             struct evbuffer *dst, ev_ssize_t limit,
                                             enum bufferevent_flush_mode mode) {
  Function *function = &node->functions[side];
  CheckFilterCall(node, side, src, dst, limit, mode);
  Stream *from = side == kIn ? node->below->streams[side] : node->streams[side];
  Stream *to = side == kIn ? node->streams[side] : node->below->streams[side];
  size_t len = 0;
  const std::string bytes = from->bytes.substr(0, evbuffer_get_length(src));
  CHECK(bytes.size() == evbuffer_get_length(src));
  std::string taken;
  function->is_running = true;
  function->has_run = true;
  function->num_calls++;
  function->dst_limit = limit;
  const size_t max_len = limit < 0 ? SIZE_MAX : static_cast<size_t>(limit);
  const enum bufferevent_filter_result result =
      Decide(function, bytes, max_len, mode != BEV_NORMAL, &len);
  function->result = result;
  function->has_moved = len > 0;
  function->left_len = bytes.size() - len;
  if (result == BEV_ERROR) has_failed_ = true;
  TRACE("  function %zu %s: %zu bytes limit %d mode %d: %zu result %d\n", Number(node),
        side == kIn ? "in" : "out", bytes.size(), static_cast<int>(limit), mode, len, result);
  if (len) {
    taken = from->bytes.substr(0, len);
    from->bytes.erase(0, len);
    std::string put = taken;
    if (function->kind == kXor)
      for (char &byte : put) byte = static_cast<char>(byte ^ (function->position += 3));
    to->bytes += put;
    if (side == kIn) node->below->num_consumed += len;
    std::string real(len, '\0');
    moving_++;
    if (function->kind == kIdentity && function->parameter % 2) {
      CHECK(evbuffer_remove_buffer(src, dst, len) == static_cast<int>(len));
    } else {
      CHECK(evbuffer_remove(src, &real[0], len) == static_cast<int>(len));
      CHECK(real == taken);
      CHECK(evbuffer_add(dst, put.data(), put.size()) == 0);
    }
    moving_--;
  }
  MaybeAct(3);
  function->is_running = false;
  return result;
}

// ---- The loop, and what must hold ----

void Model::RunOnce() {
  event_base_loop(base_, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

void Model::RunUntilQuiet() {
  TRACE("run\n");
  int num_turns = 0;
  do {
    RunOnce();
    CHECK(++num_turns < 10000);
  } while (event_base_get_num_events(base_, EVENT_BASE_COUNT_ACTIVE) > 0);
  CheckStreams();
  CheckQuiet();
}

void Model::PassTime() {
  const struct timeval time = {static_cast<long>(1 + Choose(3)), 0};
  event_base_loopexit(base_, &time);
  event_base_dispatch(base_);
}

void Model::CheckStreams() const {
  for (const auto &stream : streams_) {
    size_t offset = 0;
    for (const Stream::Part &part : stream->parts) {
      struct evbuffer *buffer = part.node->Buffer(part.side);
      std::vector<struct evbuffer_iovec> blocks(
          static_cast<size_t>(evbuffer_peek(buffer, -1, nullptr, nullptr, 0)));
      evbuffer_peek(buffer, -1, nullptr, blocks.data(), static_cast<int>(blocks.size()));
      for (const struct evbuffer_iovec &block : blocks) {
        CHECK(offset + block.iov_len <= stream->bytes.size());
        CHECK(stream->bytes.compare(offset, block.iov_len, static_cast<char *>(block.iov_base),
                                    block.iov_len) == 0);
        offset += block.iov_len;
      }
    }
    if (!stream->parts.empty()) CHECK(offset == stream->bytes.size());
  }
}

bool Model::Reads(const Node *node) const {
  return node->IsEnabled(EV_READ) && node->ReadRoom() && (!node->above || Reads(node->above));
}

// A function that wanted more, or did nothing, is not asked again about the same.
bool Model::IsExcused(const Function &function, size_t len, size_t room) {
  if (function.kind == kNull || !function.has_run || function.left_len != len) return false;
  if (function.result == BEV_OK && function.has_moved) return false;
  return function.dst_limit < 0 || room <= static_cast<size_t>(function.dst_limit);
}

void Model::CheckInputGoesOn(const Node *filter) const {
  const size_t len = filter->below->Len(kIn);
  if (!len || !Reads(filter)) return;
  CHECK(IsExcused(filter->functions[kIn], len, filter->ReadRoom()));
}

void Model::CheckOutputGoesOn(const Node *filter) const {
  const Node *below = filter->below;
  const size_t len = filter->Len(kOut);
  if (!len || !filter->IsEnabled(EV_WRITE)) return;
  if (below->Len(kOut) && below->had_write_high) return;
  CHECK(IsExcused(filter->functions[kOut], len, below->write_high ? below->write_high : SIZE_MAX));
}

void Model::CheckReaderWasTold(const Node *node) const {
  if (!node->has_read_callback || node->Len(kIn) < node->read_low) return;
  CHECK(node->num_seen == node->num_consumed + node->Len(kIn));
}

void Model::CheckQuiet() const {
  for (const auto &node : nodes_) {
    if (node->is_freed) continue;
    CHECK((bufferevent_get_enabled(node->bev) & ~node->enabled) == 0);
    if (!had_timeouts_ && !has_failed_) CHECK(bufferevent_get_enabled(node->bev) == node->enabled);
    if (node->partner && node->Len(kOut) && node->IsEnabled(EV_WRITE)) CHECK(!Reads(node->partner));
    if (node->below && !node->below->is_freed) {
      CheckInputGoesOn(node.get());
      CheckOutputGoesOn(node.get());
    }
    if (!node->above) CheckReaderWasTold(node.get());
  }
}

Model::~Model() {
  RunUntilQuiet();
  const bool goes_backwards = nodes_.size() % 2;
  for (size_t i = 0; i < nodes_.size(); i++) {
    Node *node = nodes_[goes_backwards ? nodes_.size() - 1 - i : i].get();
    if (!node->is_freed) Free(node);
    while (node->num_extra_refs) DropReference(node);
  }
  RunOnce();
  event_base_free(base_);
  strata_sim_free(sim_);
  for (const auto &node : nodes_) CHECK(node->num_context_frees == (node->below ? 1 : 0));
}

}  // namespace pair_filter_model

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int has_threads = evthread_use_pthreads();
  CHECK(has_threads == 0);
  using namespace pair_filter_model;
  Source source(data, size);
  Model model(source);
  for (int i = 0; i < 400 && !source.IsEmpty(); i++) model.Step();
  return 0;
}
