#include "loop/signal_map.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "loop/active.h"
#include "loop/base.h"
#include "loop/global_lock.h"
#include "loop/signal_handler.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/socket.h"

/* Several bases may take signals in turn, so the one that has them is remembered to know who may
 * reset it: it is never looked into, for its own lock guards it. */
static struct event_global_lock owner_lock = EVENT_GLOBAL_LOCK_INIT;
static const struct event_base *handler_base;
/* The bases that have events for a signal, in whatever order they come and go, share its handler.
 */
static struct {
  int num_bases;
  struct event_signal_action *old_action;
} handled[EVENT_NUM_SIGNALS];

void event_signal_map_init(struct signal_map *map) {
  memset(map, 0, sizeof(*map));
  map->read_fd = map->write_fd = -1;
  map->source.fd = -1;
}

void event_signal_map_activate(struct event_base *base, int signal, int num_calls) {
  if (signal < 0 || signal >= EVENT_NUM_SIGNALS) return;
  struct event *event = base->signals.events[signal];
  for (; event; event = event->ev_.ev_signal.ev_signal_next.le_next)
    event_active_locked(event, EV_SIGNAL, (short)(num_calls > SHRT_MAX ? SHRT_MAX : num_calls));
}

static bool backend_watches(const struct event_base *base) {
  return base->backend->watch_signal != NULL;
}

static void on_readable(struct event_callback *task, void *arg) {
  struct event_base *base = arg;
  (void)task;
  unsigned char numbers[1024];
  int num_calls[EVENT_NUM_SIGNALS] = {0};
  size_t len;
  while ((len = event_signal_take_numbers(base->signals.read_fd, numbers, sizeof(numbers))) > 0)
    for (size_t i = 0; i < len; i++)
      if (numbers[i] < EVENT_NUM_SIGNALS) num_calls[numbers[i]]++;
  event_io_source_clear_ready(&base->signals.source, EV_READ);
  event_base_lock(base);
  for (int signal = 0; signal < EVENT_NUM_SIGNALS; signal++)
    if (num_calls[signal]) event_signal_map_activate(base, signal, num_calls[signal]);
  event_base_unlock(base);
}

static void close_pipe(struct event_base *base) {
  struct signal_map *map = &base->signals;
  event_io_source_detach(&map->source);
  if (map->read_fd >= 0) {
    evutil_closesocket(map->read_fd);
    evutil_closesocket(map->write_fd);
  }
  map->read_fd = map->write_fd = -1;
}

static int open_pipe(struct event_base *base) {
  struct signal_map *map = &base->signals;
  if (map->read_fd >= 0) return 0;
  evutil_socket_t fds[2];
  if (strata_pipe(fds) < 0) return -1;
  map->read_fd = fds[0];
  map->write_fd = fds[1];
  event_callback_init(&map->source.task, 0, on_readable, base);
  map->source.task.evcb_flags |= EVLIST_INTERNAL; /* listening for signals keeps no loop alive */
  if (event_io_source_attach(&map->source, base, map->read_fd) == 0 &&
      event_io_source_set_want(&map->source, EV_READ) == 0)
    return 0;
  close_pipe(base);
  return -1;
}

int event_signal_map_claim_signals(struct event_base *base) {
  event_global_lock_acquire(&owner_lock);
  int was_taken = handler_base && handler_base != base;
  handler_base = base;
  event_signal_handler_set_target(base->signals.write_fd);
  event_global_lock_release(&owner_lock);
  return was_taken;
}

/* Whether the base had them. */
static int disclaim_signals(const struct event_base *base) {
  event_global_lock_acquire(&owner_lock);
  int was_owner = handler_base == base;
  if (was_owner) {
    handler_base = NULL;
    event_signal_handler_set_target(-1);
  }
  event_global_lock_release(&owner_lock);
  return was_owner;
}

static void take_over_signals(struct event_base *base) {
  if (event_signal_map_claim_signals(base))
    strata_log(STRATA_LOG_WARN,
               "a second event_base has signal events: the first one gets no more signals");
}

