#ifndef STRATA_HTTP_PARSE_RESULT_H_
#define STRATA_HTTP_PARSE_RESULT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What parsing came to. Shared by the head parser, the framing rules and the chunk decoder.
 * Everything from EVHTTP_PARSE_ERRORS on is an error; each has one name and one status code for
 * the reply. After an error where the next message starts is unknown: reply and close. */
enum evhttp_parse_result {
  EVHTTP_PARSE_DONE = 0,
  /* All bytes given were fine; more are needed. */
  EVHTTP_PARSE_PARTIAL,

  EVHTTP_PARSE_ERRORS,
  /* Line structure. */
  EVHTTP_PARSE_BARE_CR = EVHTTP_PARSE_ERRORS, /* 400: CR that no LF follows (RFC 9112 2.2). */
  EVHTTP_PARSE_BARE_LF,     /* 400: line ended without CR (refused where 2.2 lets us). */
  EVHTTP_PARSE_EXTRA_LINE,  /* 400: more than one empty line before the request line. */
  EVHTTP_PARSE_FOLDED_LINE, /* 400: line starts with whitespace (RFC 9112 2.2, 5.2). */
  /* Request line and status line (RFC 9112 3 and 4). */
  EVHTTP_PARSE_BAD_METHOD,          /* 400: not a token. */
  EVHTTP_PARSE_BAD_TARGET,          /* 400: empty, or a byte that no request target has. */
  EVHTTP_PARSE_BAD_VERSION,         /* 400: not exactly HTTP/digit.digit, or missing (HTTP/0.9). */
  EVHTTP_PARSE_BAD_STATUS,          /* Response only: status is not three digits. */
  EVHTTP_PARSE_BAD_REASON,          /* Response only: control byte in the reason phrase. */
  EVHTTP_PARSE_VERSION_UNSUPPORTED, /* 505: major version other than 1. */
  EVHTTP_PARSE_METHOD_TOO_LONG,     /* 501: line limit reached within the method (RFC 9112 3). */
  EVHTTP_PARSE_TARGET_TOO_LONG,     /* 414: line limit reached after the method. */
  /* Fields (RFC 9112 5, RFC 9110 5). */
  EVHTTP_PARSE_EMPTY_FIELD_NAME,   /* 400 */
  EVHTTP_PARSE_BAD_FIELD_NAME,     /* 400: not a token, or no colon on the line. */
  EVHTTP_PARSE_SPACE_BEFORE_COLON, /* 400: RFC 9112 5.1. */
  EVHTTP_PARSE_BAD_FIELD_VALUE,    /* 400: NUL or another control byte. */
  EVHTTP_PARSE_HEAD_TOO_LARGE,     /* 431: head_len reached. */
  EVHTTP_PARSE_TOO_MANY_FIELDS,    /* 431: more than num_fields. */
  /* Framing (RFC 9112 6) and routing (RFC 9112 3.2). */
  EVHTTP_PARSE_BAD_CONTENT_LENGTH,      /* 400: not 1*DIGIT, or beyond INT64_MAX. */
  EVHTTP_PARSE_REPEATED_CONTENT_LENGTH, /* 400: several, even identical ones. */
  EVHTTP_PARSE_LENGTH_AND_CODING,       /* 400: Content-Length beside Transfer-Encoding. */
  EVHTTP_PARSE_CODING_IN_HTTP10,        /* 400: Transfer-Encoding in an HTTP/1.0 message. */
  EVHTTP_PARSE_BAD_TRANSFER_CODING,     /* 400: malformed; chunked repeated, not last, or with
                                           parameters. */
  EVHTTP_PARSE_UNKNOWN_TRANSFER_CODING, /* 501: a coding other than chunked. */
  EVHTTP_PARSE_MISSING_HOST,            /* 400: HTTP/1.1 without Host. */
  EVHTTP_PARSE_REPEATED_HOST,           /* 400 */
  EVHTTP_PARSE_BAD_HOST,                /* 400: Host is not uri-host [ ":" port ]. */
  EVHTTP_PARSE_BAD_TARGET_FORM,         /* 400: target form wrong for the method (3.2). */
  EVHTTP_PARSE_UNKNOWN_EXPECTATION,     /* 417: Expect other than 100-continue. */
  EVHTTP_PARSE_BODY_TOO_LARGE,          /* 413: body longer than the caller's limit. */
  /* Chunked bodies (RFC 9112 7.1). */
  EVHTTP_PARSE_BAD_CHUNK_SIZE,             /* 400: no hex digit, or junk after the digits. */
  EVHTTP_PARSE_CHUNK_SIZE_OVERFLOW,        /* 400: beyond INT64_MAX. */
  EVHTTP_PARSE_BAD_CHUNK_EXTENSION,        /* 400: malformed. */
  EVHTTP_PARSE_CHUNK_LINE_TOO_LONG,        /* 400: size line beyond the caller's limit. */
  EVHTTP_PARSE_CHUNK_EXTENSIONS_TOO_LARGE, /* 400: all extensions together beyond the limit. */
  EVHTTP_PARSE_BAD_CHUNK_END,              /* 400: chunk data not followed by CRLF. */

  EVHTTP_PARSE_NUM_RESULTS
};

/* Whether `result` is an error, that is neither DONE nor PARTIAL. */
static inline int evhttp_parse_is_error(enum evhttp_parse_result result) {
  return result >= EVHTTP_PARSE_ERRORS;
}

/* The status code to answer an error in a request with (RFC 9110 15.5, 15.6); 0 for DONE and
 * PARTIAL. For an error in a response it means nothing. */
int evhttp_parse_error_status(enum evhttp_parse_result result);

/* A short static text for logs, such as "bare-lf". Never NULL. */
const char *evhttp_parse_error_name(enum evhttp_parse_result result);

/* Bytes inside a message, as an offset from the message's first byte, so that it stays true when
 * the buffer moves. */
struct evhttp_span {
  uint32_t off;
  uint32_t len;
};

#ifdef __cplusplus
}
#endif

#endif
