#include "http/client_connection.h"

#include <stddef.h>

#include <event2/event.h>
#include <event2/http_compat.h>

#include "loop/base_clock.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/socket.h"

static int is_exchanging(const struct strata_http_client_connection *con) {
  return con->state == STRATA_HTTP_CLIENT_HEAD || con->state == STRATA_HTTP_CLIENT_BODY;
}

/* ---- The end of an exchange ---- */

void strata_http_client_disconnect(struct strata_http_client_connection *con) {
  struct evhttp_connection *evcon = &con->common;
  int was_open = evcon->open;
  if (evcon->dead) return;
  evcon->open = evcon->eof = evcon->broken = evcon->reading = 0;
  con->connected = con->failed = con->write_failed = con->write_timed_out = con->used = 0;
  con->pipelines = con->cut = 0;
  con->tunnel = STRATA_HTTP_CLIENT_NO_TUNNEL;
  con->upload = STRATA_HTTP_UPLOAD_DONE;
  con->state = STRATA_HTTP_CLIENT_DISCONNECTED;
  strata_http_client_requeue_behind(con);
  strata_http_client_drop_bufferevent(con);
  strata_free(evcon->addr);
  evcon->addr = NULL;
  if (was_open && evcon->closecb) evcon->closecb(evcon, evcon->closecb_arg);
}

void strata_http_client_settle_free(struct strata_http_client_connection *con) {
  if (con->auto_free && !con->common.dead && !strata_http_client_has_requests(con))
    evhttp_connection_free(&con->common);
}

static void tell_keeper(struct strata_http_client_connection *con) {
  if (con->keeper && !strata_http_client_has_requests(con)) con->keeper->on_free(con->keeper_arg);
}

struct strata_http_request *strata_http_client_detach(struct strata_http_client_connection *con) {
  struct strata_http_request *request = con->request;
  con->request = NULL;
  request->pub.evcon = NULL;
  request->paused = request->resumed = 0;
  return request;
}

/* Whether another request can follow on the connection. */
static int persists(const struct strata_http_client_connection *con) {
  if (con->tunnel != STRATA_HTTP_CLIENT_NO_TUNNEL) return 1;
  if (!con->persists || !con->request->framing.keep_alive || con->upload != STRATA_HTTP_UPLOAD_DONE)
    return 0;
  /* The replies to those behind may be there, whatever has come after them. */
  if (con->num_behind > 0) return 1;
  return strata_http_connection_output_len(&con->common) <= STRATA_HTTP_CLIENT_UNSENT &&
         !con->common.eof && !con->failed && !con->write_failed && !con->cut;
}

static void call_cb(struct strata_http_request *request) {
  request->pub.kind = EVHTTP_RESPONSE;
  strata_http_request_enter(request);
  if (request->pub.cb) request->pub.cb(&request->pub, request->pub.cb_arg);
  strata_http_client_let_go(request);
}

void strata_http_client_complete(struct strata_http_client_connection *con) {
  int goes_on = persists(con);
  struct strata_http_request *request = strata_http_client_detach(con);
  con->used = 1;
  con->pipelines = request->pub.minor >= 1 && con->tunnel == STRATA_HTTP_CLIENT_NO_TUNNEL;
  request->dispatched = 1;
  con->state = STRATA_HTTP_CLIENT_IDLE;
  if (!goes_on)
    strata_http_client_disconnect(con);
  else if (strata_http_client_is_kept(con))
    tell_keeper(con); /* For the request that the callback may make. */
  call_cb(request);
  strata_http_client_settle_free(con);
}

void strata_http_client_fail(struct strata_http_client_connection *con,
                             enum evhttp_request_error error) {
  struct strata_http_request *request = con->request;
  struct evhttp_request said;
  if (!request) {
    strata_http_client_disconnect(con);
    return;
  }
  said = request->pub;
  strata_http_request_release(strata_http_client_detach(con), NULL);
  strata_http_client_disconnect(con);
  if (said.error_cb) said.error_cb(error, said.cb_arg);
  if (said.cb) said.cb(NULL, said.cb_arg);
  strata_http_client_settle_free(con);
}

/* ---- Driving ---- */

