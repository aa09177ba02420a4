#include "http/ws_frame.h"

#include <string.h>

#include "http/utf8.h"

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0F, MASKED = 0x80, LENGTH = 0x7F };
/* Lengths that say where the real one is, and what those bytes are needed for. */
enum { LENGTH_16 = 126, LENGTH_64 = 127 };

uint16_t strata_ws_result_code(enum strata_ws_result error) {
  switch (error) {
    case STRATA_WS_NOT_UTF8:
      return 1007;
    case STRATA_WS_FRAME_TOO_BIG:
    case STRATA_WS_MESSAGE_TOO_BIG:
      return 1009;
    default:
      return 1002;
  }
}

const char *strata_ws_result_name(enum strata_ws_result result) {
  static const char *const kNames[] = {
      [STRATA_WS_PARTIAL] = "partial",
      [STRATA_WS_HEAD] = "head",
      [STRATA_WS_CONTROL] = "control",
      [STRATA_WS_FRAGMENT] = "fragment",
      [STRATA_WS_MESSAGE] = "message",
      [STRATA_WS_BAD_RESERVED] = "reserved bit",
      [STRATA_WS_BAD_OPCODE] = "unknown opcode",
      [STRATA_WS_CONTROL_FRAGMENTED] = "fragmented control frame",
      [STRATA_WS_CONTROL_LONG] = "long control frame",
      [STRATA_WS_LENGTH_NOT_SHORT] = "length not minimal",
      [STRATA_WS_LENGTH_NEGATIVE] = "length of 64 bits",
      [STRATA_WS_NOT_MASKED] = "not masked",
      [STRATA_WS_MASKED] = "masked",
      [STRATA_WS_NOTHING_TO_GO_ON] = "continuation of nothing",
      [STRATA_WS_MESSAGE_UNFINISHED] = "message in a message",
      [STRATA_WS_BAD_CLOSE] = "bad close frame",
      [STRATA_WS_NOT_UTF8] = "not UTF-8",
      [STRATA_WS_FRAME_TOO_BIG] = "frame too big",
      [STRATA_WS_MESSAGE_TOO_BIG] = "message too big",
  };
  return kNames[result];
}

static int is_known(uint8_t opcode) {
  return opcode <= STRATA_WS_BINARY || (opcode >= STRATA_WS_CLOSE && opcode <= STRATA_WS_PONG);
}

static enum strata_ws_result parse_first(uint8_t byte, struct strata_ws_head *head) {
  head->fin = (byte & FIN) != 0;
  head->opcode = byte & OPCODE;
  if (byte & RESERVED) return STRATA_WS_BAD_RESERVED;
  if (!is_known(head->opcode)) return STRATA_WS_BAD_OPCODE;
  if (strata_ws_is_control(head->opcode) && !head->fin) return STRATA_WS_CONTROL_FRAGMENTED;
  return STRATA_WS_HEAD;
}

static enum strata_ws_result parse_second(enum strata_ws_role role, uint8_t byte,
                                          struct strata_ws_head *head) {
  head->masked = (byte & MASKED) != 0;
  head->payload_len = byte & LENGTH;
  if (role == STRATA_WS_SERVER && !head->masked) return STRATA_WS_NOT_MASKED;
  if (role == STRATA_WS_CLIENT && head->masked) return STRATA_WS_MASKED;
  if (strata_ws_is_control(head->opcode) && head->payload_len > STRATA_WS_MAX_CONTROL_LEN)
    return STRATA_WS_CONTROL_LONG;
  return STRATA_WS_HEAD;
}

static size_t length_len(uint64_t short_len) {
  if (short_len < LENGTH_16) return 0;
  return short_len == LENGTH_16 ? 2 : 8;
}

/* The length in the bytes after the second. */
static enum strata_ws_result parse_length(const uint8_t *bytes, size_t len,
                                          struct strata_ws_head *head) {
  uint64_t value = 0;
  for (size_t i = 0; i < len; i++) value = value << 8 | bytes[i];
  if (value >> 63) return STRATA_WS_LENGTH_NEGATIVE;
  if (value < (len == 2 ? LENGTH_16 : 0x10000)) return STRATA_WS_LENGTH_NOT_SHORT;
  head->payload_len = value;
  return STRATA_WS_HEAD;
}

