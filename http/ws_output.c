#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/util.h>

#include "http/utf8.h"
#include "http/ws_session.h"

size_t strata_ws_output_len(const struct evws_connection *evws) {
  return evws->bufev ? evbuffer_get_length(bufferevent_get_output(evws->bufev)) : 0;
}

/* ---- Frames ---- */

/* Appends a frame, whole or not at all. Returns its length, or -1 when out of memory. */
static ev_ssize_t append_frame(struct evbuffer *buffer, enum strata_ws_role role, uint8_t opcode,
                               const void *data, size_t len) {
  struct strata_ws_head head = {len, opcode, 1, role == STRATA_WS_CLIENT, {0, 0, 0, 0}};
  struct evbuffer_iovec space;
  size_t head_len = strata_ws_head_len(&head);
  uint8_t *at;
  if (len > (size_t)EV_SSIZE_MAX - head_len) return -1;
  if (evbuffer_reserve_space(buffer, (ev_ssize_t)(head_len + len), &space, 1) < 1) return -1;
  if (head.masked) evutil_secure_rng_get_bytes(head.mask, sizeof(head.mask));
  at = space.iov_base;
  strata_ws_head_write(&head, at);
  if (head.masked)
    strata_ws_mask(head.mask, 0, data, len, at + head_len);
  else if (len)
    memcpy(at + head_len, data, len);
  space.iov_len = head_len + len;
  if (evbuffer_commit_space(buffer, &space, 1) < 0) return -1;
  return (ev_ssize_t)(head_len + len);
}

static void count_output(struct evws_connection *evws, size_t len) {
  evws->queued_len += len;
  evws->undrained = 1;
}

int strata_ws_write(struct evws_connection *evws, uint8_t opcode, const void *data, size_t len) {
  ev_ssize_t frame_len = append_frame(bufferevent_get_output(evws->bufev), evws->reader.role,
                                      opcode, data ? data : "", len);
  if (frame_len < 0) return -1;
  count_output(evws, (size_t)frame_len);
  return 0;
}

/* ---- Pongs ---- */

void strata_ws_answer_ping(struct evws_connection *evws, const uint8_t *data, size_t len) {
  if (evws->state != STRATA_WS_OPEN) return;
  memcpy(evws->pong, data, len);
  evws->pong_len = len;
  evws->has_pong = 1;
  strata_ws_flush_pong(evws);
}

void strata_ws_flush_pong(struct evws_connection *evws) {
  if (!evws->has_pong || evws->state != STRATA_WS_OPEN) return;
  if (strata_ws_output_len(evws) > STRATA_WS_PONG_MARK) return;
  evws->has_pong = 0;
  if (strata_ws_write(evws, STRATA_WS_PONG, evws->pong, evws->pong_len) < 0)
    strata_ws_fail(evws, WS_CR_INTERNAL);
}

/* ---- Closing ---- */

/* The part of a text that fits into a close frame, cut between characters. */
static size_t reason_len(const char *reason) {
  size_t len = strlen(reason), most = STRATA_WS_MAX_CONTROL_LEN - 2;
  if (len <= most) return len;
  while (most && ((unsigned char)reason[most] & 0xC0) == 0x80) most--;
  return most;
}

/* Sends a close frame; after it nothing may be sent. */
static void write_close(struct evws_connection *evws, uint16_t code, const char *reason) {
  uint8_t payload[STRATA_WS_MAX_CONTROL_LEN] = {(uint8_t)(code >> 8), (uint8_t)code};
  size_t text_len = reason ? reason_len(reason) : 0;
  if (text_len) memcpy(payload + 2, reason, text_len);
  evws->has_pong = 0;
  evws->sent_close_code = code ? code : STRATA_WS_CODE_NONE;
  if (strata_ws_write(evws, STRATA_WS_CLOSE, payload, code ? 2 + text_len : 0) < 0)
    evws->broken = 1;
}

void strata_ws_fail(struct evws_connection *evws, uint16_t code) {
  if (evws->state == STRATA_WS_OPEN) write_close(evws, code, NULL);
  strata_ws_enter(evws, STRATA_WS_FLUSH);
  strata_ws_defer(evws);
}

void strata_ws_answer_close(struct evws_connection *evws) {
  uint16_t code = evws->close_code == STRATA_WS_CODE_NONE ? 0 : evws->close_code;
  if (evws->state == STRATA_WS_OPEN) write_close(evws, code, NULL);
  strata_ws_enter(evws, STRATA_WS_FLUSH);
}

