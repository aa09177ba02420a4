#include "loop/watch.h"

#include <limits.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/watch.h>

#include "loop/base.h"
#include "loop/timeouts.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"

enum watch_kind { WATCH_PREPARE, WATCH_CHECK, WATCH_IDLE, NUM_WATCH_KINDS };

struct evwatch {
  EVENT_TAILQ_ENTRY_(evwatch) next;
  struct event_base *base;
  enum watch_kind kind;
  int priority;    /* of an idle watcher */
  uint64_t number; /* counts the watchers of the base */
  union {
    evwatch_prepare_cb prepare;
    evwatch_check_cb check;
    evwatch_idle_cb idle;
  } callback;
  void *arg;
};

EVENT_TAILQ_HEAD_(evwatch_list, evwatch);

struct event_watchers {
  struct evwatch_list lists[NUM_WATCH_KINDS]; /* each by number */
  uint64_t num_made;
  struct evwatch *next; /* to run in the round that is going on */
  struct evwatch *running;
  bool running_was_freed;
};

struct evwatch_prepare_cb_info {
  int64_t timeout_ns; /* INT64_MAX: none */
};

/* --- Making and freeing --- */

static int ensure_watchers(struct event_base *base) {
  if (base->watchers) return 0;
  struct event_watchers *watchers = strata_calloc(1, sizeof(*watchers));
  if (!watchers) return -1;
  for (int kind = 0; kind < NUM_WATCH_KINDS; kind++) EV_TAILQ_INIT(&watchers->lists[kind]);
  base->watchers = watchers;
  return 0;
}

/* NULL when memory is short. Base lock held. */
static struct evwatch *make(struct event_base *base, enum watch_kind kind, void *arg) {
  if (ensure_watchers(base) < 0) return NULL;
  struct evwatch *watcher = strata_calloc(1, sizeof(*watcher));
  if (!watcher) return NULL;
  watcher->base = base;
  watcher->kind = kind;
  watcher->arg = arg;
  watcher->number = ++base->watchers->num_made;
  EV_TAILQ_PUSH_BACK(&base->watchers->lists[kind], watcher, next);
  return watcher;
}

struct evwatch *evwatch_prepare_new(struct event_base *base, evwatch_prepare_cb callback,
                                    void *arg) {
  event_base_lock(base);
  struct evwatch *watcher = make(base, WATCH_PREPARE, arg);
  if (watcher) watcher->callback.prepare = callback;
  event_base_unlock(base);
  return watcher;
}

struct evwatch *evwatch_check_new(struct event_base *base, evwatch_check_cb callback, void *arg) {
  event_base_lock(base);
  struct evwatch *watcher = make(base, WATCH_CHECK, arg);
  if (watcher) watcher->callback.check = callback;
  event_base_unlock(base);
  return watcher;
}

static struct evwatch *make_idle(struct event_base *base, int priority, evwatch_idle_cb callback,
                                 void *arg) {
  if (priority < 0 || priority >= base->executor.num_priorities) return NULL;
  struct evwatch *watcher = make(base, WATCH_IDLE, arg);
  if (!watcher) return NULL;
  watcher->callback.idle = callback;
  watcher->priority = priority;
  event_base_add_virtual(base, 1);
  event_base_notify(base); /* a loop that waits is idle */
  return watcher;
}

struct evwatch *evwatch_idle_new(struct event_base *base, int priority, evwatch_idle_cb callback,
                                 void *arg) {
  event_base_lock(base);
  struct evwatch *watcher = make_idle(base, priority, callback, arg);
  event_base_unlock(base);
  return watcher;
}

static void take_out(struct event_watchers *watchers, struct evwatch *watcher) {
  if (watchers->next == watcher) watchers->next = EV_TAILQ_NEXT(watcher, next);
  EV_TAILQ_REMOVE(&watchers->lists[watcher->kind], watcher, next);
}

void evwatch_free(struct evwatch *watcher) {
  struct event_base *base = watcher->base;
  struct event_watchers *watchers = base->watchers;
  event_base_lock(base);
  take_out(watchers, watcher);
  if (watcher->kind == WATCH_IDLE) event_base_add_virtual(base, -1);
  bool is_running = watchers->running == watcher;
  if (is_running) watchers->running_was_freed = true;
  event_base_unlock(base);
  if (!is_running) strata_free(watcher);
}

void event_watchers_free_all(struct event_base *base) {
  struct event_watchers *watchers = base->watchers;
  if (!watchers) return;
  for (int kind = 0; kind < NUM_WATCH_KINDS; kind++) {
    struct evwatch *watcher;
    while ((watcher = EV_TAILQ_FIRST(&watchers->lists[kind]))) {
      take_out(watchers, watcher);
      strata_free(watcher);
    }
  }
  base->watchers = NULL;
  strata_free(watchers);
}

struct event_base *evwatch_base(struct evwatch *watcher) {
  return watcher->base;
}

