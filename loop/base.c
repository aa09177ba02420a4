#include "loop/base.h"

#include <stdlib.h>

#include "loop/active.h"
#include "loop/base_clock.h"
#include "loop/completion.h"
#include "loop/current_base.h"
#include "loop/debug.h"
#include "loop/event_internal.h"
#include "loop/once.h"
#include "loop/operations.h"
#include "loop/timeouts.h"
#include "loop/watch.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/winsock.h"

/* What asks for a completion port. */
#ifdef _WIN32
#define COMPLETION_FLAGS (EVENT_BASE_FLAG_COMPLETION | EVENT_BASE_FLAG_STARTUP_IOCP)
#else
#define COMPLETION_FLAGS EVENT_BASE_FLAG_COMPLETION
#endif

/* There is no fork(2) on Windows. */
#ifdef _WIN32
#define HAS_FORK false
#else
#define HAS_FORK true
#endif

/* How long a difference between the clocks may be used before it is looked at again. */
#define WALL_OFFSET_LIFETIME_NS (5 * STRATA_NS_PER_SECOND)

/* Wall clock minus loop clock, looked at every few seconds. */
static int64_t wall_offset_ns(struct event_base *base) {
  int64_t now = event_base_now_ns(base);
  if (!base->wall_offset_at_ns || !base->cached_now_ns ||
      now - base->wall_offset_at_ns > WALL_OFFSET_LIFETIME_NS) {
    base->wall_offset_ns = strata_wall_ns() - event_base_clock_ns(base);
    base->wall_offset_at_ns = now;
  }
  return base->wall_offset_ns;
}

int64_t event_base_wall_ns(struct event_base *base, int64_t loop_ns) {
  int64_t offset = wall_offset_ns(base);
  return offset > 0 ? strata_ns_add(loop_ns, offset) : loop_ns + offset;
}

/* --- Making --- */

static void sink_ready(struct event_readiness_sink *sink, evutil_socket_t fd, uint32_t generation,
                       short what) {
  struct event_base *base = STRATA_CONTAINER_OF(sink, struct event_base, sink);
  event_fd_map_deliver(base, fd, generation, what);
}

static void sink_unlock(struct event_readiness_sink *sink) {
  event_base_unlock(STRATA_CONTAINER_OF(sink, struct event_base, sink));
}

static void sink_begin_report(struct event_readiness_sink *sink) {
  event_base_lock(STRATA_CONTAINER_OF(sink, struct event_base, sink));
}

static void sink_lock(struct event_readiness_sink *sink) {
  struct event_base *base = STRATA_CONTAINER_OF(sink, struct event_base, sink);
  event_base_lock(base);
  /* What is reported from here on needs to wake nobody. */
  base->may_be_waiting = false;
}

static void sink_signal(struct event_readiness_sink *sink, int signal, int num) {
  event_signal_map_activate(STRATA_CONTAINER_OF(sink, struct event_base, sink), signal, num);
}

static void sink_complete(struct event_readiness_sink *sink, struct event_operation *operation) {
  event_operation_complete(STRATA_CONTAINER_OF(sink, struct event_base, sink), operation);
}

static void sink_add_result(struct event_readiness_sink *sink, struct event_operation *operation,
                            struct event_received *received) {
  event_operation_add_result(STRATA_CONTAINER_OF(sink, struct event_base, sink), operation,
                             received);
}

static void sink_end_report(struct event_readiness_sink *sink) {
  struct event_base *base = STRATA_CONTAINER_OF(sink, struct event_base, sink);
  /* Whoever frees the base waits as well, and runs no loop. */
  bool must_wake = base->is_closing || (base->may_be_waiting && event_base_runs_elsewhere(base));
  base->may_be_waiting &= !must_wake;
  event_base_unlock(base);
  /* Without the lock, which is the first thing that the woken thread wants. The base outlives its
   * port's threads, and nobody else would try again. */
  while (must_wake && base->backend->wake(base->backend_state) < 0) continue;
}

static bool environment_asks(const struct event_base *base, const char *variable) {
  return !(base->config_flags & EVENT_BASE_FLAG_IGNORE_ENV) && getenv(variable);
}

static const struct event_readiness_ops *variant_of(const struct event_base *base,
                                                    const struct event_readiness_ops *ops) {
  bool batches = base->config_flags & EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST ||
                 environment_asks(base, "EVENT_EPOLL_USE_CHANGELIST");
  return batches && ops->batching ? ops->batching : ops;
}

