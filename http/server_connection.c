#include "http/server_connection.h"

#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "http/reply.h"
#include "http/transport.h"
#include "http/waiting.h"
#include "loop/base_clock.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"

static inline size_t input_len(const struct strata_http_server_connection *con) {
  return strata_http_connection_input_len(&con->common);
}

static inline size_t output_len(const struct strata_http_server_connection *con) {
  return strata_http_connection_output_len(&con->common);
}

int strata_http_server_connection_is_full(const struct strata_http_server_connection *con) {
  return output_len(con) > STRATA_HTTP_OUTPUT_HIGH ||
         con->num_completing >= STRATA_HTTP_MAX_COMPLETING;
}

/* ---- Replies that wait to be written ---- */

static void completing_add(struct strata_http_server_connection *con,
                           struct strata_http_request *request) {
  request->completing = 1;
  con->num_completing++;
  EV_TAILQ_PUSH_BACK(&con->completing, &request->pub, next);
}

static void completing_remove(struct strata_http_server_connection *con,
                              struct strata_http_request *request) {
  request->completing = 0;
  con->num_completing--;
  EV_TAILQ_REMOVE(&con->completing, &request->pub, next);
}

/* ---- The end ---- */

static void release_requests(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  con->request = NULL;
  if (request) strata_http_request_release(request, con->server);
  while (!EV_TAILQ_EMPTY(&con->completing)) {
    request = strata_http_request_of(EV_TAILQ_FIRST(&con->completing));
    completing_remove(con, request);
    strata_http_request_release(request, con->server);
  }
}

static void leave_server(struct strata_http_server_connection *con) {
  if (!con->server) return;
  strata_http_waiting_leave(con);
  EV_TAILQ_REMOVE(&con->server->connections, con, next);
  con->server->num_connections--;
  con->server->num_refused -= (int)con->refused;
  con->server = NULL;
}

static void on_clear(struct evhttp_connection *evcon) {
  struct strata_http_server_connection *con = strata_http_server_connection_of(evcon);
  strata_http_reply_progress_stop(con);
  release_requests(con);
  leave_server(con);
}

void strata_http_server_connections_free(struct evhttp *http) {
  while (!EV_TAILQ_EMPTY(&http->connections)) {
    struct strata_http_server_connection *con = EV_TAILQ_FIRST(&http->connections);
    if (con->common.dead)
      on_clear(&con->common);
    else
      evhttp_connection_free(&con->common);
  }
}

static void report_failure(struct strata_http_server_connection *con,
                           enum evhttp_request_error error) {
  struct strata_http_request *request = con->request;
  strata_http_request_enter(request);
  request->pub.error_cb(error, request->pub.cb_arg);
  strata_http_request_leave(request, strata_http_server_connection_pool(con));
}

void strata_http_server_connection_fail(struct strata_http_server_connection *con,
                                        enum evhttp_request_error error) {
  struct strata_http_request *request = con->request;
  strata_http_connection_enter(&con->common);
  if (request && !request->dispatched && !request->pub.userdone && request->pub.error_cb)
    report_failure(con, error);
  if (!con->common.dead && con->request && con->request->dispatched &&
      !con->request->pub.userdone && !con->request->provided) {
    /* The user holds it and will try to reply; that frees it. */
    con->request->pub.evcon = NULL;
    con->request = NULL;
  }
  evhttp_connection_free(&con->common);
  strata_http_connection_leave(&con->common);
}

/* ---- From request to request ---- */

/* Takes the current request, its reply complete, off the connection, which goes on to the next
 * state. */
static struct strata_http_request *detach(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  con->request = NULL;
  if (!request->close_after) {
    con->state = STRATA_HTTP_HEAD;
  } else {
    /* Before all of the request was read, the peer may be sending still. */
    if (con->state != STRATA_HTTP_HANDLER) con->linger = 1;
    con->state = STRATA_HTTP_FLUSH;
  }
  return request;
}

static void on_forget(struct evhttp_connection *evcon, struct strata_http_request *request) {
  struct strata_http_server_connection *con = strata_http_server_connection_of(evcon);
  if (request->completing) {
    completing_remove(con, request);
  } else if (con->request == request) {
    if (request->pub.userdone) {
      detach(con);
    } else {
      /* It will never be answered, nor can what follows it. */
      con->request = NULL;
      con->common.broken = 1;
    }
    if (!con->common.dead) strata_http_connection_resume(&con->common);
  }
  request->pub.evcon = NULL;
}

