#ifndef STRATA_LOOP_COMPLETION_H_
#define STRATA_LOOP_COMPLETION_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/util.h>

#include "util/executor.h"

/* The contract of a completion port: io_uring, IOCP. An operation is launched, the kernel carries
 * it out, and then its function runs: exactly once, whatever happens (success, error, cancellation,
 * the end of the base), from the loop, at the operation's priority. Never from inside a launch.
 *
 * A base has a port when its backend brings one and the program asked for it
 * (EVENT_BASE_FLAG_COMPLETION). The conformance suite is backends/testing/completion_conformance.h.
 *
 * Until the function runs, the operation and all that it points to belong to the port: bytes to
 * send must not change, room to receive into must not be looked at, the descriptor must stay open.
 */

struct event_base;
struct event_operation;

/* The same layout as struct iovec and struct evbuffer_iovec. */
struct event_span {
  void *data;
  size_t len;
};

/* Memory of the port's that bytes were received into. Whoever gets it calls release() once, from
 * any thread, and not necessarily before the base is freed. */
struct event_received {
  const void *data;
  size_t len;
  void (*release)(struct event_received *received);
};

enum event_operation_kind {
  /* Bytes from a connected socket into `spans`, at least one; result 0: the end of the data. With
   * num_spans 0 the port finds the memory when there are bytes (STRATA_PORT_PROVIDES_MEMORY), at
   * most `max_len`, and `received` has it when the result is above 0. */
  EVENT_OPERATION_RECV,
  /* Bytes of `spans` to a connected socket; the result may be less than all. Never SIGPIPE. */
  EVENT_OPERATION_SEND,
  /* A connection from a listening socket; the result is its descriptor, non-blocking and closed on
   * exec. `address`, if not NULL, gets the peer's, and address_len its length. */
  EVENT_OPERATION_ACCEPT,
  /* Connects a socket to `address`. */
  EVENT_OPERATION_CONNECT,
};

/* How many spans an operation may have. */
#define STRATA_MAX_SPANS 16

typedef void (*event_operation_fn)(struct event_operation *operation);

/* Embedded in its launcher's object. The first part is the launcher's: set up by
 * event_operation_init(), then filled in before each launch. */
struct event_operation {
  struct event_callback task;
  event_operation_fn function;
  enum event_operation_kind kind;
  evutil_socket_t fd;
  const struct event_span *spans;
  int num_spans;
  size_t max_len;
  struct sockaddr *address;
  ev_socklen_t address_len; /* in: the room, or the address's length */

  /* Valid while the function runs. */
  ev_ssize_t result; /* -1: `error` */
  int error;         /* a socket error; ECANCELED when it was cancelled before it did anything */
  struct event_received *received;

  /* The loop's. */
  struct event_base *base;
  struct event_operation *next, **link; /* among the base's, from launch until the function runs */
  bool is_in_flight;

  /* The port's. The words are 0 before a launch, and again when the operation is complete. */
  struct event_operation *next_waiting;
  intptr_t port_words[12];
};

/* `priority` is a base's; the function may launch the operation again, or free its memory. */
void event_operation_init(struct event_operation *operation, int priority,
                          event_operation_fn function);
/* 0, or -1 with errno: ENOTSUP (the base has no port), ECANCELED (it is being freed), ENOMEM. After
 * -1 the function is not called. One launch at a time. Any thread. */
int event_operation_launch(struct event_operation *operation, struct event_base *base);
/* Asks for the end of an operation. It completes soon: with ECANCELED, or as it would have. Does
 * nothing when it is not pending. Any thread. */
void event_operation_cancel(struct event_operation *operation);
/* Launched, and the function has not begun. Any thread. */
static inline bool event_operation_is_pending(const struct event_operation *operation) {
  return __atomic_load_n(&operation->link, __ATOMIC_RELAXED) != NULL;
}

/* Operations alone do not keep a loop going: who waits for one says so. `by` is 1 or -1. */
void event_base_keep_going(struct event_base *base, int by);

/* Whether operations can be launched: STRATA_PORT_*, and 0 once the base is being freed. */
unsigned event_base_port_features(const struct event_base *base);
#define STRATA_PORT_PRESENT 1
#define STRATA_PORT_PROVIDES_MEMORY 2

/* --- What a port implements. It shares its state with the readiness backend that brings it, whose
 * wait() reports completions to the sink. The base's lock is held in all calls. --- */

struct event_port_ops {
  unsigned features; /* STRATA_PORT_* */
  /* Begins an operation, at the latest with the next wait(). 0, or -1 with errno. */
  int (*launch)(void *state, struct event_operation *operation);
  /* Asks the kernel to end an operation that is in flight. */
  void (*cancel)(void *state, struct event_operation *operation);
};

#endif
