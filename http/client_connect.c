#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "http/client_connection.h"
#include "http/transport.h"
#include "loop/base_clock.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"

/* ---- The bufferevent ---- */

struct bufferevent *strata_http_client_bufferevent(struct strata_http_client_connection *con) {
  struct evhttp_connection *evcon = &con->common;
  if (evcon->bufev || !evcon->base || evcon->dead) return evcon->bufev;
  evcon->bufev = con->keeper ? con->keeper->make_bufferevent(con->keeper_arg)
                             : bufferevent_socket_new(evcon->base, -1, BEV_OPT_CLOSE_ON_FREE);
  return evcon->bufev;
}

static void empty(struct evbuffer *buffer) {
  evbuffer_drain(buffer, evbuffer_get_length(buffer));
}

/* Whether the bufferevent can be used for another attempt. */
static int rewind_users(struct bufferevent *bufev) {
  struct evbuffer *output = bufferevent_get_output(bufev);
  bufferevent_setcb(bufev, NULL, NULL, NULL, NULL);
  bufferevent_setwatermark(bufev, EV_WRITE, 0, 0);
  bufferevent_disable(bufev, EV_READ | EV_WRITE);
  /* Without a socket it may be looking the host's name up, which this ends. */
  if (bufferevent_replacefd(bufev, -1) < 0 && bufferevent_getfd(bufev) >= 0) return -1;
  empty(bufferevent_get_input(bufev));
  /* Only a bufferevent itself takes from the front of its output. */
  evbuffer_unfreeze(output, 1);
  empty(output);
  evbuffer_freeze(output, 1);
  return 0;
}

void strata_http_client_drop_bufferevent(struct strata_http_client_connection *con) {
  struct bufferevent *bufev = con->common.bufev;
  if (!bufev) return;
  if (con->bufev_is_users && rewind_users(bufev) == 0) return;
  con->common.bufev = NULL;
  bufferevent_free(bufev);
}

/* ---- Connecting ---- */

static int connect_to(struct strata_http_client_connection *con,
                      const struct sockaddr_storage *addr) {
  int len = strata_http_transport_address_len(addr);
  return bufferevent_socket_connect(con->common.bufev, (const struct sockaddr *)addr, len);
}

static int connect_local(struct strata_http_client_connection *con) {
  struct sockaddr_storage addr;
  if (strata_http_transport_local_address(con->unix_path, &addr) < 0) return -1;
  return connect_to(con, &addr);
}

/* Gives the bufferevent a socket that is bound as the user wants it. */
static int bind_socket(struct strata_http_client_connection *con) {
  evutil_socket_t fd;
  if (con->local_is_lost) return -1;
  if (!con->local_address && !con->local_port) return 0;
  fd = strata_http_transport_bound_socket(con->local_address, con->local_port, con->family);
  if (fd < 0) return -1;
  if (bufferevent_setfd(con->common.bufev, fd) == 0) return 0;
  evutil_closesocket(fd);
  return -1;
}

static int launch(struct strata_http_client_connection *con) {
  if (con->unix_path) return connect_local(con);
  if (!con->address || bind_socket(con) < 0) return -1;
  if (con->known_addr && con->common.reuse_addr_flag) return connect_to(con, con->known_addr);
  return bufferevent_socket_connect_hostname(con->common.bufev, con->dnsbase, con->family,
                                             con->address, con->port);
}

int strata_http_client_connect(struct strata_http_client_connection *con) {
  struct evhttp_connection *evcon = &con->common;
  if (!strata_http_client_bufferevent(con)) return -1;
  strata_http_connection_listen(evcon);
  bufferevent_disable(evcon->bufev, EV_READ);
  con->state = STRATA_HTTP_CLIENT_CONNECTING;
  con->wake_ns = strata_ns_add(event_base_loop_time_ns(evcon->base), evcon->timeouts.connect_ns);
  if (bufferevent_set_timeouts(evcon->bufev, NULL, NULL) == 0 &&
      bufferevent_enable(evcon->bufev, EV_WRITE) == 0 && launch(con) == 0 &&
      strata_http_connection_update_deadline(evcon) == 0)
    return 0;
  con->state = STRATA_HTTP_CLIENT_DISCONNECTED;
  strata_http_client_drop_bufferevent(con);
  return -1;
}

