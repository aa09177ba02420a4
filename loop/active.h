#ifndef STRATA_LOOP_ACTIVE_H_
#define STRATA_LOOP_ACTIVE_H_

#include <stdbool.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "util/executor.h"

struct event_base;

/* The queues of callbacks that wait to run. All functions are called with the base's lock held. */

extern const struct event_executor_ops event_base_executor_ops;

/* Makes the queues of a base anew; nothing is active. 0, or -1 when memory is short. */
int event_active_queues_init(struct event_base *base, int num_priorities);

/* Queues at evcb_pri. 1 when it was queued, 0 when it was queued already or is being finalised. */
int event_active_queue_push(struct event_base *base, struct event_callback *callback);
/* Nothing happens when it is not queued. */
void event_active_queue_remove(struct event_base *base, struct event_callback *callback);

/* Marks an event as having happened: `result` joins what is pending; a signal event will be called
 * num_calls times. Wakes the loop. */
void event_active_locked(struct event *event, int result, short num_calls);

/* Runs what is queued at the most urgent priority that has anything, in the order of queueing,
 * releasing the lock around each callback. What becomes active meanwhile runs too, up to a budget,
 * so that a callback which activates itself does not keep the loop from its descriptors. Returns
 * how many callbacks of the user's were run. */
int event_active_queues_run(struct event_base *base);

/* Waits until `event`, whose callback is running, is not the one that another thread is running,
 * releasing the lock meanwhile. False when there was nothing to wait for. */
bool event_wait_while_running(struct event_base *base, const struct event *event);

/* Queues the finaliser of an event that was taken out of everything. */
void event_finalize_locked(struct event *event, enum strata_closure closure,
                           event_finalize_callback_fn function);
/* Runs the finalisers that are queued, for a base that is going away. Returns how many. */
int event_active_queues_run_finalizers(struct event_base *base);

static inline struct event *event_of_callback(struct event_callback *callback) {
  return (struct event *)callback; /* ev_evcallback is the first member */
}

static inline int callback_is_event(const struct event_callback *callback) {
  return callback->evcb_flags & EVLIST_INIT;
}

#endif
