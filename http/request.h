#ifndef STRATA_HTTP_REQUEST_H_
#define STRATA_HTTP_REQUEST_H_

#include <stddef.h>
#include <stdint.h>

#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "http/body_provider.h"
#include "http/chunked.h"
#include "http/framing.h"
#include "http/parser.h"

struct strata_http_request_pool;

/* A request object, of which users see the first part.
 *
 * Everything that a head brings (target, host, fields) lies in one block, which stays with the
 * object when it is used again, so that serving a further request allocates nothing.
 *
 * Lifetime: made by its connection when the first byte of a request arrives, given back when its
 * reply is complete and the callback that completed it has returned. A connection that breaks
 * while the user owes the reply lets go of the request (evcon becomes NULL), which is then freed
 * by the user's attempt to reply. */
struct strata_http_request {
  struct evhttp_request pub;
  struct evkeyvalq input_headers;
  struct evkeyvalq output_headers;
  struct evkeyvalq trailers; /* Each allocated on its own: they are rare. */
  struct strata_http_request *next_in_pool;

  /* What the block holds is written once, by strata_http_request_fill(). */
  char *block;
  size_t block_len;
  const char *path; /* Of the target, without the query; within the block. */
  size_t path_len;

  /* Reading. */
  struct evhttp_head_parser parser;
  struct evhttp_framing framing;
  struct evhttp_chunk_decoder chunks;
  int64_t head_deadline_ns; /* 0 before the first byte. */
  int64_t body_start_ns;    /* Since when the body has been awaited; 0: not yet. */
  uint64_t max_body_len;
  unsigned discard_excess : 1; /* A body longer than that: read on, keep nothing, refuse then. */
  unsigned discard_body : 1;   /* It is. */
  unsigned dispatched : 1;     /* The user's callback has been called. */
  unsigned paused : 1;         /* The user wants no more of the body now. */
  unsigned resumed : 1;        /* He wants more again: present what is left. */
  unsigned body_complete : 1;  /* All of it is in the input buffer, or was presented. */
  unsigned owes_continue : 1;  /* The peer waits to be asked for the body. */
  int64_t pause_start_ns;      /* While paused. */

  /* Replying. */
  unsigned started : 1;       /* A reply head has been written. */
  unsigned provided : 1;      /* The reply's body comes from the provider. */
  unsigned close_after : 1;   /* The connection ends with this reply. */
  unsigned completing : 1;    /* In its connection's list of those to be reported as written. */
  unsigned has_length : 1;    /* body_left is meant. */
  unsigned reason_is_own : 1; /* response_code_line is allocated. */
  uint64_t body_left;         /* Bytes that the Content-Length sent still promises. */
  struct strata_http_body_provider provider;

  /* A client's. */
  unsigned uri_is_own : 1;    /* pub.uri is allocated. */
  unsigned wants_upgrade : 1; /* It asks for another protocol. */
  unsigned has_sent_body : 1; /* Some of its body is gone. */
  unsigned resent : 1;        /* It has been sent a second time. */
  unsigned behind : 1;        /* It has been sent behind the one that is under way. */
  unsigned was_behind : 1;    /* It was, to no avail: it is sent on its own now. */

  uint32_t num_fields; /* Room in `fields`. */
  struct evhttp_head_field fields[];
};

static inline struct strata_http_request *strata_http_request_of(struct evhttp_request *req) {
  return (struct strata_http_request *)req;
}

/* Makes a request with room for num_fields fields. NULL when out of memory. */
struct strata_http_request *strata_http_request_make(uint32_t num_fields);

/* Takes a request from the server's pool, or makes one. NULL when out of memory. */
struct strata_http_request *strata_http_request_acquire(struct evhttp *http);

/* Fills in target, host, path, fields and the peer from a complete head whose framing is known.
 * `data` is the head's first byte. Returns 0, or -1 when out of memory. */
int strata_http_request_fill(struct strata_http_request *request, const char *data);

/* Fills in the fields and the reason of a response's complete head that begins at `data`. Returns
 * 0, or -1 when out of memory. */
int strata_http_request_fill_response(struct strata_http_request *request, const char *data);

/* Whether the user has paused the body, so that no more of it is to be taken from the input. */
static inline int strata_http_request_is_paused(const struct strata_http_request *request) {
  return request->paused;
}

/* Ends the connection's use of a request: it is left to its owner, or goes back to the pool of
 * `http` (which may be NULL), or is freed when the callback it is used in returns. */
void strata_http_request_release(struct strata_http_request *request, struct evhttp *http);

/* Brackets a call of a user's callback with the request: it stays valid in between, whatever the
 * callback does. */
void strata_http_request_enter(struct strata_http_request *request);
void strata_http_request_leave(struct strata_http_request *request, struct evhttp *http);

/* Frees what the pool holds. */
void strata_http_request_pool_clear(struct strata_http_request_pool *pool);

#endif
