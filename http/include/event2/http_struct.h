#ifndef EVENT2_HTTP_STRUCT_H_INCLUDED_
#define EVENT2_HTTP_STRUCT_H_INCLUDED_

/** @file event2/http_struct.h
 *
 * The inside of struct evhttp_request, for programs that read its fields. Its layout is libevent
 * 2.1's. Prefer the accessors of event2/http.h: fields are for reading, and some are filled in
 * only when their accessor is called (uri_elems).
 */

#include <event2/callback_struct.h>
#include <event2/http.h>
#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One request with its reply. Requests are made by the library (or by evhttp_request_new());
 * the struct is the beginning of a larger object, so never copy or allocate one. */
struct evhttp_request {
  EVENT_TAILQ_ENTRY_(evhttp_request) next;

  /** NULL once the connection is gone. */
  struct evhttp_connection *evcon;
  int flags;
/** Freeing the request frees its connection too. */
#define EVHTTP_REQ_OWN_CONNECTION 0x0001
/** The target names a host that is not ours. */
#define EVHTTP_PROXY_REQUEST 0x0002
/** The user frees the request: evhttp_request_own(). */
#define EVHTTP_USER_OWNED 0x0004
/** In use further up the stack: freeing waits. */
#define EVHTTP_REQ_DEFER_FREE 0x0008
/** Free when that use ends. */
#define EVHTTP_REQ_NEEDS_FREE 0x0010

  struct evkeyvalq *input_headers;
  struct evkeyvalq *output_headers;

  /** The peer, as text. */
  char *remote_host;
  ev_uint16_t remote_port;

  /** What evhttp_request_get_host() returns. */
  char *host_cache;

  enum evhttp_request_kind kind;
  enum evhttp_cmd_type type;

  /** Bytes received. */
  size_t headers_size;
  size_t body_size;

  /** The request target as received. */
  char *uri;
  /** NULL before the first call of evhttp_request_get_evhttp_uri(). */
  struct evhttp_uri *uri_elems;

  /** HTTP version; plain numbers, not digits. */
  char major;
  char minor;

  int response_code;
  char *response_code_line;

  /** The body received. */
  struct evbuffer *input_buffer;
  /** Body bytes still to come; -1 when not known beforehand. */
  ev_int64_t ntoread;
  /** chunked: the reply is sent chunked. userdone: the user has completed the reply. */
  unsigned chunked : 1, userdone : 1;

  /** The body to send. */
  struct evbuffer *output_buffer;

  void (*cb)(struct evhttp_request *, void *);
  void *cb_arg;

  /** See evhttp_request_set_chunked_cb(). */
  void (*chunk_cb)(struct evhttp_request *, void *);

  /** See evhttp_request_set_header_cb(). */
  int (*header_cb)(struct evhttp_request *, void *);

  /** See evhttp_request_set_error_cb(). */
  void (*error_cb)(enum evhttp_request_error, void *);

  /** See evhttp_request_set_on_complete_cb(). */
  void (*on_complete_cb)(struct evhttp_request *, void *);
  void *on_complete_cb_arg;
};

#ifdef __cplusplus
}
#endif

#endif