/* The current request's reply is complete: goes on to the next. */
static void finish_request(struct strata_http_server_connection *con) {
  struct strata_http_request *request = detach(con);
  if (request->provided) {
    strata_http_body_provider_end(request);
    bufferevent_setwatermark(con->common.bufev, EV_WRITE, 0, 0);
  }
  if (request->pub.on_complete_cb)
    completing_add(con, request);
  else
    strata_http_request_release(request, con->server);
}

static void report_complete(struct strata_http_server_connection *con) {
  struct evhttp_request *req = EV_TAILQ_FIRST(&con->completing);
  struct strata_http_request *request = strata_http_request_of(req);
  completing_remove(con, request);
  strata_http_request_enter(request);
  req->on_complete_cb(req, req->on_complete_cb_arg);
  req->flags &= ~EVHTTP_REQ_DEFER_FREE;
  strata_http_request_release(request, con->server);
}

/* All output has left: tells those who wait for it. */
static void report_written(struct strata_http_server_connection *con) {
  void (*cb)(struct evhttp_connection *, void *);
  while (!con->common.dead && !EV_TAILQ_EMPTY(&con->completing)) report_complete(con);
  /* Those callbacks may have sent more. */
  if (con->common.dead || !con->written_cb || output_len(con) > 0) return;
  cb = con->written_cb;
  con->written_cb = NULL;
  cb(&con->common, con->written_cb_arg);
}

/* Writes more of a reply that is provided. */
static void provide(struct strata_http_server_connection *con) {
  struct strata_http_request *request = con->request;
  strata_http_request_enter(request);
  switch (strata_http_body_provider_fill(request, strata_http_connection_output(&con->common))) {
    case STRATA_HTTP_PROVIDED_ABORT:
      request->close_after = 1;
      request->pub.userdone = 1;
      break;
    case STRATA_HTTP_PROVIDED_ALL:
      request->pub.userdone = 1;
      break;
    case STRATA_HTTP_PROVIDED_NO_MEMORY:
      con->common.broken = 1;
      break;
    case STRATA_HTTP_PROVIDED_SOME:
    case STRATA_HTTP_PROVIDED_GONE:
      break;
  }
  strata_http_request_leave(request, strata_http_server_connection_pool(con));
}

/* ---- Driving ---- */

static int wants_input(const struct strata_http_server_connection *con) {
  return con->state == STRATA_HTTP_HEAD || con->state == STRATA_HTTP_BODY;
}

static int is_paused(const struct strata_http_server_connection *con) {
  return con->state == STRATA_HTTP_BODY && con->request && con->request->paused;
}

/* Whether the reader has something to do: new input, or a paused body that is wanted again. */
static int has_to_read(const struct strata_http_server_connection *con) {
  if (!wants_input(con) || is_paused(con)) return 0;
  return input_len(con) > 0 ||
         (con->state == STRATA_HTTP_BODY && con->request && con->request->resumed);
}

/* Serves requests until there is nothing to do or others should have their turn. */
static void serve(struct strata_http_server_connection *con) {
  int budget = STRATA_HTTP_BUDGET;
  while (!con->common.dead && !con->common.broken) {
    if (output_len(con) == 0) report_written(con);
    if (con->common.dead) return;
    if (con->request && strata_http_body_provider_is_ready(&con->request->provider)) provide(con);
    if (con->common.dead || con->common.broken) return;
    if (con->request && con->request->pub.userdone) {
      finish_request(con);
      continue;
    }
    if (!has_to_read(con)) return;
    if (budget-- == 0) {
      strata_http_connection_defer(&con->common);
      return;
    }
    if (!strata_http_reader_step(con)) return;
  }
}