/* Takes the first that is allowed and works; false when there is none. */
static bool take_backend(struct event_base *base, const struct event_config *config,
                         const struct event_readiness_ops *const *backends, bool with_port) {
  for (; *backends; backends++) {
    if (!event_config_allows(config, *backends) || (with_port && !(*backends)->port)) continue;
    base->backend_state = (*backends)->init(base->config_flags);
    if (!base->backend_state) continue;
    base->backend = variant_of(base, *backends);
    if (with_port) base->port = base->backend->port;
    return true;
  }
  return false;
}

static int choose_backend(struct event_base *base, const struct event_config *config,
                          const struct event_readiness_ops *const *backends) {
  if (base->config_flags & COMPLETION_FLAGS) {
    if (take_backend(base, config, backends, true)) return 0;
    strata_log_debug("event_base_new: no completion port is available");
  }
  if (take_backend(base, config, backends, false)) return 0;
  strata_log(STRATA_LOG_WARN, "event_base_new: no method of waiting for events is available");
  return -1;
}

static int init_locking(struct event_base *base) {
  if (base->config_flags & EVENT_BASE_FLAG_NOLOCK || !strata_threading_enabled()) return 0;
  if (strata_lock_init(&base->lock, EVTHREAD_LOCKTYPE_RECURSIVE) < 0) return -1;
  if (strata_cond_init(&base->running_done) < 0) return -1;
  return event_base_wakeup_open(base);
}

/* Without workers the loop's thread serves the port. */
static void start_workers(struct event_base *base) {
  if (!base->lock || !base->port || !base->port->start_workers || base->num_cpus_hint < 2) return;
  const struct event_port_ops *ops =
      base->port->start_workers(base->backend_state, &base->sink, base->num_cpus_hint);
  if (ops)
    base->port = ops;
  else
    strata_log_debug("event_base_new: there are no threads for the completion port");
}

/* The variable's value may be the number of CPUs, for a program that does not tell it. */
static void ask_for_completion(struct event_base *base, const char *num_cpus) {
  base->config_flags |= EVENT_BASE_FLAG_COMPLETION;
  if (!base->num_cpus_hint) base->num_cpus_hint = atoi(num_cpus);
}

static void apply_config(struct event_base *base, const struct event_config *config) {
  base->config_flags = config->flags;
  if (environment_asks(base, "EVENT_PRECISE_TIMER"))
    base->config_flags |= EVENT_BASE_FLAG_PRECISE_TIMER;
  base->num_cpus_hint = config->num_cpus_hint;
  if (environment_asks(base, "EVENT_COMPLETION"))
    ask_for_completion(base, getenv("EVENT_COMPLETION"));
  base->max_dispatch_ns = config->max_dispatch_ns;
  base->max_dispatch_callbacks = config->max_dispatch_callbacks;
  base->limit_from_priority = config->limit_from_priority;
}

struct event_base *event_base_new_with_backends(const struct event_config *config,
                                                const struct event_readiness_ops *const *backends) {
  struct event_config defaults;
  event_config_init(&defaults);
  if (!config) config = &defaults;
  if (strata_winsock_start() < 0) return NULL;
  event_debug_note_base();
  struct event_base *base = strata_calloc(1, sizeof(*base));
  if (!base) return NULL;
  base->executor.ops = &event_base_executor_ops;
  base->sink.ready = sink_ready;
  base->sink.unlock = sink_unlock;
  base->sink.lock = sink_lock;
  base->sink.signal = sink_signal;
  base->sink.complete = sink_complete;
  base->sink.add_result = sink_add_result;
  base->sink.begin_report = sink_begin_report;
  base->sink.end_report = sink_end_report;
  event_signal_map_init(&base->signals);
  event_base_wakeup_init(base);
  apply_config(base, config);
  if (choose_backend(base, config, backends) < 0 || event_active_queues_init(base, 1) < 0 ||
      init_locking(base) < 0) {
    event_base_free_nofinalize(base);
    return NULL;
  }
  start_workers(base);
  if (environment_asks(base, "EVENT_SHOW_METHOD"))
    strata_log(STRATA_LOG_MSG, "event_base_new: the method is %s", base->backend->name);
  return base;
}

int evthread_make_base_notifiable(struct event_base *base) {
  if (!base) return -1;
  event_base_lock(base);
  int result = event_base_wakeup_open(base);
  event_base_unlock(base);
  return result;
}

