#include "http/request.h"

#include <string.h>

#include <event2/buffer.h>

#include "buffer/evbuffer_internal.h"
#include "http/client_connection.h"
#include "http/connection.h"
#include "http/headers.h"
#include "http/server.h"
#include "http/uri.h"
#include "loop/base_clock.h"
#include "util/memory.h"
#include "util/queue.h"

/* A pool keeps no more than this: enough for the requests that are read or handled at a time on
 * a busy server, little enough to forget about. */
enum { MAX_POOLED = 64, MAX_POOLED_BLOCK_LEN = 16 * 1024 };

/* ---- Making and freeing ---- */

static void request_reset(struct strata_http_request *request) {
  struct evhttp_request *pub = &request->pub;
  pub->evcon = NULL;
  pub->flags = 0;
  pub->remote_host = NULL;
  pub->remote_port = 0;
  pub->host_cache = NULL;
  pub->kind = EVHTTP_REQUEST;
  pub->type = (enum evhttp_cmd_type)0;
  pub->headers_size = pub->body_size = 0;
  pub->uri = NULL;
  pub->major = pub->minor = 1;
  pub->response_code = 0;
  pub->response_code_line = NULL;
  pub->ntoread = -1;
  pub->chunked = pub->userdone = 0;
  pub->cb = NULL;
  pub->cb_arg = NULL;
  pub->chunk_cb = NULL;
  pub->header_cb = NULL;
  pub->error_cb = NULL;
  pub->on_complete_cb = NULL;
  pub->on_complete_cb_arg = NULL;
  request->path = NULL;
  request->path_len = 0;
  request->head_deadline_ns = request->body_start_ns = 0;
  request->discard_excess = request->discard_body = request->dispatched = request->started =
      request->close_after = 0;
  request->provided = request->paused = request->resumed = request->body_complete =
      request->owes_continue = 0;
  request->pause_start_ns = 0;
  request->completing = request->has_length = request->reason_is_own = 0;
  request->body_left = 0;
}

/* Gives up what belongs to one use of the object. */
static void request_empty(struct strata_http_request *request) {
  struct evhttp_request *pub = &request->pub;
  evhttp_clear_headers(&request->input_headers);
  evhttp_clear_headers(&request->output_headers);
  evhttp_clear_headers(&request->trailers);
  if (pub->uri_elems) evhttp_uri_free(pub->uri_elems);
  pub->uri_elems = NULL;
  if (request->reason_is_own) strata_free(pub->response_code_line);
  request->reason_is_own = 0;
  if (request->uri_is_own) strata_free(pub->uri);
  request->uri_is_own = 0;
}

static void request_destroy(struct strata_http_request *request) {
  request_empty(request);
  if (request->pub.input_buffer) evbuffer_free(request->pub.input_buffer);
  if (request->pub.output_buffer) evbuffer_free(request->pub.output_buffer);
  strata_free(request->block);
  strata_free(request);
}

struct strata_http_request *strata_http_request_make(uint32_t num_fields) {
  struct strata_http_request *request =
      strata_calloc(1, sizeof(*request) + num_fields * sizeof(request->fields[0]));
  if (!request) return NULL;
  request->num_fields = num_fields;
  EV_TAILQ_INIT(&request->input_headers);
  EV_TAILQ_INIT(&request->output_headers);
  EV_TAILQ_INIT(&request->trailers);
  request->pub.input_headers = &request->input_headers;
  request->pub.output_headers = &request->output_headers;
  request->pub.input_buffer = evbuffer_new();
  request->pub.output_buffer = evbuffer_new();
  request_reset(request);
  if (request->pub.input_buffer && request->pub.output_buffer) return request;
  request_destroy(request);
  return NULL;
}

struct evhttp_request *evhttp_request_new(void (*cb)(struct evhttp_request *, void *), void *arg) {
  struct strata_http_request *request = strata_http_request_make(STRATA_HTTP_DEFAULT_FIELDS);
  if (!request) return NULL;
  request->pub.kind = EVHTTP_RESPONSE;
  request->pub.cb = cb;
  request->pub.cb_arg = arg;
  return &request->pub;
}

/* ---- The pool ---- */

static int is_poolable(const struct strata_http_request *request, const struct evhttp *http) {
  return http->pool.num_requests < MAX_POOLED && request->block_len <= MAX_POOLED_BLOCK_LEN &&
         request->num_fields == http->limits.num_fields &&
         evbuffer_is_plain(request->pub.input_buffer) &&
         evbuffer_is_plain(request->pub.output_buffer);
}

static int request_pool(struct strata_http_request *request, struct evhttp *http) {
  if (!http || !is_poolable(request, http)) return 0;
  request_empty(request);
  if (evbuffer_length(request->pub.input_buffer))
    evbuffer_drain(request->pub.input_buffer, evbuffer_length(request->pub.input_buffer));
  if (evbuffer_length(request->pub.output_buffer))
    evbuffer_drain(request->pub.output_buffer, evbuffer_length(request->pub.output_buffer));
  request_reset(request);
  request->next_in_pool = http->pool.first;
  http->pool.first = request;
  http->pool.num_requests++;
  return 1;
}