/* The peer sends no more and all that it sent has been looked at. */
static void end_of_input(struct strata_http_server_connection *con) {
  if (con->common.resuming || strata_http_server_connection_is_full(con) || is_paused(con)) return;
  if (output_len(con) == 0) {
    /* That the client has gone is the likelier meaning while a reply is awaited. */
    strata_http_server_connection_fail(con, EVREQ_HTTP_EOF);
  } else if (wants_input(con)) {
    /* What has been replied still has to leave. */
    if (con->request && con->request->pub.error_cb) report_failure(con, EVREQ_HTTP_EOF);
    if (con->common.dead) return;
    if (con->request) strata_http_request_release(con->request, con->server);
    con->request = NULL;
    con->state = STRATA_HTTP_FLUSH;
  }
}

static void discard_input(struct strata_http_server_connection *con) {
  size_t len = input_len(con);
  if (!len) return;
  /* The peer does not know yet that we have stopped listening. */
  con->linger = 1;
  evbuffer_drain(bufferevent_get_input(con->common.bufev), len);
}

/* Closing a socket with input unread makes the kernel send a reset, which can destroy the reply
 * before the peer has read it: so our side is closed first, and the peer's input awaited. */
static void flushed(struct strata_http_server_connection *con) {
  if (con->linger && !con->common.eof &&
      strata_http_transport_shutdown_write(bufferevent_getfd(con->common.bufev)) == 0) {
    con->state = STRATA_HTTP_LINGER;
    /* It has its time from now on. */
    strata_http_waiting_leave(con);
    con->linger_end_ns = event_base_loop_time_ns(con->common.base) +
                         STRATA_HTTP_LINGER_SILENCES * strata_http_server_linger_silence(con);
  } else {
    evhttp_connection_free(&con->common);
  }
}

/* Reading is left on as long as possible, because it also tells of the peer's end. */
static int may_read(struct strata_http_server_connection *con) {
  if (con->common.eof) return 0;
  switch (con->state) {
    case STRATA_HTTP_BODY:
      return !is_paused(con) || input_len(con) < STRATA_HTTP_INPUT_HIGH;
    case STRATA_HTTP_HEAD:
      /* Waiting for the peer to take replies, or for a turn: what has come is not looked at. */
      if (!con->common.resuming && !strata_http_server_connection_is_full(con)) return 1;
      return input_len(con) < STRATA_HTTP_INPUT_HIGH;
    case STRATA_HTTP_HANDLER:
      return input_len(con) < STRATA_HTTP_INPUT_HIGH;
    default:
      return 1;
  }
}

/* What follows from the state that serve() has left. */
static void settle(struct strata_http_server_connection *con) {
  if (con->common.broken) {
    strata_http_server_connection_fail(con,
                                       con->evicted ? EVREQ_HTTP_TIMEOUT : EVREQ_HTTP_BUFFER_ERROR);
    return;
  }
  if (con->common.eof) end_of_input(con);
  if (con->common.dead) return;
  if (con->state == STRATA_HTTP_FLUSH || con->state == STRATA_HTTP_LINGER) discard_input(con);
  if (con->state == STRATA_HTTP_FLUSH && output_len(con) == 0) flushed(con);
  if (con->common.dead) return;
  strata_http_waiting_update(con);
  if (strata_http_connection_set_reading(&con->common, may_read(con) ? 1 : 0) < 0 ||
      strata_http_connection_update_deadline(&con->common) < 0)
    strata_http_server_connection_fail(con, EVREQ_HTTP_BUFFER_ERROR);
}

static void on_run(struct evhttp_connection *evcon) {
  struct strata_http_server_connection *con = strata_http_server_connection_of(evcon);
  serve(con);
  /* Whatever came up so far, serve() has seen. */
  evcon->again = 0;
  if (!evcon->dead) settle(con);
}

/* ---- What happens to it ---- */

static void on_event(struct evhttp_connection *evcon, short what) {
  struct strata_http_server_connection *con = strata_http_server_connection_of(evcon);
  if (what & BEV_EVENT_EOF) {
    evcon->eof = 1;
    strata_http_connection_drive(evcon);
  } else if (what & BEV_EVENT_TIMEOUT) {
    strata_http_server_connection_fail(con, EVREQ_HTTP_TIMEOUT);
  } else if (what & BEV_EVENT_ERROR) {
    strata_http_server_connection_fail(con, EVREQ_HTTP_BUFFER_ERROR);
  }
}

