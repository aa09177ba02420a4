#ifndef STRATA_HTTP_WS_SESSION_H_
#define STRATA_HTTP_WS_SESSION_H_

#include <stdint.h>

#include <event2/bufferevent.h>
#include <event2/event_struct.h>
#include <event2/ws.h>

#include "http/ws_frame.h"
#include "http/ws_reader.h"
#include "util/lock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A session over a bufferevent, of either role, and what it is at:
 *
 *   CONNECTING --server agrees--> OPEN --we close--> CLOSING
 *       (client)                    |                   |
 *                 peer closes, or breaks the protocol   |  the same
 *                                   v                   |
 *                                 FLUSH <---------------+
 *                                   |  all written
 *                                   v
 *                                 LINGER --peer's end--> freed
 *
 * The end of the stream, an error, a deadline and evws_connection_free() lead from every state to
 * "freed". All that happens is followed by strata_ws_drive(), the only place where input is looked
 * at; user callbacks run below it. A callback may free the session: it is then `dead`, everything
 * of it but the struct is gone, and the struct goes when drive() returns. */
enum strata_ws_state {
  STRATA_WS_CONNECTING, /* A client's, until the answer to its handshake. */
  STRATA_WS_OPEN,
  STRATA_WS_CLOSING, /* Our close frame is sent, the peer's has not come. */
  STRATA_WS_FLUSH,   /* The last output is on its way; input is thrown away. */
  STRATA_WS_LINGER,  /* The peer is to end the connection; input is thrown away. */
};

enum {
  /* Bytes of input above which reading stops. */
  STRATA_WS_INPUT_HIGH = 64 * 1024,
  /* Heads and pieces of payload taken in one go before other connections get their turn. */
  STRATA_WS_BUDGET = 128,
  /* Bytes of output above which only the latest ping is answered (RFC 6455 5.5.3). */
  STRATA_WS_PONG_MARK = 64 * 1024,
  /* A message buffer larger than this is not kept for the next message. */
  STRATA_WS_KEPT_LEN = 4096,
};

/* Defaults; event2/ws.h documents them. */
enum {
  STRATA_WS_DEFAULT_MESSAGE_LEN = 16 * 1024 * 1024,
  STRATA_WS_DEFAULT_OUTPUT_MARK = 256 * 1024,
  STRATA_WS_DEFAULT_WRITE_S = 50,
  STRATA_WS_DEFAULT_PING_S = 60,
  STRATA_WS_DEFAULT_CLOSE_S = 5,
  STRATA_WS_DEFAULT_HANDSHAKE_S = 30,
};

struct strata_ws_client;

struct evws_connection {
  struct event_base *base;
  struct bufferevent *bufev; /* NULL before the start and once dead. */
  enum strata_ws_state state;
  int depth; /* Calls on the stack that need the struct. */
  unsigned dead : 1;
  unsigned again : 1;       /* Something happened below drive(): look again. */
  unsigned deferred : 1;    /* `resume` is active. */
  unsigned eof : 1;         /* The peer has ended its side. */
  unsigned failed : 1;      /* The connection is broken: no output leaves. */
  unsigned broken : 1;      /* End as soon as possible. */
  unsigned paused : 1;      /* By the user. */
  unsigned held : 1;        /* Too much output: messages wait. */
  unsigned undrained : 1;   /* Output has been added since drainedcb. */
  unsigned has_pong : 1;    /* `pong` is to be sent when there is room. */
  unsigned received : 1;    /* Since the last tick. */
  unsigned pinged : 1;      /* By the last tick. */
  unsigned peer_closed : 1; /* The peer's close frame has come. */

  struct strata_ws_reader reader;
  unsigned char *message; /* What has come of the current message; NULL when nothing. */
  size_t message_len, message_size;
  uint8_t control[STRATA_WS_MAX_CONTROL_LEN]; /* The payload of the current control frame. */
  size_t control_len;
  uint8_t pong[STRATA_WS_MAX_CONTROL_LEN];
  size_t pong_len;

  uint16_t close_code, sent_close_code;
  char close_reason[STRATA_WS_MAX_CONTROL_LEN]; /* With a NUL; two bytes go for the code. */

