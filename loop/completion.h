#ifndef STRATA_LOOP_COMPLETION_H_
#define STRATA_LOOP_COMPLETION_H_

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/util.h>

#include "util/executor.h"

/* The contract of a completion port: io_uring, IOCP. An operation is launched, the kernel carries
 * it out, and then its function runs: exactly once, whatever happens (success, error, cancellation,
 * the end of the base), from the loop, at the operation's priority. Never from inside a launch. An
 * operation outlives the thread that launched it; but for one that connects or sends over a stream
 * on Windows, on a socket whose port is another base's or the program's: WSAECONNABORTED.
 *
 * A base has a port when its backend brings one and the program asked for it
 * (EVENT_BASE_FLAG_COMPLETION). The conformance suite is backends/testing/completion_conformance.h.
 *
 * Until the function runs, the operation and all that it points to belong to the port: bytes to
 * send must not change, room to receive into must not be looked at, the descriptor must stay open
 * unless the operation was cancelled.
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
  bool is_scarce; /* the port has few left: better copied and given back than kept */
  void (*release)(struct event_received *received);
  struct event_received *next; /* the loop's until the function runs, then whoever's it is */
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

/* The error of an operation that was cancelled before it did anything, in the system's numbers for
 * errors of sockets. */
#ifdef _WIN32
#define STRATA_OPERATION_CANCELLED WSA_OPERATION_ABORTED
#else
#define STRATA_OPERATION_CANCELLED ECANCELED
#endif

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
  bool repeats;             /* see STRATA_PORT_REPEATS */

  /* Valid while the function runs. */
  ev_ssize_t result; /* -1: `error` */
  int error;         /* a socket error; or STRATA_OPERATION_CANCELLED */
  struct event_received *received;
  bool is_last; /* false: it goes on */

  /* The loop's. */
  struct event_base *base;
  struct event_operation *next, **link; /* among the base's, from launch until the function runs */
  bool is_in_flight;
  struct event_received *first_result, **last_result; /* that the function was not told yet */
  int end_error;                                      /* with which they end */

  /* The port's: the socket that it was told of already, or -1. The launcher's duty is to call
   * event_operation_forget_socket() when `fd` is to be another socket, even of the same number. */
  evutil_socket_t known_fd;
  unsigned known_by; /* which port, and what it noted */

  /* The port's. The words are 0 before a launch, and again when the operation is complete. */
  struct event_operation *next_waiting;
  intptr_t port_words[12];
};

/* `priority` is a base's; the function may launch the operation again, or free its memory (of one
 * that repeats, when `is_last`). */
void event_operation_init(struct event_operation *operation, int priority,
                          event_operation_fn function);
/* What is launched next is for a socket that may be another one than before. */
static inline void event_operation_forget_socket(struct event_operation *operation) {
  operation->known_fd = -1;
}
/* 0, or -1 with errno: ENOTSUP (the base has no port), ECANCELED (it is being freed), EBADF (a
 * child of fork(2), before event_reinit()), ENOMEM. After -1 the function is not called. One launch
 * at a time. Any thread. */
int event_operation_launch(struct event_operation *operation, struct event_base *base);
/* Asks for the end of an operation. It completes soon: with STRATA_OPERATION_CANCELLED, or as it
 * would have. A connection whose send was cancelled may be of no use any more: on Windows the
 * kernel does not tell how much of it went. Does nothing when it is not pending. Any thread. */
void event_operation_cancel(struct event_operation *operation);
/* Launched, and the function has not begun (for the last time). Any thread. */
static inline bool event_operation_is_pending(const struct event_operation *operation) {
  return __atomic_load_n(&operation->link, __ATOMIC_RELAXED) != NULL;
}
/* Pending, and the port has not told how it ended. Any thread, but not beside a launch. */
bool event_operation_is_in_flight(const struct event_operation *operation);

/* Operations alone do not keep a loop going: who waits for one says so. `by` is 1 or -1. */
void event_base_keep_going(struct event_base *base, int by);

/* Whether operations can be launched: STRATA_PORT_*, and 0 once the base is being freed. */
unsigned event_base_port_features(const struct event_base *base);
#define STRATA_PORT_PRESENT 1
#define STRATA_PORT_PROVIDES_MEMORY 2
/* A send begins in its launch, and can't be taken back: of one that was cancelled it is not known
 * how much went. */
#define STRATA_PORT_SENDS_AT_ONCE 4
/* A receive into the port's memory may be launched with `repeats` (and max_len 0): it goes on after
 * a result, and so need not be launched anew for each. Its function runs once for each piece of
 * data, in their order, and then exactly once with `is_last`, which brings no bytes: the end of the
 * data, an error, or STRATA_OPERATION_CANCELLED. What was received before a cancellation took
 * effect is told before that: nothing gets lost. The operation is launched all that time; its
 * launcher cancels it when it does not want more, and bears with what comes until it has ended. */
#define STRATA_PORT_REPEATS 8

/* --- What a port implements. It shares its state with the readiness backend that brings it, whose
 * wait() reports completions to the sink. The base's lock is held in all calls. --- */

struct event_readiness_sink;

/* What has become of an operation, before it is reported as complete. The function of one that
 * repeats may be running for an earlier result just now, and must not see this yet. */
static inline void event_operation_set_end(struct event_operation *operation, ev_ssize_t result,
                                           int error) {
  operation->end_error = error;
  if (operation->repeats) return;
  operation->result = error ? -1 : result;
  operation->error = error;
}

struct event_port_ops {
  unsigned features; /* STRATA_PORT_* */
  /* Begins an operation, at the latest with the next wait(). 0, or -1 with errno. */
  int (*launch)(void *state, struct event_operation *operation);
  /* Asks the kernel to end an operation that is in flight. */
  void (*cancel)(void *state, struct event_operation *operation);
  /* The function is about to see a result of an operation that goes on. NULL: no matter. */
  void (*taken)(void *state, struct event_operation *operation);
  /* Whether this is a child of fork(2), before event_reinit(): launching fails with EBADF, and
   * nothing in flight is this process's. NULL: there are no such children. */
  bool (*is_inherited)(void *state);
  /* Makes threads of the port's own, which carry completions to the sink; before the first launch,
   * for a base with a lock. Returns the port's operations from then on, or NULL when that fails and
   * everything stays as it was. NULL: the port has none. */
  const struct event_port_ops *(*start_workers)(void *state, struct event_readiness_sink *sink,
                                                int num_workers);
};

#endif
