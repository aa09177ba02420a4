#ifndef STRATA_UTIL_LOCK_H_
#define STRATA_UTIL_LOCK_H_

#include <stddef.h>

#include <event2/thread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Locks, condition variables and thread ids behind the hooks of event2/thread.h. Where threading
 * was never enabled every handle is NULL and every operation is one branch.
 *
 * Order of locks, outermost first: bufferevent (and its evbuffers, which share its lock) before
 * event_base. No lock is held while user code runs, save those that libevent documents. */

typedef void *strata_lock;
typedef void *strata_cond;

/* The installed hooks; all slots NULL while threading is off. Read by the inline functions below
 * only. */
extern struct evthread_lock_callbacks strata_lock_hooks;
extern struct evthread_condition_callbacks strata_cond_hooks;
extern unsigned long (*strata_thread_id_hook)(void);

/* True once lock callbacks are installed. */
static inline int strata_threading_enabled(void) {
  return strata_lock_hooks.lock != NULL;
}

/* Makes a lock of the given EVTHREAD_LOCKTYPE_*; *out_lock is NULL when threading is off.
 * Returns 0, or -1 when the hook failed. */
int strata_lock_init(strata_lock *out_lock, unsigned locktype);
void strata_lock_destroy(strata_lock *lock, unsigned locktype);

static inline void strata_lock_acquire(strata_lock lock) {
  if (lock) strata_lock_hooks.lock(0, lock);
}
static inline void strata_lock_release(strata_lock lock) {
  if (lock) strata_lock_hooks.unlock(0, lock);
}
/* Returns 0 when taken (or when there is no lock), nonzero when another thread holds it. */
static inline int strata_lock_try(strata_lock lock) {
  return lock ? strata_lock_hooks.lock(EVTHREAD_TRY, lock) : 0;
}
/* With lock debugging on: true when the calling thread holds the lock. Otherwise always true. */
int strata_lock_is_held(strata_lock lock);

/* Same convention as strata_lock_init. */
int strata_cond_init(strata_cond *out_cond);
void strata_cond_destroy(strata_cond *cond);
void strata_cond_broadcast(strata_cond cond);
/* The lock is held on entry and on return. 0, or -1 on error. */
int strata_cond_wait(strata_cond cond, strata_lock lock);

/* 0 while threading is off. */
static inline unsigned long strata_thread_id(void) {
  return strata_thread_id_hook ? strata_thread_id_hook() : 0;
}

#ifdef __cplusplus
}
#endif

#endif
