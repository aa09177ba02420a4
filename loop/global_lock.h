#ifndef STRATA_LOOP_GLOBAL_LOCK_H_
#define STRATA_LOOP_GLOBAL_LOCK_H_

#include <stdatomic.h>

/* Guards the few variables that belong to the process and not to a base: they are there before any
 * lock can be made. Held for some instructions at a time, so waiting is spinning. A static one is
 * initialised with EVENT_GLOBAL_LOCK_INIT. */
struct event_global_lock {
  atomic_flag is_taken;
};

#define EVENT_GLOBAL_LOCK_INIT \
  { ATOMIC_FLAG_INIT }

static inline void event_global_lock_acquire(struct event_global_lock *lock) {
  while (atomic_flag_test_and_set_explicit(&lock->is_taken, memory_order_acquire)) {
  }
}

static inline void event_global_lock_release(struct event_global_lock *lock) {
  atomic_flag_clear_explicit(&lock->is_taken, memory_order_release);
}

#endif
