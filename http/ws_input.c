#include <string.h>

#include <event2/buffer.h>

#include "http/ws_session.h"
#include "util/memory.h"

/* Bytes that are thrown away at a time. */
enum { DISCARD_LEN = 1024 };
enum { FIRST_MESSAGE_SIZE = 256 };

static struct evbuffer *input_of(const struct evws_connection *evws) {
  return bufferevent_get_input(evws->bufev);
}

/* ---- The message that is coming ---- */

static void drop_message(struct evws_connection *evws) {
  evws->message_len = 0;
  if (evws->message_size <= STRATA_WS_KEPT_LEN) return;
  strata_free(evws->message);
  evws->message = NULL;
  evws->message_size = 0;
}

/* Room for len bytes more and a NUL. What a head promises is not allocated before it comes. */
static int reserve_message(struct evws_connection *evws, size_t len) {
  size_t needed = evws->message_len + len + 1, size = evws->message_size * 2;
  unsigned char *message;
  if (needed <= evws->message_size) return 0;
  if (size < FIRST_MESSAGE_SIZE) size = FIRST_MESSAGE_SIZE;
  if (size < needed) size = needed;
  message = strata_realloc(evws->message, size);
  if (!message) return -1;
  evws->message = message;
  evws->message_size = size;
  return 0;
}

static void deliver(struct evws_connection *evws) {
  size_t len = evws->message_len;
  evws->message[len] = '\0';
  if (evws->msgcb) evws->msgcb(evws, evws->reader.type, evws->message, len, evws->msgcb_arg);
  drop_message(evws);
}

/* ---- Control frames ---- */

static void take_close(struct evws_connection *evws) {
  enum strata_ws_result result =
      strata_ws_close_parse(evws->control, evws->control_len, &evws->close_code);
  if (result >= STRATA_WS_FIRST_ERROR) {
    evws->close_code = STRATA_WS_CODE_ABNORMAL;
    strata_ws_fail(evws, strata_ws_result_code(result));
    return;
  }
  if (evws->control_len > 2) {
    memcpy(evws->close_reason, evws->control + 2, evws->control_len - 2);
    evws->close_reason[evws->control_len - 2] = '\0';
  }
  evws->peer_closed = 1;
  strata_ws_answer_close(evws);
}

static void take_control(struct evws_connection *evws) {
  switch (evws->reader.head.opcode) {
    case STRATA_WS_CLOSE:
      take_close(evws);
      break;
    case STRATA_WS_PING:
      strata_ws_answer_ping(evws, evws->control, evws->control_len);
      break;
    default:
      if (evws->pongcb && evws->state == STRATA_WS_OPEN)
        evws->pongcb(evws, evws->control, evws->control_len, evws->pongcb_arg);
  }
}

/* ---- Steps ---- */

static int step_head(struct evws_connection *evws) {
  uint8_t bytes[STRATA_WS_MAX_HEAD_LEN];
  ev_ssize_t len = evbuffer_copyout(input_of(evws), bytes, sizeof(bytes));
  size_t head_len = 0;
  enum strata_ws_result result =
      strata_ws_reader_head(&evws->reader, bytes, len > 0 ? (size_t)len : 0, &head_len);
  if (result == STRATA_WS_PARTIAL) return 0;
  if (result == STRATA_WS_HEAD) {
    evbuffer_drain(input_of(evws), head_len);
    if (strata_ws_is_control(evws->reader.head.opcode)) evws->control_len = 0;
  } else {
    strata_ws_fail(evws, strata_ws_result_code(result));
  }
  return 1;
}

/* Takes bytes from the input into `out_bytes`. */
static enum strata_ws_result take(struct evws_connection *evws, uint8_t *out_bytes, size_t len) {
  evbuffer_remove(input_of(evws), out_bytes, len);
  return strata_ws_reader_payload(&evws->reader, out_bytes, len);
}

static enum strata_ws_result take_payload(struct evws_connection *evws, size_t len) {
  enum strata_ws_result result;
  uint8_t discarded[DISCARD_LEN];
  if (strata_ws_is_control(evws->reader.head.opcode)) {
    result = take(evws, evws->control + evws->control_len, len);
    evws->control_len += len;
    return result;
  }
  /* Nobody is told of what comes after our close frame. */
  if (evws->state != STRATA_WS_OPEN) return take(evws, discarded, strata_ws_min(len, DISCARD_LEN));
  if (reserve_message(evws, len) < 0) {
    strata_ws_fail(evws, WS_CR_INTERNAL);
    return STRATA_WS_PARTIAL;
  }
  result = take(evws, evws->message + evws->message_len, len);
  evws->message_len += len;
  return result;
}

static int step_payload(struct evws_connection *evws) {
  size_t len = strata_ws_min(evws->reader.left_len, evbuffer_get_length(input_of(evws)));
  enum strata_ws_result result;
  if (len == 0 && evws->reader.left_len) return 0;
  result = take_payload(evws, len);
  if (result >= STRATA_WS_FIRST_ERROR) {
    strata_ws_fail(evws, strata_ws_result_code(result));
  } else if (result == STRATA_WS_CONTROL) {
    take_control(evws);
  } else if (result == STRATA_WS_MESSAGE) {
    if (evws->state == STRATA_WS_OPEN)
      deliver(evws);
    else
      drop_message(evws);
  }
  return 1;
}

int strata_ws_input_step(struct evws_connection *evws) {
  return evws->reader.in_frame ? step_payload(evws) : step_head(evws);
}
