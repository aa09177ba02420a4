#ifndef STRATA_LOOP_DEBUG_H_
#define STRATA_LOOP_DEBUG_H_

#include <stdbool.h>

#include <event2/event_struct.h>

/* Debug mode: remembers every event that was assigned and whether it is added, and stops the
 * program with a message when an event is used before it was assigned, or assigned while it is
 * added. Off (one branch) unless event_enable_debug_mode() was called. */

extern bool event_debug_mode_on;

void event_debug_setup_slow(const struct event *event);
void event_debug_teardown_slow(const struct event *event);
void event_debug_set_added_slow(const struct event *event, bool is_added);
void event_debug_check_setup_slow(const struct event *event);
void event_debug_check_not_added_slow(const struct event *event);
/* A base is being made: from now on it is too late for event_enable_debug_mode(). */
void event_debug_note_base(void);
/* Forgets everything and turns debug mode off. */
void event_debug_free_globals(void);

static inline void event_debug_note_setup(const struct event *event) {
  if (event_debug_mode_on) event_debug_setup_slow(event);
}
static inline void event_debug_note_teardown(const struct event *event) {
  if (event_debug_mode_on) event_debug_teardown_slow(event);
}
static inline void event_debug_note_add(const struct event *event) {
  if (event_debug_mode_on) event_debug_set_added_slow(event, true);
}
static inline void event_debug_note_del(const struct event *event) {
  if (event_debug_mode_on) event_debug_set_added_slow(event, false);
}
static inline void event_debug_assert_is_setup(const struct event *event) {
  if (event_debug_mode_on) event_debug_check_setup_slow(event);
}
static inline void event_debug_assert_not_added(const struct event *event) {
  if (event_debug_mode_on) event_debug_check_not_added_slow(event);
}

#endif
