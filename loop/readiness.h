#ifndef STRATA_LOOP_READINESS_H_
#define STRATA_LOOP_READINESS_H_

#include <stdint.h>

#include <event2/event.h>
#include <event2/util.h>

/* The contract that a readiness backend implements: epoll, poll, kqueue, ... A backend tells which
 * descriptors are ready; it knows neither events nor callbacks. The conformance suite is
 * backends/testing/readiness_conformance.h; a new backend brings this table and a registration.
 *
 * Interest in a descriptor is a mask of EV_READ, EV_WRITE and EV_CLOSED, with EV_ET for edge
 * triggering. Errors are -1 with errno set. */

/* Set in what a backend reports beside EV_READ and EV_WRITE: the descriptor is hung up or in
 * error, so a short read does not mean that nothing more will come. Never part of an interest. */
#define STRATA_EV_HANGUP 0x100

struct event_operation;
struct event_port_ops;
struct event_received;

/* Where wait() puts what it found. */
struct event_readiness_sink {
  /* Takes one ready descriptor with the generation that its last change() carried. The base's
   * lock is held. Calls no user code. */
  void (*ready)(struct event_readiness_sink *sink, evutil_socket_t fd, uint32_t generation,
                short what);
  /* Release and take the base's lock; a backend brackets the system call that blocks with them. */
  void (*unlock)(struct event_readiness_sink *sink);
  void (*lock)(struct event_readiness_sink *sink);
  /* Takes a signal that came `num` times, from a backend with watch_signal(). As ready(). */
  void (*signal)(struct event_readiness_sink *sink, int signal, int num);
  /* Takes an operation that has ended, by event_operation_set_end() (loop/completion.h). As
   * ready(). */
  void (*complete)(struct event_readiness_sink *sink, struct event_operation *operation);
  /* Takes a result of an operation that goes on. As ready(). */
  void (*add_result)(struct event_readiness_sink *sink, struct event_operation *operation,
                     struct event_received *received);
  /* Instead of lock() and unlock() in a thread of the port's own, which is not the one that waits:
   * end_report() wakes the base for what was reported between. Such a backend has wake(), and its
   * destroy() waits for the thread. */
  void (*begin_report)(struct event_readiness_sink *sink);
  void (*end_report)(struct event_readiness_sink *sink);
};

/* One descriptor's registration as the base asks for it. */
struct event_readiness_change {
  evutil_socket_t fd;
  short old_mask;      /* what the kernel has; 0: not registered */
  short new_mask;      /* what it shall have; 0: forget the descriptor */
  uint32_t generation; /* handed back with what becomes ready */
  intptr_t *fd_state;  /* the backend's own word for this descriptor; 0 while old_mask is 0 */
  /* For a backend that batches: the next wait() of this thread may make the change, and log its
   * error. */
  int may_be_late;
};

/* `features` beyond EV_FEATURE_*. */
#define STRATA_READINESS_LIVE_CHANGES 0x1000 /* change() reaches a wait() that is going on */
#define STRATA_READINESS_BATCHES 0x2000      /* changes are collected and made before each wait() */

struct event_readiness_ops {
  /* Lower case, as event_base_get_method() returns it; EVENT_NO<NAME> turns the backend off. */
  const char *name;
  /* EV_FEATURE_* and STRATA_READINESS_*. */
  unsigned features;
  /* A child of fork(2) must destroy and init again before it uses the loop. */
  int fork_needs_reinit;
  /* Makes the backend's state; `config_flags` are the base's EVENT_BASE_FLAG_*. NULL on error. */
  void *(*init)(int config_flags);
  /* Applies one change. On error (EPERM: the descriptor can't be polled; EBADF; ENOMEM; ENOSPC)
   * the old registration stands. Forgetting a descriptor that is closed already succeeds. */
  int (*change)(void *state, const struct event_readiness_change *change);
  /* Reports each ready descriptor to the sink, waiting until `deadline_ns` for the first. INT64_MAX
   * waits without limit, a deadline not after `now_ns` not at all; in both cases `now_ns` may be
   * any number. Called with the base's lock held, returns with it held. 0 also when a signal ended
   * the wait. */
  int (*wait)(void *state, int64_t now_ns, int64_t deadline_ns, struct event_readiness_sink *sink);
  /* Makes the wait() that goes on, or the one that is about to, return soon; one that nobody needs
   * any more may end the next wait(). From any thread, with the base's lock or without it. 0, or -1
   * when the system can't at the moment. NULL: the base watches a descriptor for that. */
  int (*wake)(void *state);
  /* Begins or ends to report a signal's arrivals, to sink->signal(), whatever handler it has. From
   * any thread, with the base's lock. 0, or -1 with errno. NULL: the base catches signals itself.
   */
  int (*watch_signal)(void *state, int signal, int is_watched);
  /* With watch_signal(): what event_base_get_signal_method() returns. */
  const char *signal_method;
  /* Frees the state. Also called in a child of fork(2), where it must leave alone what is the
   * parent's or was not inherited, and after init() has made the state that takes its place. */
  void (*destroy)(void *state);
  /* The clock that deadlines are on, in nanoseconds; NULL: the system's monotonic clock. Lets a
   * simulated backend own time. */
  int64_t (*now)(void *state);
  /* The same backend with STRATA_READINESS_BATCHES, for a base that asks for it by
   * EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST or EVENT_EPOLL_USE_CHANGELIST; NULL: there is none. */
  const struct event_readiness_ops *batching;
  /* The completion port over the same state, or NULL. */
  const struct event_port_ops *port;
};

/* For wait(): how long it may last. -1: without limit; 0: not at all. */
static inline int64_t event_readiness_timeout_ns(int64_t now_ns, int64_t deadline_ns) {
  if (deadline_ns == INT64_MAX) return -1;
  return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

/* The constructor under event_base_new_with_config(): tries the backends of a NULL-terminated
 * table in order and takes the first that `config` (may be NULL), the environment and the system
 * allow. Returns NULL when there is none or memory is short. */
struct event_base *event_base_new_with_backends(const struct event_config *config,
                                                const struct event_readiness_ops *const *backends);

#endif
