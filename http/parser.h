#ifndef STRATA_HTTP_PARSER_H_
#define STRATA_HTTP_PARSER_H_

#include <stddef.h>
#include <stdint.h>

#include "http/parse_result.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The head of an HTTP/1 message: start line and fields (RFC 9112 2 to 5).
 *
 * The parser does no I/O, allocates nothing and never starts over: a line that is wholly there is
 * read at once, with vector instructions where the machine has them (http/parser_lines.h), one that
 * is cut off is gone on with where it stopped. The caller keeps the bytes of the message contiguous
 * from its first byte on and calls evhttp_head_parse() again whenever there are more; between calls
 * the bytes may move, since everything found is kept as offsets from the first byte. How the input
 * is cut up never changes the outcome.
 *
 *   struct evhttp_head_field fields[100];
 *   struct evhttp_head_limits limits = {8192, 65536, 100};
 *   struct evhttp_head_parser parser;
 *   evhttp_head_parser_init_request(&parser, fields, &limits);
 *   switch (evhttp_head_parse(&parser, data, len)) { ... }
 *
 * What is refused although some peers accept it: a bare LF or CR, folded lines, whitespace before
 * the colon or around the start line's parts, control bytes anywhere, HTTP/0.9. */

/* One field line. The value has its surrounding whitespace trimmed and may be empty. */
struct evhttp_head_field {
  uint32_t name_off;
  uint32_t name_len;
  uint32_t value_off;
  uint32_t value_len;
};

/* Limits are judged on incomplete input too: a peer that sends no line end is answered as soon
 * as the limit is reached. Values are at most INT32_MAX. */
struct evhttp_head_limits {
  uint32_t line_len;   /* Bytes of the start line, its CRLF included. */
  uint32_t head_len;   /* Bytes of the whole head, the empty line at its end included. */
  uint32_t num_fields; /* Field lines; also the room in the caller's array. */
};

/* Results are valid once evhttp_head_parse() has returned DONE. */
struct evhttp_head_parser {
  /* Results. */
  uint32_t consumed; /* Bytes of the head: the body starts here. */
  uint32_t num_fields;
  struct evhttp_span method; /* Request. */
  struct evhttp_span target; /* Request: never empty, all bytes visible ASCII but '#'. */
  struct evhttp_span reason; /* Response: may be empty. */
  uint16_t status_code;      /* Response: 100 to 999. */
  uint8_t version_major;     /* 1 */
  uint8_t version_minor;     /* 0 or 1: a higher minor version counts as 1 (RFC 9110 2.5). */
  uint8_t sent_minor;        /* The minor version as sent. */

  /* Private: where the scan stands. */
  uint8_t state;
  uint8_t index;                  /* Within a fixed-length part. */
  uint32_t scan_off;              /* First byte not looked at; after an error, the bad byte. */
  uint32_t line_end_max;          /* Start line must have ended by this offset. */
  struct evhttp_head_field field; /* The line being scanned. */
  struct evhttp_head_field *fields;
  struct evhttp_head_limits limits;
  enum evhttp_parse_result error; /* PARTIAL until the outcome is known, then that. */
};

/* Starts on a request, on a response, or on a bare field section as in a trailer (RFC 9112
 * 7.1.2). `fields` stays the caller's, has room for limits->num_fields entries and must live as
 * long as the parser is used; NULL means that fields are checked and counted but not kept.
 * `limits` is copied. A request may be preceded by one empty line (RFC 9112 2.2); its bytes are
 * part of the head. May be called again at any time to start over. */
void evhttp_head_parser_init_request(struct evhttp_head_parser *parser,
                                     struct evhttp_head_field *fields,
                                     const struct evhttp_head_limits *limits);
void evhttp_head_parser_init_response(struct evhttp_head_parser *parser,
                                      struct evhttp_head_field *fields,
                                      const struct evhttp_head_limits *limits);
void evhttp_head_parser_init_trailer(struct evhttp_head_parser *parser,
                                     struct evhttp_head_field *fields,
                                     const struct evhttp_head_limits *limits);

/* Goes on with the message whose first `len` bytes are at `data`: all bytes from the start of the
 * message, not only the new ones; len never shrinks from call to call. Bytes behind the head (body,
 * next request) have no effect. Returns DONE, PARTIAL or an error; each is final except
 * PARTIAL: a further call returns it again. */
enum evhttp_parse_result evhttp_head_parse(struct evhttp_head_parser *parser, const char *data,
                                           size_t len);

/* Whether anything but the optional empty line has been seen: a connection closed or timed out
 * with nothing begun is idle, not broken. */
int evhttp_head_parser_begun(const struct evhttp_head_parser *parser);

#ifdef __cplusplus
}
#endif

#endif
