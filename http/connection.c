#include "http/connection.h"

#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "http/reply.h"
#include "http/transport.h"
#include "loop/base_clock.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"

static size_t input_len(const struct evhttp_connection *evcon) {
  return evbuffer_get_length(bufferevent_get_input(evcon->bufev));
}

static size_t output_len(const struct evhttp_connection *evcon) {
  return evbuffer_get_length(bufferevent_get_output(evcon->bufev));
}

int strata_http_connection_is_full(const struct evhttp_connection *evcon) {
  return output_len(evcon) > STRATA_HTTP_OUTPUT_HIGH ||
         evcon->num_completing >= STRATA_HTTP_MAX_COMPLETING;
}

/* ---- Replies that wait to be written ---- */

static void completing_add(struct evhttp_connection *evcon, struct strata_http_request *request) {
  request->completing = 1;
  evcon->num_completing++;
  EV_TAILQ_PUSH_BACK(&evcon->completing, &request->pub, next);
}

static void completing_remove(struct evhttp_connection *evcon,
                              struct strata_http_request *request) {
  request->completing = 0;
  evcon->num_completing--;
  EV_TAILQ_REMOVE(&evcon->completing, &request->pub, next);
}

/* ---- The end ---- */

static void connection_enter(struct evhttp_connection *evcon) {
  evcon->depth++;
}

static void connection_leave(struct evhttp_connection *evcon) {
  if (--evcon->depth == 0 && evcon->dead) strata_free(evcon);
}

static void release_requests(struct evhttp_connection *evcon) {
  struct strata_http_request *request = evcon->request;
  evcon->request = NULL;
  if (request) strata_http_request_release(request, evcon->server);
  while (!EV_TAILQ_EMPTY(&evcon->completing)) {
    request = strata_http_request_of(EV_TAILQ_FIRST(&evcon->completing));
    completing_remove(evcon, request);
    strata_http_request_release(request, evcon->server);
  }
}

static void leave_server(struct evhttp_connection *evcon) {
  if (!evcon->server) return;
  EV_TAILQ_REMOVE(&evcon->server->connections, evcon, next);
  evcon->server->num_connections--;
  evcon->server = NULL;
}

/* Also the end of a connection that was not quite made. */
static void connection_clear(struct evhttp_connection *evcon) {
  strata_http_deadline_stop(evcon);
  release_requests(evcon);
  leave_server(evcon);
  bufferevent_free(evcon->bufev);
  evcon->bufev = NULL;
  strata_free(evcon->addr);
  evcon->addr = NULL;
}

void evhttp_connection_free(struct evhttp_connection *evcon) {
  if (evcon->dead) return;
  evcon->dead = 1;
  connection_enter(evcon);
  if (evcon->closecb) evcon->closecb(evcon, evcon->closecb_arg);
  connection_clear(evcon);
  connection_leave(evcon);
}

void strata_http_connections_free(struct evhttp *http) {
  while (!EV_TAILQ_EMPTY(&http->connections)) {
    struct evhttp_connection *evcon = EV_TAILQ_FIRST(&http->connections);
    if (evcon->dead) {
      release_requests(evcon);
      leave_server(evcon);
    } else {
      evhttp_connection_free(evcon);
    }
  }
}

static void report_failure(struct evhttp_connection *evcon, enum evhttp_request_error error) {
  struct strata_http_request *request = evcon->request;
  strata_http_request_enter(request);
  request->pub.error_cb(error, request->pub.cb_arg);
  strata_http_request_leave(request, evcon->dead ? NULL : evcon->server);
}

void strata_http_connection_fail(struct evhttp_connection *evcon, enum evhttp_request_error error) {
  struct strata_http_request *request = evcon->request;
  connection_enter(evcon);
  if (request && !request->dispatched && !request->pub.userdone && request->pub.error_cb)
    report_failure(evcon, error);
  if (!evcon->dead && evcon->request && evcon->request->dispatched &&
      !evcon->request->pub.userdone) {
    /* The user holds it and will try to reply; that frees it. */
    evcon->request->pub.evcon = NULL;
    evcon->request = NULL;
  }
  evhttp_connection_free(evcon);
  connection_leave(evcon);
}

/* ---- From request to request ---- */

void strata_http_connection_defer(struct evhttp_connection *evcon) {
  if (evcon->resuming) return;
  evcon->resuming = 1;
  event_active(&evcon->resume, EV_TIMEOUT, 0);
}

