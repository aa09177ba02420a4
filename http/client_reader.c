#include <event2/buffer.h>

#include "http/client_connection.h"
#include "http/message.h"
#include "util/queue.h"

static struct evbuffer *input_of(struct strata_http_client_connection *con) {
  return strata_http_connection_input(&con->common);
}

void strata_http_client_reader_start(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  struct evhttp_head_limits limits;
  limits.line_len = con->common.limits.head_len;
  limits.head_len = con->common.limits.head_len;
  limits.num_fields = request->num_fields;
  evhttp_head_parser_init_response(&request->parser, request->fields, &limits);
  request->head_deadline_ns = 0;
}

static int refuse(struct strata_http_client_connection *con, int result) {
  if (result < 0)
    strata_http_client_fail(con, EVREQ_HTTP_BUFFER_ERROR);
  else
    strata_http_client_fail(con, result == EVHTTP_PARSE_BODY_TOO_LARGE ? EVREQ_HTTP_DATA_TOO_LONG
                                                                       : EVREQ_HTTP_INVALID_HEADER);
  return 1;
}

/* Whether the callback that has returned has left the request to us. */
static int may_go_on(struct strata_http_client_connection *con,
                     const struct strata_http_request *request) {
  return !con->common.dead && con->request == request;
}

/* ---- The head ---- */

/* "100 Continue" and its like announce the reply (RFC 9110 15.2). */
static int skip_interim(struct strata_http_client_connection *con, int status) {
  evbuffer_drain(input_of(con), con->request->parser.consumed);
  if (++con->num_interim > STRATA_HTTP_CLIENT_INTERIM) return refuse(con, EVHTTP_PARSE_BAD_STATUS);
  strata_http_client_reader_start(con);
  if (status == 100 && strata_http_client_write_held(con) < 0) con->common.broken = 1;
  return 1;
}

static enum evhttp_response_to answers(const struct strata_http_request *request) {
  if (request->pub.type == EVHTTP_REQ_HEAD) return EVHTTP_RESPONSE_TO_HEAD;
  if (request->pub.type == EVHTTP_REQ_CONNECT) return EVHTTP_RESPONSE_TO_CONNECT;
  return EVHTTP_RESPONSE_TO_OTHER;
}

static int call_header_cb(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  int result;
  if (!request->pub.header_cb) return 1;
  strata_http_request_enter(request);
  result = request->pub.header_cb(&request->pub, request->pub.cb_arg);
  strata_http_request_leave(request, NULL);
  if (!may_go_on(con, request)) return 0;
  if (result >= 0) return 1;
  strata_http_client_fail(con, EVREQ_HTTP_EOF);
  return 0;
}

static void begin_body(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  switch (request->framing.body) {
    case EVHTTP_BODY_TUNNEL:
      con->tunnel = STRATA_HTTP_CLIENT_CONNECTED;
      strata_http_client_complete(con);
      return;
    case EVHTTP_BODY_CHUNKED:
    case EVHTTP_BODY_UNTIL_CLOSE:
      request->pub.ntoread = -1;
      break;
    default:
      request->pub.ntoread = (ev_int64_t)request->framing.content_length;
      request->body_complete = request->framing.content_length == 0;
  }
  con->state = STRATA_HTTP_CLIENT_BODY;
  strata_http_message_begin_body(request, con->common.limits.body_len, 0);
  /* The header callback may have paused what there is none of. */
  if (request->body_complete && !request->paused) strata_http_client_complete(con);
}

static int accept_head(struct strata_http_client_connection *con, const char *data) {
  struct strata_http_request *request = con->request;
  if (strata_http_request_fill_response(request, data) < 0) return refuse(con, -1);
  evbuffer_drain(input_of(con), request->parser.consumed);
  /* A body that is held back stays so: the server has decided without it. */
  con->continue_ns = STRATA_HTTP_NEVER;
  request->pub.kind = EVHTTP_RESPONSE;
  request->pub.response_code = request->parser.status_code;
  request->pub.major = (char)request->parser.version_major;
  request->pub.minor = (char)request->parser.version_minor;
  request->pub.chunked = request->framing.body == EVHTTP_BODY_CHUNKED;
  if (!call_header_cb(con)) return 1;
  if (request->framing.content_length > con->common.limits.body_len)
    return refuse(con, EVHTTP_PARSE_BODY_TOO_LARGE);
  if (request->pub.response_code == 101) {
    con->tunnel = STRATA_HTTP_CLIENT_UPGRADED;
    strata_http_client_complete(con);
  } else {
    begin_body(con);
  }
  return 1;
}

