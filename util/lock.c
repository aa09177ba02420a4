#include "util/lock.h"

#include <string.h>

#include "util/lock_debug.h"
#include "util/log.h"

struct evthread_lock_callbacks strata_lock_hooks;
struct evthread_condition_callbacks strata_cond_hooks;
unsigned long (*strata_thread_id_hook)(void);

struct evthread_lock_callbacks strata_lock_installed;
struct evthread_condition_callbacks strata_cond_installed;

static int debugging;

/* Makes what the program installed, with the checks around it if asked for, what is used. */
static void publish_hooks(void) {
  strata_lock_hooks = debugging ? strata_lock_debug_hooks : strata_lock_installed;
  strata_cond_hooks = strata_cond_installed;
  if (debugging && strata_cond_installed.wait_condition)
    strata_cond_hooks.wait_condition = strata_lock_debug_wait;
}

static int same_lock_hooks(const struct evthread_lock_callbacks *a,
                           const struct evthread_lock_callbacks *b) {
  return a->lock_api_version == b->lock_api_version &&
         a->supported_locktypes == b->supported_locktypes && a->alloc == b->alloc &&
         a->free == b->free && a->lock == b->lock && a->unlock == b->unlock;
}

static int same_cond_hooks(const struct evthread_condition_callbacks *a,
                           const struct evthread_condition_callbacks *b) {
  return a->condition_api_version == b->condition_api_version &&
         a->alloc_condition == b->alloc_condition && a->free_condition == b->free_condition &&
         a->signal_condition == b->signal_condition && a->wait_condition == b->wait_condition;
}

int evthread_set_lock_callbacks(const struct evthread_lock_callbacks *callbacks) {
  if (!callbacks) {
    if (strata_lock_installed.alloc)
      strata_log(STRATA_LOG_WARN, "Switching locks off while locks may exist");
    memset(&strata_lock_installed, 0, sizeof(strata_lock_installed));
    publish_hooks();
    return 0;
  }
  if (strata_lock_installed.alloc) {
    if (same_lock_hooks(&strata_lock_installed, callbacks)) return 0;
    strata_log(STRATA_LOG_WARN, "Lock callbacks are set already and cannot be changed");
    return -1;
  }
  if (!callbacks->alloc || !callbacks->free || !callbacks->lock || !callbacks->unlock) return -1;
  strata_lock_installed = *callbacks;
  publish_hooks();
  return 0;
}

int evthread_set_condition_callbacks(const struct evthread_condition_callbacks *callbacks) {
  if (!callbacks) {
    if (strata_cond_installed.alloc_condition)
      strata_log(STRATA_LOG_WARN, "Switching condition variables off while some may exist");
    memset(&strata_cond_installed, 0, sizeof(strata_cond_installed));
    publish_hooks();
    return 0;
  }
  if (strata_cond_installed.alloc_condition) {
    if (same_cond_hooks(&strata_cond_installed, callbacks)) return 0;
    strata_log(STRATA_LOG_WARN, "Condition callbacks are set already and cannot be changed");
    return -1;
  }
  if (!callbacks->alloc_condition || !callbacks->free_condition || !callbacks->signal_condition ||
      !callbacks->wait_condition)
    return -1;
  strata_cond_installed = *callbacks;
  publish_hooks();
  return 0;
}

void evthread_set_id_callback(unsigned long (*id_fn)(void)) {
  strata_thread_id_hook = id_fn;
}

void evthread_enable_lock_debugging(void) {
  debugging = 1;
  publish_hooks();
}

void evthread_enable_lock_debuging(void) {
  evthread_enable_lock_debugging();
}

int strata_lock_init(strata_lock *out_lock, unsigned locktype) {
  *out_lock = NULL;
  if (!strata_lock_hooks.alloc) return 0;
  *out_lock = strata_lock_hooks.alloc(locktype);
  return *out_lock ? 0 : -1;
}

void strata_lock_destroy(strata_lock *lock, unsigned locktype) {
  if (*lock) strata_lock_hooks.free(*lock, locktype);
  *lock = NULL;
}

int strata_lock_is_held(strata_lock lock) {
  return !lock || !debugging || strata_lock_debug_is_held(lock);
}

int strata_cond_init(strata_cond *out_cond) {
  *out_cond = NULL;
  if (!strata_cond_hooks.alloc_condition) return 0;
  *out_cond = strata_cond_hooks.alloc_condition(0);
  return *out_cond ? 0 : -1;
}

void strata_cond_destroy(strata_cond *cond) {
  if (*cond) strata_cond_hooks.free_condition(*cond);
  *cond = NULL;
}

void strata_cond_broadcast(strata_cond cond) {
  if (cond) strata_cond_hooks.signal_condition(cond, 1);
}

int strata_cond_wait(strata_cond cond, strata_lock lock) {
  if (!cond) return 0;
  return strata_cond_hooks.wait_condition(cond, lock, NULL) < 0 ? -1 : 0;
}
