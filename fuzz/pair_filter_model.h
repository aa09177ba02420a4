// A bufferevent pair with filters stacked on both ends, used as the input says, against byte
// strings. Between two filter functions the buffers hold one stream: its bytes are in a string, and
// the buffers, from the reading end back, must hold exactly that. The functions, which are the
// model's own, take from one string and add to the next. So every byte is accounted for after every
// step, whoever enabled, flushed, limited or freed what. When the loop has nothing left to do,
// nothing may be stuck that the headers say goes on.
#ifndef STRATA_FUZZ_PAIR_FILTER_MODEL_H_
#define STRATA_FUZZ_PAIR_FILTER_MODEL_H_

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <sys/time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/model.h"

extern "C" {
#include "backends/sim/sim.h"
}

namespace pair_filter_model {

using fuzz_model::Source;

constexpr int kDirections = 2;  // Of a bufferevent: kIn, kOut.
enum Side { kIn, kOut };
constexpr unsigned char kPoison = 0xee;  // The byte at which a failing function fails.
constexpr size_t kMaxNodes = 10;
constexpr int kMaxDepth = 3;  // Of actions inside callbacks of actions.

enum Kind { kNull, kIdentity, kXor, kBlock, kTrickle, kFailing, kIdle, kNumKinds };

struct Node;

// Bytes between two places where the model sees them go by, in the buffers of one or more
// bufferevents, the one that is emptied first at the front.
struct Stream {
  struct Part {
    Node *node;
    Side side;
  };
  std::string bytes;
  std::list<Part> parts;
};

// A filter function's state.
struct Function {
  Kind kind = kNull;
  size_t parameter = 1;
  unsigned char position = 0;
  bool is_running = false;
  bool has_run = false;
  enum bufferevent_filter_result result = BEV_OK;
  bool has_moved = false;
  size_t left_len = 0;       // In its source, after the last call.
  ev_ssize_t dst_limit = 0;  // Of the last call.
  int num_calls = 0;
};

class Model;

struct Node {
  Model *model = nullptr;
  struct bufferevent *bev = nullptr;
  Node *below = nullptr, *above = nullptr;  // `above`: a filter that is not freed.
  Node *partner = nullptr;                  // Of a half whose other half is not freed.
  int options = 0;
  bool is_freed = false;
  int num_extra_refs = 0;
  Stream *streams[kDirections] = {nullptr, nullptr};
  Function functions[kDirections];
  int num_context_frees = 0;
  bool has_timeouts = false;
  short enabled = EV_WRITE;
  size_t read_low = 0, read_high = 0, write_high = 0;
  bool had_write_high = false;
  bool has_read_callback = false;
  uint64_t num_consumed = 0, num_seen = 0;  // Of the input; seen by the read callback.

  struct evbuffer *Buffer(Side side) const {
    return side == kIn ? bufferevent_get_input(bev) : bufferevent_get_output(bev);
  }
  size_t Len(Side side) const { return evbuffer_get_length(Buffer(side)); }
  size_t ReadRoom() const {
    if (!read_high) return SIZE_MAX;
    return Len(kIn) < read_high ? read_high - Len(kIn) : 0;
  }
  bool IsEnabled(short direction) const { return bufferevent_get_enabled(bev) & direction; }
  // The model has no way of knowing which bytes are above a filter and which below it when a
  // callback is called in the middle of a move.
  bool IsTop() const { return !is_freed && !above; }
};

class Model {
 public:
  explicit Model(Source &source);
  ~Model();
  void Step();

 private:
  // While the program is inside a call.
  struct Call {
    explicit Call(Model *model) : model(model) { model->call_depth_++; }
    ~Call() { model->call_depth_--; }
    Model *model;
  };

  size_t Choose(size_t limit) { return source_.Choose(limit); }
  Node *ChooseNode(bool must_be_top);
  size_t Number(const Node *node) const {
    size_t number = 0;
    while (nodes_[number].get() != node) number++;
    return number;
  }
  Node *NewNode(struct bufferevent *bev, int options);
  Stream *NewStream();
  void Append(Stream *stream, Node *node, Side side);
  int ChooseOptions();
  void ChooseFunction(Function *function);

  void Act();
  void MaybeAct(size_t one_in);
  void PutFilter();
  bool IsBehindAMove(const Node *node) const;
  void Write();
  void Read();
  void Flush();
  void SetWatermarks();
  void SetCallbacks(Node *node, size_t which);
  void SetTimeouts(Node *node);
  void Trigger();
  void AddReference(Node *node);
  void DropReference(Node *node);
  void Free(Node *node);
  void NoteFreed(Node *node);
  void ForgetBytes(Node *node, Side side);

  void RunOnce();
  void RunUntilQuiet();
  void PassTime();
  void CheckStreams() const;
  void CheckQuiet() const;
  bool Reads(const Node *node) const;
  static bool IsExcused(const Function &function, size_t len, size_t room);
  void CheckInputGoesOn(const Node *filter) const;
  void CheckOutputGoesOn(const Node *filter) const;
  void CheckReaderWasTold(const Node *node) const;

  enum bufferevent_filter_result Filter(Node *node, Side side, struct evbuffer *src,
                                        struct evbuffer *dst, ev_ssize_t limit,
                                        enum bufferevent_flush_mode mode);
  void CheckFilterCall(const Node *node, Side side, struct evbuffer *src, struct evbuffer *dst,
                       ev_ssize_t limit, enum bufferevent_flush_mode mode) const;
  enum bufferevent_filter_result Decide(Function *function, const std::string &bytes, size_t limit,
                                        bool is_flush, size_t *out_len) const;
  void BeginCallback(Node *node);

  static void OnRead(struct bufferevent *bev, void *arg);
  static void OnWrite(struct bufferevent *bev, void *arg);
  static void OnEvent(struct bufferevent *bev, short what, void *arg);
  static void OnBuffer(struct evbuffer *, const struct evbuffer_cb_info *, void *arg);
  static enum bufferevent_filter_result OnInput(struct evbuffer *src, struct evbuffer *dst,
                                                ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                                void *arg);
  static enum bufferevent_filter_result OnOutput(struct evbuffer *src, struct evbuffer *dst,
                                                 ev_ssize_t limit, enum bufferevent_flush_mode mode,
                                                 void *arg);
  static void OnContextFree(void *arg);

  Source &source_;
  struct strata_sim *sim_ = strata_sim_new();
  struct event_base *base_ = strata_sim_base_new(sim_, nullptr);
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Stream>> streams_;
  unsigned char next_byte_ = 0;
  int call_depth_ = 0;     // Calls of the program on bufferevents.
  int trigger_depth_ = 0;  // Of these, those that may call back.
  int moving_ = 0;         // Moves that are half done.
  int action_depth_ = 0;
  bool was_finished_ = false, has_failed_ = false, had_timeouts_ = false, was_triggered_ = false;
};

}  // namespace pair_filter_model

#endif
