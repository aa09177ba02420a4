#ifndef STRATA_HTTP_CLIENT_CONNECTION_H_
#define STRATA_HTTP_CLIENT_CONNECTION_H_

#include <stdint.h>

#include "http/connection.h"

struct evdns_base;

/* One connection of a client, and what it is at:
 *
 *   DISCONNECTED --request--> CONNECTING --connected--> IDLE --request--> HEAD --head--> BODY
 *     ^      ^                  |     ^                 |  ^                               |
 *     |      |          no luck v     | time            |  +----- complete, persists ------+
 *     |      +-- too often --- WAITING                  |
 *     +-- peer closes, silence, stray bytes ------------+
 *
 * From HEAD and BODY a reply after which the connection does not persist, or an exchange that
 * breaks, leads to DISCONNECTED.
 *
 * Requests wait in a queue and are sent one at a time: the next when the reply
 * before it is complete. In HEAD the request is written while its reply is
 * awaited already, and what is left of its body may follow in BODY, too.
 * With pipelining (http/client_pipeline.c) some are sent while others are under
 * way, and come to HEAD in turn.
 *
 * A bufferevent that the library made serves one connection with the peer: the
 * next attempt gets a new one, so that nothing of the old is left. A user's is
 * used again. */
enum strata_http_client_state {
  STRATA_HTTP_CLIENT_DISCONNECTED,
  STRATA_HTTP_CLIENT_CONNECTING,
  STRATA_HTTP_CLIENT_WAITING, /* Between two attempts. */
  STRATA_HTTP_CLIENT_IDLE,    /* Connected, with nothing to do. */
  STRATA_HTTP_CLIENT_HEAD,    /* A request is being sent; the head of its reply is
                                 awaited. */
  STRATA_HTTP_CLIENT_BODY,    /* The reply's body is. */
};

/* What has become of HTTP on a connection (RFC 9110 9.3.6, 7.8). */
enum strata_http_client_tunnel {
  STRATA_HTTP_CLIENT_NO_TUNNEL,
  STRATA_HTTP_CLIENT_CONNECTED, /* Beyond a proxy: the next request goes to who
                                   is there. */
  STRATA_HTTP_CLIENT_UPGRADED,  /* No HTTP any more. */
};

/* What is left to send of the request. */
enum strata_http_client_upload {
  STRATA_HTTP_UPLOAD_DONE,
  STRATA_HTTP_UPLOAD_HELD,     /* The peer is asked first: "Expect: 100-continue".
                                */
  STRATA_HTTP_UPLOAD_PROVIDED, /* The provider has more. */
};

/* Defaults; event2/http.h documents them. */
enum {
  STRATA_HTTP_CLIENT_CONNECT_TIMEOUT_S = 45,
  STRATA_HTTP_CLIENT_TIMEOUT_S = 50,
  STRATA_HTTP_CLIENT_HEAD_DEADLINE_S = 30,
  STRATA_HTTP_CLIENT_HEAD_LEN = 64 * 1024,
  STRATA_HTTP_CLIENT_RETRY_S = 2,
  STRATA_HTTP_CLIENT_RETRY_MAX_S = 3600,
  STRATA_HTTP_CLIENT_CONTINUE_S = 1,     /* A peer may not know the expectation: go on then. */
  STRATA_HTTP_CLIENT_INTERIM = 32,       /* Interim replies put up with, before a final one. */
  STRATA_HTTP_CLIENT_UNSENT = 64 * 1024, /* Bytes that may be unsent when a reply is complete. */
  STRATA_HTTP_CLIENT_PORT = 80,
};

/* Who keeps a connection beyond its requests; a pool. None of these may free
 * the connection, and none makes requests. */
struct strata_http_client_keeper {
  /* A bufferevent to connect with, or NULL. */
  struct bufferevent *(*make_bufferevent)(void *arg);
  /* No request is left. Called whenever that is seen. */
  void (*on_free)(void *arg);
  /* The connection ends for another reason than that the keeper let go. */
  void (*on_gone)(void *arg);
};

struct strata_http_client_connection {
  struct evhttp_connection common;