/* The peer has been silent for too long. */
static void on_deadline(struct evhttp_connection *evcon) {
  struct strata_http_server_connection *con = strata_http_server_connection_of(evcon);
  if (strata_http_reply_progress_is_due(con)) {
    if (!strata_http_reply_progress_check(con))
      strata_http_server_connection_fail(con, EVREQ_HTTP_TIMEOUT);
    return;
  }
  if (wants_input(con) && con->request &&
      (con->state == STRATA_HTTP_BODY || evhttp_head_parser_begun(&con->request->parser)))
    strata_http_reader_refuse(con, 408, EVREQ_HTTP_TIMEOUT);
  else
    strata_http_server_connection_fail(con, EVREQ_HTTP_TIMEOUT);
}

static void on_no_memory(struct evhttp_connection *evcon) {
  strata_http_server_connection_fail(strata_http_server_connection_of(evcon),
                                     EVREQ_HTTP_BUFFER_ERROR);
}

static const struct strata_http_connection_kind server_kind = {
    on_run, on_event, strata_http_server_deadline, on_deadline, on_no_memory, on_forget, on_clear,
};

struct evhttp *evhttp_connection_get_server(struct evhttp_connection *evcon) {
  return evcon->kind == &server_kind ? strata_http_server_connection_of(evcon)->server : NULL;
}

/* ---- The beginning ---- */

static struct bufferevent *make_bufferevent(struct evhttp *http,
                                            struct evhttp_bound_socket *bound) {
  struct bufferevent *bufev = NULL;
  if (bound && bound->bevcb)
    bufev = bound->bevcb(http->base, bound->bevcb_arg);
  else if (http->bevcb)
    bufev = http->bevcb(http->base, http->bevcb_arg);
  return bufev ? bufev : bufferevent_socket_new(http->base, -1, BEV_OPT_CLOSE_ON_FREE);
}

static struct strata_http_server_connection *connection_make(struct evhttp *http,
                                                             struct evhttp_bound_socket *bound,
                                                             const struct sockaddr *addr) {
  struct strata_http_server_connection *con = strata_calloc(1, sizeof(*con));
  struct bufferevent *bufev;
  if (!con) return NULL;
  bufev = make_bufferevent(http, bound);
  if (!bufev) {
    strata_free(con);
    return NULL;
  }
  strata_http_connection_init(&con->common, &server_kind, http->base, bufev);
  con->server = http;
  con->common.limits = http->limits;
  con->common.timeouts = http->timeouts;
  con->common.linger_flag = (http->flags & EVHTTP_SERVER_LINGERING_CLOSE) != 0;
  EV_TAILQ_INIT(&con->completing);
  strata_http_transport_peer(addr, con->common.peer, sizeof(con->common.peer),
                             &con->common.peer_port);
  EV_TAILQ_PUSH_BACK(&http->connections, con, next);
  http->num_connections++;
  return con;
}

/* Serves a connection only to say that there are too many. */
static void connection_refuse(struct strata_http_server_connection *con) {
  con->refused = 1;
  con->server->num_refused++;
  con->request = strata_http_request_acquire(con->server);
  if (!con->request) {
    con->common.broken = 1;
    return;
  }
  con->request->pub.evcon = &con->common;
  strata_http_reply_error(con->request, HTTP_SERVUNAVAIL, NULL, NULL);
}

int strata_http_server_connection_start(struct evhttp *http, struct evhttp_bound_socket *bound,
                                        evutil_socket_t fd, const struct sockaddr *addr,
                                        int refuse) {
  struct strata_http_server_connection *con = connection_make(http, bound, addr);
  struct bufferevent *bufev;
  if (!con) return -1;
  bufev = con->common.bufev;
  strata_http_transport_no_delay(fd);
  if (strata_http_connection_attach(&con->common) < 0 || bufferevent_setfd(bufev, fd) < 0) {
    int owned = bufferevent_getfd(bufev) == fd;
    strata_http_connection_clear(&con->common);
    strata_free(con);
    return owned ? 0 : -1;
  }
  strata_http_connection_enter(&con->common);
  if (refuse) connection_refuse(con);
  strata_http_connection_run(&con->common);
  strata_http_connection_leave(&con->common);
  return 0;
}