static int watch(struct event_base *base, int signal, int is_watched) {
  return base->backend->watch_signal(base->backend_state, signal, is_watched);
}

static int start_receiving(struct event_base *base, int signal) {
  if (backend_watches(base)) return watch(base, signal, 1);
  take_over_signals(base);
  return 0;
}

/* Also where another base has done so: the program may have put in one of its own since then. */
static int share_handler(int signal) {
  struct event_signal_action *old_action = event_signal_action_new();
  if (!old_action) return -1;
  event_global_lock_acquire(&owner_lock);
  int result = event_signal_handler_install(signal, old_action);
  int error = errno;
  if (result == 0 && handled[signal].num_bases++ == 0) {
    handled[signal].old_action = old_action;
    old_action = NULL;
  }
  event_global_lock_release(&owner_lock);
  strata_free(old_action);
  errno = error;
  return result;
}

static void unshare_handler(int signal, bool drops_pending) {
  event_global_lock_acquire(&owner_lock);
  if (--handled[signal].num_bases == 0)
    event_signal_handler_restore(signal, handled[signal].old_action, drops_pending);
  event_global_lock_release(&owner_lock);
}

static int install_handler(struct event_base *base, int signal) {
  struct signal_map *map = &base->signals;
  /* Before the first signal can come. */
  if (start_receiving(base, signal) < 0) return -1;
  if (share_handler(signal) < 0) {
    int error = errno;
    if (backend_watches(base)) (void)watch(base, signal, 0);
    errno = error;
    return -1;
  }
  map->is_handled[signal] = true;
  if (!backend_watches(base)) map->num_writers++;
  return 0;
}

static void restore_handler(struct event_base *base, int signal) {
  struct signal_map *map = &base->signals;
  if (!map->is_handled[signal]) return;
  /* The backend tells of a signal when it is sent: a thread may be about to take it. */
  unshare_handler(signal, backend_watches(base));
  map->is_handled[signal] = false;
  if (backend_watches(base))
    (void)watch(base, signal, 0);
  else if (--map->num_writers == 0)
    (void)disclaim_signals(base);
}

int event_signal_map_add(struct event_base *base, struct event *event) {
  struct signal_map *map = &base->signals;
  if (event->ev_fd <= 0 || event->ev_fd >= EVENT_NUM_SIGNALS ||
      !event_signal_can_be_caught((int)event->ev_fd)) {
    errno = EINVAL;
    return -1;
  }
  int signal = (int)event->ev_fd;
  if (!backend_watches(base) && open_pipe(base) < 0) return -1;
  if (!map->events[signal]) {
    if (install_handler(base, signal) < 0) return -1;
  } else if (!backend_watches(base)) {
    take_over_signals(base);
  }
  EV_LIST_PUSH_FRONT(&map->events[signal], event, ev_.ev_signal.ev_signal_next);
  return 0;
}

void event_signal_map_remove(struct event_base *base, struct event *event) {
  struct signal_map *map = &base->signals;
  EV_LIST_REMOVE(event, ev_.ev_signal.ev_signal_next);
  if (!map->events[event->ev_fd]) restore_handler(base, (int)event->ev_fd);
}

void event_signal_map_stop(struct event_base *base) {
  for (int signal = 0; signal < EVENT_NUM_SIGNALS; signal++) restore_handler(base, signal);
  (void)disclaim_signals(base);
  close_pipe(base);
}

static int watch_again(struct event_base *base) {
  int result = 0;
  for (int signal = 0; signal < EVENT_NUM_SIGNALS; signal++)
    if (base->signals.is_handled[signal] && watch(base, signal, 1) < 0) result = -1;
  return result;
}

int event_signal_map_restart(struct event_base *base) {
  if (backend_watches(base)) return watch_again(base);
  if (base->signals.read_fd < 0) return 0;
  /* First, since the handler may not write to a number that another file has by then. */
  int was_owner = disclaim_signals(base);
  close_pipe(base);
  if (open_pipe(base) < 0) return -1;
  if (was_owner) event_signal_map_claim_signals(base);
  return 0;
}