  /* Where to. */
  struct evdns_base *dnsbase;
  char *address;   /* Name or address, or NULL; for a local socket NULL. */
  char *unix_path; /* Of a local socket, or NULL. */
  ev_uint16_t port;
  ev_uint16_t default_port; /* Which the Host field need not name. */
  int family;
  char *local_address; /* From where, or NULL. */
  ev_uint16_t local_port;
  struct sockaddr_storage *known_addr; /* Where the last attempt got through, if that is kept. */
  int (*ext_method_cmp)(struct evhttp_ext_method *);

  enum strata_http_client_state state;
  enum strata_http_client_tunnel tunnel;
  enum strata_http_client_upload upload;
  unsigned bufev_is_users : 1;
  unsigned local_is_lost : 1; /* No memory for the local address: no connection
                                 from another. */
  unsigned auto_free : 1;     /* Free with the last request. */
  unsigned used : 1;          /* A reply has come over this connection. */
  unsigned persists : 1;      /* As far as the current request goes. */
  unsigned pipelines : 1;     /* The peer has shown that it can take several requests. */
  unsigned cut : 1;    /* A request that was sent is wanted no more: close before its reply. */
  unsigned parked : 1; /* Its requests wait for another connection: it never connects. */

  /* What the bufferevent has reported, until run() looks at it. */
  unsigned connected : 1;
  unsigned failed : 1; /* CONNECTING: no luck. Later: reading failed. */
  unsigned write_failed : 1;
  unsigned write_timed_out : 1;

  int retry_max; /* -1: without end. */
  int num_retries;
  int64_t retry_ns;    /* The first delay. */
  int64_t wake_ns;     /* CONNECTING, WAITING: until when. */
  int64_t continue_ns; /* HELD: until when. */
  int64_t silent_ns;   /* Since when only the peer has been waited for; 0: it has not. */
  int num_interim;
  int64_t
      idle_ns; /* How long it stays open without requests; 0: as long as a reply may be silent. */

  EVENT_TAILQ_HEAD_(, evhttp_request) requests; /* Those that wait. */
  struct strata_http_request *request;          /* The one that is under way. */
  EVENT_TAILQ_HEAD_(, evhttp_request) behind;   /* Those that have been sent after it. */
  int num_behind;
  int max_in_flight; /* With the one under way; 1: no pipelining. */

  const struct strata_http_client_keeper *keeper; /* Or NULL. */
  void *keeper_arg;
};

static inline struct strata_http_client_connection *strata_http_client_connection_of(
    struct evhttp_connection *evcon) {
  return (struct strata_http_client_connection *)evcon;
}

/* Whether a connection is a client's. */
int strata_http_connection_is_client(const struct evhttp_connection *evcon);

static inline int strata_http_client_has_requests(const struct strata_http_client_connection *con) {
  return con->request || con->num_behind > 0 || con->requests.tqh_first;
}

/* Whether another request can be sent over what is connected. */
static inline int strata_http_client_is_kept(const struct strata_http_client_connection *con) {
  return con->state == STRATA_HTTP_CLIENT_IDLE && con->tunnel == STRATA_HTTP_CLIENT_NO_TUNNEL &&
         !con->cut;
}

/* ---- http/client_connection.c ---- */

/* Closes the connection with the peer, if there is one, and tells the close
 * callback. Requests stay. */
void strata_http_client_disconnect(struct strata_http_client_connection *con);

/* Takes the current request off the connection, which may persist. */
struct strata_http_request *strata_http_client_detach(struct strata_http_client_connection *con);

/* The reply to the current request is complete. */
void strata_http_client_complete(struct strata_http_client_connection *con);

/* The current request has failed: reports it, and closes. */
void strata_http_client_fail(struct strata_http_client_connection *con,
                             enum evhttp_request_error error);

/* Frees the connection where that has been asked for and no request is left. */
void strata_http_client_settle_free(struct strata_http_client_connection *con);

/* Has what is left looked at, from wherever this is called. */
static inline void strata_http_client_go_on(struct strata_http_client_connection *con) {
  con->common.again = 1;
  strata_http_connection_defer(&con->common);
}

/* ---- http/client_connect.c ---- */

/* The bufferevent, which is made if there is none. NULL when out of memory. */
struct bufferevent *strata_http_client_bufferevent(struct strata_http_client_connection *con);

