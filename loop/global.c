#include <event2/event.h>

#include "loop/current_base.h"
#include "loop/debug.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/memory.h"

/* The functions of event2/event.h that belong to no base. */

struct event_base *event_current_base;

void event_set_mem_functions(void *(*malloc_fn)(size_t), void *(*realloc_fn)(void *, size_t),
                             void (*free_fn)(void *)) {
  strata_set_mem_functions(malloc_fn, realloc_fn, free_fn);
}

void event_set_log_callback(event_log_cb callback) {
  strata_set_log_callback(callback);
}

void event_set_fatal_callback(event_fatal_cb callback) {
  strata_set_fatal_callback(callback);
}

void event_enable_debug_logging(ev_uint32_t which) {
  strata_set_debug_logging(which);
}

const char *event_get_version(void) {
  return EVENT__VERSION;
}

ev_uint32_t event_get_version_number(void) {
  return EVENT__NUMERIC_VERSION;
}

void libevent_global_shutdown(void) {
  event_debug_free_globals();
  strata_cleanup_run_all();
}
