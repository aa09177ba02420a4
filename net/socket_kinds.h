#ifndef STRATA_NET_SOCKET_KINDS_H_
#define STRATA_NET_SOCKET_KINDS_H_

#include <errno.h>

#include "net/bufferevent_internal.h"
#include "net/rate_limit.h"

/* What the two kinds of bufferevent over a socket have in common: bufferevent_socket.c, which asks
 * the loop when the socket is ready, and bufferevent_async.c, whose transfers a completion port
 * makes. The lock is held, unless stated. */

/* The kinds' makers, without a descriptor. NULL when there is no memory, or no base. */
struct bufferevent_private *bufferevent_readiness_new(struct event_base *base, int options);
struct bufferevent_private *bufferevent_async_new(struct event_base *base, int options);

static inline evutil_socket_t bufferevent_fd(const struct bufferevent_private *bev) {
  return bev->bev.ev_read.ev_fd;
}

static inline void bufferevent_store_fd(struct bufferevent_private *bev, evutil_socket_t fd) {
  bev->bev.ev_read.ev_fd = fd;
  bev->bev.ev_write.ev_fd = fd;
}

/* --- Slots --- */

evutil_socket_t bufferevent_get_socket(struct bufferevent_private *bev);
/* Takes another socket, or none (-1), in place of the one it has. */
int bufferevent_set_socket(struct bufferevent_private *bev, evutil_socket_t fd);
/* destroy(): as BEV_OPT_CLOSE_ON_FREE says. */
void bufferevent_close_socket(struct bufferevent_private *bev);

/* --- What is to be done --- */

/* The write callback is due although there was no output. */
bool bufferevent_must_report_writable(const struct bufferevent_private *bev);
/* The directions that keep the loop going: those of `waiting`, which is bufferevent_waiting(), and
 * what else is to be done. */
short bufferevent_socket_wanted(const struct bufferevent_private *bev, short waiting);

/* --- Telling the user; the caller holds a reference --- */

/* `what`: BEV_EVENT_EOF, or BEV_EVENT_ERROR with the socket error set. Disables reading. */
void bufferevent_report_end_of_reading(struct bufferevent_private *bev, short what);
/* The socket error is set. Disables writing. */
void bufferevent_report_write_error(struct bufferevent_private *bev, int trigger_options);
/* Connecting has ended; if it failed, the socket error is set. */
void bufferevent_report_connect_result(struct bufferevent_private *bev, bool is_connected);
/* The source, which connecting was awaited with, is ready for writing. */
void bufferevent_finish_connecting(struct bufferevent_private *bev);

#endif
