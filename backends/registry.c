#include "backends/registry.h"

#include <stddef.h>

#include <event2/event-config.h>
#include <event2/event.h>
#include <event2/event_compat.h>

#include "loop/current_base.h"
#include "loop/readiness.h"
#include "util/log.h"

#if defined(__linux__)
#include "backends/epoll.h"
#include "backends/io_uring.h"
#endif
#if defined(EVENT__HAVE_WORKING_KQUEUE) || defined(STRATA_KQUEUE_EMULATION)
#define HAS_KQUEUE
#include "backends/kqueue.h"
#endif
#if defined(_WIN32)
#include "backends/afd.h"
#include "backends/win32_select.h"
#else
#include "backends/poll.h"
#include "backends/select.h"
#endif

/* io_uring is for programs that ask for it. */
const struct event_readiness_ops *const strata_backends[] = {
#if defined(HAS_KQUEUE)
    &event_kqueue_ops,
#endif
#if defined(__linux__)
    &event_epoll_ops,
#endif
#if defined(_WIN32)
    &event_afd_ops,
    &event_win32_select_ops,
#else
    &event_poll_ops,
    &event_select_ops,
#endif
#if defined(__linux__)
    &event_io_uring_ops,
#endif
    NULL,
};

#define NUM_BACKENDS (sizeof(strata_backends) / sizeof(strata_backends[0]))

struct event_base *event_base_new_with_config(const struct event_config *config) {
  return event_base_new_with_backends(config, strata_backends);
}

struct event_base *event_base_new(void) {
  return event_base_new_with_config(NULL);
}

const char **event_get_supported_methods(void) {
  static const char *names[NUM_BACKENDS];
  for (size_t i = 0; strata_backends[i]; i++) names[i] = strata_backends[i]->name;
  return names;
}

struct event_base *event_init(void) {
  struct event_base *base = event_base_new();
  if (!base) strata_fatal(1, "event_init: no event_base could be made");
  event_current_base = base;
  return base;
}
