#ifndef STRATA_HTTP_CHUNKED_H_
#define STRATA_HTTP_CHUNKED_H_

#include <stddef.h>
#include <stdint.h>

#include "http/parser.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Decodes a chunked body (RFC 9112 7.1) bit by bit, in place: it copies and allocates nothing and
 * hands out where in the caller's bytes body data lies. Bytes that a step has consumed need not
 * be kept; how the input is cut up changes only how the data is cut up.
 *
 *   while (len > 0) {
 *     struct evhttp_chunk_event event;
 *     size_t used = evhttp_chunk_step(&decoder, data, len, &event);
 *     if (event.kind == EVHTTP_CHUNK_DATA) take(event.data, event.data_len);
 *     data += used, len -= used;
 *     if (event.kind != EVHTTP_CHUNK_DATA) break;
 *   }
 */

struct evhttp_chunk_limits {
  uint64_t body_len;      /* Decoded bytes; UINT64_MAX for none. Judged on the announced sizes. */
  uint32_t line_len;      /* Bytes of one size line, extensions included, CRLF not. */
  uint32_t extension_len; /* Bytes of all extensions of one body together. */
  /* The trailer section: line_len is not used. */
  struct evhttp_head_limits trailer;
};

/* Sensible limits but for body_len, which is UINT64_MAX: 4 KiB a line, 16 KiB of extensions,
 * 8 KiB and 64 lines of trailer. */
extern const struct evhttp_chunk_limits evhttp_chunk_default_limits;

enum evhttp_chunk_event_kind {
  /* Nothing to report before more bytes come. What was not consumed is the beginning of a trailer
   * section: give it again, contiguous with the bytes that follow (at most limits.trailer.head_len
   * bytes are ever held back so). Everywhere else all bytes are consumed. */
  EVHTTP_CHUNK_MORE,
  /* data, data_len: body bytes, never none; consumed together with the framing before them. */
  EVHTTP_CHUNK_DATA,
  /* The body is complete, its trailer section consumed; what follows is the next message.
   * data, data_len: the trailer section, as long as the caller's bytes stay where they are; the
   * decoder's `trailer` has its fields, as offsets from `data`. Trailer fields must not be merged
   * with the header fields unless their definition allows it (RFC 9110 6.5.1). */
  EVHTTP_CHUNK_DONE,
  /* `error` says which. Final. */
  EVHTTP_CHUNK_ERROR,
};

struct evhttp_chunk_event {
  enum evhttp_chunk_event_kind kind;
  enum evhttp_parse_result error; /* DONE, PARTIAL for MORE and DATA, or the error. */
  const char *data;
  size_t data_len;
};

struct evhttp_chunk_decoder {
  uint64_t body_len; /* Result: body bytes announced so far; after DONE, the body's length. */
  struct evhttp_head_parser trailer; /* Result: trailer.num_fields, once DONE. */

  /* Private. */
  uint64_t remaining; /* Of the current chunk; while its size is read, the size so far. */
  uint32_t line_len;
  uint32_t extension_len;
  uint8_t state;
  uint8_t max_digits; /* Of a size that is read at once. */
  enum evhttp_parse_result error;
  struct evhttp_chunk_limits limits;
};

/* Starts on a body. `trailer_fields` has room for limits->trailer.num_fields entries and stays
 * the caller's; NULL: trailer fields are checked but dropped. `limits` is copied; NULL means
 * evhttp_chunk_default_limits. */
void evhttp_chunk_decoder_init(struct evhttp_chunk_decoder *decoder,
                               struct evhttp_head_field *trailer_fields,
                               const struct evhttp_chunk_limits *limits);

/* Takes `len` bytes at `data`, those that follow what earlier steps consumed. Fills *out and
 * returns the number of bytes consumed. After DONE or an error it consumes nothing and reports
 * the same kind again (DONE then without data). */
size_t evhttp_chunk_step(struct evhttp_chunk_decoder *decoder, const char *data, size_t len,
                         struct evhttp_chunk_event *out);

#ifdef __cplusplus
}
#endif

#endif
