#include <event2/thread.h>
#include <event2/util.h>

#include "util/clock.h"
#include "util/memory.h"

/* What is protected is short, so waiting a little is cheaper than going to sleep. */
#define SPIN_COUNT 2000

/* ---- locks ---- */

/* A critical section may always be taken again by its owner, whatever the kind asked for. */
static void *lock_alloc(unsigned locktype) {
  (void)locktype;
  CRITICAL_SECTION *section = strata_malloc(sizeof(*section));
  if (!section) return NULL;
  if (!InitializeCriticalSectionEx(section, SPIN_COUNT, CRITICAL_SECTION_NO_DEBUG_INFO)) {
    strata_free(section);
    return NULL;
  }
  return section;
}

static void lock_free(void *lock, unsigned locktype) {
  (void)locktype;
  DeleteCriticalSection(lock);
  strata_free(lock);
}

static int lock_acquire(unsigned mode, void *lock) {
  if (mode & EVTHREAD_TRY) return TryEnterCriticalSection(lock) ? 0 : -1;
  EnterCriticalSection(lock);
  return 0;
}

static int lock_release(unsigned mode, void *lock) {
  (void)mode;
  LeaveCriticalSection(lock);
  return 0;
}

static unsigned long thread_id(void) {
  return GetCurrentThreadId();
}

/* ---- condition variables ---- */

static void *cond_alloc(unsigned condtype) {
  (void)condtype;
  CONDITION_VARIABLE *cond = strata_malloc(sizeof(*cond));
  if (cond) InitializeConditionVariable(cond);
  return cond;
}

/* Windows has nothing to free in it. */
static void cond_free(void *cond) {
  strata_free(cond);
}

static int cond_signal(void *cond, int broadcast) {
  if (broadcast)
    WakeAllConditionVariable(cond);
  else
    WakeConditionVariable(cond);
  return 0;
}

/* Rounded up, so that nobody is told too early that the time was up; the longest time that is not
 * INFINITE is seven weeks. */
static DWORD timeout_ms(const struct timeval *timeout) {
  if (!timeout) return INFINITE;
  int64_t ms = strata_timeval_to_ns(timeout) / STRATA_NS_PER_MS;
  ms += timeout->tv_usec % 1000 != 0;
  return ms < INFINITE ? (DWORD)ms : INFINITE - 1;
}

static int cond_wait(void *cond, void *lock, const struct timeval *timeout) {
  if (SleepConditionVariableCS(cond, lock, timeout_ms(timeout))) return 0;
  return GetLastError() == ERROR_TIMEOUT ? 1 : -1;
}

/* ---- */

static const struct evthread_lock_callbacks lock_callbacks = {
    .lock_api_version = EVTHREAD_LOCK_API_VERSION,
    .supported_locktypes = EVTHREAD_LOCKTYPE_RECURSIVE,
    .alloc = lock_alloc,
    .free = lock_free,
    .lock = lock_acquire,
    .unlock = lock_release,
};

static const struct evthread_condition_callbacks cond_callbacks = {
    .condition_api_version = EVTHREAD_CONDITION_API_VERSION,
    .alloc_condition = cond_alloc,
    .free_condition = cond_free,
    .signal_condition = cond_signal,
    .wait_condition = cond_wait,
};

int evthread_use_windows_threads(void) {
  if (evthread_set_lock_callbacks(&lock_callbacks) < 0) return -1;
  if (evthread_set_condition_callbacks(&cond_callbacks) < 0) return -1;
  evthread_set_id_callback(thread_id);
  return 0;
}
