#include <event2/event.h>
#include <event2/event_compat.h>

#include "loop/current_base.h"

/* The functions that name no base; event_init() is beside the backends. */

int event_dispatch(void) {
  return event_loop(0);
}

int event_loop(int flags) {
  return event_base_loop(event_current_base, flags);
}

int event_loopexit(const struct timeval *delay) {
  return event_base_loopexit(event_current_base, delay);
}

int event_loopbreak(void) {
  return event_base_loopbreak(event_current_base);
}

int event_once(evutil_socket_t fd, short events, event_callback_fn callback, void *arg,
               const struct timeval *delay) {
  return event_base_once(event_current_base, fd, events, callback, arg, delay);
}

const char *event_get_method(void) {
  return event_base_get_method(event_current_base);
}

int event_priority_init(int num_priorities) {
  return event_base_priority_init(event_current_base, num_priorities);
}
