#ifndef STRATA_HTTP_REPLY_H_
#define STRATA_HTTP_REPLY_H_

#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

struct evbuffer;

enum strata_http_reply_kind {
  STRATA_HTTP_REPLY_WHOLE,    /* The body follows at once. */
  STRATA_HTTP_REPLY_STREAMED, /* The body follows in pieces, its length unknown. */
  STRATA_HTTP_REPLY_COUNTED,  /* In pieces, body_len bytes in all. */
};

/* What goes into the head of a reply besides the request's output headers. */
struct strata_http_reply {
  int code;
  const char *reason; /* NULL for the usual phrase. */
  uint64_t body_len;  /* Of a whole or counted one. */
  enum strata_http_reply_kind kind;
  const char *content_type; /* When the output headers have none; NULL for none. */
  const char *allow;        /* Value of an Allow field, or NULL. */
};

/* Whether a reply with this status to this request has a body (RFC 9112 6.3). */
int strata_http_reply_has_body(const struct strata_http_request *request, int code);

/* Writes the head of the reply into the connection's output and decides how the body is delimited
 * (request->pub.chunked, has_length) and whether the connection persists (close_after). `extra`
 * bytes may follow it at once (extra_len 0 for none). Returns 0; or -1 when out of memory, with
 * nothing written. */
int strata_http_reply_head(struct strata_http_request *request,
                           const struct strata_http_reply *reply, const char *extra,
                           size_t extra_len);

/* Sends a reply whose body, all of it, is in `body`, which is left empty. 0; or -1 when out of
 * memory: maybe with part of the reply written. */
int strata_http_reply_whole(struct strata_http_request *request, struct strata_http_reply *reply,
                            struct evbuffer *body);

/* Marks the reply as complete; the connection goes on when the caller has returned to it. */
void strata_http_reply_complete(struct strata_http_request *request);

/* The reply cannot go on (memory): the connection will be closed. */
void strata_http_reply_break(struct strata_http_request *request);

/* For a request whose connection is gone: the reply is dropped, and the request with it unless
 * the user owns it. */
void strata_http_reply_drop(struct strata_http_request *request);

/* Sends an error page and completes the request, whose connection closes after it. `reason` and
 * `allow` may be NULL. */
void strata_http_reply_error(struct strata_http_request *request, int code, const char *reason,
                             const char *allow);

#endif