static int step_disconnected(struct strata_http_client_connection *con) {
  if (EV_TAILQ_EMPTY(&con->requests) || con->parked) {
    con->num_retries = 0;
    return 0;
  }
  strata_http_client_attempt(con);
  return 0;
}

static int step_connecting(struct strata_http_client_connection *con) {
  if (con->connected)
    strata_http_client_attempt_done(con);
  else if (con->failed)
    strata_http_client_attempt_failed(con, EVREQ_HTTP_BUFFER_ERROR);
  else
    return 0;
  return 1;
}

static void await_reply(struct strata_http_client_connection *con,
                        struct strata_http_request *request) {
  con->request = request;
  con->tunnel = STRATA_HTTP_CLIENT_NO_TUNNEL;
  con->state = STRATA_HTTP_CLIENT_HEAD;
  con->num_interim = 0;
  con->silent_ns = 0;
  strata_http_client_reader_start(con);
}

static void begin_exchange(struct strata_http_client_connection *con) {
  struct strata_http_request *request = strata_http_request_of(EV_TAILQ_FIRST(&con->requests));
  EV_TAILQ_REMOVE(&con->requests, &request->pub, next);
  await_reply(con, request);
  if (strata_http_client_write(con) < 0) con->common.broken = 1;
}

/* Bytes that nobody has asked for would be taken for the next reply. */
static int is_spoilt(const struct strata_http_client_connection *con) {
  if (con->common.eof || con->failed || con->write_failed || con->write_timed_out || con->cut)
    return 1;
  return strata_http_connection_input_len(&con->common) > 0 &&
         con->tunnel == STRATA_HTTP_CLIENT_NO_TUNNEL;
}

static int step_idle(struct strata_http_client_connection *con) {
  int has_request = !EV_TAILQ_EMPTY(&con->requests);
  if (con->num_behind > 0) {
    await_reply(con, strata_http_client_next_behind(con));
    return 1;
  }
  if (is_spoilt(con) || (has_request && con->tunnel == STRATA_HTTP_CLIENT_UPGRADED)) {
    strata_http_client_disconnect(con);
    return 1;
  }
  if (has_request) begin_exchange(con);
  return has_request;
}

static int has_to_read(const struct strata_http_client_connection *con) {
  if (strata_http_client_is_paused(con)) return 0;
  return strata_http_connection_input_len(&con->common) > 0 || con->request->resumed;
}

static int step_exchange(struct strata_http_client_connection *con) {
  if (con->common.broken) {
    strata_http_client_fail(con, EVREQ_HTTP_BUFFER_ERROR);
    return 1;
  }
  if (con->write_timed_out && !strata_http_client_stop_writing(con)) {
    strata_http_client_fail(con, EVREQ_HTTP_TIMEOUT);
    return 1;
  }
  if (con->upload == STRATA_HTTP_UPLOAD_PROVIDED) {
    strata_http_client_upload(con);
    if (con->common.dead || !con->request || con->common.broken) return 1;
  }
  if (has_to_read(con) && strata_http_client_reader_step(con)) return 1;
  if (con->common.dead || !con->request || con->common.broken) return 1;
  if ((con->common.eof || con->failed) && !strata_http_client_is_paused(con)) {
    strata_http_client_reader_end(con);
    return 1;
  }
  strata_http_client_pipeline(con);
  return 0;
}

static int step(struct strata_http_client_connection *con) {
  switch (con->state) {
    case STRATA_HTTP_CLIENT_DISCONNECTED:
      return step_disconnected(con);
    case STRATA_HTTP_CLIENT_CONNECTING:
      return step_connecting(con);
    case STRATA_HTTP_CLIENT_IDLE:
      return step_idle(con);
    case STRATA_HTTP_CLIENT_HEAD:
    case STRATA_HTTP_CLIENT_BODY:
      return step_exchange(con);
    case STRATA_HTTP_CLIENT_WAITING:
      break;
  }
  return 0;
}

