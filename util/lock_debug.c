#include "util/lock_debug.h"

#include <stdatomic.h>

#include "util/log.h"
#include "util/memory.h"

/* What a lock made while debugging points to. The mark tells a live lock from a freed one or from
 * memory that never was one. */
#define LIVE_MARK 0x5eed10c4u
#define DEAD_MARK 0x00dead10u

struct debug_lock {
  unsigned mark;
  unsigned locktype;
  atomic_ulong holder; /* meaningful while num_held > 0 */
  atomic_int num_held; /* how often the holder has taken it */
  void *lock;          /* the installed library's; NULL when there is none */
};

/* Exact for the calling thread, whatever others do at the same time. */
static int held_by_me(struct debug_lock *lock) {
  return atomic_load(&lock->num_held) > 0 && atomic_load(&lock->holder) == strata_thread_id();
}

static void check_mode(const struct debug_lock *lock, unsigned mode) {
  strata_assert(lock->mark == LIVE_MARK);
  if (lock->locktype & EVTHREAD_LOCKTYPE_READWRITE)
    strata_assert(mode & (EVTHREAD_READ | EVTHREAD_WRITE));
  else
    strata_assert((mode & (EVTHREAD_READ | EVTHREAD_WRITE)) == 0);
}

static void *debug_alloc(unsigned locktype) {
  struct debug_lock *lock = strata_calloc(1, sizeof(*lock));
  if (!lock) return NULL;
  lock->mark = LIVE_MARK;
  lock->locktype = locktype;
  if (strata_lock_installed.alloc) {
    /* Recursive beneath, so that taking it twice is reported here and does not hang there. */
    lock->lock = strata_lock_installed.alloc(locktype | EVTHREAD_LOCKTYPE_RECURSIVE);
    if (!lock->lock) {
      strata_free(lock);
      return NULL;
    }
  }
  return lock;
}

static void debug_free(void *handle, unsigned locktype) {
  struct debug_lock *lock = handle;
  strata_assert(lock->mark == LIVE_MARK);
  strata_assert(lock->locktype == locktype);
  strata_assert(atomic_load(&lock->num_held) == 0);
  if (lock->lock) strata_lock_installed.free(lock->lock, locktype | EVTHREAD_LOCKTYPE_RECURSIVE);
  lock->mark = DEAD_MARK;
  strata_free(lock);
}

/* The caller has the lock beneath, so nobody else changes these fields. The holder is stored before
 * the count, so that no thread reads a count above zero beside an older holder. */
static void mark_taken(struct debug_lock *lock) {
  if (atomic_load(&lock->num_held) > 0) {
    strata_assert(lock->locktype & EVTHREAD_LOCKTYPE_RECURSIVE);
    strata_assert(atomic_load(&lock->holder) == strata_thread_id());
  }
  atomic_store(&lock->holder, strata_thread_id());
  atomic_fetch_add(&lock->num_held, 1);
}

static void mark_released(struct debug_lock *lock) {
  strata_assert(held_by_me(lock));
  atomic_fetch_sub(&lock->num_held, 1);
}

static int debug_lock(unsigned mode, void *handle) {
  struct debug_lock *lock = handle;
  check_mode(lock, mode);
  if (lock->lock) {
    int result = strata_lock_installed.lock(mode, lock->lock);
    if (result) return result;
  }
  mark_taken(lock);
  return 0;
}

static int debug_unlock(unsigned mode, void *handle) {
  struct debug_lock *lock = handle;
  check_mode(lock, mode);
  mark_released(lock);
  return lock->lock ? strata_lock_installed.unlock(mode, lock->lock) : 0;
}

const struct evthread_lock_callbacks strata_lock_debug_hooks = {
    .lock_api_version = EVTHREAD_LOCK_API_VERSION,
    .supported_locktypes = EVTHREAD_LOCKTYPE_RECURSIVE,
    .alloc = debug_alloc,
    .free = debug_free,
    .lock = debug_lock,
    .unlock = debug_unlock,
};

int strata_lock_debug_wait(void *cond, void *handle, const struct timeval *timeout) {
  struct debug_lock *lock = handle;
  strata_assert(lock && lock->mark == LIVE_MARK && lock->lock);
  mark_released(lock);
  int result = strata_cond_installed.wait_condition(cond, lock->lock, timeout);
  mark_taken(lock);
  return result;
}

int strata_lock_debug_is_held(void *handle) {
  struct debug_lock *lock = handle;
  strata_assert(lock->mark == LIVE_MARK);
  return held_by_me(lock);
}
