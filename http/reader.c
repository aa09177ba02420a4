#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "http/message.h"
#include "http/method.h"
#include "http/reply.h"
#include "http/server_connection.h"
#include "http/vhost.h"
#include "util/queue.h"

static struct evbuffer *input_of(struct strata_http_server_connection *con) {
  return strata_http_connection_input(&con->common);
}

/* ---- Refusing ---- */

void strata_http_reader_refuse(struct strata_http_server_connection *con, int status,
                               enum evhttp_request_error error) {
  struct strata_http_request *request = con->request;
  strata_http_request_enter(request);
  if (request->pub.error_cb) request->pub.error_cb(error, request->pub.cb_arg);
  if (request->pub.evcon && !request->pub.userdone)
    strata_http_reply_error(request, status, NULL, NULL);
  strata_http_request_leave(request, strata_http_server_connection_pool(con));
}

static void refuse_result(struct strata_http_server_connection *con,
                          enum evhttp_parse_result result) {
  strata_http_reader_refuse(
      con, evhttp_parse_error_status(result),
      result == EVHTTP_PARSE_BODY_TOO_LARGE ? EVREQ_HTTP_DATA_TOO_LONG : EVREQ_HTTP_INVALID_HEADER);
}

/* ---- Callbacks of a request in the making ---- */

/* Each returns whether reading may go on: the connection lives, and the user has neither refused
 * nor answered. */
static int may_go_on(struct strata_http_server_connection *con, int result) {
  if (con->common.dead || con->common.broken) return 0;
  if (result < 0) {
    evhttp_connection_free(&con->common);
    return 0;
  }
  /* There is none when the user has answered and freed it. */
  return con->request && !con->request->pub.userdone;
}

static int call_newreqcb(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  struct evhttp *http = con->server;
  int result;
  if (!http->newreqcb) return 1;
  strata_http_request_enter(request);
  result = http->newreqcb(&request->pub, http->newreqcb_arg);
  strata_http_request_leave(request, strata_http_server_connection_pool(con));
  return may_go_on(con, result);
}

static int call_header_cb(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  int result;
  if (!request->pub.header_cb) return 1;
  strata_http_request_enter(request);
  result = request->pub.header_cb(&request->pub, request->pub.cb_arg);
  strata_http_request_leave(request, strata_http_server_connection_pool(con));
  return may_go_on(con, result);
}

static int call_chunk_cb(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  struct evbuffer *body = request->pub.input_buffer;
  if (!request->pub.chunk_cb || evbuffer_get_length(body) == 0) return 1;
  strata_http_request_enter(request);
  request->pub.chunk_cb(&request->pub, request->pub.cb_arg);
  if (!request->paused) evbuffer_drain(body, evbuffer_get_length(body));
  strata_http_request_leave(request, strata_http_server_connection_pool(con));
  return may_go_on(con, 0);
}

/* ---- The head ---- */

static void parser_start(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  struct evhttp_head_limits limits;
  limits.line_len = con->common.limits.line_len;
  limits.head_len = con->common.limits.head_len;
  limits.num_fields = request->num_fields;
  evhttp_head_parser_init_request(&request->parser, request->fields, &limits);
}

/* A request object for the bytes that begin to arrive. */
static int begin_request(struct strata_http_server_connection *con) {
  if (con->request) return 1;
  con->request = strata_http_request_acquire(con->server);
  if (!con->request) {
    con->common.broken = 1;
    return 0;
  }
  con->request->pub.evcon = &con->common;
  con->request->pub.cb_arg = con->server;
  parser_start(con);
  return call_newreqcb(con);
}

static enum evhttp_parse_result judge_head(struct strata_http_server_connection *con,
                                           const char *data) {
  struct strata_http_request *request = con->request;
  const struct evhttp_head_parser *parser = &request->parser;
  request->pub.type = (enum evhttp_cmd_type)strata_http_method_parse(
      data + parser->method.off, parser->method.len, con->server->ext_method_cmp);
  request->pub.major = (char)parser->version_major;
  request->pub.minor = (char)parser->version_minor;
  return evhttp_request_framing(parser, data, &request->framing);
}

/* Refuses a body that is announced to be too large, or has it thrown away. */
static int allows_body(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  if (request->framing.content_length <= con->common.limits.body_len) return 1;
  /* Nothing is to be read from a client that asks before it sends. */
  if (con->common.linger_flag && !request->framing.expect_continue) {
    request->discard_body = 1;
    return 1;
  }
  refuse_result(con, EVHTTP_PARSE_BODY_TOO_LARGE);
  return 0;
}

