#ifndef STRATA_NET_BUFFEREVENT_ASYNC_H_
#define STRATA_NET_BUFFEREVENT_ASYNC_H_

#include "loop/completion.h"
#include "net/bufferevent_internal.h"
#include "util/queue.h"

/* The state of a bufferevent over a completion port, for bufferevent_async.c, which makes it, sends
 * and connects, and bufferevent_async_receive.c, which receives. The lock is held. */

/* What a receive brought that the user was not told yet. */
enum kept_end { NO_END, END_OF_DATA, END_BY_ERROR };

struct transfer {
  struct event_operation operation;
  bool is_in_flight; /* until its function runs */
  bool is_stale;
  bool is_cancelled;
  bool is_on_discarded; /* its descriptor is closed at its end */
};

struct bufferevent_async {
  struct bufferevent_private priv; /* first */
  struct transfer receive, send;
  short want;                              /* keeps the loop going */
  bool is_in_loop;                         /* the update() to come is the loop's */
  struct event_received *kept, *last_kept; /* a list, and its last */
  size_t kept_start;                       /* of the first one's bytes, so many were given out */
  enum kept_end kept_end;
  int num_pinned;
  struct evbuffer_chain *pinned[STRATA_MAX_SPANS];
  struct event_span spans[STRATA_MAX_SPANS];
};

static inline struct bufferevent_async *bufferevent_async_of(struct bufferevent_private *bev) {
  return STRATA_CONTAINER_OF(bev, struct bufferevent_async, priv);
}

/* --- Operations (bufferevent_async.c) --- */

/* Launches the operation on the socket of now, with a reference of its own. 0, or -1 with errno. */
int bufferevent_async_launch(struct bufferevent_async *async, struct transfer *transfer);
void bufferevent_async_cancel(struct transfer *transfer);
/* What an operation's function does first: takes the lock. Returns whether its socket was given up.
 */
bool bufferevent_async_begin(struct bufferevent_async *async, struct transfer *transfer);
/* Nobody is to be told anything any more. */
bool bufferevent_async_is_over(const struct bufferevent_async *async);
/* And last: launches what is wanted, and releases the lock. */
void bufferevent_async_end(struct bufferevent_async *async);

/* --- Receiving (bufferevent_async_receive.c) --- */

/* Something was received, or an end met, that the user was not told yet. */
bool bufferevent_async_has_kept(const struct bufferevent_async *async);
void bufferevent_async_drop_kept(struct bufferevent_async *async);
bool bufferevent_async_may_read(const struct bufferevent_async *async);
/* Tells what was kept back, if it may; runs callbacks: from the loop. */
void bufferevent_async_serve_reading(struct bufferevent_async *async);
/* Launches a receive if one is wanted and none in flight. 0, or -1 with errno. */
int bufferevent_async_receive(struct bufferevent_async *async);
/* The receive's function. */
void bufferevent_async_on_received(struct event_operation *operation);

#endif
