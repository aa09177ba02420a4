#include "http/reply.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "buffer/evbuffer_internal.h"
#include "http/chunk_writer.h"
#include "http/server.h"
#include "http/server_connection.h"
#include "util/log.h"

void strata_http_reply_complete(struct strata_http_request *request) {
  request->pub.userdone = 1;
  strata_http_connection_resume(request->pub.evcon);
}

void strata_http_reply_break(struct strata_http_request *request) {
  request->pub.evcon->broken = 1;
  strata_http_connection_resume(request->pub.evcon);
}

void strata_http_reply_drop(struct strata_http_request *request) {
  request->pub.userdone = 1;
  if (!evhttp_request_is_owned(&request->pub)) evhttp_request_free(&request->pub);
}

static struct evbuffer *output_of(struct strata_http_request *request) {
  return strata_http_connection_output(request->pub.evcon);
}

static const char *default_type(const struct strata_http_request *request) {
  return evhttp_connection_get_server(request->pub.evcon)->default_content_type;
}

static int empty_buffer(struct evbuffer *buffer) {
  return evbuffer_drain(buffer, evbuffer_length(buffer));
}

/* ---- Whole replies ---- */

/* The body: what the user put into the request's own buffer comes before what is handed over. */
static struct evbuffer *whole_body(struct strata_http_request *request, struct evbuffer *databuf) {
  struct evbuffer *own = request->pub.output_buffer;
  if (evbuffer_length(own) == 0) return databuf;
  if (databuf && databuf != own && evbuffer_add_buffer(own, databuf) < 0) return NULL;
  return own;
}

/* A body up to this size is copied behind its head: cheaper than another chain, and another entry
 * of the system call's vector. */
enum { MAX_COPIED_LEN = 1024 };

static int send_copied(struct strata_http_request *request, const struct strata_http_reply *reply,
                       struct evbuffer *body) {
  const char *bytes = (const char *)evbuffer_pullup(body, -1);
  if (!bytes || strata_http_reply_head(request, reply, bytes, (size_t)reply->body_len) < 0)
    return -1;
  return empty_buffer(body);
}

int strata_http_reply_whole(struct strata_http_request *request, struct strata_http_reply *reply,
                            struct evbuffer *body) {
  int is_sent = strata_http_reply_has_body(request, reply->code);
  reply->body_len = evbuffer_length(body);
  if (is_sent && reply->body_len && reply->body_len <= MAX_COPIED_LEN && !evbuffer_has_file(body))
    return send_copied(request, reply, body);
  if (strata_http_reply_head(request, reply, NULL, 0) < 0) return -1;
  return is_sent ? evbuffer_add_buffer(output_of(request), body) : empty_buffer(body);
}

static int send_whole(struct strata_http_request *request, int code, const char *reason,
                      struct evbuffer *databuf) {
  struct evbuffer *body = whole_body(request, databuf);
  struct strata_http_reply reply = {code, reason, 0, STRATA_HTTP_REPLY_WHOLE, default_type(request),
                                    NULL};
  if (databuf && !body) return -1;
  return body ? strata_http_reply_whole(request, &reply, body)
              : strata_http_reply_head(request, &reply, NULL, 0);
}

void evhttp_send_reply(struct evhttp_request *req, int code, const char *reason,
                       struct evbuffer *databuf) {
  struct strata_http_request *request = strata_http_request_of(req);
  if (!req->evcon) {
    if (databuf) empty_buffer(databuf);
    strata_http_reply_drop(request);
    return;
  }
  strata_assert(!req->userdone && !request->started);
  if (send_whole(request, code, reason, databuf) < 0) strata_http_reply_break(request);
  strata_http_reply_complete(request);
}

/* ---- Streamed replies ---- */

void evhttp_send_reply_start(struct evhttp_request *req, int code, const char *reason) {
  struct strata_http_request *request = strata_http_request_of(req);
  struct strata_http_reply reply = {code, reason, 0, STRATA_HTTP_REPLY_STREAMED, NULL, NULL};
  if (!req->evcon) return;
  strata_assert(!req->userdone && !request->started);
  reply.content_type = default_type(request);
  if (strata_http_reply_head(request, &reply, NULL, 0) < 0) strata_http_reply_break(request);
}

