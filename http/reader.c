#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "http/connection.h"
#include "http/method.h"
#include "http/reply.h"
#include "http/vhost.h"
#include "util/queue.h"

static struct evbuffer *input_of(struct evhttp_connection *evcon) {
  return bufferevent_get_input(evcon->bufev);
}

/* The first bytes of the input that lie together. */
static struct evbuffer_iovec first_bytes(struct evbuffer *input) {
  struct evbuffer_iovec first = {NULL, 0};
  evbuffer_peek(input, -1, NULL, &first, 1);
  return first;
}

/* Makes more of the input lie together: twice as much as now, so that a message which trickles in
 * is not copied over and over. */
static int join_bytes(struct evbuffer *input, struct evbuffer_iovec *first) {
  size_t total = evbuffer_get_length(input);
  size_t want = first->iov_len < 2048 ? 4096 : first->iov_len * 2;
  if (want > total) want = total;
  first->iov_base = evbuffer_pullup(input, (ev_ssize_t)want);
  first->iov_len = want;
  return first->iov_base ? 0 : -1;
}

/* ---- Refusing ---- */

void strata_http_reader_refuse(struct evhttp_connection *evcon, int status,
                               enum evhttp_request_error error) {
  struct strata_http_request *request = evcon->request;
  strata_http_request_enter(request);
  if (request->pub.error_cb) request->pub.error_cb(error, request->pub.cb_arg);
  if (request->pub.evcon && !request->pub.userdone)
    strata_http_reply_error(request, status, NULL, NULL);
  strata_http_request_leave(request, evcon->dead ? NULL : evcon->server);
}

static void refuse_result(struct evhttp_connection *evcon, enum evhttp_parse_result result) {
  strata_http_reader_refuse(
      evcon, evhttp_parse_error_status(result),
      result == EVHTTP_PARSE_BODY_TOO_LARGE ? EVREQ_HTTP_DATA_TOO_LONG : EVREQ_HTTP_INVALID_HEADER);
}

/* ---- Callbacks of a request in the making ---- */

/* Each returns whether reading may go on: the connection lives, and the user has neither refused
 * nor answered. */
static int may_go_on(struct evhttp_connection *evcon, int result) {
  if (evcon->dead || evcon->broken) return 0;
  if (result < 0) {
    evhttp_connection_free(evcon);
    return 0;
  }
  /* There is none when the user has answered and freed it. */
  return evcon->request && !evcon->request->pub.userdone;
}

static int call_newreqcb(struct evhttp_connection *evcon) {
  struct strata_http_request *request = evcon->request;
  struct evhttp *http = evcon->server;
  int result;
  if (!http->newreqcb) return 1;
  strata_http_request_enter(request);
  result = http->newreqcb(&request->pub, http->newreqcb_arg);
  strata_http_request_leave(request, evcon->dead ? NULL : evcon->server);
  return may_go_on(evcon, result);
}

static int call_header_cb(struct evhttp_connection *evcon) {
  struct strata_http_request *request = evcon->request;
  int result;
  if (!request->pub.header_cb) return 1;
  strata_http_request_enter(request);
  result = request->pub.header_cb(&request->pub, request->pub.cb_arg);
  strata_http_request_leave(request, evcon->dead ? NULL : evcon->server);
  return may_go_on(evcon, result);
}

static int call_chunk_cb(struct evhttp_connection *evcon) {
  struct strata_http_request *request = evcon->request;
  struct evbuffer *body = request->pub.input_buffer;
  if (!request->pub.chunk_cb || evbuffer_get_length(body) == 0) return 1;
  strata_http_request_enter(request);
  request->pub.chunk_cb(&request->pub, request->pub.cb_arg);
  evbuffer_drain(body, evbuffer_get_length(body));
  strata_http_request_leave(request, evcon->dead ? NULL : evcon->server);
  return may_go_on(evcon, 0);
}

/* ---- The head ---- */

static void parser_start(struct evhttp_connection *evcon) {
  struct strata_http_request *request = evcon->request;
  struct evhttp_head_limits limits;
  limits.line_len = evcon->limits.line_len;
  limits.head_len = evcon->limits.head_len;
  limits.num_fields = request->num_fields;
  evhttp_head_parser_init_request(&request->parser, request->fields, &limits);
}