int event_base_priority_init(struct event_base *base, int num_priorities) {
  if (num_priorities < 1 || num_priorities >= EVENT_MAX_PRIORITIES) return -1;
  event_base_lock(base);
  int result = -1;
  if (num_priorities == base->executor.num_priorities)
    result = 0;
  else if (!base->num_active)
    result = event_active_queues_init(base, num_priorities);
  event_base_unlock(base);
  return result;
}

int event_base_get_npriorities(struct event_base *base) {
  if (!base) base = event_current_base;
  event_base_lock(base);
  int num_priorities = base->executor.num_priorities;
  event_base_unlock(base);
  return num_priorities;
}

/* --- Freeing --- */

static int take_out_of_heap(struct event *event, void *arg) {
  *(struct event **)arg = event;
  return 1;
}

/* Takes every event out of the base, so that none points into freed memory. */
static void delete_all_events(struct event_base *base) {
  struct event *event;
  while (event_timeouts_foreach(base, take_out_of_heap, &event))
    event_del_locked(event, EVENT_DEL_NOBLOCK);
  for (int i = 0; i < base->fds.slots.num_places; i++)
    while ((event = event_fd_slots_at(&base->fds.slots, i)->events))
      event_del_locked(event, EVENT_DEL_NOBLOCK);
  for (int signal = 0; signal < EVENT_NUM_SIGNALS; signal++)
    while ((event = base->signals.events[signal])) event_del_locked(event, EVENT_DEL_NOBLOCK);
}

static void empty_active_queues(struct event_base *base) {
  for (int priority = 0; priority < base->executor.num_priorities; priority++) {
    struct event_callback *callback;
    while ((callback = base->active[priority].callbacks.tqh_first)) {
      if (callback_is_event(callback) && !(callback->evcb_flags & EVLIST_FINALIZING))
        event_del_locked(event_of_callback(callback), EVENT_DEL_NOBLOCK);
      else
        event_active_queue_remove(base, callback);
    }
  }
}

static void base_free(struct event_base *base, bool run_finalizers) {
  if (!base) base = event_current_base;
  if (!base) {
    strata_log(STRATA_LOG_WARN, "event_base_free: there is no base");
    return;
  }
  if (base == event_current_base) event_current_base = NULL;
  if (base->active) {
    event_base_lock(base);
    delete_all_events(base);
    event_operations_end_all(base);
    if (run_finalizers)
      while (event_active_queues_run_finalizers(base)) continue;
    empty_active_queues(base);
    event_once_free_all(base);
    event_base_unlock(base);
  }
  if (base->backend) {
    event_signal_map_stop(base);
    event_base_wakeup_close(base);
    base->backend->destroy(base->backend_state);
  }
  for (int i = 0; i < base->attachments.num_entries; i++)
    base->attachments.entries[i].release(base->attachments.entries[i].data);
  event_watchers_free_all(base);
  event_timeouts_free_all(base);
  event_fd_map_clear(&base->fds);
  if (base->active) strata_free(base->active);
  strata_cond_destroy(&base->running_done);
  strata_lock_destroy(&base->lock, EVTHREAD_LOCKTYPE_RECURSIVE);
  strata_free(base);
}

void event_base_free(struct event_base *base) {
  base_free(base, true);
}

void event_base_free_nofinalize(struct event_base *base) {
  base_free(base, false);
}

/* --- After fork(2) --- */

/* On failure the base has the old state still. */
static int replace_backend_state(struct event_base *base) {
  void *fresh_state = base->backend->init(base->config_flags);
  if (!fresh_state) {
    strata_log_errno(STRATA_LOG_WARN, "event_reinit: %s", base->backend->name);
    return -1;
  }
  base->backend->destroy(base->backend_state);
  base->backend_state = fresh_state;
  return 0;
}

static int reinit(struct event_base *base) {
  int result = 0;
  /* First the backend: closing the shared descriptors must not touch the parent's registrations. */
  if (base->backend->fork_needs_reinit) {
    if (replace_backend_state(base) < 0) return -1;
    result = event_fd_map_register_all(base);
    event_operations_begin_again(base);
  }
  if (event_io_source_is_attached(&base->wakeup.source)) {
    event_base_wakeup_close(base);
    if (event_base_wakeup_open(base) < 0) result = -1;
  }
  return event_signal_map_restart(base) < 0 ? -1 : result;
}

