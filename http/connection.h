#ifndef STRATA_HTTP_CONNECTION_H_
#define STRATA_HTTP_CONNECTION_H_

#include <stdint.h>

#include <event2/bufferevent.h>
#include <event2/event_struct.h>
#include <event2/http.h>

#include "http/request.h"
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
 *                                LINGER --peer closes, enough bytes, or time--> freed
 *
 * There is one request at a time: what a client pipelines waits in the input buffer. All that
 * happens to a connection is followed by strata_http_connection_drive(), the only place where
 * states advance; user callbacks run below it. A callback may free the connection: it is then
 * `dead`, everything of it but the struct is gone, and the struct goes when drive() returns. */
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
/* What a lingering close puts up with. */
enum { STRATA_HTTP_LINGER_BYTES = 4 * 1024 * 1024, STRATA_HTTP_LINGER_S = 5 };

#define STRATA_HTTP_NEVER INT64_MAX

/* Long enough for an IPv6 address with its zone. */
#define STRATA_HTTP_PEER_LEN 64

struct evhttp_connection {
  EVENT_TAILQ_ENTRY_(evhttp_connection) next;
  struct evhttp *server; /* NULL once dead. */
  struct event_base *base;
  struct bufferevent *bufev; /* NULL once dead. */

  enum strata_http_state state;
  int depth; /* Calls of drive() and closecb on the stack. */
  unsigned dead : 1;
  unsigned eof : 1;         /* The peer has closed its side. */
  unsigned broken : 1;      /* Close as soon as possible: memory ran out in mid-reply. */
  unsigned linger : 1;      /* The peer may still be sending: close with patience. */
  unsigned reading : 1;     /* EV_READ is enabled. */
  unsigned resuming : 1;    /* `resume` is active. */
  unsigned again : 1;       /* Something happened below drive(): look again. */
  unsigned linger_flag : 1; /* EVHTTP_CON_LINGERING_CLOSE */

  struct strata_http_request *request; /* The one being read, handled or replied to. */
  /* Replied to, with a callback for when that has been written. */
  EVENT_TAILQ_HEAD_(, evhttp_request) completing;
  int num_completing;
  void (*written_cb)(struct evhttp_connection *, void *); /* Of a chunk; called once. */
  void *written_cb_arg;
  void (*closecb)(struct evhttp_connection *, void *);
  void *closecb_arg;

  struct strata_http_limits limits;
  struct strata_http_timeouts timeouts;
  struct event resume; /* Activated to go on from the loop. */
  struct event timer;  /* Re-armed lazily: may be pending for an earlier time than deadline_ns. */
  int64_t timer_ns;    /* When it fires; NEVER when not pending. */
  int64_t deadline_ns; /* When the connection has been silent too long. */
  uint64_t discarded_len; /* Bytes thrown away in FLUSH and LINGER. */

  char peer[STRATA_HTTP_PEER_LEN];
  ev_uint16_t peer_port;
  struct sockaddr_storage *addr; /* Looked up when asked for. */
};

/* Starts serving an accepted socket, which it owns from then on. `refuse`: only to say that there
 * are too many. Returns 0; or -1 with the socket still the caller's. */
int strata_http_connection_start(struct evhttp_bound_socket *bound, evutil_socket_t fd,
                                 const struct sockaddr *addr, int refuse);

/* Frees all connections of a server. Called from a connection's close callback it only cuts that
 * connection off, which is on its way already. */
void strata_http_connections_free(struct evhttp *http);

/* Does whatever can be done now. The connection may be gone afterwards. */
void strata_http_connection_drive(struct evhttp_connection *evcon);

/* Whether replies have piled up: those have to leave before another request is begun. */
int strata_http_connection_is_full(const struct evhttp_connection *evcon);

/* Has the connection looked at again: by the drive() that is going on, or one from the loop. */
void strata_http_connection_resume(struct evhttp_connection *evcon);

/* Has drive() called from the loop. */
void strata_http_connection_defer(struct evhttp_connection *evcon);

/* Closes on an error of the peer or of the transport. A request that waits for the user's reply
 * is left to the user, one that was not complete is reported to its error callback. */
void strata_http_connection_fail(struct evhttp_connection *evcon, enum evhttp_request_error error);

/* Takes the current request, its reply complete, off the connection, which goes on to the next
 * state. The request stays alive: see strata_http_request_release(). */
struct strata_http_request *strata_http_connection_detach(struct evhttp_connection *evcon);

/* Called when a user frees a request that the connection knows. */
void strata_http_connection_forget(struct evhttp_connection *evcon,
                                   struct strata_http_request *request);

/* ---- http/reader.c ---- */

/* Reads as much as there is of the current request, and hands it to the user when it is complete.
 * Returns 1 when something came of it (a reply, a request handed out), 0 when more input is
 * needed or wanted only later. */
int strata_http_reader_step(struct evhttp_connection *evcon);

/* Answers the current request, which is malformed or came too late, with an error page; the
 * connection closes after it. Its error callback is told before. */
void strata_http_reader_refuse(struct evhttp_connection *evcon, int status,
                               enum evhttp_request_error error);

/* ---- http/dispatch.c ---- */

/* Whether requests of this method are served; if not, refuses it (405 or 501) and returns 0. */
int strata_http_dispatch_allows(struct evhttp_connection *evcon);

/* Calls the callback that is to answer the current, complete request. */
void strata_http_dispatch(struct evhttp_connection *evcon);

/* ---- http/deadline.c ---- */

/* Prepares timer and resume events; nothing is pending yet. */
void strata_http_deadline_init(struct evhttp_connection *evcon, event_callback_fn timer,
                               event_callback_fn resume);
/* Makes the timer fire no later than deadline_ns, which is set from the connection's state.
 * Returns 0, or -1 when the timer could not be armed. */
int strata_http_deadline_update(struct evhttp_connection *evcon);
/* Called when the timer fired: whether the deadline has really passed. */
int strata_http_deadline_passed(struct evhttp_connection *evcon);
/* Arms the timer again after it fired too early. 0, or -1. */
int strata_http_deadline_rearm(struct evhttp_connection *evcon);
/* Stops timer and resume events for good. */
void strata_http_deadline_stop(struct evhttp_connection *evcon);

#endif
