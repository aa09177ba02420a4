#ifndef STRATA_HTTP_WS_READER_H_
#define STRATA_HTTP_WS_READER_H_

#include "http/utf8.h"
#include "http/ws_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Frames one after the other, and the messages that they make up (RFC 6455 5.4): no I/O, no
 * allocation. Heads and payloads alternate:
 *
 *   in_frame == 0: strata_ws_reader_head() until it says HEAD;
 *   in_frame == 1: strata_ws_reader_payload(), in pieces, until it says what is complete.
 *
 * The outcome does not depend on how the bytes are cut. After an error nothing more is read. */
struct strata_ws_reader {
  enum strata_ws_role role;
  uint64_t max_frame_len;   /* Of a data frame. */
  uint64_t max_message_len; /* Of all its frames together. */

  struct strata_ws_head head; /* The current frame. */
  uint64_t left_len;          /* Of its payload. */
  uint8_t in_frame;
  uint8_t type;         /* Of the message: TEXT or BINARY; 0 between messages. */
  uint64_t message_len; /* Of its frames so far, the current one included. */
  struct strata_utf8 utf8;
};

void strata_ws_reader_init(struct strata_ws_reader *reader, enum strata_ws_role role,
                           uint64_t max_frame_len, uint64_t max_message_len);

/* Reads a head at the front of len bytes. HEAD with the length of it in out_head_len; PARTIAL; or
 * an error. */
enum strata_ws_result strata_ws_reader_head(struct strata_ws_reader *reader, const uint8_t *bytes,
                                            size_t len, size_t *out_head_len);

/* Takes the next len bytes of the payload, at most left_len (which may be 0): unmasks them in place
 * and checks text. PARTIAL while there is more to come; CONTROL, FRAGMENT or MESSAGE at the
 * frame's end (after MESSAGE, `type` is still the message's until the next head); or an error. */
enum strata_ws_result strata_ws_reader_payload(struct strata_ws_reader *reader, uint8_t *bytes,
                                               size_t len);

#ifdef __cplusplus
}
#endif

#endif