  size_t output_mark;        /* 0 for none. */
  struct timeval write_tv;   /* Zero for never. */
  int64_t close_ns, ping_ns; /* Durations; ping_ns 0 for never. */
  uint64_t queued_len;       /* Of all frames ever written to the output. */
  uint64_t written_len;      /* Of those, what had left at the last tick. */
  struct event resume, timer;

  ws_on_msg_cb msgcb;
  void *msgcb_arg;
  ws_on_close_cb closecb;
  void *closecb_arg;
  evws_pong_cb pongcb;
  void *pongcb_arg;
  evws_event_cb drainedcb;
  void *drainedcb_arg;
  void (*endcb)(void *); /* Of whoever made the session: it is gone. */
  void *endcb_arg;

  char *subprotocol;               /* NULL for none. */
  struct strata_ws_client *client; /* NULL for a server. */
  int response_code;

  /* With BEV_OPT_THREADSAFE: what other threads have sent, for the loop's thread to pass on. */
  strata_lock lock;          /* Of what follows. */
  unsigned long loop_thread; /* That of the latest drive(). */
  struct evbuffer *remote_frames;
  unsigned remote_closed : 1; /* Nothing more is taken. */
  unsigned remote_closing : 1;
  uint16_t remote_code;
  struct evbuffer *taken_frames; /* On their way from there: the loop's thread's own. */
};

/* ---- http/ws.c ---- */

/* Makes a session without a connection. NULL when out of memory. */
struct evws_connection *strata_ws_new(struct event_base *base, enum strata_ws_role role,
                                      ws_on_msg_cb cb, void *arg, int options);

/* Frees a session that was not started. */
void strata_ws_discard(struct evws_connection *evws);

/* Gives it its connection, to be owned by it; input that is there already counts. Callbacks come
 * from the loop, never from inside. */
void strata_ws_start(struct evws_connection *evws, struct bufferevent *bufev,
                     enum strata_ws_state state);

/* Does whatever can be done now. The session may be gone afterwards. */
void strata_ws_drive(struct evws_connection *evws);

/* Has drive() called from the loop. */
void strata_ws_defer(struct evws_connection *evws);

/* Enters a state; its deadline counts from now. */
void strata_ws_enter(struct evws_connection *evws, enum strata_ws_state state);

/* Fires the timer after a duration; 0: never. Where that fails the session ends. */
void strata_ws_set_timer(struct evws_connection *evws, int64_t duration_ns);

/* Brackets calls of the user's callbacks: the struct stays, whatever they do. */
void strata_ws_hold(struct evws_connection *evws);
void strata_ws_release(struct evws_connection *evws);

static inline size_t strata_ws_min(uint64_t a, size_t b) {
  return a < b ? (size_t)a : b;
}

/* ---- http/ws_input.c ---- */

/* Takes a head or a piece of payload from the input. 1; or 0 when there is nothing to take. */
int strata_ws_input_step(struct evws_connection *evws);

/* ---- http/ws_output.c ---- */

size_t strata_ws_output_len(const struct evws_connection *evws);

/* Appends a frame to the output, whatever the state. 0, or -1 when out of memory. */
int strata_ws_write(struct evws_connection *evws, uint8_t opcode, const void *data, size_t len);

/* Answers a ping, at once or when there is room. */
void strata_ws_answer_ping(struct evws_connection *evws, const uint8_t *data, size_t len);
/* Sends the answer that waits, if there is room by now. */
void strata_ws_flush_pong(struct evws_connection *evws);

/* Ends an open session for a reason of ours: sends a close frame, unless one was sent. */
void strata_ws_fail(struct evws_connection *evws, uint16_t code);

/* The peer has closed: answers, unless it was the answer. */
void strata_ws_answer_close(struct evws_connection *evws);

/* Passes on what other threads have sent. */
void strata_ws_take_remote(struct evws_connection *evws);

/* ---- http/ws_client.c ---- */

/* Looks at the server's answer. 1 when something came of it, 0 when more is needed. */
int strata_ws_client_step(struct evws_connection *evws);
void strata_ws_client_free(struct strata_ws_client *client);

#ifdef __cplusplus
}
#endif

#endif