int event_reinit(struct event_base *base) {
  if (!HAS_FORK) return 0;
  event_base_lock(base);
  int result = reinit(base);
  event_base_unlock(base);
  return result;
}

/* --- Asking --- */

const char *event_base_get_method(const struct event_base *base) {
  strata_assert(base);
  return base->backend->name;
}

const char *event_base_get_signal_method(const struct event_base *base) {
  return base->backend->watch_signal ? base->backend->signal_method : "signal";
}

int event_base_get_features(const struct event_base *base) {
  return (int)base->backend->features &
         (EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_FDS | EV_FEATURE_EARLY_CLOSE);
}

int event_base_get_num_events(struct event_base *base, unsigned which) {
  int num = 0;
  event_base_lock(base);
  if (which & EVENT_BASE_COUNT_ACTIVE) num += base->active_count.now;
  if (which & EVENT_BASE_COUNT_VIRTUAL) num += base->virtual_count.now;
  if (which & EVENT_BASE_COUNT_ADDED) num += event_base_num_added(base);
  event_base_unlock(base);
  return num;
}

static int take_max(struct event_counter *counter, int clear) {
  int max = counter->max;
  if (clear) counter->max = 0;
  return max;
}

int event_base_get_max_events(struct event_base *base, unsigned which, int clear) {
  int num = 0;
  event_base_lock(base);
  if (which & EVENT_BASE_COUNT_ACTIVE) num += take_max(&base->active_count, clear);
  if (which & EVENT_BASE_COUNT_VIRTUAL) num += take_max(&base->virtual_count, clear);
  if (which & EVENT_BASE_COUNT_ADDED) num += take_max(&base->added, clear);
  event_base_unlock(base);
  return num;
}

struct event *event_base_get_running_event(struct event_base *base) {
  event_base_lock(base);
  struct event *event = event_base_in_loop_thread(base) ? base->running : NULL;
  event_base_unlock(base);
  return event;
}

static int time_out_if_of_fd(struct event *event, void *arg) {
  evutil_socket_t fd = *(evutil_socket_t *)arg;
  if (event->ev_fd == fd && !(event->ev_events & EV_SIGNAL))
    event_active_locked(event, EV_TIMEOUT, 1);
  return 0;
}

void event_base_active_by_fd(struct event_base *base, evutil_socket_t fd, short events) {
  event_base_lock(base);
  event_fd_map_activate(base, fd, events & (EV_READ | EV_WRITE | EV_CLOSED));
  if (events & EV_TIMEOUT) event_timeouts_foreach(base, time_out_if_of_fd, &fd);
  event_base_unlock(base);
}

void event_base_active_by_signal(struct event_base *base, int signal) {
  event_base_lock(base);
  event_signal_map_activate(base, signal, 1);
  event_base_unlock(base);
}

/* --- Time --- */

int64_t event_base_duration_ns(struct event_base *base, const struct timeval *duration) {
  event_base_lock(base);
  int64_t ns = event_timeouts_duration_ns(base, duration);
  event_base_unlock(base);
  return ns;
}

int64_t event_base_loop_time_ns(struct event_base *base) {
  event_base_lock(base);
  int64_t now = event_base_now_ns(base);
  event_base_unlock(base);
  return now;
}

int event_base_gettimeofday_cached(struct event_base *base, struct timeval *out_now) {
  if (!base) base = event_current_base;
  if (!base) return evutil_gettimeofday(out_now, NULL);
  event_base_lock(base);
  if (base->cached_now_ns)
    *out_now = strata_ns_to_timeval(event_base_wall_ns(base, base->cached_now_ns));
  else
    *out_now = strata_ns_to_timeval(strata_wall_ns());
  event_base_unlock(base);
  return 0;
}

int event_base_update_cache_time(struct event_base *base) {
  if (!base) base = event_current_base;
  if (!base) return -1;
  event_base_lock(base);
  /* Nothing is cached while the loop waits, which may be long. */
  if (base->cached_now_ns) base->cached_now_ns = event_base_clock_ns(base);
  event_base_unlock(base);
  return 0;
}

int event_gettime_monotonic(struct event_base *base, struct timeval *out_now) {
  if (!base || !out_now) return -1;
  event_base_lock(base);
  *out_now = strata_ns_to_timeval(event_base_clock_ns(base));
  event_base_unlock(base);
  return 0;
}