static int may_read(const struct strata_http_client_connection *con) {
  if (con->common.eof || con->failed) return 0;
  switch (con->state) {
    case STRATA_HTTP_CLIENT_IDLE:
      return con->tunnel == STRATA_HTTP_CLIENT_NO_TUNNEL;
    case STRATA_HTTP_CLIENT_HEAD:
      return 1;
    case STRATA_HTTP_CLIENT_BODY:
      return !strata_http_client_is_paused(con);
    default:
      return 0;
  }
}

static void settle(struct strata_http_client_connection *con) {
  struct evhttp_connection *evcon = &con->common;
  tell_keeper(con);
  if (evcon->open && strata_http_connection_set_reading(evcon, may_read(con) ? 1 : 0) < 0) {
    evcon->broken = 1;
    if (!is_exchanging(con)) strata_http_client_disconnect(con);
    evcon->again = 1;
    return;
  }
  if (strata_http_connection_update_deadline(evcon) < 0) evcon->kind->on_no_memory(evcon);
}

static void on_run(struct evhttp_connection *evcon) {
  struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
  if (evcon->progressed) con->silent_ns = 0;
  evcon->progressed = 0;
  while (!evcon->dead && step(con)) {
  }
  /* Whatever came up so far, step() has seen. */
  evcon->again = 0;
  if (!evcon->dead) settle(con);
}

/* ---- What happens to it ---- */

static void on_event(struct evhttp_connection *evcon, short what) {
  struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
  if (con->state == STRATA_HTTP_CLIENT_CONNECTING) {
    if (what & BEV_EVENT_CONNECTED)
      con->connected = 1;
    else
      con->failed = 1;
  } else if (what & BEV_EVENT_EOF) {
    evcon->eof = 1;
  } else if (what & BEV_EVENT_TIMEOUT) {
    con->write_timed_out = 1;
  } else if (what & BEV_EVENT_ERROR) {
    /* What the peer has sent before it closed may still be read: it can be why. For lack of memory
     * here, it goes on waiting. */
    if (what & BEV_EVENT_WRITING && !strata_error_exhausted(EVUTIL_SOCKET_ERROR()))
      con->write_failed = 1;
    else
      con->failed = 1;
  }
  strata_http_connection_drive(evcon);
}

/* Whether the peer may well be silent. While there is something to send, the write timeout
 * watches. */
static int may_be_silent(const struct strata_http_client_connection *con) {
  if (strata_http_connection_output_len(&con->common) > 0 && !con->write_failed) return 1;
  return con->upload == STRATA_HTTP_UPLOAD_PROVIDED && con->request->provider.waiting;
}

/* Counted from when it began: requests made or cancelled meanwhile do not put it off. */
static int64_t silence_deadline(struct strata_http_client_connection *con, int64_t now_ns) {
  if (strata_http_client_is_paused(con) || may_be_silent(con)) {
    con->silent_ns = 0;
    return STRATA_HTTP_NEVER;
  }
  if (!con->silent_ns) con->silent_ns = now_ns;
  return strata_ns_add(con->silent_ns, con->common.timeouts.read_ns);
}

static int64_t reply_deadline(struct strata_http_client_connection *con, int64_t now_ns) {
  const struct strata_http_request *request = con->request;
  int64_t silence = silence_deadline(con, now_ns);
  if (con->upload == STRATA_HTTP_UPLOAD_HELD) return strata_http_earlier(silence, con->continue_ns);
  if (con->state == STRATA_HTTP_CLIENT_BODY || !evhttp_head_parser_begun(&request->parser))
    return silence;
  return strata_http_earlier(
      silence, strata_http_connection_head_deadline(&con->common, con->request, now_ns));
}

static int64_t deadline(struct evhttp_connection *evcon, int64_t now_ns) {
  struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
  switch (con->state) {
    case STRATA_HTTP_CLIENT_CONNECTING:
    case STRATA_HTTP_CLIENT_WAITING:
      return con->wake_ns;
    case STRATA_HTTP_CLIENT_IDLE:
      if (con->tunnel != STRATA_HTTP_CLIENT_NO_TUNNEL) return STRATA_HTTP_NEVER;
      return strata_ns_add(now_ns, con->idle_ns ? con->idle_ns : evcon->timeouts.read_ns);
    case STRATA_HTTP_CLIENT_HEAD:
    case STRATA_HTTP_CLIENT_BODY:
      return reply_deadline(con, now_ns);
    case STRATA_HTTP_CLIENT_DISCONNECTED:
      break;
  }
  return STRATA_HTTP_NEVER;
}