struct strata_http_request *strata_http_request_acquire(struct evhttp *http) {
  struct strata_http_request *request = http->pool.first;
  if (!request) return strata_http_request_make(http->limits.num_fields);
  http->pool.first = request->next_in_pool;
  http->pool.num_requests--;
  if (request->num_fields == http->limits.num_fields) return request;
  /* The limit was changed since. */
  request_destroy(request);
  return strata_http_request_acquire(http);
}

void strata_http_request_pool_clear(struct strata_http_request_pool *pool) {
  while (pool->first) {
    struct strata_http_request *request = pool->first;
    pool->first = request->next_in_pool;
    request_destroy(request);
  }
  pool->num_requests = 0;
}

/* ---- The end of a use ---- */

void strata_http_request_release(struct strata_http_request *request, struct evhttp *http) {
  request->pub.evcon = NULL;
  strata_http_body_provider_end(request);
  if ((request->pub.flags & (EVHTTP_USER_OWNED | EVHTTP_REQ_NEEDS_FREE)) == EVHTTP_USER_OWNED)
    return;
  if (request->pub.flags & EVHTTP_REQ_DEFER_FREE) {
    request->pub.flags |= EVHTTP_REQ_NEEDS_FREE;
    return;
  }
  if (!request_pool(request, http)) request_destroy(request);
}

static void forget(struct strata_http_request *request) {
  struct evhttp_connection *evcon = request->pub.evcon;
  if (evcon) evcon->kind->forget(evcon, request);
}

void strata_http_request_enter(struct strata_http_request *request) {
  request->pub.flags |= EVHTTP_REQ_DEFER_FREE;
}

void strata_http_request_leave(struct strata_http_request *request, struct evhttp *http) {
  request->pub.flags &= ~EVHTTP_REQ_DEFER_FREE;
  if (!(request->pub.flags & EVHTTP_REQ_NEEDS_FREE)) return;
  forget(request);
  strata_http_request_release(request, http);
}

void evhttp_request_free(struct evhttp_request *req) {
  struct strata_http_request *request = strata_http_request_of(req);
  struct evhttp *http = req->evcon ? evhttp_connection_get_server(req->evcon) : NULL;
  req->flags |= EVHTTP_REQ_NEEDS_FREE;
  if (req->flags & EVHTTP_REQ_DEFER_FREE) return;
  forget(request);
  strata_http_request_release(request, http);
}

/* ---- Filling in ---- */

static int block_reserve(struct strata_http_request *request, size_t len) {
  char *block;
  if (len <= request->block_len) return 0;
  /* Rounded up so that requests which differ a little fit from then on. */
  len = (len + 1023) & ~(size_t)1023;
  block = strata_malloc(len);
  if (!block) return -1;
  strata_free(request->block);
  request->block = block;
  request->block_len = len;
  return 0;
}

/* Where a head goes: the fields' elements, then a copy of it, then what else has to be kept. The
 * copy is cut up in place, since behind each of its parts stands a byte that belongs to none. */
struct filling {
  struct strata_http_field *fields;
  char *text, *rest;
};

static int filling_begin(struct strata_http_request *request, const char *data, size_t rest_len,
                         struct filling *out) {
  const struct evhttp_head_parser *parser = &request->parser;
  size_t fields_len = parser->num_fields * sizeof(struct strata_http_field);
  if (block_reserve(request, fields_len + parser->consumed + rest_len) < 0) return -1;
  out->fields = (struct strata_http_field *)(void *)request->block;
  out->text = request->block + fields_len;
  out->rest = out->text + parser->consumed;
  memcpy(out->text, data, parser->consumed);
  return 0;
}

static void fill_fields(struct strata_http_request *request, const struct filling *filling) {
  uint32_t i, num = request->parser.num_fields;
  for (i = 0; i < num; i++) {
    const struct evhttp_head_field *field = &request->fields[i];
    strata_http_headers_place(&request->input_headers, &filling->fields[i],
                              filling->text + field->name_off, field->name_len,
                              filling->text + field->value_off, field->value_len);
  }
}

static char *cut_span(const struct filling *filling, struct evhttp_span span) {
  char *string = filling->text + span.off;
  string[span.len] = '\0';
  return string;
}

static char *put_string(struct filling *filling, const char *bytes, size_t len) {
  char *string = filling->rest;
  memcpy(string, bytes, len);
  string[len] = '\0';
  filling->rest += len + 1;
  return string;
}

static void fill_path(struct strata_http_request *request) {
  const struct evhttp_framing *framing = &request->framing;
  const char *path = request->pub.uri + (framing->path.off - request->parser.target.off);
  const char *query = memchr(path, '?', framing->path.len);
  request->path = path;
  request->path_len = query ? (size_t)(query - path) : framing->path.len;
  if (framing->target_form == EVHTTP_TARGET_ABSOLUTE && request->path_len == 0) {
    request->path = "/";
    request->path_len = 1;
  }
}