int evwatch_prepare_get_timeout(const struct evwatch_prepare_cb_info *info,
                                struct timeval *out_timeout) {
  if (info->timeout_ns == INT64_MAX) return 0;
  *out_timeout = strata_ns_to_timeval(strata_ns_add(info->timeout_ns, STRATA_NS_PER_US - 1));
  return 1;
}

/* --- Running --- */

/* Whether the turn may wait, by what the callbacks so far have done. */
static bool may_wait(const struct event_base *base, int flags) {
  if (flags & EVLOOP_NONBLOCK || base->num_active) return false;
  if (base->break_requested || base->exit_requested) return false;
  if (!EV_TAILQ_EMPTY(&base->watchers->lists[WATCH_IDLE])) return false;
  return flags & EVLOOP_NO_EXIT_ON_EMPTY || event_base_has_work(base);
}

static int64_t timeout_ns(struct event_base *base, int flags) {
  if (!may_wait(base, flags)) return 0;
  int64_t deadline = event_timeouts_next_ns(base);
  if (deadline == INT64_MAX) return INT64_MAX;
  int64_t now = event_base_clock_ns(base);
  return deadline > now ? deadline - now : 0;
}

static void call(struct evwatch *watcher, const struct evwatch_prepare_cb_info *info) {
  switch (watcher->kind) {
    case WATCH_PREPARE:
      watcher->callback.prepare(watcher, info, watcher->arg);
      break;
    case WATCH_CHECK:
      watcher->callback.check(watcher, NULL, watcher->arg);
      break;
    case WATCH_IDLE:
      watcher->callback.idle(watcher, NULL, watcher->arg);
      break;
    case NUM_WATCH_KINDS:
      break;
  }
}

static void run(struct event_base *base, struct evwatch *watcher,
                const struct evwatch_prepare_cb_info *info) {
  struct event_watchers *watchers = base->watchers;
  watchers->running = watcher;
  watchers->running_was_freed = false;
  event_base_unlock(base);
  call(watcher, info);
  event_base_lock(base);
  watchers->running = NULL;
  if (watchers->running_was_freed) strata_free(watcher);
}

/* The next one of the round that began when there had been `num_made` watchers.
 */
static struct evwatch *next_of_round(struct event_watchers *watchers, uint64_t num_made) {
  struct evwatch *watcher = watchers->next;
  if (!watcher || watcher->number > num_made) return NULL;
  watchers->next = EV_TAILQ_NEXT(watcher, next);
  return watcher;
}

bool event_watchers_run_prepare(struct event_base *base, int flags) {
  struct event_watchers *watchers = base->watchers;
  uint64_t num_made = watchers->num_made;
  watchers->next = EV_TAILQ_FIRST(&watchers->lists[WATCH_PREPARE]);
  struct evwatch *watcher;
  while (!base->break_requested && (watcher = next_of_round(watchers, num_made))) {
    struct evwatch_prepare_cb_info info = {timeout_ns(base, flags)};
    run(base, watcher, &info);
  }
  watchers->next = NULL;
  return may_wait(base, flags);
}

void event_watchers_run_check(struct event_base *base) {
  struct event_watchers *watchers = base->watchers;
  uint64_t num_made = watchers->num_made;
  watchers->next = EV_TAILQ_FIRST(&watchers->lists[WATCH_CHECK]);
  struct evwatch *watcher;
  while (!base->break_requested && (watcher = next_of_round(watchers, num_made)))
    run(base, watcher, NULL);
  watchers->next = NULL;
}

/* Of the active callbacks; INT_MAX when there is none. */
static int most_urgent_active(const struct event_base *base) {
  if (!base->num_active) return INT_MAX;
  for (int priority = 0; priority < base->executor.num_priorities; priority++)
    if (base->active[priority].num_callbacks) return priority;
  return INT_MAX;
}

/* Of the idle watchers; INT_MAX when there is none. */
static int most_urgent_idle(const struct event_watchers *watchers) {
  int most_urgent = INT_MAX;
  const struct evwatch *watcher;
  EV_TAILQ_FOREACH(watcher, &watchers->lists[WATCH_IDLE], next) {
    if (watcher->priority < most_urgent) most_urgent = watcher->priority;
  }
  return most_urgent;
}

int event_watchers_run_idle(struct event_base *base) {
  struct event_watchers *watchers = base->watchers;
  int priority = most_urgent_idle(watchers);
  if (priority == INT_MAX || priority >= most_urgent_active(base)) return 0;
  int num_run = 0;
  uint64_t num_made = watchers->num_made;
  watchers->next = EV_TAILQ_FIRST(&watchers->lists[WATCH_IDLE]);
  struct evwatch *watcher;
  while (!base->break_requested && (watcher = next_of_round(watchers, num_made))) {
    if (watcher->priority != priority) continue;
    run(base, watcher, NULL);
    num_run++;
  }
  watchers->next = NULL;
  return num_run;
}
