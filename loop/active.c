#include "loop/active.h"

#include <stddef.h>
#include <string.h>

#include "loop/base.h"
#include "loop/debug.h"
#include "loop/event_internal.h"
#include "loop/finalize.h"
#include "loop/timeouts.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/prefetch.h"
#include "util/queue.h"

/* How many callbacks that become active while a queue is run may run in the same turn. */
#define EXTRA_CALLBACKS_PER_TURN 64

int event_active_queues_init(struct event_base *base, int num_priorities) {
  struct active_queue *queues = strata_calloc((size_t)num_priorities, sizeof(*queues));
  if (!queues) return -1;
  for (int i = 0; i < num_priorities; i++) EV_TAILQ_INIT(&queues[i].callbacks);
  if (base->active) strata_free(base->active);
  base->active = queues;
  base->executor.num_priorities = num_priorities;
  return 0;
}

static inline void push(struct event_base *base, struct event_callback *callback) {
  strata_assert(callback->evcb_pri < base->executor.num_priorities);
  struct active_queue *queue = &base->active[callback->evcb_pri];
  callback->evcb_flags |= EVLIST_ACTIVE;
  EV_TAILQ_PUSH_BACK(&queue->callbacks, callback, evcb_active_next);
  queue->num_callbacks++;
  base->num_active++;
  if (callback->evcb_flags & EVLIST_INTERNAL) return;
  event_counter_add(&base->active_count, 1);
  event_counter_note(&base->added, event_base_num_added(base));
}

int event_active_queue_push(struct event_base *base, struct event_callback *callback) {
  if (callback->evcb_flags & (EVLIST_ACTIVE | EVLIST_FINALIZING)) return 0;
  push(base, callback);
  return 1;
}

/* The opposite of push(). */
static inline void take_out(struct event_base *base, struct event_callback *callback) {
  struct active_queue *queue = &base->active[callback->evcb_pri];
  callback->evcb_flags &= ~EVLIST_ACTIVE;
  EV_TAILQ_REMOVE(&queue->callbacks, callback, evcb_active_next);
  queue->num_callbacks--;
  base->num_active--;
  if (!(callback->evcb_flags & EVLIST_INTERNAL)) base->active_count.now--;
}

void event_active_queue_remove(struct event_base *base, struct event_callback *callback) {
  if (callback->evcb_flags & EVLIST_ACTIVE) take_out(base, callback);
}

static int schedule(struct event_executor *executor, struct event_callback *callback) {
  struct event_base *base = (struct event_base *)executor;
  event_base_lock(base);
  int queued = event_active_queue_push(base, callback);
  if (queued) event_base_notify(base);
  event_base_unlock(base);
  return queued;
}

static void cancel(struct event_executor *executor, struct event_callback *callback) {
  struct event_base *base = (struct event_base *)executor;
  event_base_lock(base);
  event_active_queue_remove(base, callback);
  event_base_unlock(base);
}

const struct event_executor_ops event_base_executor_ops = {schedule, cancel};

bool event_wait_while_running(struct event_base *base, const struct event *event) {
  bool has_waited = false;
  while (base->running == event && event_base_runs_elsewhere(base)) {
    has_waited = true;
    base->num_waiting_for_running++;
    if (base->running_done) {
      strata_cond_wait(base->running_done, base->lock);
    } else { /* the program installed locks, but no condition variables */
      event_base_unlock(base);
      event_base_lock(base);
    }
  }
  return has_waited;
}

void event_active_locked(struct event *event, int result, short num_calls) {
  struct event_base *base = event->ev_base;
  struct event_callback *callback = &event->ev_evcallback;
  if (callback->evcb_flags & (EVLIST_ACTIVE | EVLIST_FINALIZING)) {
    if (!(callback->evcb_flags & EVLIST_FINALIZING)) event->ev_res |= (short)result;
    return;
  }
  event->ev_res = (short)result;
  if (event->ev_events & EV_SIGNAL) event->ev_.ev_signal.ev_ncalls = num_calls;
  push(base, callback);
  /* What is more urgent than the queue that is being run does not wait for the rest of it. */
  if (callback->evcb_pri < base->running_priority) base->continue_requested = true;
  event_base_notify(base);
}

