#ifndef STRATA_HTTP_SERVER_LOOP_H_
#define STRATA_HTTP_SERVER_LOOP_H_

#include <event2/event_struct.h>
#include <event2/http.h>

#include "http/thread.h"
#include "util/lock.h"

struct evconnlistener;
struct sockaddr;

/* One of the loops of event2/http_threads.h: a base, a server, and the thread that runs them. Other
 * threads put sockets and orders into it, under its lock; its own takes them out. */

/* Sockets that may wait to be taken out. */
enum { STRATA_HTTP_MAX_HANDED = 1024 };

enum strata_http_order {
  STRATA_HTTP_ORDER_STOP_ACCEPTING = 1,
  STRATA_HTTP_ORDER_END = 2,
};

/* What a loop does once each time it is asked. */
enum strata_http_errand {
  STRATA_HTTP_ERRAND_MAKE_ROOM = 1, /* Descriptors are short: give up who has waited longest. */
  STRATA_HTTP_ERRAND_SAY_SO = 2,    /* It has gone: tell all loops, by the next. */
  STRATA_HTTP_ERRAND_ACCEPT = 4,    /* Some loop has made room: accept again. */
};

struct strata_http_handed;

struct strata_http_server_loop {
  struct strata_http_server_loop *loops; /* All, this one too: they share the descriptors. */
  int num_loops;
  struct event_base *base;
  struct evhttp *http;
  struct evconnlistener **shared; /* Listeners that accept for all loops; freed with accepting. */
  int num_shared;
  unsigned awaits_room : 1;     /* Its listeners pause, and all loops have been asked. */
  struct strata_thread *thread; /* NULL when not running. */
  int result;                   /* Of the loop, once the thread has ended. */

  struct event wake; /* Activated when there is something below. */
  strata_lock lock;  /* Of what is below. */
  struct strata_http_handed *first, **link;
  int num_handed;
  unsigned orders;  /* Set of strata_http_order; stays set. */
  unsigned errands; /* Set of strata_http_errand. */
};

/* Fills in a zeroed loop. `base` is the loop's from then on. 0; or -1, with nothing left to clean
 * up but the base, which is freed. */
int strata_http_server_loop_init(struct strata_http_server_loop *loop, struct event_base *base);

/* Frees everything; sockets that wait are closed. The thread must not run. */
void strata_http_server_loop_clear(struct strata_http_server_loop *loop);

/* Makes the loop the owner of a listener, which accepts for all. 0, or -1 when out of memory. */
int strata_http_server_loop_add_shared(struct strata_http_server_loop *loop,
                                       struct evconnlistener *listener);

/* Starts the thread. 0, or -1. */
int strata_http_server_loop_start(struct strata_http_server_loop *loop);
/* Waits for its end. 0, or -1 when the loop failed. */
int strata_http_server_loop_join(struct strata_http_server_loop *loop);

/* Gives an order, from any thread. */
void strata_http_server_loop_order(struct strata_http_server_loop *loop, unsigned orders);

/* For want of descriptors the loop cannot accept: asks all to give up a connection. In the loop's
 * thread. */
void strata_http_server_loop_ask_for_room(struct strata_http_server_loop *loop);

/* Hands over a socket, from any thread. 0, or -1 with the socket still the caller's. */
int strata_http_server_loop_hand(struct strata_http_server_loop *loop, evutil_socket_t fd,
                                 const struct sockaddr *address, int address_len);

#endif