static int judge_head(struct strata_http_client_connection *con, const char *data) {
  struct strata_http_request *request = con->request;
  int status = request->parser.status_code;
  enum evhttp_parse_result result =
      evhttp_response_framing(&request->parser, data, answers(request), &request->framing);
  if (result != EVHTTP_PARSE_DONE) return refuse(con, result);
  if (status >= 200) return accept_head(con, data);
  if (status != 101) return skip_interim(con, status);
  /* A server may not change to what was not asked for (RFC 9110 7.8), nor in mid-request. */
  if (!request->wants_upgrade || con->upload != STRATA_HTTP_UPLOAD_DONE)
    return refuse(con, EVHTTP_PARSE_BAD_STATUS);
  return accept_head(con, data);
}

static int read_head(struct strata_http_client_connection *con) {
  const char *data;
  int result = strata_http_message_parse_head(con->request, input_of(con), &data);
  if (result == EVHTTP_PARSE_PARTIAL) return 0;
  return result == EVHTTP_PARSE_DONE ? judge_head(con, data) : refuse(con, result);
}

/* ---- The body ---- */

/* What a paused callback has left stays for when it goes on. */
static int call_chunk_cb(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  struct evbuffer *body = request->pub.input_buffer;
  if (!request->pub.chunk_cb || evbuffer_get_length(body) == 0) return 1;
  strata_http_request_enter(request);
  request->pub.chunk_cb(&request->pub, request->pub.cb_arg);
  if (!request->paused) evbuffer_drain(body, evbuffer_get_length(body));
  strata_http_request_leave(request, NULL);
  return may_go_on(con, request);
}

static int present(struct strata_http_client_connection *con) {
  if (!call_chunk_cb(con)) return 1;
  if (con->request->paused || !con->request->body_complete) return 0;
  strata_http_client_complete(con);
  return 1;
}

static int read_body(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  request->resumed = 0;
  if (!request->body_complete) {
    int result = strata_http_message_read_body(request, input_of(con));
    if (result < 0 || evhttp_parse_is_error((enum evhttp_parse_result)result))
      return refuse(con, result);
    request->body_complete = result == EVHTTP_PARSE_DONE;
  }
  return present(con);
}

int strata_http_client_reader_step(struct strata_http_client_connection *con) {
  return con->state == STRATA_HTTP_CLIENT_HEAD ? read_head(con) : read_body(con);
}

/* ---- The end ---- */

/* The peer may close an idle connection at any time, so also when a request is
 * on its way (RFC 9112 9.3.1). */
static int is_stale(const struct strata_http_client_connection *con) {
  const struct strata_http_request *request = con->request;
  return con->used && con->state == STRATA_HTTP_CLIENT_HEAD && con->num_interim == 0 &&
         !evhttp_head_parser_begun(&request->parser) && strata_http_client_may_resend(request);
}

static void resend(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  con->request = NULL;
  request->resent = 1;
  strata_http_client_requeue_behind(con);
  EV_TAILQ_PUSH_FRONT(&con->requests, &request->pub, next);
  strata_http_client_disconnect(con);
}

void strata_http_client_reader_end(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  if (con->state == STRATA_HTTP_CLIENT_BODY && con->common.eof && !con->failed &&
      request->framing.body == EVHTTP_BODY_UNTIL_CLOSE)
    strata_http_client_complete(con);
  else if (is_stale(con))
    resend(con);
  else
    strata_http_client_fail(con, con->common.eof ? EVREQ_HTTP_EOF : EVREQ_HTTP_BUFFER_ERROR);
}