/* `event` is NULL when what runs is not an event's callback: nobody waits for it then. */
static inline void begin_running(struct event_base *base, struct event *event) {
  base->running = event;
  event_base_unlock(base);
}

static inline void end_running(struct event_base *base) {
  event_base_lock(base);
  base->running = NULL;
  if (base->num_waiting_for_running) {
    base->num_waiting_for_running = 0;
    strata_cond_broadcast(base->running_done);
  }
}

/* Counts a call of the running signal event; whether another one follows. */
static bool is_called_again(struct event_base *base) {
  event_base_lock(base);
  bool again = --base->running_calls > 0 && !base->break_requested;
  event_base_unlock(base);
  return again;
}

static void run_signal_event(struct event_base *base, struct event *event) {
  event_callback_fn function = event->ev_evcallback.evcb_cb_union.evcb_callback;
  evutil_socket_t signal = event->ev_fd;
  short result = event->ev_res;
  void *arg = event->ev_evcallback.evcb_arg;
  base->running_calls = event->ev_.ev_signal.ev_ncalls;
  if (base->running_calls <= 0) return;
  begin_running(base, event);
  do {
    function(signal, result, arg); /* may free the event */
  } while (is_called_again(base));
  end_running(base);
}

static inline void run_event(struct event_base *base, struct event *event) {
  event_callback_fn function = event->ev_evcallback.evcb_cb_union.evcb_callback;
  evutil_socket_t fd = event->ev_fd;
  short result = event->ev_res;
  void *arg = event->ev_evcallback.evcb_arg;
  begin_running(base, event);
  function(fd, result, arg);
  end_running(base);
}

static void run_event_finalizer(struct event_base *base, struct event *event) {
  event_finalize_callback_fn function = event->ev_evcallback.evcb_cb_union.evcb_evfinalize;
  int is_ours = event->ev_evcallback.evcb_closure == STRATA_CLOSURE_EVENT_FINALIZE_FREE;
  begin_running(base, NULL);
  function(event, event->ev_evcallback.evcb_arg);
  if (is_ours) {
    event_debug_note_teardown(event);
    strata_free(event);
  }
  end_running(base);
}

static void run_self(struct event_base *base, struct event_callback *callback) {
  /* Once the lock is given up, another thread may make a finaliser of it. */
  void (*function)(struct event_callback *, void *) = callback->evcb_cb_union.evcb_selfcb;
  void *arg = callback->evcb_arg;
  begin_running(base, NULL);
  function(callback, arg);
  end_running(base);
}

/* Takes an event without EV_PERSIST, which is about to run, out of everything else. */
static void leave_everything(struct event *event) {
  if (event->ev_evcallback.evcb_flags & (EVLIST_TIMEOUT | EVLIST_INSERTED))
    event_del_locked(event, EVENT_DEL_NOBLOCK);
  else
    event_debug_note_del(event);
}

/* The timeout of a persistent event counts from what happened last. */
static inline void restart_timeout(struct event *event) {
  if (event->ev_evcallback.evcb_flags & EVLIST_TIMEOUT && !(event->ev_res & EV_TIMEOUT))
    event_timeouts_restart(event);
}

/* Takes the callback, whose turn it is, out of the queue and calls it. */
static inline void run_callback(struct event_base *base, struct event_callback *callback) {
  struct event *event = event_of_callback(callback); /* not so for STRATA_CLOSURE_SELF */
  take_out(base, callback);
  switch ((enum strata_closure)callback->evcb_closure) {
    case STRATA_CLOSURE_EVENT_SIGNAL:
      if (!(event->ev_events & EV_PERSIST)) leave_everything(event);
      run_signal_event(base, event);
      break;
    case STRATA_CLOSURE_EVENT_PERSIST:
      restart_timeout(event);
      run_event(base, event);
      break;
    case STRATA_CLOSURE_EVENT:
      leave_everything(event);
      run_event(base, event);
      break;
    case STRATA_CLOSURE_EVENT_FINALIZE:
    case STRATA_CLOSURE_EVENT_FINALIZE_FREE:
      run_event_finalizer(base, event);
      break;
    case STRATA_CLOSURE_SELF:
      run_self(base, callback);
      break;
  }
}

