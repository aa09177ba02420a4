#ifndef STRATA_UTIL_EXECUTOR_H_
#define STRATA_UTIL_EXECUTOR_H_

#include <string.h>

#include <event2/callback_struct.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "Queue this callback at this priority, run it soon, or cancel it": all that buffers need of a
 * loop. An event_base begins with one, so a pointer to a base is a pointer to its executor. */

struct event_executor;

struct event_executor_ops {
  /* Queues the callback to run once from the loop's thread, no earlier than this call's return
   * and in the loop turn that is going on or the next one; wakes a loop that waits. Returns 1
   * when it was queued, 0 when it was queued already. From any thread. */
  int (*schedule)(struct event_executor *executor, struct event_callback *callback);
  /* Takes it out of the queue; nothing happens when it is not there. Does not wait for a
   * callback that is already running in another thread. From any thread. */
  void (*cancel)(struct event_executor *executor, struct event_callback *callback);
};

struct event_executor {
  const struct event_executor_ops *ops;
  int num_priorities;
};

/* Values of evcb_closure. */
enum strata_closure {
  STRATA_CLOSURE_EVENT = 0,
  STRATA_CLOSURE_EVENT_SIGNAL = 1,
  STRATA_CLOSURE_EVENT_PERSIST = 2,
  STRATA_CLOSURE_SELF = 3,
  STRATA_CLOSURE_EVENT_FINALIZE = 4,
  STRATA_CLOSURE_EVENT_FINALIZE_FREE = 5,
};

/* Prepares a callback embedded in an object of the caller; the object must stay alive while it is
 * queued or running. `function` may free the object. */
static inline void event_callback_init(struct event_callback *callback, int priority,
                                       void (*function)(struct event_callback *, void *),
                                       void *arg) {
  memset(callback, 0, sizeof(*callback));
  callback->evcb_pri = (ev_uint8_t)priority;
  callback->evcb_closure = STRATA_CLOSURE_SELF;
  callback->evcb_cb_union.evcb_selfcb = function;
  callback->evcb_arg = arg;
}

static inline int event_executor_schedule(struct event_executor *executor,
                                          struct event_callback *callback) {
  return executor->ops->schedule(executor, callback);
}

static inline void event_executor_cancel(struct event_executor *executor,
                                         struct event_callback *callback) {
  executor->ops->cancel(executor, callback);
}

#ifdef __cplusplus
}
#endif

#endif
