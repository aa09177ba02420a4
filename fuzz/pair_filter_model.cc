#include "fuzz/pair_filter_model.h"

namespace pair_filter_model {

// ---- Making ----

Stream *Model::NewStream() {
  streams_.emplace_back(new Stream);
  return streams_.back().get();
}

void Model::Append(Stream *stream, Node *node, Side side) {
  stream->parts.push_back({node, side});
  node->streams[side] = stream;
}

Node *Model::NewNode(struct bufferevent *bev, int options) {
  nodes_.emplace_back(new Node);
  Node *node = nodes_.back().get();
  node->model = this;
  node->bev = bev;
  node->options = options;
  return node;
}

int Model::ChooseOptions() {
  static const int kOptions[] = {
      0,
      BEV_OPT_DEFER_CALLBACKS,
      BEV_OPT_CLOSE_ON_FREE,
      BEV_OPT_THREADSAFE,
      BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS,
      BEV_OPT_THREADSAFE | BEV_OPT_CLOSE_ON_FREE,
      BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS | BEV_OPT_UNLOCK_CALLBACKS};
  return kOptions[Choose(sizeof(kOptions) / sizeof(kOptions[0]))];
}

Model::Model(Source &source) : source_(source) {
  struct bufferevent *pair[2];
  const int options = ChooseOptions();
  CHECK(bufferevent_pair_new(base_, options, pair) == 0);
  Node *halves[2] = {NewNode(pair[0], options), NewNode(pair[1], options)};
  for (int i = 0; i < 2; i++) {
    Stream *stream = NewStream();
    Append(stream, halves[1 - i], kIn);
    Append(stream, halves[i], kOut);
    halves[i]->partner = halves[1 - i];
    SetCallbacks(halves[i], 7);
  }
}

Node *Model::ChooseNode(bool must_be_top) {
  std::vector<Node *> nodes;
  for (auto &node : nodes_)
    if (must_be_top ? node->IsTop() : !node->is_freed) nodes.push_back(node.get());
  return nodes.empty() ? nullptr : nodes[Choose(nodes.size())];
}

void Model::ChooseFunction(Function *function) {
  function->kind = static_cast<Kind>(Choose(kNumKinds));
  function->parameter = 1 + Choose(24);
}

void Model::PutFilter() {
  Node *below = ChooseNode(true);
  if (below == nullptr || nodes_.size() >= kMaxNodes) return;
  const int options = ChooseOptions();
  Node *node = NewNode(nullptr, options);
  for (Function &function : node->functions) ChooseFunction(&function);
  {
    const Call call(this);
    // Enabling what is below may call filter functions; the new one is not there yet.
    action_depth_ += kMaxDepth;
    // A low watermark would keep bytes from the filter.
    bufferevent_setwatermark(below->bev, EV_READ, 0, below->read_high);
    below->read_low = 0;
    node->bev = bufferevent_filter_new(
        below->bev, node->functions[kIn].kind == kNull ? nullptr : OnInput,
        node->functions[kOut].kind == kNull ? nullptr : OnOutput, options, OnContextFree, node);
    action_depth_ -= kMaxDepth;
  }
  if (node->bev == nullptr) {
    // No lock can be made while somebody may be at work without one.
    CHECK(options & BEV_OPT_THREADSAFE);
    TRACE("no filter over %zu\n", Number(below));
    below->num_seen = below->num_consumed + below->Len(kIn);
    nodes_.pop_back();
    return;
  }
  node->below = below;
  TRACE("filter %zu over %zu options %d in %d/%zu out %d/%zu\n", Number(node), Number(below),
        options, node->functions[0].kind, node->functions[0].parameter, node->functions[1].kind,
        node->functions[1].parameter);
  below->above = node;
  below->has_read_callback = false;
  below->enabled |= EV_READ | EV_WRITE;
  for (Side side : {kIn, kOut}) {
    Stream *stream = below->streams[side];
    if (node->functions[side].kind != kNull)
      Append(NewStream(), node, side);
    else if (side == kIn)
      stream->parts.push_front({node, side});
    else
      stream->parts.push_back({node, side});
    if (node->functions[side].kind == kNull) node->streams[side] = stream;
  }
  SetCallbacks(node, 7);
}

// ---- What the program does ----

void Model::SetCallbacks(Node *node, size_t which) {
  const Call call(this);
  bufferevent_setcb(node->bev, which & 1 ? OnRead : nullptr, which & 2 ? OnWrite : nullptr,
                    which & 4 ? OnEvent : nullptr, node);
  node->has_read_callback = which & 1;
  TRACE("setcb %zu %zu\n", Number(node), which);
  node->num_seen = node->num_consumed + node->Len(kIn);
}

// A filter over it, freed by now, is at work on what the model has put there already.
bool Model::IsBehindAMove(const Node *node) const {
  for (const auto &other : nodes_)
    if (moving_ && other->below == node && other->functions[kOut].is_running) return true;
  return false;
}

void Model::Write() {
  static const size_t kLens[] = {1, 2, 3, 7, 16, 40, 100, 900, 5000};
  Node *node = ChooseNode(true);
  if (node == nullptr || IsBehindAMove(node)) return;
  std::string bytes(kLens[Choose(sizeof(kLens) / sizeof(kLens[0]))], '\0');
  for (char &byte : bytes) {
    if (next_byte_ == kPoison) next_byte_++;
    byte = static_cast<char>(next_byte_++);
  }
  const size_t how = Choose(6);
  if (how == 5) bytes[bytes.size() / 2] = static_cast<char>(kPoison);
  node->streams[kOut]->bytes += bytes;
  TRACE("write %zu len %zu how %zu\n", Number(node), bytes.size(), how);
  const Call call(this);
  if (how >= 3) {
    CHECK(bufferevent_write(node->bev, bytes.data(), bytes.size()) == 0);
    return;
  }
  struct evbuffer *buffer = evbuffer_new();
  evbuffer_add(buffer, bytes.data(), bytes.size());
  CHECK(bufferevent_write_buffer(node->bev, buffer) == 0);
  evbuffer_free(buffer);
}

void Model::Read() {
  Node *node = ChooseNode(true);
  if (node == nullptr) return;
  const size_t max_len = std::vector<size_t>{1, 5, 30, 10000}[Choose(4)];
  const size_t len = std::min(max_len, node->Len(kIn));
  std::string &stream = node->streams[kIn]->bytes;
  CHECK(len <= stream.size());
  const std::string expected = stream.substr(0, len);
  stream.erase(0, len);
  node->num_consumed += len;
  std::string bytes(len, '\0');
  const Call call(this);
  TRACE("read %zu len %zu\n", Number(node), len);
  if (len < node->Len(kIn) || Choose(2)) {
    CHECK(bufferevent_read(node->bev, &bytes[0], len) == len);
  } else {
    struct evbuffer *buffer = evbuffer_new();
    CHECK(bufferevent_read_buffer(node->bev, buffer) == 0);
    CHECK(evbuffer_get_length(buffer) == len);
    evbuffer_remove(buffer, &bytes[0], len);
    evbuffer_free(buffer);
  }
  CHECK(bytes == expected);
}

void Model::Flush() {
  Node *node = ChooseNode(false);
  if (node == nullptr) return;
  const short directions = static_cast<short>(std::vector<int>{EV_READ, EV_WRITE, 6}[Choose(3)]);
  const auto mode = static_cast<enum bufferevent_flush_mode>(Choose(3));
  const bool is_half = node->below == nullptr, has_partner = node->partner != nullptr;
  const int num_calls = node->functions[kOut].num_calls;
  // What lies in wait inside a callback may undo the rest.
  const bool is_plain = source_.IsEmpty() && !call_depth_ && !moving_;
  if (mode == BEV_FINISHED) was_finished_ = true;
  TRACE("flush %zu directions %d mode %d\n", Number(node), directions, mode);
  const Call call(this);
  const int result = bufferevent_flush(node->bev, directions, mode);
  if (is_half) CHECK((result == -1) == !has_partner);
  if (mode == BEV_NORMAL || !is_plain) return;
  if (is_half && has_partner && directions & EV_WRITE) CHECK(node->Len(kOut) == 0);
  if (!is_half && !node->below->is_freed && directions & EV_WRITE &&
      node->functions[kOut].kind != kNull)
    CHECK(node->functions[kOut].num_calls > num_calls);
}

void Model::SetWatermarks() {
  Node *node = ChooseNode(false);
  if (node == nullptr) return;
  const short direction = Choose(2) ? EV_READ : EV_WRITE;
  size_t low = Choose(12), high = std::vector<size_t>{0, 1, 10, 64, 3000}[Choose(5)];
  if (direction == EV_READ) {
    if (node->above) low = 0;
    node->read_low = low;
    node->read_high = high;
    node->num_seen = node->num_consumed + node->Len(kIn);
  } else {
    node->write_high = high;
    node->had_write_high = node->had_write_high || high;
  }
  const Call call(this);
  TRACE("watermark %zu %d: %zu %zu\n", Number(node), direction, low, high);
  bufferevent_setwatermark(node->bev, direction, low, high);
}

void Model::SetTimeouts(Node *node) {
  struct timeval timeout = {static_cast<long>(1 + Choose(3)), 0};
  const size_t which = Choose(4);
  had_timeouts_ = true;
  const Call call(this);
  bufferevent_set_timeouts(node->bev, which & 1 ? &timeout : nullptr,
                           which & 2 ? &timeout : nullptr);
}

void Model::Trigger() {
  Node *node = ChooseNode(true);
  if (node == nullptr) return;
  const int options = static_cast<int>(Choose(4));
  const int flags =
      (options & 1 ? BEV_TRIG_DEFER_CALLBACKS : 0) | (options & 2 ? BEV_TRIG_IGNORE_WATERMARKS : 0);
  was_triggered_ = true;
  TRACE("trigger %zu options %d\n", Number(node), options);
  const Call call(this);
  trigger_depth_++;
  if (Choose(3))
    bufferevent_trigger(node->bev, EV_READ | EV_WRITE, flags);
  else
    bufferevent_trigger_event(node->bev, BEV_EVENT_ERROR | BEV_EVENT_READING, flags);
  trigger_depth_--;
}

void Model::AddReference(Node *node) {
  node->num_extra_refs++;
  TRACE("incref %zu\n", Number(node));
  bufferevent_incref(node->bev);
}

void Model::DropReference(Node *node) {
  if (!node->num_extra_refs) return;
  node->num_extra_refs--;
  TRACE("decref %zu\n", Number(node));
  const bool is_freed = node->is_freed;
  const int was_last = bufferevent_decref(node->bev);
  if (!is_freed) CHECK(!was_last);
}

// The buffer of a bufferevent that is being freed holds a part of a stream that nobody will see.
void Model::ForgetBytes(Node *node, Side side) {
  Stream *stream = node->streams[side];
  size_t offset = 0;
  auto part = stream->parts.begin();
  for (; part->node != node || part->side != side; ++part) offset += part->node->Len(part->side);
  offset = std::min(offset, stream->bytes.size());
  // At the end of a stream there may be bytes that are still on their way to the buffer.
  const bool is_last = std::next(part) == stream->parts.end();
  const size_t end = is_last ? stream->bytes.size() : offset + node->Len(side);
  // What lies beyond can't get here any more.
  Stream *rest = NewStream();
  rest->bytes = stream->bytes.substr(end);
  rest->parts.splice(rest->parts.end(), stream->parts, std::next(part), stream->parts.end());
  for (const Stream::Part &other : rest->parts) other.node->streams[other.side] = rest;
  stream->bytes.erase(offset);
  stream->parts.erase(part);
  node->streams[side] = NewStream();
}

void Model::NoteFreed(Node *node) {
  node->is_freed = true;
  for (Side side : {kIn, kOut}) ForgetBytes(node, side);
  if (node->partner) node->partner->partner = nullptr;
  node->partner = nullptr;
  if (!node->below) return;
  if (node->below->above == node) node->below->above = nullptr;
  if (node->options & BEV_OPT_CLOSE_ON_FREE && !node->below->is_freed) NoteFreed(node->below);
}

void Model::Free(Node *node) {
  TRACE("free %zu\n", Number(node));
  NoteFreed(node);
  const Call call(this);
  bufferevent_free(node->bev);
}

void Model::Act() {
  if (action_depth_ >= kMaxDepth) return;
  action_depth_++;
  Node *node;
  switch (Choose(20)) {
    case 0:
    case 1:
    case 2:
      Write();
      break;
    case 3:
    case 4:
      Read();
      break;
    case 5:
    case 6:
      if ((node = ChooseNode(false)) != nullptr) {
        const short directions = static_cast<short>(std::vector<int>{2, 4, 6}[Choose(3)]);
        node->enabled |= directions;
        TRACE("enable %zu %d\n", Number(node), directions);
        const Call call(this);
        CHECK(bufferevent_enable(node->bev, directions) == 0);
      }
      break;
    case 7:
      if ((node = ChooseNode(false)) != nullptr) {
        const short directions = static_cast<short>(std::vector<int>{2, 4, 6}[Choose(3)]);
        node->enabled &= static_cast<short>(~directions);
        TRACE("disable %zu %d\n", Number(node), directions);
        const Call call(this);
        CHECK(bufferevent_disable(node->bev, directions) == 0);
      }
      break;
    case 8:
      Flush();
      break;
    case 9:
    case 10:
      SetWatermarks();
      break;
    case 11:
    case 12:
      // A buffer that is being moved is no place to change the order of things.
      if (!moving_) PutFilter();
      break;
    case 13:
      if ((node = ChooseNode(false)) != nullptr) Free(node);
      break;
    case 14:
      Trigger();
      break;
    case 15:
      if ((node = ChooseNode(false)) != nullptr) SetTimeouts(node);
      break;
    case 16:
      if ((node = ChooseNode(false)) != nullptr) AddReference(node);
      break;
    case 17:
      DropReference(nodes_[Choose(nodes_.size())].get());
      break;
    case 18:
      if ((node = ChooseNode(true)) != nullptr) SetCallbacks(node, Choose(8));
      break;
    default:
      if ((node = ChooseNode(false)) != nullptr)
        evbuffer_add_cb(node->Buffer(Choose(2) ? kIn : kOut), OnBuffer, node);
      break;
  }
  action_depth_--;
}

void Model::MaybeAct(size_t one_in) {
  if (source_.IsEmpty() || action_depth_ >= kMaxDepth) return;
  if (Choose(one_in) == 0) Act();
}

void Model::Step() {
  switch (Choose(8)) {
    case 0:
      RunUntilQuiet();
      break;
    case 1:
      RunOnce();
      break;
    case 2:
      if (Choose(4) == 0) PassTime();
      break;
    default:
      Act();
      break;
  }
  CheckStreams();
}

}  // namespace pair_filter_model
