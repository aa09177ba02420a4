#include "loop/once.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "loop/base.h"
#include "loop/event_internal.h"
#include "util/memory.h"
#include "util/queue.h"

/* One call of event_base_once(); in the base's list until it has run, so that the base can free it
 * when it never does. */
struct event_once {
  struct event event;
  EVENT_LIST_ENTRY_(event_once) link;
  event_callback_fn callback;
  void *arg;
};

static void run_once(evutil_socket_t fd, short what, void *arg) {
  struct event_once *once = arg;
  struct event_base *base = once->event.ev_base;
  /* The event stays while its callback runs: event_base_get_running_event() may be asked. */
  once->callback(fd, what, once->arg);
  event_base_lock(base);
  EV_LIST_REMOVE(once, link);
  event_base_unlock(base);
  event_debug_unassign(&once->event);
  strata_free(once);
}

void event_once_free_all(struct event_base *base) {
  while (base->once_events) {
    struct event_once *once = base->once_events;
    EV_LIST_REMOVE(once, link);
    event_debug_unassign(&once->event);
    strata_free(once);
  }
}

/* The timeout comes due at once: it need not pass through the heap. */
static int activate_or_add(struct event_once *once, const struct timeval *delay) {
  struct event *event = &once->event;
  if (event->ev_events & (EV_READ | EV_WRITE | EV_CLOSED)) return event_add(event, delay);
  if (delay && (delay->tv_sec || delay->tv_usec)) return event_add(event, delay);
  event_active(event, EV_TIMEOUT, 1);
  return 0;
}

int event_base_once(struct event_base *base, evutil_socket_t fd, short events,
                    event_callback_fn callback, void *arg, const struct timeval *delay) {
  short io_events = events & (EV_READ | EV_WRITE | EV_CLOSED);
  if (!base || events & (EV_SIGNAL | EV_PERSIST)) return -1;
  if (!io_events && !(events & EV_TIMEOUT)) return -1;
  struct event_once *once = strata_calloc(1, sizeof(*once));
  if (!once) return -1;
  once->callback = callback;
  once->arg = arg;
  if (event_assign(&once->event, base, io_events ? fd : -1, io_events, run_once, once) < 0) {
    strata_free(once);
    return -1;
  }
  event_base_lock(base);
  EV_LIST_PUSH_FRONT(&base->once_events, once, link);
  int result = activate_or_add(once, delay);
  if (result < 0) {
    EV_LIST_REMOVE(once, link);
    event_debug_unassign(&once->event);
    strata_free(once);
  }
  event_base_unlock(base);
  return result;
}