void strata_http_connection_resume(struct evhttp_connection *evcon) {
  evcon->again = 1;
  if (evcon->depth == 0) strata_http_connection_defer(evcon);
}

struct strata_http_request *strata_http_connection_detach(struct evhttp_connection *evcon) {
  struct strata_http_request *request = evcon->request;
  evcon->request = NULL;
  if (!request->close_after) {
    evcon->state = STRATA_HTTP_HEAD;
  } else {
    /* Before all of the request was read, the peer may be sending still. */
    if (evcon->state != STRATA_HTTP_HANDLER) evcon->linger = 1;
    evcon->state = STRATA_HTTP_FLUSH;
  }
  return request;
}

void strata_http_connection_forget(struct evhttp_connection *evcon,
                                   struct strata_http_request *request) {
  if (request->completing) {
    completing_remove(evcon, request);
  } else if (evcon->request == request) {
    if (request->pub.userdone) {
      strata_http_connection_detach(evcon);
    } else {
      /* It will never be answered, nor can what follows it. */
      evcon->request = NULL;
      evcon->broken = 1;
    }
    if (!evcon->dead) strata_http_connection_resume(evcon);
  }
  request->pub.evcon = NULL;
}

/* The current request's reply is complete: goes on to the next. */
static void finish_request(struct evhttp_connection *evcon) {
  struct strata_http_request *request = strata_http_connection_detach(evcon);
  if (request->pub.on_complete_cb)
    completing_add(evcon, request);
  else
    strata_http_request_release(request, evcon->server);
}

static void report_complete(struct evhttp_connection *evcon) {
  struct evhttp_request *req = EV_TAILQ_FIRST(&evcon->completing);
  struct strata_http_request *request = strata_http_request_of(req);
  completing_remove(evcon, request);
  strata_http_request_enter(request);
  req->on_complete_cb(req, req->on_complete_cb_arg);
  req->flags &= ~EVHTTP_REQ_DEFER_FREE;
  strata_http_request_release(request, evcon->server);
}

/* All output has left: tells those who wait for it. */
static void report_written(struct evhttp_connection *evcon) {
  void (*cb)(struct evhttp_connection *, void *) = evcon->written_cb;
  while (!evcon->dead && !EV_TAILQ_EMPTY(&evcon->completing)) report_complete(evcon);
  if (evcon->dead || !cb) return;
  evcon->written_cb = NULL;
  cb(evcon, evcon->written_cb_arg);
}

/* ---- Driving ---- */

static int wants_input(const struct evhttp_connection *evcon) {
  return evcon->state == STRATA_HTTP_HEAD || evcon->state == STRATA_HTTP_BODY;
}

/* Serves requests until there is nothing to do or others should have their turn. */
static void serve(struct evhttp_connection *evcon) {
  int budget = STRATA_HTTP_BUDGET;
  while (!evcon->dead && !evcon->broken) {
    if (output_len(evcon) == 0) report_written(evcon);
    if (evcon->dead) return;
    if (evcon->request && evcon->request->pub.userdone) {
      finish_request(evcon);
      continue;
    }
    if (!wants_input(evcon) || input_len(evcon) == 0) return;
    if (budget-- == 0) {
      strata_http_connection_defer(evcon);
      return;
    }
    if (!strata_http_reader_step(evcon)) return;
  }
}

/* The peer sends no more and all that it sent has been looked at. */
static void end_of_input(struct evhttp_connection *evcon) {
  if (evcon->resuming || strata_http_connection_is_full(evcon)) return;
  if (output_len(evcon) == 0) {
    /* That the client has gone is the likelier meaning while a reply is awaited. */
    strata_http_connection_fail(evcon, EVREQ_HTTP_EOF);
  } else if (wants_input(evcon)) {
    /* What has been replied still has to leave. */
    if (evcon->request && evcon->request->pub.error_cb) report_failure(evcon, EVREQ_HTTP_EOF);
    if (evcon->dead) return;
    if (evcon->request) strata_http_request_release(evcon->request, evcon->server);
    evcon->request = NULL;
    evcon->state = STRATA_HTTP_FLUSH;
  }
}

static void discard_input(struct evhttp_connection *evcon) {
  size_t len = input_len(evcon);
  if (!len) return;
  /* The peer does not know yet that we have stopped listening. */
  evcon->linger = 1;
  evcon->discarded_len += len;
  evbuffer_drain(bufferevent_get_input(evcon->bufev), len);
}