static void start_closing(struct evws_connection *evws, uint16_t code, const char *reason) {
  if (evws->state == STRATA_WS_CONNECTING) {
    evws->broken = 1;
  } else if (evws->state == STRATA_WS_OPEN) {
    if (code != WS_CR_NONE && !strata_ws_close_code_is_valid(code)) code = WS_CR_NORMAL;
    if (reason && !strata_utf8_is_valid(reason, strlen(reason))) reason = NULL;
    write_close(evws, code, reason);
    strata_ws_enter(evws, STRATA_WS_CLOSING);
  }
  if (evws->broken) strata_ws_defer(evws);
}

/* ---- Other threads ---- */

/* Whether the caller is another thread than the loop's. */
static int is_remote(const struct evws_connection *evws) {
  int remote;
  if (!evws->lock) return 0;
  strata_lock_acquire(evws->lock);
  remote = evws->loop_thread != strata_thread_id();
  strata_lock_release(evws->lock);
  return remote;
}

static int send_remotely(struct evws_connection *evws, int type, const void *data, size_t len) {
  ev_ssize_t frame_len = -1;
  strata_lock_acquire(evws->lock);
  if (!evws->remote_closed && !evws->remote_closing)
    frame_len = append_frame(evws->remote_frames, evws->reader.role, (uint8_t)type, data, len);
  strata_lock_release(evws->lock);
  if (frame_len < 0) return -1;
  event_active(&evws->resume, EV_TIMEOUT, 0);
  return 0;
}

static void close_remotely(struct evws_connection *evws, uint16_t code) {
  strata_lock_acquire(evws->lock);
  if (!evws->remote_closing) evws->remote_code = code;
  evws->remote_closing = 1;
  strata_lock_release(evws->lock);
  event_active(&evws->resume, EV_TIMEOUT, 0);
}

/* Callers may hold the bufferevent's lock, which is therefore not asked for under the session's. */
void strata_ws_take_remote(struct evws_connection *evws) {
  int closing;
  size_t len;
  strata_lock_acquire(evws->lock);
  evws->loop_thread = strata_thread_id();
  if (evws->state == STRATA_WS_CONNECTING) {
    if (evws->remote_closing) evws->broken = 1;
    strata_lock_release(evws->lock);
    return;
  }
  closing = evws->remote_closing && !evws->remote_closed;
  (void)evbuffer_add_buffer(evws->taken_frames, evws->remote_frames);
  if (closing || evws->state != STRATA_WS_OPEN) evws->remote_closed = 1;
  strata_lock_release(evws->lock);
  len = evbuffer_get_length(evws->taken_frames);
  if (evws->state != STRATA_WS_OPEN) {
    evbuffer_drain(evws->taken_frames, len);
  } else if (len) {
    if (bufferevent_write_buffer(evws->bufev, evws->taken_frames) < 0)
      evws->broken = 1;
    else
      count_output(evws, len);
  }
  if (closing) start_closing(evws, evws->remote_code, NULL);
}

/* ---- The user's calls ---- */

static int send_data(struct evws_connection *evws, uint8_t opcode, const void *data, size_t len) {
  if (evws->dead || evws->state != STRATA_WS_OPEN || evws->failed) return -1;
  if (strata_ws_write(evws, opcode, data, len) == 0) return 0;
  strata_ws_fail(evws, WS_CR_INTERNAL);
  return -1;
}

int evws_send_message(struct evws_connection *evws, int type, const void *data, size_t len) {
  if (type != WS_TEXT_FRAME && type != WS_BINARY_FRAME) return -1;
  if (is_remote(evws)) return send_remotely(evws, type, data, len);
  return send_data(evws, (uint8_t)type, data, len);
}

void evws_send_text(struct evws_connection *evws, const char *packet_str) {
  evws_send_message(evws, WS_TEXT_FRAME, packet_str, strlen(packet_str));
}

void evws_send_binary(struct evws_connection *evws, const char *packet_data, size_t packet_len) {
  evws_send_message(evws, WS_BINARY_FRAME, packet_data, packet_len);
}

int evws_send_ping(struct evws_connection *evws, const void *data, size_t len) {
  if (len > STRATA_WS_MAX_CONTROL_LEN) return -1;
  return send_data(evws, STRATA_WS_PING, data, len);
}

void evws_close(struct evws_connection *evws, ev_uint16_t reason) {
  if (is_remote(evws))
    close_remotely(evws, reason);
  else
    evws_close_with_reason(evws, reason, NULL);
}

void evws_close_with_reason(struct evws_connection *evws, ev_uint16_t code, const char *reason) {
  if (!evws->dead && evws->bufev) start_closing(evws, code, reason);
}

size_t evws_connection_get_output_length(const struct evws_connection *evws) {
  return strata_ws_output_len(evws);
}