enum strata_ws_result strata_ws_head_parse(enum strata_ws_role role, const uint8_t *bytes,
                                           size_t len, struct strata_ws_head *out_head,
                                           size_t *out_head_len) {
  enum strata_ws_result result;
  size_t at = 2, more;
  memset(out_head, 0, sizeof(*out_head));
  if (len < 1) return STRATA_WS_PARTIAL;
  result = parse_first(bytes[0], out_head);
  if (result != STRATA_WS_HEAD) return result;
  if (len < 2) return STRATA_WS_PARTIAL;
  result = parse_second(role, bytes[1], out_head);
  if (result != STRATA_WS_HEAD) return result;
  more = length_len(out_head->payload_len);
  if (len < at + more) return STRATA_WS_PARTIAL;
  if (more) result = parse_length(bytes + at, more, out_head);
  if (result != STRATA_WS_HEAD) return result;
  at += more;
  if (out_head->masked) {
    if (len < at + 4) return STRATA_WS_PARTIAL;
    memcpy(out_head->mask, bytes + at, 4);
    at += 4;
  }
  *out_head_len = at;
  return STRATA_WS_HEAD;
}

static uint8_t short_length(uint64_t payload_len) {
  if (payload_len < LENGTH_16) return (uint8_t)payload_len;
  return payload_len < 0x10000 ? LENGTH_16 : LENGTH_64;
}

size_t strata_ws_head_len(const struct strata_ws_head *head) {
  return 2 + length_len(short_length(head->payload_len)) + (head->masked ? 4 : 0);
}

size_t strata_ws_head_write(const struct strata_ws_head *head, uint8_t *out_bytes) {
  uint8_t length = short_length(head->payload_len);
  uint8_t *at = out_bytes;
  *at++ = (uint8_t)((head->fin ? FIN : 0) | head->opcode);
  *at++ = (uint8_t)((head->masked ? MASKED : 0) | length);
  for (size_t i = length_len(length); i-- > 0;) *at++ = (uint8_t)(head->payload_len >> (8 * i));
  if (head->masked) {
    memcpy(at, head->mask, 4);
    at += 4;
  }
  return (size_t)(at - out_bytes);
}

void strata_ws_mask(const uint8_t mask[4], uint64_t offset, const uint8_t *bytes, size_t len,
                    uint8_t *out_bytes) {
  uint8_t turned[8];
  uint64_t word_mask;
  size_t i = 0;
  for (size_t j = 0; j < sizeof(turned); j++) turned[j] = mask[(offset + j) & 3];
  memcpy(&word_mask, turned, sizeof(word_mask));
  for (; len - i >= sizeof(word_mask); i += sizeof(word_mask)) {
    uint64_t word;
    memcpy(&word, bytes + i, sizeof(word));
    word ^= word_mask;
    memcpy(out_bytes + i, &word, sizeof(word));
  }
  for (; i < len; i++) out_bytes[i] = bytes[i] ^ turned[i & 7];
}

int strata_ws_close_code_is_valid(unsigned code) {
  /* 1004 is reserved, 1005, 1006 and 1015 stand for what was not sent; 1012 to 1014 are
   * registered. */
  if (code >= 1000 && code <= 1014) return code < 1004 || code > 1006;
  return code >= 3000 && code <= 4999;
}

enum strata_ws_result strata_ws_close_parse(const uint8_t *payload, size_t len,
                                            uint16_t *out_code) {
  *out_code = STRATA_WS_CODE_NONE;
  if (len == 0) return STRATA_WS_CONTROL;
  if (len == 1) return STRATA_WS_BAD_CLOSE;
  *out_code = (uint16_t)(payload[0] << 8 | payload[1]);
  if (!strata_ws_close_code_is_valid(*out_code)) return STRATA_WS_BAD_CLOSE;
  if (!strata_utf8_is_valid(payload + 2, len - 2)) return STRATA_WS_NOT_UTF8;
  return STRATA_WS_CONTROL;
}