/* Closing a socket with input unread makes the kernel send a reset, which can destroy the reply
 * before the peer has read it: so our side is closed first, and the peer's input awaited. */
static void flushed(struct evhttp_connection *evcon) {
  if (evcon->linger && !evcon->eof &&
      strata_http_transport_shutdown_write(bufferevent_getfd(evcon->bufev)) == 0) {
    evcon->state = STRATA_HTTP_LINGER;
    evcon->deadline_ns =
        event_base_loop_time_ns(evcon->base) + (int64_t)STRATA_HTTP_LINGER_S * STRATA_NS_PER_SECOND;
  } else {
    evhttp_connection_free(evcon);
  }
}

static int may_read(struct evhttp_connection *evcon) {
  if (evcon->eof) return 0;
  switch (evcon->state) {
    case STRATA_HTTP_BODY:
      return 1;
    case STRATA_HTTP_HEAD:
      /* Waiting for the peer to take replies, or for a turn: what has come is not looked at. */
      if (!evcon->resuming && !strata_http_connection_is_full(evcon)) return 1;
      return input_len(evcon) < STRATA_HTTP_INPUT_HIGH;
    case STRATA_HTTP_HANDLER:
      return input_len(evcon) < STRATA_HTTP_INPUT_HIGH;
    default:
      return evcon->discarded_len < STRATA_HTTP_LINGER_BYTES;
  }
}

/* Switches reading, which is left on as long as possible because it also tells of the peer's
 * end. */
static int update_reading(struct evhttp_connection *evcon) {
  unsigned want = may_read(evcon) ? 1 : 0;
  if (want == evcon->reading) return 0;
  evcon->reading = want;
  return want ? bufferevent_enable(evcon->bufev, EV_READ)
              : bufferevent_disable(evcon->bufev, EV_READ);
}

/* What follows from the state that serve() has left. */
static void settle(struct evhttp_connection *evcon) {
  if (evcon->broken) {
    strata_http_connection_fail(evcon, EVREQ_HTTP_BUFFER_ERROR);
    return;
  }
  if (evcon->eof) end_of_input(evcon);
  if (evcon->dead) return;
  if (evcon->state == STRATA_HTTP_FLUSH || evcon->state == STRATA_HTTP_LINGER) discard_input(evcon);
  if (evcon->state == STRATA_HTTP_FLUSH && output_len(evcon) == 0) flushed(evcon);
  if (evcon->dead) return;
  if (evcon->state == STRATA_HTTP_LINGER && evcon->discarded_len >= STRATA_HTTP_LINGER_BYTES) {
    evhttp_connection_free(evcon);
    return;
  }
  if (update_reading(evcon) < 0 || strata_http_deadline_update(evcon) < 0)
    strata_http_connection_fail(evcon, EVREQ_HTTP_BUFFER_ERROR);
}

/* Called between connection_enter() and connection_leave(). */
static void run(struct evhttp_connection *evcon) {
  evcon->again = 1;
  while (evcon->again && !evcon->dead) {
    serve(evcon);
    /* Whatever came up so far, serve() has seen. */
    evcon->again = 0;
    if (!evcon->dead) settle(evcon);
  }
}

void strata_http_connection_drive(struct evhttp_connection *evcon) {
  if (evcon->dead) return;
  evcon->again = 1;
  /* A user callback runs the loop within the loop: its return comes back to run(). */
  if (evcon->depth > 0) return;
  connection_enter(evcon);
  run(evcon);
  connection_leave(evcon);
}

/* ---- What happens to it ---- */

static void on_read(struct bufferevent *bufev, void *arg) {
  (void)bufev;
  strata_http_connection_drive(arg);
}

static void on_write(struct bufferevent *bufev, void *arg) {
  (void)bufev;
  strata_http_connection_drive(arg);
}

static void on_event(struct bufferevent *bufev, short what, void *arg) {
  struct evhttp_connection *evcon = arg;
  (void)bufev;
  if (what & BEV_EVENT_EOF) {
    evcon->eof = 1;
    strata_http_connection_drive(evcon);
  } else if (what & BEV_EVENT_TIMEOUT) {
    strata_http_connection_fail(evcon, EVREQ_HTTP_TIMEOUT);
  } else if (what & BEV_EVENT_ERROR) {
    strata_http_connection_fail(evcon, EVREQ_HTTP_BUFFER_ERROR);
  }
}