/* A request object for the bytes that begin to arrive. */
static int begin_request(struct evhttp_connection *evcon) {
  if (evcon->request) return 1;
  evcon->request = strata_http_request_acquire(evcon->server);
  if (!evcon->request) {
    evcon->broken = 1;
    return 0;
  }
  evcon->request->pub.evcon = evcon;
  evcon->request->pub.cb_arg = evcon->server;
  parser_start(evcon);
  return call_newreqcb(evcon);
}

/* Parses as much as is needed of the input; *out_data is where the message begins. */
static enum evhttp_parse_result parse_head(struct evhttp_connection *evcon, const char **out_data) {
  struct evhttp_head_parser *parser = &evcon->request->parser;
  struct evbuffer *input = input_of(evcon);
  struct evbuffer_iovec first = first_bytes(input);
  enum evhttp_parse_result result = evhttp_head_parse(parser, first.iov_base, first.iov_len);
  while (result == EVHTTP_PARSE_PARTIAL && first.iov_len < evbuffer_get_length(input)) {
    if (join_bytes(input, &first) < 0) {
      evcon->broken = 1;
      return EVHTTP_PARSE_PARTIAL;
    }
    result = evhttp_head_parse(parser, first.iov_base, first.iov_len);
  }
  *out_data = first.iov_base;
  return result;
}

static enum evhttp_parse_result judge_head(struct evhttp_connection *evcon, const char *data) {
  struct strata_http_request *request = evcon->request;
  const struct evhttp_head_parser *parser = &request->parser;
  enum evhttp_parse_result result;
  request->pub.type = (enum evhttp_cmd_type)strata_http_method_parse(
      data + parser->method.off, parser->method.len, evcon->server->ext_method_cmp);
  request->pub.major = (char)parser->version_major;
  request->pub.minor = (char)parser->version_minor;
  result = evhttp_request_framing(parser, data, &request->framing);
  if (result != EVHTTP_PARSE_DONE || request->framing.content_length <= evcon->limits.body_len)
    return result;
  /* Nothing is to be read from a client that asks before it sends. */
  if (!evcon->linger_flag || request->framing.expect_continue) return EVHTTP_PARSE_BODY_TOO_LARGE;
  request->discard_body = 1;
  return EVHTTP_PARSE_DONE;
}

static int has_body(const struct strata_http_request *request) {
  return request->framing.body == EVHTTP_BODY_CHUNKED || request->framing.content_length > 0;
}

static void begin_body(struct evhttp_connection *evcon) {
  struct strata_http_request *request = evcon->request;
  struct evhttp_chunk_limits limits = evhttp_chunk_default_limits;
  evcon->state = STRATA_HTTP_BODY;
  if (request->framing.body == EVHTTP_BODY_CHUNKED) {
    /* With the flag, what is too much is noticed while it is thrown away. */
    if (!evcon->linger_flag) limits.body_len = evcon->limits.body_len;
    evhttp_chunk_decoder_init(&request->chunks, NULL, &limits);
  }
  /* A client that has sent some of the body is not waiting (RFC 9110 10.1.1). */
  if (request->framing.expect_continue && evbuffer_get_length(input_of(evcon)) == 0 &&
      evbuffer_add(bufferevent_get_output(evcon->bufev), "HTTP/1.1 100 Continue\r\n\r\n", 25) < 0)
    evcon->broken = 1;
}

static void hand_out(struct evhttp_connection *evcon) {
  if (evcon->request->discard_body) {
    refuse_result(evcon, EVHTTP_PARSE_BODY_TOO_LARGE);
    return;
  }
  evcon->state = STRATA_HTTP_HANDLER;
  strata_http_dispatch(evcon);
}

static void mark_proxy(struct evhttp_connection *evcon) {
  struct evhttp_request *req = &evcon->request->pub;
  if (evcon->request->framing.target_form == EVHTTP_TARGET_ABSOLUTE && req->host_cache &&
      !strata_http_vhost_knows(evcon->server, req->host_cache))
    req->flags |= EVHTTP_PROXY_REQUEST;
}

static int accept_head(struct evhttp_connection *evcon, const char *data) {
  struct strata_http_request *request = evcon->request;
  if (strata_http_request_fill(request, data) < 0) {
    evcon->broken = 1;
    return 0;
  }
  evbuffer_drain(input_of(evcon), request->parser.consumed);
  if (request->framing.body != EVHTTP_BODY_CHUNKED)
    request->pub.ntoread = (ev_int64_t)request->framing.content_length;
  mark_proxy(evcon);
  if (!strata_http_dispatch_allows(evcon) || !call_header_cb(evcon)) return 1;
  if (has_body(request))
    begin_body(evcon);
  else
    hand_out(evcon);
  return 1;
}