/* More than the Content-Length promised would be taken for the next reply. */
static int add_promised(struct strata_http_request *request, struct evbuffer *piece) {
  size_t len = evbuffer_get_length(piece);
  if (len <= request->body_left) {
    request->body_left -= len;
    return evbuffer_add_buffer(output_of(request), piece);
  }
  len = (size_t)request->body_left;
  request->body_left = 0;
  if (len && evbuffer_remove_buffer(piece, output_of(request), len) != (int)len) return -1;
  return empty_buffer(piece);
}

static int add_piece(struct strata_http_request *request, struct evbuffer *piece) {
  if (evbuffer_get_length(piece) == 0) return 0;
  if (!strata_http_reply_has_body(request, request->pub.response_code)) return empty_buffer(piece);
  if (request->pub.chunked) return strata_http_chunk_write(output_of(request), piece);
  if (request->has_length) return add_promised(request, piece);
  return evbuffer_add_buffer(output_of(request), piece);
}

void evhttp_send_reply_chunk_with_cb(struct evhttp_request *req, struct evbuffer *databuf,
                                     void (*cb)(struct evhttp_connection *, void *), void *arg) {
  struct strata_http_request *request = strata_http_request_of(req);
  struct strata_http_server_connection *con;
  if (!req->evcon) {
    empty_buffer(databuf);
    return;
  }
  strata_assert(request->started && !request->provided && !req->userdone);
  con = strata_http_server_connection_of(req->evcon);
  con->written_cb = cb;
  con->written_cb_arg = arg;
  if (add_piece(request, databuf) < 0) strata_http_reply_break(request);
  /* No write will happen that could lead to the callback. */
  if (cb && evbuffer_get_length(output_of(request)) == 0) strata_http_connection_defer(req->evcon);
}

void evhttp_send_reply_chunk(struct evhttp_request *req, struct evbuffer *databuf) {
  evhttp_send_reply_chunk_with_cb(req, databuf, NULL, NULL);
}

void evhttp_send_reply_end(struct evhttp_request *req) {
  struct strata_http_request *request = strata_http_request_of(req);
  if (!req->evcon) {
    strata_http_reply_drop(request);
    return;
  }
  strata_assert(request->started && !request->provided && !req->userdone);
  strata_http_server_connection_of(req->evcon)->written_cb = NULL;
  if (req->chunked && strata_http_chunk_write_last(output_of(request)) < 0)
    strata_http_reply_break(request);
  /* Fewer bytes than promised: only the end of the connection can tell. */
  if (request->has_length && request->body_left) request->close_after = 1;
  strata_http_reply_complete(request);
}

/* ---- Provided replies ---- */

static void provider_start(struct strata_http_request *request, int code) {
  if (!strata_http_reply_has_body(request, code))
    strata_http_body_provider_start(request, STRATA_HTTP_BY_LENGTH, 0);
  else if (request->pub.chunked)
    strata_http_body_provider_start(request, STRATA_HTTP_BY_CHUNKS, 0);
  else if (request->has_length)
    strata_http_body_provider_start(request, STRATA_HTTP_BY_LENGTH, request->body_left);
  else
    strata_http_body_provider_start(request, STRATA_HTTP_BY_CLOSE, 0);
}

void evhttp_send_reply_provided(struct evhttp_request *req, int code, const char *reason,
                                ev_int64_t len, evhttp_body_cb cb, void *arg) {
  struct strata_http_request *request = strata_http_request_of(req);
  struct strata_http_reply reply = {code, reason, 0, STRATA_HTTP_REPLY_STREAMED, NULL, NULL};
  strata_http_body_provider_set(request, len, cb, arg);
  if (!req->evcon) {
    strata_http_body_provider_end(request);
    strata_http_reply_drop(request);
    return;
  }
  strata_assert(!req->userdone && !request->started);
  request->provided = 1;
  reply.content_type = default_type(request);
  if (len >= 0) {
    reply.kind = STRATA_HTTP_REPLY_COUNTED;
    reply.body_len = (uint64_t)len;
  }
  if (strata_http_reply_head(request, &reply, NULL, 0) < 0) {
    strata_http_reply_break(request);
    return;
  }
  provider_start(request, code);
  bufferevent_setwatermark(req->evcon->bufev, EV_WRITE, STRATA_HTTP_PROVIDED_LOW, 0);
  strata_http_connection_resume(req->evcon);
}
