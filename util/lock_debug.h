#ifndef STRATA_UTIL_LOCK_DEBUG_H_
#define STRATA_UTIL_LOCK_DEBUG_H_

#include "util/lock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The checks of evthread_enable_lock_debugging(), which stand between the library and the locks
 * of the threads library. util/lock.c keeps what was installed and decides what is used. */

/* What the program installed; all slots NULL while threading is off. */
extern struct evthread_lock_callbacks strata_lock_installed;
extern struct evthread_condition_callbacks strata_cond_installed;

/* The checking hooks: a lock made by them must be used and freed by them. */
extern const struct evthread_lock_callbacks strata_lock_debug_hooks;
int strata_lock_debug_wait(void *cond, void *lock, const struct timeval *timeout);

/* Whether the calling thread holds a lock made by these hooks. */
int strata_lock_debug_is_held(void *lock);

#ifdef __cplusplus
}
#endif

#endif