static void on_resume(evutil_socket_t fd, short what, void *arg) {
  struct evhttp_connection *evcon = arg;
  (void)fd;
  (void)what;
  evcon->resuming = 0;
  strata_http_connection_drive(evcon);
}

/* The peer has been silent for too long. */
static void on_deadline(evutil_socket_t fd, short what, void *arg) {
  struct evhttp_connection *evcon = arg;
  (void)fd;
  (void)what;
  if (!strata_http_deadline_passed(evcon)) {
    if (strata_http_deadline_rearm(evcon) < 0)
      strata_http_connection_fail(evcon, EVREQ_HTTP_BUFFER_ERROR);
    return;
  }
  if (evcon->depth > 0) return;
  if (wants_input(evcon) && evcon->request &&
      (evcon->state == STRATA_HTTP_BODY || evhttp_head_parser_begun(&evcon->request->parser))) {
    connection_enter(evcon);
    strata_http_reader_refuse(evcon, 408, EVREQ_HTTP_TIMEOUT);
    run(evcon);
    connection_leave(evcon);
  } else {
    strata_http_connection_fail(evcon, EVREQ_HTTP_TIMEOUT);
  }
}

/* ---- The beginning ---- */

static struct bufferevent *make_bufferevent(struct evhttp_bound_socket *bound) {
  struct evhttp *http = bound->http;
  struct bufferevent *bufev = NULL;
  if (bound->bevcb)
    bufev = bound->bevcb(http->base, bound->bevcb_arg);
  else if (http->bevcb)
    bufev = http->bevcb(http->base, http->bevcb_arg);
  return bufev ? bufev : bufferevent_socket_new(http->base, -1, BEV_OPT_CLOSE_ON_FREE);
}

static struct evhttp_connection *connection_make(struct evhttp_bound_socket *bound,
                                                 const struct sockaddr *addr) {
  struct evhttp *http = bound->http;
  struct evhttp_connection *evcon = strata_calloc(1, sizeof(*evcon));
  if (!evcon) return NULL;
  evcon->bufev = make_bufferevent(bound);
  if (!evcon->bufev) {
    strata_free(evcon);
    return NULL;
  }
  evcon->server = http;
  evcon->base = http->base;
  evcon->limits = http->limits;
  evcon->timeouts = http->timeouts;
  evcon->linger_flag = (http->flags & EVHTTP_SERVER_LINGERING_CLOSE) != 0;
  EV_TAILQ_INIT(&evcon->completing);
  strata_http_deadline_init(evcon, on_deadline, on_resume);
  strata_http_transport_peer(addr, evcon->peer, sizeof(evcon->peer), &evcon->peer_port);
  EV_TAILQ_PUSH_BACK(&http->connections, evcon, next);
  http->num_connections++;
  return evcon;
}

static int connection_open(struct evhttp_connection *evcon, evutil_socket_t fd) {
  struct timeval write_tv = strata_ns_to_timeval(evcon->timeouts.write_ns);
  bufferevent_setcb(evcon->bufev, on_read, on_write, on_event, evcon);
  if (bufferevent_set_timeouts(evcon->bufev, NULL, &write_tv) < 0) return -1;
  return bufferevent_setfd(evcon->bufev, fd);
}

/* Serves a connection only to say that there are too many. */
static void connection_refuse(struct evhttp_connection *evcon) {
  evcon->request = strata_http_request_acquire(evcon->server);
  if (!evcon->request) {
    evcon->broken = 1;
    return;
  }
  evcon->request->pub.evcon = evcon;
  strata_http_reply_error(evcon->request, HTTP_SERVUNAVAIL, NULL, NULL);
}

int strata_http_connection_start(struct evhttp_bound_socket *bound, evutil_socket_t fd,
                                 const struct sockaddr *addr, int refuse) {
  struct evhttp_connection *evcon = connection_make(bound, addr);
  if (!evcon) return -1;
  strata_http_transport_no_delay(fd);
  if (connection_open(evcon, fd) < 0) {
    int owned = bufferevent_getfd(evcon->bufev) == fd;
    connection_clear(evcon);
    strata_free(evcon);
    return owned ? 0 : -1;
  }
  connection_enter(evcon);
  if (refuse) connection_refuse(evcon);
  run(evcon);
  connection_leave(evcon);
  return 0;
}