/* Starts to connect. 0; or -1 when that cannot even be tried. */
int strata_http_client_connect(struct strata_http_client_connection *con);

/* As strata_http_client_connect(), but what cannot be tried fails later, from
 * the loop. */
void strata_http_client_attempt(struct strata_http_client_connection *con);

/* The attempt has come to nothing: waits for the next one, or fails all
 * requests. */
void strata_http_client_attempt_failed(struct strata_http_client_connection *con,
                                       enum evhttp_request_error error);

/* Fails all requests without another attempt. */
void strata_http_client_give_up(struct strata_http_client_connection *con,
                                enum evhttp_request_error error);

/* It has got through. */
void strata_http_client_attempt_done(struct strata_http_client_connection *con);

/* Lets go of the bufferevent, or empties the user's for another attempt. */
void strata_http_client_drop_bufferevent(struct strata_http_client_connection *con);

/* ---- http/client_request.c ---- */

/* Ends the use of a request, between strata_http_request_enter() and leave(), after a callback that
 * may have made it again: it is a connection's then. */
void strata_http_client_let_go(struct strata_http_request *request);

/* Whether the request may be sent a second time without harm (RFC 9110 9.2.2),
 * and has not been. */
int strata_http_client_may_resend(const struct strata_http_request *request);

/* What of an absolute URI goes into the request line: what follows the authority, without the
 * fragment. The caller's; NULL when out of memory. */
char *strata_http_client_target_of(const char *uri);

/* Gives `con` the first request that waits at `parked`, where there is one. What
 * becomes of it comes from the loop. */
void strata_http_client_take_waiting(struct strata_http_client_connection *con,
                                     struct strata_http_client_connection *parked);

/* ---- http/client_pipeline.c ---- */

/* Sends what may be sent behind the current request. */
void strata_http_client_pipeline(struct strata_http_client_connection *con);

/* Takes the first of those behind, which becomes the current one. */
struct strata_http_request *strata_http_client_next_behind(
    struct strata_http_client_connection *con);

/* The connection with the peer ends: those behind wait again, before all others. */
void strata_http_client_requeue_behind(struct strata_http_client_connection *con);

/* Nothing more can be written. Where the current reply is coming nevertheless and only requests
 * behind it are left to write, returns 1: they wait again, and reading goes on. Else 0. */
int strata_http_client_stop_writing(struct strata_http_client_connection *con);

/* Takes a request away from those behind. */
void strata_http_client_leave_pipeline(struct strata_http_client_connection *con,
                                       struct strata_http_request *request);

/* ---- http/client_writer.c ---- */

/* Whether the request's Connection fields name the option, such as "close". */
int strata_http_client_asks_for(const struct strata_http_request *request, const char *option);

/* Whether the request can be sent as it is: nothing in it may end a line early,
 * and its body can be delimited. */
int strata_http_client_request_is_valid(struct strata_http_client_connection *con,
                                        struct strata_http_request *request);

/* Writes the current request's head, and its body as far as it is to follow at
 * once. 0; or -1 when out of memory. */
int strata_http_client_write(struct strata_http_client_connection *con);

/* Adds the head of a request to `output`. 0; or -1 when out of memory, with a part
 * of it added. */
int strata_http_client_write_head(struct strata_http_client_connection *con,
                                  struct strata_http_request *request, struct evbuffer *output);

/* Sends the body that was held back. 0, or -1. */
int strata_http_client_write_held(struct strata_http_client_connection *con);

/* Asks the provider for more, where there is room. */
void strata_http_client_upload(struct strata_http_client_connection *con);

/* ---- http/client_reader.c ---- */

/* Prepares for the reply. */
void strata_http_client_reader_start(struct strata_http_client_connection *con);

/* Reads as much as there is of the reply. Returns 1 when something came of it,
 * 0 when more input is needed, or wanted only later. */
int strata_http_client_reader_step(struct strata_http_client_connection *con);

/* No more bytes will come. */
void strata_http_client_reader_end(struct strata_http_client_connection *con);

/* Whether the user has paused the reply's body. */
static inline int strata_http_client_is_paused(const struct strata_http_client_connection *con) {
  return con->state == STRATA_HTTP_CLIENT_BODY && con->request && con->request->paused;
}

#endif