static int has_body(const struct strata_http_request *request) {
  return request->framing.body == EVHTTP_BODY_CHUNKED || request->framing.content_length > 0;
}

/* Has a client that waits for it send the body (RFC 9110 10.1.1), unless it has sent some already,
 * or is being answered already. */
static void ask_for_body(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  if (!request->owes_continue || request->paused) return;
  request->owes_continue = 0;
  if (!request->started && evbuffer_get_length(input_of(con)) == 0 &&
      evbuffer_add(strata_http_connection_output(&con->common), "HTTP/1.1 100 Continue\r\n\r\n",
                   25) < 0)
    con->common.broken = 1;
}

static void begin_body(struct strata_http_server_connection *con) {
  con->state = STRATA_HTTP_BODY;
  /* With the flag, what is too much is noticed while it is thrown away. */
  strata_http_message_begin_body(con->request, con->common.limits.body_len,
                                 con->common.linger_flag);
  con->request->owes_continue = con->request->framing.expect_continue;
  ask_for_body(con);
}

static void hand_out(struct strata_http_server_connection *con) {
  if (con->request->discard_body) {
    refuse_result(con, EVHTTP_PARSE_BODY_TOO_LARGE);
    return;
  }
  con->state = STRATA_HTTP_HANDLER;
  con->request->paused = 0;
  if (con->request->provided)
    con->request->dispatched = 1; /* Being answered already. */
  else
    strata_http_dispatch(con);
}

static void mark_proxy(struct strata_http_server_connection *con) {
  struct evhttp_request *req = &con->request->pub;
  if (con->request->framing.target_form == EVHTTP_TARGET_ABSOLUTE && req->host_cache &&
      !strata_http_vhost_knows(con->server, req->host_cache))
    req->flags |= EVHTTP_PROXY_REQUEST;
}

static int accept_head(struct strata_http_server_connection *con, const char *data) {
  struct strata_http_request *request = con->request;
  if (strata_http_request_fill(request, data) < 0) {
    con->common.broken = 1;
    return 0;
  }
  evbuffer_drain(input_of(con), request->parser.consumed);
  con->num_requests++;
  if (request->framing.body != EVHTTP_BODY_CHUNKED)
    request->pub.ntoread = (ev_int64_t)request->framing.content_length;
  mark_proxy(con);
  if (!strata_http_dispatch_allows(con) || !call_header_cb(con) || !allows_body(con)) return 1;
  if (has_body(request))
    begin_body(con);
  else
    hand_out(con);
  return 1;
}

static int read_head(struct strata_http_server_connection *con) {
  enum evhttp_parse_result result;
  const char *data;
  int parsed;
  if (strata_http_server_connection_is_full(con)) return 0;
  if (!begin_request(con)) return 1;
  parsed = strata_http_message_parse_head(con->request, input_of(con), &data);
  if (parsed < 0) con->common.broken = 1;
  if (parsed < 0 || parsed == EVHTTP_PARSE_PARTIAL) return 0;
  result = (enum evhttp_parse_result)parsed;
  if (result == EVHTTP_PARSE_DONE) result = judge_head(con, data);
  if (result == EVHTTP_PARSE_DONE) return accept_head(con, data);
  refuse_result(con, result);
  return 1;
}

/* ---- The body ---- */

/* Moves more of the body to the request. 0 when that failed, and the request with it. */
static int take_body(struct strata_http_server_connection *con) {
  int result = strata_http_message_read_body(con->request, input_of(con));
  if (result < 0) {
    con->common.broken = 1;
    return 0;
  }
  if (evhttp_parse_is_error((enum evhttp_parse_result)result)) {
    refuse_result(con, (enum evhttp_parse_result)result);
    return 0;
  }
  if (result == EVHTTP_PARSE_DONE) con->request->body_complete = 1;
  return 1;
}

static int read_body(struct strata_http_server_connection *con) {
  con->request->resumed = 0;
  ask_for_body(con);
  if (!con->request->body_complete && !take_body(con)) return 1;
  if (!call_chunk_cb(con)) return 1;
  if (con->request->paused || !con->request->body_complete) return 0;
  hand_out(con);
  return 1;
}

int strata_http_reader_step(struct strata_http_server_connection *con) {
  return con->state == STRATA_HTTP_HEAD ? read_head(con) : read_body(con);
}