/* Nobody has said "100 Continue". */
static int is_held_too_long(const struct strata_http_client_connection *con) {
  return con->upload == STRATA_HTTP_UPLOAD_HELD && con->common.deadline_ns == con->continue_ns;
}

static void on_deadline(struct evhttp_connection *evcon) {
  struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
  switch (con->state) {
    case STRATA_HTTP_CLIENT_CONNECTING:
      strata_http_client_attempt_failed(con,
                                        con->failed ? EVREQ_HTTP_BUFFER_ERROR : EVREQ_HTTP_TIMEOUT);
      break;
    case STRATA_HTTP_CLIENT_WAITING:
      con->state = STRATA_HTTP_CLIENT_DISCONNECTED;
      break;
    case STRATA_HTTP_CLIENT_IDLE:
      strata_http_client_disconnect(con);
      break;
    case STRATA_HTTP_CLIENT_HEAD:
    case STRATA_HTTP_CLIENT_BODY:
      if (!is_held_too_long(con))
        strata_http_client_fail(con, EVREQ_HTTP_TIMEOUT);
      else if (strata_http_client_write_held(con) < 0)
        evcon->broken = 1;
      break;
    case STRATA_HTTP_CLIENT_DISCONNECTED:
      break;
  }
}

/* Without a timer nothing may be begun or go on. */
static void on_no_memory(struct evhttp_connection *evcon) {
  struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
  int starts =
      con->state == STRATA_HTTP_CLIENT_CONNECTING || con->state == STRATA_HTTP_CLIENT_WAITING;
  strata_http_connection_enter(evcon);
  if (starts)
    strata_http_client_give_up(con, EVREQ_HTTP_BUFFER_ERROR);
  else
    strata_http_client_fail(con, EVREQ_HTTP_BUFFER_ERROR);
  if (!evcon->dead) strata_http_client_go_on(con);
  strata_http_connection_leave(evcon);
}

/* ---- Requests that leave ---- */

static void on_forget(struct evhttp_connection *evcon, struct strata_http_request *request) {
  struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
  strata_http_connection_enter(evcon);
  if (con->request == request) {
    strata_http_client_detach(con);
    strata_http_client_disconnect(con);
  } else if (request->behind) {
    strata_http_client_leave_pipeline(con, request);
  } else {
    EV_TAILQ_REMOVE(&con->requests, &request->pub, next);
  }
  request->pub.evcon = NULL;
  strata_http_client_settle_free(con);
  if (!evcon->dead) strata_http_client_go_on(con);
  strata_http_connection_leave(evcon);
}

static void on_clear(struct evhttp_connection *evcon) {
  struct strata_http_client_connection *con = strata_http_client_connection_of(evcon);
  if (con->keeper) con->keeper->on_gone(con->keeper_arg);
  con->keeper = NULL;
  if (con->request) strata_http_request_release(strata_http_client_detach(con), NULL);
  strata_http_client_requeue_behind(con);
  while (!EV_TAILQ_EMPTY(&con->requests)) {
    struct evhttp_request *req = EV_TAILQ_FIRST(&con->requests);
    EV_TAILQ_REMOVE(&con->requests, req, next);
    strata_http_request_release(strata_http_request_of(req), NULL);
  }
  strata_free(con->address);
  strata_free(con->unix_path);
  strata_free(con->local_address);
  strata_free(con->known_addr);
  con->address = con->unix_path = con->local_address = NULL;
  con->known_addr = NULL;
}

static const struct strata_http_connection_kind client_kind = {
    on_run, on_event, deadline, on_deadline, on_no_memory, on_forget, on_clear,
};

int strata_http_connection_is_client(const struct evhttp_connection *evcon) {
  return evcon->kind == &client_kind;
}

/* ---- The beginning ---- */

