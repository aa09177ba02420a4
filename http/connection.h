#ifndef STRATA_HTTP_CONNECTION_H_
#define STRATA_HTTP_CONNECTION_H_

#include <stdint.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event_struct.h>
#include <event2/http.h>

#include "buffer/evbuffer_internal.h"
#include "http/request.h"

/* What the connections of servers (http/server_connection.h) and of clients have in common.
 *
 * All that happens to a connection is followed by strata_http_connection_drive(), the only place
 * where states advance; user callbacks run below it. A callback may free the connection: it is then
 * `dead`, everything of it but the struct is gone, and the struct goes when drive() returns. */

/* Sizes that a message may have. */
struct strata_http_limits {
  uint32_t line_len;
  uint32_t head_len;
  uint32_t num_fields;
  uint64_t body_len;
};

struct strata_http_timeouts {
  int64_t read_ns;
  int64_t write_ns;
  int64_t head_ns;        /* Of a whole head; NEVER for none. */
  int64_t connect_ns;     /* Clients. */
  uint32_t min_body_rate; /* Bytes a second; 0 for none. */
};

#define STRATA_HTTP_NEVER INT64_MAX

/* Long enough for an IPv6 address with its zone. */
#define STRATA_HTTP_PEER_LEN 64

/* What each kind of connection does in its own way. */
struct strata_http_connection_kind {
  /* Does whatever can be done now, and switches reading accordingly. */
  void (*run)(struct evhttp_connection *evcon);
  /* The bufferevent reports an end: BEV_EVENT_ flags. */
  void (*on_event)(struct evhttp_connection *evcon, short what);
  /* When the peer has been silent for too long, by the state it is in; NEVER for no limit. */
  int64_t (*deadline)(struct evhttp_connection *evcon, int64_t now_ns);
  /* That time has come. Called between enter() and leave(); run() follows. */
  void (*on_deadline)(struct evhttp_connection *evcon);
  /* Not even the timer can be had. */
  void (*on_no_memory)(struct evhttp_connection *evcon);
  /* The user frees a request that the connection knows. */
  void (*forget)(struct evhttp_connection *evcon, struct strata_http_request *request);
  /* The end: lets go of requests and of whatever else the kind has added. */
  void (*clear)(struct evhttp_connection *evcon);
};

struct evhttp_connection {
  const struct strata_http_connection_kind *kind;
  struct event_base *base;
  struct bufferevent *bufev; /* NULL once dead; of a client NULL at times. */
  int depth;                 /* Calls of drive() and closecb on the stack. */
  unsigned dead : 1;
  unsigned open : 1;        /* There is a connection with the peer, and its end to be told of. */
  unsigned eof : 1;         /* The peer has closed its side. */
  unsigned broken : 1;      /* Close as soon as possible: memory ran out in mid-message. */
  unsigned reading : 1;     /* EV_READ is enabled. */
  unsigned resuming : 1;    /* `resume` is active. */
  unsigned again : 1;       /* Something happened below drive(): look again. */
  unsigned progressed : 1;  /* Bytes have come or left; reset by who looks at it. */
  unsigned linger_flag : 1; /* EVHTTP_CON_LINGERING_CLOSE */
  unsigned reuse_addr_flag : 1; /* EVHTTP_CON_REUSE_CONNECTED_ADDR */

  void (*closecb)(struct evhttp_connection *, void *);
  void *closecb_arg;
  struct strata_http_limits limits;
  struct strata_http_timeouts timeouts;

  struct event resume; /* Activated to go on from the loop. */
  struct event timer;  /* Re-armed lazily: may be pending for an earlier time than deadline_ns. */
  int64_t timer_ns;    /* When it fires; NEVER when not pending. */
  int64_t deadline_ns; /* When the connection has been silent too long. */

  char peer[STRATA_HTTP_PEER_LEN];
  ev_uint16_t peer_port;
  struct sockaddr_storage *addr; /* Looked up when asked for. */
};

/* ---- The beginning and the end ---- */

/* Fills in a zeroed connection, which is open. `bufev`, without callbacks yet, is its own from then
 * on. A client's may have no base yet, and no bufferevent. */
void strata_http_connection_init(struct evhttp_connection *evcon,
                                 const struct strata_http_connection_kind *kind,
                                 struct event_base *base, struct bufferevent *bufev);

/* Gives a connection without base, or with nothing pending on it, another base. */
void strata_http_connection_set_base(struct evhttp_connection *evcon, struct event_base *base);

/* The base that event_init() made, or NULL. */
struct event_base *strata_http_connection_default_base(void);

/* Has the bufferevent's callbacks drive the connection. */
void strata_http_connection_listen(struct evhttp_connection *evcon);

/* As strata_http_connection_listen(), and gives the bufferevent the write timeout. 0, or -1
 * when out of memory. */
int strata_http_connection_attach(struct evhttp_connection *evcon);

/* Gives up everything but the struct: the end of a connection that was not quite made. */
void strata_http_connection_clear(struct evhttp_connection *evcon);

/* Ends the connection as evhttp_connection_free() does, but for its bufferevent, which is returned,
 * without callbacks and timeouts, with the input that nobody has read; it is the caller's. */
struct bufferevent *strata_http_connection_take_bufferevent(struct evhttp_connection *evcon);

/* Brackets what may end the connection: its struct stays in between. */
static inline void strata_http_connection_enter(struct evhttp_connection *evcon) {
  evcon->depth++;
}
void strata_http_connection_leave(struct evhttp_connection *evcon);

/* ---- Driving ---- */

/* Does whatever can be done now. The connection may be gone afterwards. */
void strata_http_connection_drive(struct evhttp_connection *evcon);

/* The same, between enter() and leave(). */
void strata_http_connection_run(struct evhttp_connection *evcon);

/* Has the connection looked at again: by the drive() that is going on, or one from the loop. */
void strata_http_connection_resume(struct evhttp_connection *evcon);

/* Has drive() called from the loop. */
void strata_http_connection_defer(struct evhttp_connection *evcon);

/* Makes the timer fire no later than the deadline of the connection's state. Returns 0, or -1 when
 * the timer could not be armed. */
int strata_http_connection_update_deadline(struct evhttp_connection *evcon);

static inline int64_t strata_http_earlier(int64_t one_ns, int64_t other_ns) {
  return one_ns < other_ns ? one_ns : other_ns;
}

/* When the head that `request` is reading has to be complete; counted from the first call. */
int64_t strata_http_connection_head_deadline(const struct evhttp_connection *evcon,
                                             struct strata_http_request *request, int64_t now_ns);

/* Switches reading to `want`. 0, or -1. */
int strata_http_connection_set_reading(struct evhttp_connection *evcon, unsigned want);

static inline struct evbuffer *strata_http_connection_input(const struct evhttp_connection *evcon) {
  return evcon->bufev->input;
}

static inline struct evbuffer *strata_http_connection_output(
    const struct evhttp_connection *evcon) {
  return evcon->bufev->output;
}

static inline size_t strata_http_connection_input_len(const struct evhttp_connection *evcon) {
  return evbuffer_length(strata_http_connection_input(evcon));
}

static inline size_t strata_http_connection_output_len(const struct evhttp_connection *evcon) {
  return evbuffer_length(strata_http_connection_output(evcon));
}

#endif