static int read_head(struct evhttp_connection *evcon) {
  enum evhttp_parse_result result;
  const char *data;
  if (strata_http_connection_is_full(evcon)) return 0;
  if (!begin_request(evcon)) return 1;
  result = parse_head(evcon, &data);
  if (result == EVHTTP_PARSE_PARTIAL) return 0;
  if (result == EVHTTP_PARSE_DONE) result = judge_head(evcon, data);
  if (result == EVHTTP_PARSE_DONE) return accept_head(evcon, data);
  refuse_result(evcon, result);
  return 1;
}

/* ---- The body ---- */

/* Moves `len` bytes of the input, which has them, to the body. 0, or -1 when out of memory. */
static int take_body(struct evhttp_connection *evcon, size_t len) {
  struct strata_http_request *request = evcon->request;
  struct evbuffer *input = input_of(evcon);
  request->pub.body_size += len;
  if (request->pub.body_size > evcon->limits.body_len) request->discard_body = 1;
  if (request->discard_body) return evbuffer_drain(input, len);
  return evbuffer_remove_buffer(input, request->pub.input_buffer, len) == (int)len ? 0 : -1;
}

/* Body readers return PARTIAL, DONE, or the error; a lack of memory shows as `broken`. */
static enum evhttp_parse_result read_counted(struct evhttp_connection *evcon) {
  struct strata_http_request *request = evcon->request;
  size_t len = evbuffer_get_length(input_of(evcon));
  if ((uint64_t)len > (uint64_t)request->pub.ntoread) len = (size_t)request->pub.ntoread;
  if (len && take_body(evcon, len) < 0) evcon->broken = 1;
  request->pub.ntoread -= (ev_int64_t)len;
  return request->pub.ntoread ? EVHTTP_PARSE_PARTIAL : EVHTTP_PARSE_DONE;
}

/* One step of the decoder. Returns whether to go on. */
static int step_chunked(struct evhttp_connection *evcon, struct evbuffer_iovec *first,
                        enum evhttp_parse_result *out_result) {
  struct evbuffer *input = input_of(evcon);
  struct evhttp_chunk_event event;
  size_t used = evhttp_chunk_step(&evcon->request->chunks, first->iov_base, first->iov_len, &event);
  *out_result = event.error;
  if (event.kind == EVHTTP_CHUNK_DATA) {
    evbuffer_drain(input, used - event.data_len);
    if (take_body(evcon, event.data_len) < 0) evcon->broken = 1;
  } else {
    evbuffer_drain(input, used);
  }
  if (evcon->broken || event.kind == EVHTTP_CHUNK_ERROR || event.kind == EVHTTP_CHUNK_DONE)
    return 0;
  if (used || evbuffer_get_length(input) == 0) {
    *first = first_bytes(input);
    return first->iov_len > 0;
  }
  /* The beginning of a trailer section: it wants to see more of it at once. */
  if (first->iov_len == evbuffer_get_length(input)) return 0;
  if (join_bytes(input, first) < 0) evcon->broken = 1;
  return !evcon->broken;
}

static enum evhttp_parse_result read_chunked(struct evhttp_connection *evcon) {
  enum evhttp_parse_result result = EVHTTP_PARSE_PARTIAL;
  struct evbuffer_iovec first = first_bytes(input_of(evcon));
  while (first.iov_len && step_chunked(evcon, &first, &result)) continue;
  return result;
}

static int read_body(struct evhttp_connection *evcon) {
  enum evhttp_parse_result result = evcon->request->framing.body == EVHTTP_BODY_CHUNKED
                                        ? read_chunked(evcon)
                                        : read_counted(evcon);
  if (evcon->broken) return 1;
  if (evhttp_parse_is_error(result)) {
    refuse_result(evcon, result);
    return 1;
  }
  if (!call_chunk_cb(evcon)) return 1;
  if (result == EVHTTP_PARSE_PARTIAL) return 0;
  hand_out(evcon);
  return 1;
}

int strata_http_reader_step(struct evhttp_connection *evcon) {
  return evcon->state == STRATA_HTTP_HEAD ? read_head(evcon) : read_body(evcon);
}
