#include <event2/buffer.h>

#include "http/client_connection.h"
#include "util/queue.h"

/* Pipelining (RFC 9112 9.3.2): requests are sent behind the current one before its reply is
 * complete. It begins with the second request over a connection, when a reply has shown that the
 * peer speaks HTTP/1.1 and stays. So each of those behind has what the retry of a request asks for
 * when a connection closes early: it is idempotent, without a body, and not the first. What was
 * behind once is sent alone from then on, which bounds how often one is sent, and keeps the one
 * that has a server close from taking others along. */

/* Whether it may be lost and sent again, and leaves the connection as it is. */
static int is_plain(const struct strata_http_request *request) {
  if (!strata_http_client_may_resend(request) || request->pub.minor < 1) return 0;
  if (request->provider.cb || evbuffer_get_length(request->pub.output_buffer) > 0) return 0;
  return !strata_http_client_asks_for(request, "close") &&
         !strata_http_client_asks_for(request, "upgrade");
}

/* Heads that cannot be written would have the current reply end by the write timeout. */
static int has_room(const struct strata_http_client_connection *con) {
  return con->pipelines && con->num_behind + 1 < con->max_in_flight &&
         strata_http_connection_output_len(&con->common) <= STRATA_HTTP_CLIENT_UNSENT;
}

/* Whether the connection will be there after the current reply, as far as can be known. */
static int takes_more(struct strata_http_client_connection *con) {
  const struct strata_http_request *request = con->request;
  if (!con->persists || con->cut || con->upload != STRATA_HTTP_UPLOAD_DONE) return 0;
  if (con->common.eof || con->failed || con->write_failed) return 0;
  /* What is there already cannot be the reply to what is not sent yet. */
  if (evbuffer_get_length(strata_http_connection_input(&con->common)) > 0) return 0;
  /* A server that replies early may never take the rest of the body. */
  if (request->has_sent_body && strata_http_connection_output_len(&con->common) > 0) return 0;
  if (con->state == STRATA_HTTP_CLIENT_BODY) return request->framing.keep_alive;
  return is_plain(request);
}

/* Sends the head whole or not at all; `head` is empty before and after. */
static int send_head(struct strata_http_client_connection *con, struct strata_http_request *request,
                     struct evbuffer *head) {
  struct evbuffer *output = strata_http_connection_output(&con->common);
  if (strata_http_client_write_head(con, request, head) < 0) return -1;
  return evbuffer_add_buffer(output, head);
}

static void put_behind(struct strata_http_client_connection *con,
                       struct strata_http_request *request) {
  EV_TAILQ_REMOVE(&con->requests, &request->pub, next);
  EV_TAILQ_PUSH_BACK(&con->behind, &request->pub, next);
  request->behind = request->was_behind = 1;
  request->wants_upgrade = 0;
  con->num_behind++;
}

static struct strata_http_request *next_to_send(struct strata_http_client_connection *con) {
  struct evhttp_request *req = EV_TAILQ_FIRST(&con->requests);
  struct strata_http_request *request = req ? strata_http_request_of(req) : NULL;
  return request && !request->was_behind && is_plain(request) ? request : NULL;
}

void strata_http_client_pipeline(struct strata_http_client_connection *con) {
  struct strata_http_request *request;
  struct evbuffer *head;
  if (!has_room(con) || !takes_more(con) || !next_to_send(con)) return;
  head = evbuffer_new();
  if (!head) return;
  /* Without memory they wait for their turn. */
  while (has_room(con) && (request = next_to_send(con)) && send_head(con, request, head) == 0)
    put_behind(con, request);
  evbuffer_free(head);
}

struct strata_http_request *strata_http_client_next_behind(
    struct strata_http_client_connection *con) {
  struct strata_http_request *request = strata_http_request_of(EV_TAILQ_FIRST(&con->behind));
  EV_TAILQ_REMOVE(&con->behind, &request->pub, next);
  con->num_behind--;
  request->behind = 0;
  return request;
}

/* Puts those from `req` on back before those that wait. */
static void requeue_from(struct strata_http_client_connection *con, struct evhttp_request *req) {
  struct evhttp_request *next, *last = NULL;
  for (; req; req = next) {
    next = EV_TAILQ_NEXT(req, next);
    EV_TAILQ_REMOVE(&con->behind, req, next);
    con->num_behind--;
    strata_http_request_of(req)->behind = 0;
    if (last)
      EV_TAILQ_INSERT_AFTER(&con->requests, last, req, next);
    else
      EV_TAILQ_PUSH_FRONT(&con->requests, req, next);
    last = req;
  }
}

void strata_http_client_requeue_behind(struct strata_http_client_connection *con) {
  requeue_from(con, EV_TAILQ_FIRST(&con->behind));
}

int strata_http_client_stop_writing(struct strata_http_client_connection *con) {
  if (con->num_behind == 0 ||
      (con->state == STRATA_HTTP_CLIENT_HEAD && !evhttp_head_parser_begun(&con->request->parser)))
    return 0;
  strata_http_client_requeue_behind(con);
  con->write_timed_out = 0;
  con->write_failed = 1;
  return 1;
}

/* Its reply will come all the same, and nothing can be read behind it in order: those after it go
 * over another connection, those before it are left to complete. */
void strata_http_client_leave_pipeline(struct strata_http_client_connection *con,
                                       struct strata_http_request *request) {
  requeue_from(con, EV_TAILQ_NEXT(&request->pub, next));
  EV_TAILQ_REMOVE(&con->behind, &request->pub, next);
  con->num_behind--;
  request->behind = 0;
  con->cut = 1;
}
