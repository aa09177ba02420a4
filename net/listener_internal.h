#ifndef STRATA_NET_LISTENER_INTERNAL_H_
#define STRATA_NET_LISTENER_INTERNAL_H_

#include <stdbool.h>

#include <event2/event_struct.h>
#include <event2/listener.h>

#include "loop/completion.h"
#include "loop/io_source.h"
#include "net/listener_relief.h"
#include "util/executor.h"
#include "util/lock.h"

struct listener_accept;

/* Counted like a bufferevent (net/bufferevent_internal.h): the maker's reference, one for each
 * callback that is running, and one for each operation in flight. */
struct evconnlistener {
  struct event_io_source source; /* with a port, only its task is used */
  struct event pause;            /* ends a time of not accepting; always set: see listener.c */
  struct event_callback end;
  struct event_base *base;
  evutil_socket_t fd;
  evconnlistener_cb callback;
  evconnlistener_errorcb error_callback;
  void *arg;
  strata_listener_relief relief;
  void *relief_arg;
  strata_lock lock;
  int num_refs;
  unsigned flags; /* LEV_OPT_* */
  bool is_enabled, is_paused;
  bool is_relieved; /* the owner has made room, and nothing was accepted since */
  bool uses_port;

  /* Over a port (listener_accepts.c). */
  struct listener_accept *accepts;
  int num_accepts, num_in_flight;
  bool keeps_going, has_ended;
};

/* --- listener.c. The lock is held, and the caller holds a reference. --- */

/* Takes the lock and a reference, or neither when the object is on its way out. */
bool strata_listener_hold(struct evconnlistener *listener);
/* Gives both back. */
void strata_listener_release(struct evconnlistener *listener);
/* If it is the listener's; not before its last use. Called again, it does nothing. */
void strata_listener_close_socket(struct evconnlistener *listener);
/* What is wanted has changed. 0, or -1 with errno. */
int strata_listener_update(struct evconnlistener *listener);
void strata_listener_pause(struct evconnlistener *listener);
/* Calls the user without the lock. */
void strata_listener_report_error(struct evconnlistener *listener, int error);
void strata_listener_hand_over(struct evconnlistener *listener, evutil_socket_t fd,
                               struct sockaddr *address, int address_len);
/* STRATA_SOCK_*, for connections. */
int strata_listener_socket_flags(const struct evconnlistener *listener);

static inline bool strata_listener_accepts(const struct evconnlistener *listener) {
  return listener->is_enabled && listener->callback && !listener->is_paused;
}

/* --- listener_accepts.c: connections from a completion port. The same goes. --- */

int strata_accepts_update(struct evconnlistener *listener, bool accepts);
/* Hands over what came while it was not wanted. */
void strata_accepts_serve(struct evconnlistener *listener);
/* The listener is being freed: nothing is accepted any more, what was is closed. */
void strata_accepts_end(struct evconnlistener *listener);
/* No operation is in flight any more. The lock is not held. */
void strata_accepts_free(struct evconnlistener *listener);

#endif