int strata_http_request_fill_response(struct strata_http_request *request, const char *data) {
  struct filling filling;
  evhttp_clear_headers(&request->input_headers);
  if (filling_begin(request, data, 0, &filling) < 0) return -1;
  fill_fields(request, &filling);
  request->pub.response_code_line = cut_span(&filling, request->parser.reason);
  request->pub.headers_size = request->parser.consumed;
  return 0;
}

int strata_http_request_fill(struct strata_http_request *request, const char *data) {
  struct evhttp_request *pub = &request->pub;
  const struct evhttp_span host = request->framing.host;
  size_t peer_len = strlen(pub->evcon->peer);
  struct filling filling;
  if (filling_begin(request, data, host.len + 1 + peer_len + 1, &filling) < 0) return -1;
  fill_fields(request, &filling);
  pub->uri = cut_span(&filling, request->parser.target);
  /* It is part of a field's value, or of the target. */
  if (request->framing.has_host) pub->host_cache = put_string(&filling, data + host.off, host.len);
  pub->remote_host = put_string(&filling, pub->evcon->peer, peer_len);
  pub->remote_port = pub->evcon->peer_port;
  pub->headers_size = request->parser.consumed;
  fill_path(request);
  return 0;
}

/* ---- Accessors ---- */

void evhttp_request_own(struct evhttp_request *req) {
  req->flags |= EVHTTP_USER_OWNED;
}

int evhttp_request_is_owned(struct evhttp_request *req) {
  return (req->flags & EVHTTP_USER_OWNED) != 0;
}

struct evhttp_connection *evhttp_request_get_connection(struct evhttp_request *req) {
  struct evhttp_connection *evcon = req->evcon;
  /* Where the requests of a pool wait is nobody's to use, or to free. */
  if (evcon && strata_http_connection_is_client(evcon) &&
      strata_http_client_connection_of(evcon)->parked)
    return NULL;
  return evcon;
}

const char *evhttp_request_get_uri(const struct evhttp_request *req) {
  return req->uri;
}

const struct evhttp_uri *evhttp_request_get_evhttp_uri(const struct evhttp_request *req) {
  /* The members that are caches are not part of what const promises. */
  struct strata_http_request *request = strata_http_request_of((struct evhttp_request *)req);
  if (!req->uri_elems && req->uri)
    request->pub.uri_elems = strata_http_uri_parse_target(req->uri, request->framing.target_form);
  return req->uri_elems;
}

enum evhttp_cmd_type evhttp_request_get_command(const struct evhttp_request *req) {
  return req->type;
}

int evhttp_request_get_response_code(const struct evhttp_request *req) {
  return req->response_code;
}

const char *evhttp_request_get_response_code_line(const struct evhttp_request *req) {
  return req->response_code_line;
}

struct evkeyvalq *evhttp_request_get_input_headers(struct evhttp_request *req) {
  return req->input_headers;
}

struct evkeyvalq *evhttp_request_get_trailers(struct evhttp_request *req) {
  return &strata_http_request_of(req)->trailers;
}

struct evkeyvalq *evhttp_request_get_output_headers(struct evhttp_request *req) {
  return req->output_headers;
}

struct evbuffer *evhttp_request_get_input_buffer(struct evhttp_request *req) {
  return req->input_buffer;
}

struct evbuffer *evhttp_request_get_output_buffer(struct evhttp_request *req) {
  return req->output_buffer;
}

const char *evhttp_request_get_host(struct evhttp_request *req) {
  return req->host_cache;
}

void evhttp_request_set_body_provider(struct evhttp_request *req, ev_int64_t len, evhttp_body_cb cb,
                                      void *arg) {
  strata_http_body_provider_set(strata_http_request_of(req), len, cb, arg);
}

void evhttp_request_pause_body(struct evhttp_request *req) {
  struct strata_http_request *request = strata_http_request_of(req);
  if (!req->evcon || request->paused || request->dispatched) return;
  request->paused = 1;
  request->resumed = 0;
  request->pause_start_ns = event_base_loop_time_ns(req->evcon->base);
  strata_http_connection_resume(req->evcon);
}

void evhttp_request_resume_body(struct evhttp_request *req) {
  struct strata_http_request *request = strata_http_request_of(req);
  if (!req->evcon || !request->paused) return;
  request->paused = 0;
  request->resumed = 1;
  /* The peer is not to blame for the time in between. */
  if (request->body_start_ns)
    request->body_start_ns += event_base_loop_time_ns(req->evcon->base) - request->pause_start_ns;
  strata_http_connection_resume(req->evcon);
}

void evhttp_request_set_chunked_cb(struct evhttp_request *req,
                                   void (*cb)(struct evhttp_request *, void *)) {
  req->chunk_cb = cb;
}

void evhttp_request_set_header_cb(struct evhttp_request *req,
                                  int (*cb)(struct evhttp_request *, void *)) {
  req->header_cb = cb;
}

void evhttp_request_set_error_cb(struct evhttp_request *req,
                                 void (*cb)(enum evhttp_request_error, void *)) {
  req->error_cb = cb;
}

void evhttp_request_set_on_complete_cb(struct evhttp_request *req,
                                       void (*cb)(struct evhttp_request *, void *), void *cb_arg) {
  req->on_complete_cb = cb;
  req->on_complete_cb_arg = cb_arg;
}
