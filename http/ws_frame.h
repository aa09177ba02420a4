#ifndef STRATA_HTTP_WS_FRAME_H_
#define STRATA_HTTP_WS_FRAME_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One WebSocket frame as bytes (RFC 6455 5): no I/O, no allocation. */

enum strata_ws_opcode {
  STRATA_WS_CONTINUATION = 0,
  STRATA_WS_TEXT = 1,
  STRATA_WS_BINARY = 2,
  STRATA_WS_CLOSE = 8,
  STRATA_WS_PING = 9,
  STRATA_WS_PONG = 10,
};

/* Which side we are: a server's input is masked and its output is not, a client's the other way
 * round (5.1). */
enum strata_ws_role { STRATA_WS_SERVER, STRATA_WS_CLIENT };

/* Outcomes of reading. Those from FIRST_ERROR on end the connection. */
enum strata_ws_result {
  STRATA_WS_PARTIAL,  /* More bytes are needed. */
  STRATA_WS_HEAD,     /* A frame's head is complete, its payload follows. */
  STRATA_WS_CONTROL,  /* A control frame is complete. */
  STRATA_WS_FRAGMENT, /* A frame is complete, its message goes on. */
  STRATA_WS_MESSAGE,  /* A message is complete. */
  STRATA_WS_FIRST_ERROR,
  STRATA_WS_BAD_RESERVED = STRATA_WS_FIRST_ERROR, /* A reserved bit: no extension is in use. */
  STRATA_WS_BAD_OPCODE,
  STRATA_WS_CONTROL_FRAGMENTED,
  STRATA_WS_CONTROL_LONG,       /* More than 125 bytes. */
  STRATA_WS_LENGTH_NOT_SHORT,   /* Written in more bytes than it needs. */
  STRATA_WS_LENGTH_NEGATIVE,    /* Its first bit is set. */
  STRATA_WS_NOT_MASKED,         /* Though from a client. */
  STRATA_WS_MASKED,             /* Though from a server. */
  STRATA_WS_NOTHING_TO_GO_ON,   /* A continuation without a message. */
  STRATA_WS_MESSAGE_UNFINISHED, /* A new message before the end of another. */
  STRATA_WS_BAD_CLOSE,          /* A close frame of one byte, or with a code not to be sent. */
  STRATA_WS_NOT_UTF8,
  STRATA_WS_FRAME_TOO_BIG,
  STRATA_WS_MESSAGE_TOO_BIG,
};

/* The code to close with on an error (7.4.1): 1002, 1007 or 1009. */
uint16_t strata_ws_result_code(enum strata_ws_result error);
/* A name for messages and tests, such as "not masked". */
const char *strata_ws_result_name(enum strata_ws_result result);

struct strata_ws_head {
  uint64_t payload_len; /* Below 2^63. */
  uint8_t opcode;
  uint8_t fin; /* 0 or 1 */
  uint8_t masked;
  uint8_t mask[4]; /* Zeros when not masked. */
};

/* The longest head; the longest payload of a control frame. */
enum { STRATA_WS_MAX_HEAD_LEN = 14, STRATA_WS_MAX_CONTROL_LEN = 125 };

static inline int strata_ws_is_control(uint8_t opcode) {
  return (opcode & 8) != 0;
}

/* Reads a head at the front of len bytes that came to `role`. HEAD with its length in
 * out_head_len, PARTIAL, or an error, which is found with the first byte that shows it. */
enum strata_ws_result strata_ws_head_parse(enum strata_ws_role role, const uint8_t *bytes,
                                           size_t len, struct strata_ws_head *out_head,
                                           size_t *out_head_len);

/* Bytes that strata_ws_head_write() writes. */
size_t strata_ws_head_len(const struct strata_ws_head *head);
/* Writes a head to `out_bytes` and returns its length. */
size_t strata_ws_head_write(const struct strata_ws_head *head, uint8_t *out_bytes);

/* Masks or unmasks (the same thing, 5.3) len bytes that lie at `offset` of their payload, from
 * bytes to out_bytes, which are the same or do not overlap. */
void strata_ws_mask(const uint8_t mask[4], uint64_t offset, const uint8_t *bytes, size_t len,
                    uint8_t *out_bytes);

/* Whether a code may stand in a close frame (7.4.2 and the IANA registry). */
int strata_ws_close_code_is_valid(unsigned code);

/* Reads the payload of a close frame: its code, or 1005 when it is empty. CONTROL, or an error. */
enum strata_ws_result strata_ws_close_parse(const uint8_t *payload, size_t len, uint16_t *out_code);

/* What stands for a code where there is none: no code in the close frame, no close frame. */
enum { STRATA_WS_CODE_NONE = 1005, STRATA_WS_CODE_ABNORMAL = 1006 };

#ifdef __cplusplus
}
#endif

#endif