/* A queue's share of one turn. */
struct turn_limits {
  int num_callbacks;
  int64_t end_ns; /* INT64_MAX: none */
};

static struct turn_limits limits_of(struct event_base *base, int priority) {
  struct turn_limits limits = {INT32_MAX, INT64_MAX};
  if (priority < base->limit_from_priority) return limits;
  limits.num_callbacks = base->max_dispatch_callbacks;
  if (base->max_dispatch_ns != INT64_MAX)
    limits.end_ns = strata_ns_add(event_base_clock_ns(base), base->max_dispatch_ns);
  return limits;
}

static int run_queue(struct event_base *base, int priority) {
  struct turn_limits limits = limits_of(base, priority);
  int num_run = 0;
  base->running_priority = priority;
  int budget = base->active[priority].num_callbacks + EXTRA_CALLBACKS_PER_TURN;
  /* A callback may have the queues made anew: event_base_priority_init(). */
  for (; budget > 0 && priority < base->executor.num_priorities; budget--) {
    struct event_callback *callback = EV_TAILQ_FIRST(&base->active[priority].callbacks);
    if (!callback) break;
    /* Among many events each one is a cache miss, and only the last one tells which is next. */
    const struct event_callback *next = EV_TAILQ_NEXT(callback, evcb_active_next);
    STRATA_PREFETCH(next, 0);
    STRATA_PREFETCH(next, offsetof(struct event, ev_events));
    if (!(callback->evcb_flags & EVLIST_INTERNAL)) num_run++;
    run_callback(base, callback);
    if (base->break_requested || base->continue_requested || num_run >= limits.num_callbacks) break;
    if (limits.end_ns != INT64_MAX && event_base_clock_ns(base) >= limits.end_ns) break;
  }
  base->running_priority = 0;
  return num_run;
}

int event_active_queues_run(struct event_base *base) {
  for (int priority = 0; priority < base->executor.num_priorities; priority++) {
    if (!base->active[priority].num_callbacks) continue;
    int num_run = run_queue(base, priority);
    if (num_run || base->break_requested || base->continue_requested) return num_run;
  }
  return 0;
}

void event_finalize_locked(struct event *event, enum strata_closure closure,
                           event_finalize_callback_fn function) {
  struct event_base *base = event->ev_base;
  event_del_locked(event, EVENT_DEL_NOBLOCK);
  event->ev_evcallback.evcb_closure = (ev_uint8_t)closure;
  event->ev_evcallback.evcb_cb_union.evcb_evfinalize = function;
  push(base, &event->ev_evcallback);
  event->ev_evcallback.evcb_flags |= EVLIST_FINALIZING;
  event_base_notify(base);
}

void event_base_finalize_callback(struct event_base *base, struct event_callback *callback,
                                  void (*function)(struct event_callback *, void *), void *arg) {
  event_base_lock(base);
  event_active_queue_remove(base, callback);
  event_callback_init(callback, 0, function, arg);
  int must_wait = event_base_runs_elsewhere(base);
  if (must_wait) {
    push(base, callback);
    callback->evcb_flags |= EVLIST_FINALIZING;
    event_base_notify(base);
  }
  event_base_unlock(base);
  if (!must_wait) function(callback, arg);
}

static int is_finalizer(const struct event_callback *callback) {
  return callback->evcb_flags & EVLIST_FINALIZING;
}

int event_active_queues_run_finalizers(struct event_base *base) {
  int num_run = 0;
  for (int priority = 0; priority < base->executor.num_priorities; priority++) {
    struct event_callback *callback = EV_TAILQ_FIRST(&base->active[priority].callbacks);
    while (callback) {
      struct event_callback *next = EV_TAILQ_NEXT(callback, evcb_active_next);
      if (is_finalizer(callback)) {
        take_out(base, callback);
        if (callback_is_event(callback))
          run_event_finalizer(base, event_of_callback(callback));
        else
          run_self(base, callback);
        num_run++;
        /* The finaliser may have changed the queue. */
        next = EV_TAILQ_FIRST(&base->active[priority].callbacks);
      }
      callback = next;
    }
  }
  return num_run;
}
