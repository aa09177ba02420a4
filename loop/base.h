#ifndef STRATA_LOOP_BASE_H_
#define STRATA_LOOP_BASE_H_

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "loop/attachment.h"
#include "loop/config.h"
#include "loop/fd_map.h"
#include "loop/readiness.h"
#include "loop/signal_map.h"
#include "loop/timer_heap.h"
#include "loop/wakeup.h"
#include "util/executor.h"
#include "util/lock.h"

EVENT_TAILQ_HEAD_(event_callback_queue, event_callback);

/* Callbacks of one priority that are waiting to run, oldest first. */
struct active_queue {
  struct event_callback_queue callbacks;
  int num_callbacks;
};

struct common_timeout;
struct event_once;
struct event_operation;
struct event_port_ops;
struct event_watchers;

/* How many of something there are, and the most there have been since the last reset. */
struct event_counter {
  int now;
  int max;
};

struct event_base {
  struct event_executor executor; /* first: a pointer to a base is a pointer to its executor */

  const struct event_readiness_ops *backend;
  void *backend_state;
  struct event_readiness_sink sink;

  strata_lock lock; /* recursive; guards everything below; never held while user code runs */
  strata_cond running_done;
  int num_waiting_for_running;

  struct active_queue *active; /* executor.num_priorities of them */
  int num_active;              /* in all queues together */
  struct event *running; /* whose callback is running; NULL: none, or one that is no event's */
  int running_priority;  /* of the queue that is being run; 0 while none is */
  short running_calls;   /* how often a running signal event is still to be called, this one too */

  struct fd_map fds;
  struct signal_map signals;
  struct timer_heap timers;
  struct common_timeout **common_timeouts;
  int num_common_timeouts;
  struct event_once *once_events;
  const struct event_port_ops *port;  /* NULL: no completions */
  struct event_operation *operations; /* pending ones */
  struct event_watchers *watchers;    /* NULL until there was one */

  int64_t cached_now_ns;  /* 0: read the clock */
  int64_t wall_offset_ns; /* wall clock minus loop clock, when it was last looked at */
  int64_t wall_offset_at_ns;

  /* `added` is without the active ones; its maximum is of both together. */
  struct event_counter added, active_count, virtual_count;

  unsigned long owner_thread;
  struct event_base_wakeup wakeup;
  bool running_loop, may_be_waiting;
  bool exit_requested, break_requested, continue_requested;
  bool is_closing;

  int config_flags;
  int num_cpus_hint;
  int64_t max_dispatch_ns;
  int max_dispatch_callbacks;
  int limit_from_priority;

  struct event_base_attachments attachments;
};

static inline void event_base_lock(struct event_base *base) {
  strata_lock_acquire(base->lock);
}
static inline void event_base_unlock(struct event_base *base) {
  strata_lock_release(base->lock);
}

/* True when the caller is the thread that runs the loop, or when there are no threads. */
static inline bool event_base_in_loop_thread(const struct event_base *base) {
  return !base->lock || base->owner_thread == strata_thread_id();
}

/* True when another thread runs this loop now, so that a callback may be under way there. Base lock
 * held. */
static inline bool event_base_runs_elsewhere(const struct event_base *base) {
  return base->running_loop && !event_base_in_loop_thread(base);
}

/* Reads the base's clock, not the cache. Base lock held. */
int64_t event_base_clock_ns(struct event_base *base);
/* The time on the base's clock, cached while callbacks run. Base lock held. */
static inline int64_t event_base_now_ns(struct event_base *base) {
  return base->cached_now_ns ? base->cached_now_ns : event_base_clock_ns(base);
}
/* The wall-clock time (since 1970) of a time on the base's clock. Base lock held. */
int64_t event_base_wall_ns(struct event_base *base, int64_t loop_ns);
/* Wakes the loop if another thread is, or is about to be, waiting in the backend. Base lock held.
 */
static inline void event_base_notify(struct event_base *base) {
  if (base->may_be_waiting) event_base_wakeup_send(base);
}

static inline void event_counter_note(struct event_counter *counter, int reached) {
  if (reached > counter->max) counter->max = reached;
}
static inline void event_counter_add(struct event_counter *counter, int by) {
  counter->now += by;
  event_counter_note(counter, counter->now);
}

/* What EVENT_BASE_COUNT_ADDED is. Base lock held. */
static inline int event_base_num_added(const struct event_base *base) {
  return base->added.now + base->active_count.now;
}

/* Whether there is anything, beside what is active, that the loop should go on for. Base lock
 * held. */
static inline bool event_base_has_work(const struct event_base *base) {
  return base->added.now > 0 || base->virtual_count.now > 0;
}
/* Adds to the count of pending events; a loop that waits for none any more is woken, so that it
 * ends. Base lock held. */
static inline void event_base_count_added(struct event_base *base, int by) {
  base->added.now += by;
  if (by > 0) event_counter_note(&base->added, event_base_num_added(base));
  if (by < 0 && !event_base_has_work(base)) event_base_notify(base);
}
/* Something that keeps the loop going without being an event: a pending operation, a source that
 * wants something. Base lock held. */
static inline void event_base_add_virtual(struct event_base *base, int by) {
  event_counter_add(&base->virtual_count, by);
  if (by < 0 && !event_base_has_work(base)) event_base_notify(base);
}

#endif
