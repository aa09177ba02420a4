#ifndef STRATA_HTTP_SERVER_CONNECTION_H_
#define STRATA_HTTP_SERVER_CONNECTION_H_

#include <stdint.h>

#include "http/connection.h"
#include "http/reply_progress.h"
#include "http/server.h"

/* One connection of a server, and what it is at:
 *
 *            +--------------------- reply complete, persists ------------------+
 *            v                                                                 |
 *   HEAD --head--> BODY --body--> HANDLER --reply complete---------------------+
 *     |             |                                                          |
 *     +--malformed--+----------> FLUSH <-------------- reply complete, closes -+
 *                                  |  all written
 *                                  v
 *                                LINGER --peer closes, is silent, or time--> freed
 *
 * There is one request at a time: what a client pipelines waits in the input buffer. */
enum strata_http_state {
  STRATA_HTTP_HEAD,    /* No request, or part of a head. */
  STRATA_HTTP_BODY,    /* The head is there, the body is not. */
  STRATA_HTTP_HANDLER, /* The user has the request and owes the reply. */
  STRATA_HTTP_FLUSH,   /* The last reply is on its way out. */
  STRATA_HTTP_LINGER,  /* Our side is closed; the peer's bytes are thrown away. */
};

/* Requests served in one go before other connections get their turn. */
enum { STRATA_HTTP_BUDGET = 16 };
/* Bytes of output above which no further request is begun. */
enum { STRATA_HTTP_OUTPUT_HIGH = 256 * 1024 };
/* Requests, replied to and kept until that is written, above which none is begun either. */
enum { STRATA_HTTP_MAX_COMPLETING = 64 };
/* Bytes of input, not wanted at the time, above which reading stops. */
enum { STRATA_HTTP_INPUT_HIGH = 64 * 1024 };
/* What a lingering close puts up with: silence for that long (for the read timeout, if that is
 * shorter), and that many times as long in all. Bytes are not counted: a client that looks at the
 * reply only when it has sent everything is to get it. */
enum { STRATA_HTTP_LINGER_SILENCE_S = 5, STRATA_HTTP_LINGER_SILENCES = 6 };

struct strata_http_server_connection {
  struct evhttp_connection common;
  EVENT_TAILQ_ENTRY_(strata_http_server_connection) next;
  struct evhttp *server; /* NULL once dead. */

  enum strata_http_state state;
  unsigned linger : 1;                 /* The peer may still be sending: close with patience. */
  struct strata_http_request *request; /* The one being read, handled or replied to. */
  /* Replied to, with a callback for when that has been written. */
  EVENT_TAILQ_HEAD_(, evhttp_request) completing;
  int num_completing;
  void (*written_cb)(struct evhttp_connection *, void *); /* Of a chunk; called once. */
  void *written_cb_arg;
  int64_t linger_end_ns; /* LINGER: when it is over, however much comes. */
  struct strata_http_reply_progress progress;

  uint32_t num_requests; /* Whose heads have come. */
  /* In which of the server's lists (enum strata_http_waiting); since when, and after which request.
   */
  unsigned waiting : 2;
  unsigned refused : 1; /* It is above the limit on connections. */
  unsigned evicted : 1; /* It is to make room for another. */
  uint32_t waiting_after;
  int64_t waiting_since_ns;
  EVENT_TAILQ_ENTRY_(strata_http_server_connection) next_waiting;
};

static inline struct strata_http_server_connection *strata_http_server_connection_of(
    struct evhttp_connection *evcon) {
  return (struct strata_http_server_connection *)evcon;
}

/* Starts serving an accepted socket, which it owns from then on. `bound` is where it was accepted,
 * or NULL. `refuse`: only to say that there are too many. Returns 0; or -1 with the socket still
 * the caller's. */
int strata_http_server_connection_start(struct evhttp *http, struct evhttp_bound_socket *bound,
                                        evutil_socket_t fd, const struct sockaddr *addr,
                                        int refuse);

/* Frees all connections of a server. Called from a connection's close callback it only cuts that
 * connection off, which is on its way already. */
void strata_http_server_connections_free(struct evhttp *http);

/* Whether replies have piled up: those have to leave before another request is begun. */
int strata_http_server_connection_is_full(const struct strata_http_server_connection *con);

/* Closes on an error of the peer or of the transport. A request that waits for the user's reply
 * is left to the user, one that was not complete is reported to its error callback. */
void strata_http_server_connection_fail(struct strata_http_server_connection *con,
                                        enum evhttp_request_error error);

/* Where requests go back to after a callback: the server, or NULL once the connection is dead. */
static inline struct evhttp *strata_http_server_connection_pool(
    const struct strata_http_server_connection *con) {
  return con->common.dead ? NULL : con->server;
}

/* ---- http/reader.c ---- */

/* Reads as much as there is of the current request, and hands it to the user when it is complete.
 * Returns 1 when something came of it (a reply, a request handed out), 0 when more input is
 * needed or wanted only later. */
int strata_http_reader_step(struct strata_http_server_connection *con);

/* Answers the current request, which is malformed or came too late, with an error page; the
 * connection closes after it. Its error callback is told before. */
void strata_http_reader_refuse(struct strata_http_server_connection *con, int status,
                               enum evhttp_request_error error);

/* ---- http/dispatch.c ---- */

/* Whether requests of this method are served; if not, refuses it (405 or 501) and returns 0. */
int strata_http_dispatch_allows(struct strata_http_server_connection *con);

/* Calls the callback that is to answer the current, complete request. */
void strata_http_dispatch(struct strata_http_server_connection *con);

/* ---- http/deadline.c ---- */

/* How long the peer may be silent in LINGER. */
int64_t strata_http_server_linger_silence(const struct strata_http_server_connection *con);

/* When the peer has been silent for too long, by the connection's state. */
int64_t strata_http_server_deadline(struct evhttp_connection *evcon, int64_t now_ns);

/* Whether a body is so late that another client may have the place: no packet that is on its way
 * would make up for it. */
int strata_http_server_body_is_behind(const struct strata_http_server_connection *con,
                                      int64_t now_ns);

#endif