static void set_defaults(struct strata_http_client_connection *con) {
  struct evhttp_connection *evcon = &con->common;
  evcon->limits.line_len = evcon->limits.head_len = STRATA_HTTP_CLIENT_HEAD_LEN;
  evcon->limits.body_len = UINT64_MAX;
  evcon->timeouts.read_ns = evcon->timeouts.write_ns =
      STRATA_HTTP_CLIENT_TIMEOUT_S * STRATA_NS_PER_SECOND;
  evcon->timeouts.connect_ns = STRATA_HTTP_CLIENT_CONNECT_TIMEOUT_S * STRATA_NS_PER_SECOND;
  evcon->timeouts.head_ns = STRATA_HTTP_CLIENT_HEAD_DEADLINE_S * STRATA_NS_PER_SECOND;
  con->retry_ns = STRATA_HTTP_CLIENT_RETRY_S * STRATA_NS_PER_SECOND;
  con->family = AF_UNSPEC;
  con->default_port = STRATA_HTTP_CLIENT_PORT;
  con->max_in_flight = 1;
  EV_TAILQ_INIT(&con->requests);
  EV_TAILQ_INIT(&con->behind);
}

static struct strata_http_client_connection *connection_make(struct event_base *base,
                                                             struct bufferevent *bufev) {
  struct strata_http_client_connection *con = strata_calloc(1, sizeof(*con));
  if (!con) return NULL;
  strata_http_connection_init(&con->common, &client_kind, base, bufev);
  con->common.open = 0;
  con->bufev_is_users = bufev != NULL;
  set_defaults(con);
  return con;
}

/* The user's bufferevent is not taken over by a call that fails. */
static struct evhttp_connection *give_up(struct strata_http_client_connection *con) {
  con->common.bufev = NULL;
  strata_http_connection_clear(&con->common);
  strata_free(con);
  return NULL;
}

struct evhttp_connection *evhttp_connection_base_bufferevent_new(struct event_base *base,
                                                                 struct evdns_base *dnsbase,
                                                                 struct bufferevent *bev,
                                                                 const char *address,
                                                                 ev_uint16_t port) {
  struct strata_http_client_connection *con;
  if (!base) base = bev ? bufferevent_get_base(bev) : strata_http_connection_default_base();
  con = connection_make(base, bev);
  if (!con) return NULL;
  con->dnsbase = dnsbase;
  con->port = port;
  con->address = strata_strdup(address);
  return con->address ? &con->common : give_up(con);
}

struct evhttp_connection *evhttp_connection_base_new(struct event_base *base,
                                                     struct evdns_base *dnsbase,
                                                     const char *address, ev_uint16_t port) {
  return evhttp_connection_base_bufferevent_new(base, dnsbase, NULL, address, port);
}

struct evhttp_connection *evhttp_connection_new(const char *address, ev_uint16_t port) {
  return evhttp_connection_base_new(NULL, NULL, address, port);
}

struct evhttp_connection *evhttp_connection_base_bufferevent_unix_new(struct event_base *base,
                                                                      struct bufferevent *bev,
                                                                      const char *path) {
  struct strata_http_client_connection *con;
  if (!base) base = bev ? bufferevent_get_base(bev) : strata_http_connection_default_base();
  con = connection_make(base, bev);
  if (!con) return NULL;
  con->unix_path = strata_strdup(path);
  return con->unix_path ? &con->common : give_up(con);
}

struct evhttp_connection *evhttp_connection_base_bufferevent_reuse_new(struct event_base *base,
                                                                       struct evdns_base *dnsbase,
                                                                       struct bufferevent *bev) {
  struct strata_http_client_connection *con;
  if (!bev) return NULL;
  con = connection_make(base ? base : bufferevent_get_base(bev), bev);
  if (!con) return NULL;
  con->dnsbase = dnsbase;
  con->common.open = 1;
  con->state = STRATA_HTTP_CLIENT_IDLE;
  bufferevent_disable(bev, EV_READ);
  bufferevent_enable(bev, EV_WRITE);
  if (strata_http_connection_attach(&con->common) < 0) {
    bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
    return give_up(con);
  }
  /* The peer's end is noticed from now on. */
  strata_http_connection_defer(&con->common);
  return &con->common;
}
