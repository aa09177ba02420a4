// Two WebSocket sessions over a pair of bufferevents, used by a program that sends, closes, pauses
// and frees at any moment, in callbacks too, or one session and a peer that sends any bytes. What
// was sent must arrive, whole, once and in order, until one side closes; each session is told of
// its end exactly once, and nothing is called after it.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/ws.h>

#include <deque>
#include <string>

#include "backends/sim/sim.h"
#include "fuzz/model.h"
#include "http/ws_session.h"

namespace {

using fuzz_model::Source;

class Model;

struct Message {
  int type;
  std::string bytes;
};

struct Side {
  Model *model;
  Side *other;
  evws_connection *evws = nullptr;
  bool was_closed = false;   // its close callback has been called
  bool has_closed = false;   // it has called evws_close()
  std::deque<Message> sent;  // by this side, not seen by the other
  size_t num_calls = 0;
};

class Model {
 public:
  explicit Model(Source &source) : source_(source) {
    sim_ = strata_sim_new();
    base_ = strata_sim_base_new(sim_, nullptr);
    bufferevent *pair[2];
    CHECK(bufferevent_pair_new(base_, 0, pair) == 0);
    is_raw_ = source_.Choose(2) != 0;
    Start(&sides_[0], &sides_[1], pair[0], STRATA_WS_SERVER);
    if (is_raw_) {
      raw_ = pair[1];
      bufferevent_enable(raw_, EV_READ | EV_WRITE);
    } else {
      Start(&sides_[1], &sides_[0], pair[1], STRATA_WS_CLIENT);
    }
  }

  void Run() {
    while (!source_.IsEmpty()) {
      if (is_raw_)
        RawStep();
      else
        Step(&sides_[source_.Choose(2)], false);
      if (source_.Choose(3) == 0) Turn();
    }
    Settle();
    Finish();
  }

 private:
  void Start(Side *side, Side *other, bufferevent *bufev, strata_ws_role role) {
    side->model = this;
    side->other = other;
    side->evws = strata_ws_new(base_, role, OnMessage, side, 0);
    CHECK(side->evws != nullptr);
    evws_connection_set_closecb(side->evws, OnClose, side);
    evws_connection_set_pongcb(side->evws, OnPong, side);
    evws_connection_set_drainedcb(side->evws, OnDrained, side);
    evws_connection_set_max_message_size(side->evws, 5000);
    if (source_.Choose(2)) evws_connection_set_output_mark(side->evws, 1 + source_.Choose(200));
    strata_ws_start(side->evws, bufev, STRATA_WS_OPEN);
  }

  void Turn() { event_base_loop(base_, EVLOOP_NONBLOCK); }

  // Until a while has passed in which nothing was called.
  void TurnUntilQuiet() {
    for (size_t seen = num_callbacks_, quiet = 0; quiet < 12; quiet++) {
      Turn();
      if (num_callbacks_ != seen) quiet = 0;
      seen = num_callbacks_;
    }
  }

  // Until nothing happens any more, deadlines included.
  void Settle() {
    for (Side &side : sides_)
      if (side.evws) evws_connection_resume_reading(side.evws);
    TurnUntilQuiet();
    if (!is_raw_ && sides_[0].evws && sides_[1].evws && !sides_[0].has_closed &&
        !sides_[1].has_closed) {
      for (Side &side : sides_) CHECK(side.sent.empty());
    }
    // Every closing ends.
    for (int i = 0; i < 4; i++) {
      strata_sim_advance(sim_, INT64_C(6000000000));
      TurnUntilQuiet();
    }
    for (Side &side : sides_)
      if (side.has_closed) CHECK(side.was_closed);
  }

  void Finish() {
    for (Side &side : sides_) {
      if (side.evws) evws_connection_free(side.evws);
      CHECK(side.model == nullptr || side.was_closed);
    }
    if (raw_) bufferevent_free(raw_);
    event_base_free(base_);
    strata_sim_free(sim_);
  }

  std::string Bytes() {
    static const size_t kLens[] = {0, 1, 5, 125, 126, 300, 2000, 4999};
    return std::string(kLens[source_.Choose(8)], static_cast<char>('a' + source_.Choose(26)));
  }

  void Send(Side *side) {
    Message message = {source_.Choose(2) ? WS_TEXT_FRAME : WS_BINARY_FRAME, Bytes()};
    bool is_open = side->evws->state == STRATA_WS_OPEN && !side->evws->failed;
    int result =
        evws_send_message(side->evws, message.type, message.bytes.data(), message.bytes.size());
    CHECK((result == 0) == is_open);
    TRACE("%d sends %zu: %d\n", static_cast<int>(side - sides_), message.bytes.size(), result);
    if (result == 0) side->sent.push_back(message);
  }

  void Close(Side *side) {
    static const ev_uint16_t kCodes[] = {0, 1000, 1001, 1006, 4999};
    if (side->evws->state != STRATA_WS_OPEN) return;
    side->has_closed = true;
    TRACE("%d closes\n", static_cast<int>(side - sides_));
    evws_close_with_reason(side->evws, kCodes[source_.Choose(5)],
                           source_.Choose(2) ? "why" : nullptr);
    CHECK(evws_connection_get_sent_close_code(side->evws) != 0);
  }

