#include "loop/signal_map.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "loop/active.h"
#include "loop/base.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/socket.h"

/* Where the handler writes; -1: nowhere. Several bases may take signals in turn, so the owner is
 * remembered to know who may reset it. */
static volatile sig_atomic_t handler_fd = -1;
static struct event_base *handler_base;

static void on_signal(int signal) {
  int saved_errno = errno;
  unsigned char number = (unsigned char)signal;
  /* A full pipe already tells of more signals than anyone counts. */
  ssize_t ignored = write((int)handler_fd, &number, 1);
  (void)ignored;
  errno = saved_errno;
}

void signal_map_init(struct signal_map *map) {
  memset(map, 0, sizeof(*map));
  map->read_fd = map->write_fd = -1;
  map->source.fd = -1;
}

void signal_map_activate(struct event_base *base, int signal, int num_calls) {
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
  ssize_t len;
  while ((len = read(base->signals.read_fd, numbers, sizeof(numbers))) > 0)
    for (ssize_t i = 0; i < len; i++)
      if (numbers[i] < EVENT_NUM_SIGNALS) num_calls[numbers[i]]++;
  event_io_source_clear_ready(&base->signals.source, EV_READ);
  event_base_lock(base);
  for (int signal = 0; signal < EVENT_NUM_SIGNALS; signal++)
    if (num_calls[signal]) signal_map_activate(base, signal, num_calls[signal]);
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

static void take_over_signals(struct event_base *base) {
  if (handler_base && handler_base != base && handler_base->signals.num_handlers)
    strata_log(STRATA_LOG_WARN,
               "a second event_base has signal events: the first one gets no more signals");
  handler_base = base;
  handler_fd = base->signals.write_fd;
}

static int install_handler(struct signal_map *map, int signal) {
  struct sigaction *old_action = strata_malloc(sizeof(*old_action));
  if (!old_action) return -1;
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  if (sigaction(signal, &action, old_action) < 0) {
    strata_free(old_action);
    return -1;
  }
  map->old_actions[signal] = old_action;
  map->num_handlers++;
  return 0;
}

static void restore_handler(struct signal_map *map, int signal) {
  if (!map->old_actions[signal]) return;
  if (sigaction(signal, map->old_actions[signal], NULL) < 0)
    strata_log_errno(STRATA_LOG_WARN, "sigaction");
  strata_free(map->old_actions[signal]);
  map->old_actions[signal] = NULL;
  map->num_handlers--;
}

int signal_map_add(struct event_base *base, struct event *event) {
  struct signal_map *map = &base->signals;
  int signal = event->ev_fd;
  if (signal <= 0 || signal >= EVENT_NUM_SIGNALS) {
    errno = EINVAL;
    return -1;
  }
  if (open_pipe(base) < 0) return -1;
  take_over_signals(base);
  if (!map->events[signal] && install_handler(map, signal) < 0) return -1;
  EV_LIST_PUSH_FRONT(&map->events[signal], event, ev_.ev_signal.ev_signal_next);
  return 0;
}

void signal_map_remove(struct event_base *base, struct event *event) {
  struct signal_map *map = &base->signals;
  EV_LIST_REMOVE(event, ev_.ev_signal.ev_signal_next);
  if (!map->events[event->ev_fd]) restore_handler(map, event->ev_fd);
}

void signal_map_stop(struct event_base *base) {
  for (int signal = 0; signal < EVENT_NUM_SIGNALS; signal++)
    restore_handler(&base->signals, signal);
  if (handler_base == base) {
    handler_base = NULL;
    handler_fd = -1;
  }
  close_pipe(base);
}

int signal_map_restart(struct event_base *base) {
  if (base->signals.read_fd < 0) return 0;
  close_pipe(base);
  if (open_pipe(base) < 0) return -1;
  if (handler_base == base) handler_fd = base->signals.write_fd;
  return 0;
}
