#include "http/ws_reader.h"

#include <string.h>

#include "util/log.h"

void strata_ws_reader_init(struct strata_ws_reader *reader, enum strata_ws_role role,
                           uint64_t max_frame_len, uint64_t max_message_len) {
  memset(reader, 0, sizeof(*reader));
  reader->role = role;
  reader->max_frame_len = max_frame_len;
  reader->max_message_len = max_message_len;
  /* As after the end of a message. */
  reader->head.fin = 1;
}

/* The place of a data frame among the others, and its size. */
static enum strata_ws_result begin_data(struct strata_ws_reader *reader,
                                        const struct strata_ws_head *head) {
  if (head->opcode == STRATA_WS_CONTINUATION) {
    if (!reader->type) return STRATA_WS_NOTHING_TO_GO_ON;
  } else {
    if (reader->type) return STRATA_WS_MESSAGE_UNFINISHED;
    reader->type = head->opcode;
    reader->message_len = 0;
    memset(&reader->utf8, 0, sizeof(reader->utf8));
  }
  if (head->payload_len > reader->max_frame_len) return STRATA_WS_FRAME_TOO_BIG;
  if (head->payload_len > reader->max_message_len ||
      reader->message_len > reader->max_message_len - head->payload_len)
    return STRATA_WS_MESSAGE_TOO_BIG;
  reader->message_len += head->payload_len;
  return STRATA_WS_HEAD;
}

static int is_control(const struct strata_ws_reader *reader) {
  return strata_ws_is_control(reader->head.opcode);
}

enum strata_ws_result strata_ws_reader_head(struct strata_ws_reader *reader, const uint8_t *bytes,
                                            size_t len, size_t *out_head_len) {
  struct strata_ws_head head;
  enum strata_ws_result result;
  strata_assert(!reader->in_frame);
  result = strata_ws_head_parse(reader->role, bytes, len, &head, out_head_len);
  if (result != STRATA_WS_HEAD) return result;
  /* The last message is over only now: until then its type could be asked for. */
  if (!is_control(reader) && reader->head.fin) reader->type = 0;
  if (!strata_ws_is_control(head.opcode)) result = begin_data(reader, &head);
  if (result != STRATA_WS_HEAD) return result;
  reader->head = head;
  reader->left_len = head.payload_len;
  reader->in_frame = 1;
  return STRATA_WS_HEAD;
}

static enum strata_ws_result end_frame(struct strata_ws_reader *reader) {
  reader->in_frame = 0;
  if (is_control(reader)) return STRATA_WS_CONTROL;
  if (!reader->head.fin) return STRATA_WS_FRAGMENT;
  if (reader->type == STRATA_WS_TEXT && !strata_utf8_is_complete(&reader->utf8))
    return STRATA_WS_NOT_UTF8;
  return STRATA_WS_MESSAGE;
}

enum strata_ws_result strata_ws_reader_payload(struct strata_ws_reader *reader, uint8_t *bytes,
                                               size_t len) {
  strata_assert(reader->in_frame && len <= reader->left_len);
  if (reader->head.masked)
    strata_ws_mask(reader->head.mask, reader->head.payload_len - reader->left_len, bytes, len,
                   bytes);
  reader->left_len -= len;
  if (!is_control(reader) && reader->type == STRATA_WS_TEXT &&
      strata_utf8_check(&reader->utf8, bytes, len) < 0)
    return STRATA_WS_NOT_UTF8;
  return reader->left_len ? STRATA_WS_PARTIAL : end_frame(reader);
}
