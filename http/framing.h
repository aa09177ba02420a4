#ifndef STRATA_HTTP_FRAMING_H_
#define STRATA_HTTP_FRAMING_H_

#include <stddef.h>
#include <stdint.h>

#include "http/parser.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a complete head says about the message and the connection: how the body is delimited
 * (RFC 9112 6), whether the connection persists (9.3), which host is meant (3.2). Whatever two
 * recipients could understand differently is an error. */

enum evhttp_body_kind {
  EVHTTP_BODY_NONE,        /* The message ends with its head. content_length is 0. */
  EVHTTP_BODY_LENGTH,      /* content_length bytes follow; may be 0. */
  EVHTTP_BODY_CHUNKED,     /* A chunked body follows: see http/chunked.h. */
  EVHTTP_BODY_UNTIL_CLOSE, /* Response only: everything until the peer closes. */
  EVHTTP_BODY_TUNNEL,      /* Response only: 2xx to CONNECT, bytes are no longer HTTP. */
};

/* RFC 9112 3.2. */
enum evhttp_target_form {
  EVHTTP_TARGET_ORIGIN,    /* "/path?query" */
  EVHTTP_TARGET_ABSOLUTE,  /* "http://host/path" */
  EVHTTP_TARGET_AUTHORITY, /* "host:port", with CONNECT and only there. */
  EVHTTP_TARGET_ASTERISK,  /* "*", with OPTIONS and only there. */
};

struct evhttp_framing {
  enum evhttp_body_kind body;
  enum evhttp_target_form target_form; /* Request. */
  uint64_t content_length;             /* At most INT64_MAX. */
  uint8_t keep_alive;      /* The sender lets the connection persist after this message. */
  uint8_t expect_continue; /* Request: waits for "100 Continue" before it sends the body. */
  uint8_t upgrade;         /* HTTP/1.1 with "Connection: upgrade" and an Upgrade field. */
  uint8_t has_host;        /* Request: there is a Host field or an authority in the target. */
  /* Request: the host that the request is for, from the target where it has an authority and from
   * the Host field otherwise (RFC 9112 3.3). `authority` is uri-host [":" port]; `host` the part
   * without the port, an IPv6 literal with its brackets; both empty for an empty Host field. */
  struct evhttp_span authority;
  struct evhttp_span host;
  int32_t port; /* -1 when not given. */
  /* Request: for an absolute target what follows its authority, possibly empty or starting with
   * '?'; otherwise the whole target. */
  struct evhttp_span path;
};

/* Judges a request head: `parser` has returned DONE for the bytes at `data` (the same message,
 * possibly moved) and kept its fields. Returns DONE with *out filled in, or an error with *out
 * unspecified. No body limit is applied: compare content_length with yours and answer
 * EVHTTP_PARSE_BODY_TOO_LARGE. */
enum evhttp_parse_result evhttp_request_framing(const struct evhttp_head_parser *parser,
                                                const char *data, struct evhttp_framing *out);

/* The request that a response answers, as far as it changes the framing (RFC 9112 6.3). */
enum evhttp_response_to {
  EVHTTP_RESPONSE_TO_OTHER,
  EVHTTP_RESPONSE_TO_HEAD,
  EVHTTP_RESPONSE_TO_CONNECT,
};

/* As evhttp_request_framing(), for a response head. keep_alive is 0 where the body ends with the
 * connection. A response with a transfer coding other than chunked is an error. */
enum evhttp_parse_result evhttp_response_framing(const struct evhttp_head_parser *parser,
                                                 const char *data, enum evhttp_response_to to,
                                                 struct evhttp_framing *out);

#ifdef __cplusplus
}
#endif

#endif