  void Step(Side *side, bool in_callback) {
    if (!side->evws) return;
    switch (source_.Choose(12)) {
      case 0:
        if (source_.Choose(4) == 0) Close(side);
        break;
      case 1:
        if (source_.Choose(8) == 0) {
          TRACE("%d is freed\n", static_cast<int>(side - sides_));
          evws_connection_free(side->evws);
          CHECK(side->was_closed && !side->evws);
        }
        break;
      case 2:
        evws_connection_pause_reading(side->evws);
        break;
      case 3:
        evws_connection_resume_reading(side->evws);
        break;
      case 4:
        evws_send_ping(side->evws, "ping", source_.Choose(5));
        break;
      case 5:
        if (!in_callback)
          strata_sim_advance(sim_, INT64_C(1000000) * static_cast<int64_t>(source_.Choose(200)));
        break;
      default:
        Send(side);
    }
  }

  void RawStep() {
    if (source_.Choose(4) == 0) {
      Step(&sides_[0], false);
      return;
    }
    std::string bytes;
    size_t kind = source_.Choose(8);
    if (kind == 0) {
      bytes = std::string(1, static_cast<char>(source_.Choose(256)));
    } else {
      // Something like a frame.
      static const uint8_t kFirst[] = {0x81, 0x82, 0x01, 0x80, 0x00, 0x89, 0x8a, 0x88};
      size_t len = source_.Choose(200);
      strata_ws_head head = {len, 0, 1, 1, {1, 2, 3, 4}};
      uint8_t written[STRATA_WS_MAX_HEAD_LEN];
      uint8_t first = kFirst[source_.Choose(8)];
      head.opcode = first & 15;
      head.fin = first >> 7;
      size_t head_len = strata_ws_head_write(&head, written);
      bytes.assign(reinterpret_cast<char *>(written), head_len);
      for (size_t i = 0; i < len; i++) {
        char byte = static_cast<char>(kind < 3 ? source_.Choose(256) : 'x');
        bytes += static_cast<char>(byte ^ head.mask[i % 4]);
      }
    }
    if (!raw_) return;
    bufferevent_write(raw_, bytes.data(), bytes.size());
    if (source_.Choose(4) == 0) {
      evbuffer *input = bufferevent_get_input(raw_);
      evbuffer_drain(input, evbuffer_get_length(input));
    }
    if (source_.Choose(64) == 0) {
      bufferevent_free(raw_);
      raw_ = nullptr;
    }
  }

  // Bounded, so that two sides do not answer each other for ever.
  void MaybeStep(Side *side) {
    num_callbacks_++;
    if (side->num_calls++ < 100 && !source_.IsEmpty() && source_.Choose(3) == 0) Step(side, true);
  }

  static void OnMessage(evws_connection *evws, int type, const unsigned char *data, size_t len,
                        void *arg) {
    Side *side = static_cast<Side *>(arg);
    CHECK(side->evws == evws && !side->was_closed && !side->has_closed);
    CHECK(data[len] == '\0');
    TRACE("%d hears %zu\n", static_cast<int>(side - side->model->sides_), len);
    if (!side->model->is_raw_) {
      CHECK(!side->other->sent.empty());
      const Message &expected = side->other->sent.front();
      CHECK(expected.type == type);
      CHECK(expected.bytes == std::string(reinterpret_cast<const char *>(data), len));
      side->other->sent.pop_front();
    }
    side->model->MaybeStep(side);
  }

  static void OnPong(evws_connection *evws, const unsigned char *data, size_t len, void *arg) {
    Side *side = static_cast<Side *>(arg);
    CHECK(side->evws == evws && !side->was_closed);
    if (!side->model->is_raw_)
      CHECK(len < 5 &&
            std::string("ping", len) == std::string(reinterpret_cast<const char *>(data), len));
    side->model->MaybeStep(side);
  }

  static void OnDrained(evws_connection *evws, void *arg) {
    Side *side = static_cast<Side *>(arg);
    CHECK(side->evws == evws && !side->was_closed);
    CHECK(evws_connection_get_output_length(evws) == 0);
    side->model->MaybeStep(side);
  }

  static void OnClose(evws_connection *evws, void *arg) {
    Side *side = static_cast<Side *>(arg);
    CHECK(side->evws == evws && !side->was_closed);
    TRACE("%d is closed: %d\n", static_cast<int>(side - side->model->sides_),
          evws_connection_get_close_code(evws));
    if (!side->model->is_raw_) {
      // Two of ours never break the protocol.
      int code = evws_connection_get_close_code(evws);
      CHECK(code != 1002 && code != 1007 && code != 1009 && code != 1011);
      code = evws_connection_get_sent_close_code(evws);
      CHECK(code != 1002 && code != 1007 && code != 1009 && code != 1011);
    }
    side->was_closed = true;
    side->evws = nullptr;
    // Of no effect any more.
    evws_send_text(evws, "late");
    evws_close(evws, WS_CR_NORMAL);
    evws_connection_free(evws);
  }

  Source &source_;
  struct strata_sim *sim_;
  event_base *base_;
  Side sides_[2] = {};
  size_t num_callbacks_ = 0;
  bool is_raw_ = false;
  bufferevent *raw_ = nullptr;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 2000) return 0;
  Source source(data, size);
  Model model(source);
  model.Run();
  return 0;
}
