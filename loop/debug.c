#include "loop/debug.h"

#include <stdatomic.h>
#include <stdint.h>

#include <event2/event.h>

#include "loop/global_lock.h"
#include "util/log.h"
#include "util/memory.h"

/* A chained hash of all known events. */
struct known_event {
  struct known_event *next;
  const struct event *event;
  bool is_added;
};

#define NUM_BUCKETS 4096

bool event_debug_mode_on;

static struct known_event *buckets[NUM_BUCKETS];
static struct event_global_lock table_lock = EVENT_GLOBAL_LOCK_INIT;
static atomic_bool is_too_late;

static struct known_event **find(const struct event *event) {
  uintptr_t hash = (uintptr_t)event >> 4;
  struct known_event **at = &buckets[(hash ^ hash >> 12) % NUM_BUCKETS];
  while (*at && (*at)->event != event) at = &(*at)->next;
  return at;
}

/* Called without the lock: the program's fatal callback may jump out of it. */
static void fail(const struct event *event, const char *what) {
  strata_fatal(STRATA_ERR_ABORT, "debug mode: event %p (fd %d, events 0x%x, flags 0x%x) %s",
               (const void *)event, (int)event->ev_fd, event->ev_events,
               event->ev_evcallback.evcb_flags, what);
}

void event_enable_debug_mode(void) {
  if (event_debug_mode_on) strata_fatal(1, "event_enable_debug_mode was called twice");
  if (atomic_load(&is_too_late))
    strata_fatal(1, "event_enable_debug_mode must be called before any event or base is made");
  event_debug_mode_on = true;
}

void event_debug_note_base(void) {
  atomic_store(&is_too_late, true);
}

void event_debug_setup_slow(const struct event *event) {
  struct known_event *fresh = strata_calloc(1, sizeof(*fresh));
  if (!fresh) strata_fatal(1, "debug mode: out of memory");
  fresh->event = event;
  event_global_lock_acquire(&table_lock);
  struct known_event **at = find(event);
  struct known_event *replaced = *at;
  fresh->next = replaced ? replaced->next : NULL;
  *at = fresh;
  event_global_lock_release(&table_lock);
  if (replaced) strata_free(replaced);
}

void event_debug_teardown_slow(const struct event *event) {
  event_global_lock_acquire(&table_lock);
  struct known_event **at = find(event);
  struct known_event *known = *at;
  if (known) *at = known->next;
  event_global_lock_release(&table_lock);
  if (known) strata_free(known);
}

void event_debug_set_added_slow(const struct event *event, bool is_added) {
  event_global_lock_acquire(&table_lock);
  struct known_event *known = *find(event);
  if (known) known->is_added = is_added;
  event_global_lock_release(&table_lock);
  if (!known) fail(event, "is added or deleted but was never assigned");
}

void event_debug_check_setup_slow(const struct event *event) {
  event_global_lock_acquire(&table_lock);
  bool is_known = *find(event) != NULL;
  event_global_lock_release(&table_lock);
  if (!is_known) fail(event, "is used but was never assigned");
}

void event_debug_check_not_added_slow(const struct event *event) {
  event_global_lock_acquire(&table_lock);
  const struct known_event *known = *find(event);
  bool is_added = known && known->is_added;
  event_global_lock_release(&table_lock);
  if (is_added) fail(event, "is assigned anew while it is added");
}

void event_debug_free_globals(void) {
  for (int i = 0; i < NUM_BUCKETS; i++) {
    while (buckets[i]) {
      struct known_event *known = buckets[i];
      buckets[i] = known->next;
      strata_free(known);
    }
  }
  event_debug_mode_on = false;
  atomic_store(&is_too_late, false);
}
