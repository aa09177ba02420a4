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

static int install_handler(struct event_base *base, int signal) {
  struct signal_map *map = &base->signals;
  struct event_signal_action *old_action = event_signal_action_new();
  if (!old_action) return -1;
  take_over_signals(base); /* before the first signal can come */
  if (event_signal_handler_install(signal, old_action) < 0) {
    strata_free(old_action);
    return -1;
  }
  map->old_actions[signal] = old_action;
  map->num_handlers++;
  return 0;
}

static void restore_handler(struct event_base *base, int signal) {
  struct signal_map *map = &base->signals;
  if (!map->old_actions[signal]) return;
  event_signal_handler_restore(signal, map->old_actions[signal]);
  map->old_actions[signal] = NULL;
  if (--map->num_handlers == 0) (void)disclaim_signals(base);
}

int event_signal_map_add(struct event_base *base, struct event *event) {
  struct signal_map *map = &base->signals;
  if (event->ev_fd <= 0 || event->ev_fd >= EVENT_NUM_SIGNALS ||
      !event_signal_can_be_caught((int)event->ev_fd)) {
    errno = EINVAL;
    return -1;
  }
  int signal = (int)event->ev_fd;
  if (open_pipe(base) < 0) return -1;
  if (!map->events[signal]) {
    if (install_handler(base, signal) < 0) return -1;
  } else {
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

int event_signal_map_restart(struct event_base *base) {
  if (base->signals.read_fd < 0) return 0;
  /* First, since the handler may not write to a number that another file has by then. */
  int was_owner = disclaim_signals(base);
  close_pipe(base);
  if (open_pipe(base) < 0) return -1;
  if (was_owner) event_signal_map_claim_signals(base);
  return 0;
}