void strata_http_client_attempt(struct strata_http_client_connection *con) {
  if (strata_http_client_connect(con) == 0) return;
  /* Requests made by the callbacks of those that fail are not tried at once
   * again and again. */
  con->state = STRATA_HTTP_CLIENT_CONNECTING;
  con->failed = 1;
  con->wake_ns = event_base_loop_time_ns(con->common.base);
}

void strata_http_client_attempt_done(struct strata_http_client_connection *con) {
  struct evhttp_connection *evcon = &con->common;
  evutil_socket_t fd = bufferevent_getfd(evcon->bufev);
  struct sockaddr_storage addr;
  con->state = STRATA_HTTP_CLIENT_IDLE;
  con->connected = 0;
  con->num_retries = 0;
  evcon->open = 1;
  evcon->reading = 0;
  if (!con->unix_path) strata_http_transport_no_delay(fd);
  if (evcon->reuse_addr_flag && !con->unix_path && !con->known_addr &&
      strata_http_transport_peer_address(fd, &addr) == 0) {
    con->known_addr = strata_malloc(sizeof(addr));
    if (con->known_addr) *con->known_addr = addr;
  }
  if (strata_http_connection_attach(evcon) < 0) con->failed = 1;
}

/* ---- Attempts that come to nothing ---- */

static int64_t retry_delay(const struct strata_http_client_connection *con) {
  const int64_t most = STRATA_HTTP_CLIENT_RETRY_MAX_S * STRATA_NS_PER_SECOND;
  int64_t delay = con->retry_ns;
  int i;
  for (i = 0; i < con->num_retries && delay < most; i++) delay *= 2;
  return delay < most ? delay : most;
}

/* Nothing has been sent: the callback gets the request as it was. */
static void report(struct strata_http_request *request, enum evhttp_request_error error) {
  struct evhttp_request *req = &request->pub;
  req->evcon = NULL;
  strata_http_request_enter(request);
  if (req->error_cb) req->error_cb(error, req->cb_arg);
  /* The error callback may have cancelled or freed it. */
  if (req->cb && !(req->flags & EVHTTP_REQ_NEEDS_FREE)) req->cb(req, req->cb_arg);
  strata_http_client_let_go(request);
}

/* Those that are there now, not those that their callbacks make. */
static void fail_all(struct strata_http_client_connection *con, enum evhttp_request_error error) {
  struct evhttp_request *req;
  EV_TAILQ_FOREACH(req, &con->requests, next)
  strata_http_request_of(req)->completing = 1;
  while (!con->common.dead && (req = EV_TAILQ_FIRST(&con->requests)) != NULL &&
         strata_http_request_of(req)->completing) {
    strata_http_request_of(req)->completing = 0;
    EV_TAILQ_REMOVE(&con->requests, req, next);
    report(strata_http_request_of(req), error);
  }
  strata_http_client_settle_free(con);
}

void strata_http_client_give_up(struct strata_http_client_connection *con,
                                enum evhttp_request_error error) {
  strata_http_client_disconnect(con);
  con->num_retries = 0;
  fail_all(con, error);
}

void strata_http_client_attempt_failed(struct strata_http_client_connection *con,
                                       enum evhttp_request_error error) {
  if (con->retry_max < 0 || con->num_retries < con->retry_max) {
    strata_http_client_disconnect(con);
    con->state = STRATA_HTTP_CLIENT_WAITING;
    con->wake_ns = strata_ns_add(event_base_loop_time_ns(con->common.base), retry_delay(con));
    con->num_retries++;
    return;
  }
  strata_http_client_give_up(con, error);
}
