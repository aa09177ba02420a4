#include <event2/thread.h>
#include <pthread.h>
#include <string.h>
#include <sys/time.h>

#include "util/clock.h"
#include "util/memory.h"
#include "util/platform.h"

/* EVTHREAD_PTHREAD_ flags for mutexes to come. */
static int mutex_flags;

static int mutexattr_prepare(pthread_mutexattr_t *attr, unsigned locktype, int flags) {
  if ((locktype & EVTHREAD_LOCKTYPE_RECURSIVE) &&
      pthread_mutexattr_settype(attr, PTHREAD_MUTEX_RECURSIVE))
    return -1;
  if ((flags & EVTHREAD_PTHREAD_PRIO_INHERIT) &&
      pthread_mutexattr_setprotocol(attr, PTHREAD_PRIO_INHERIT))
    return -1;
  return 0;
}

static int mutex_init(pthread_mutex_t *mutex, unsigned locktype, int flags) {
  pthread_mutexattr_t attr;
  if (pthread_mutexattr_init(&attr)) return -1;
  int failed = mutexattr_prepare(&attr, locktype, flags) < 0 || pthread_mutex_init(mutex, &attr);
  pthread_mutexattr_destroy(&attr);
  return failed ? -1 : 0;
}

static void *lock_alloc(unsigned locktype) {
  pthread_mutex_t *mutex = strata_malloc(sizeof(*mutex));
  if (!mutex) return NULL;
  if (mutex_init(mutex, locktype, mutex_flags) < 0) {
    strata_free(mutex);
    return NULL;
  }
  return mutex;
}

static void lock_free(void *lock, unsigned locktype) {
  (void)locktype;
  pthread_mutex_destroy(lock);
  strata_free(lock);
}

static int lock_acquire(unsigned mode, void *lock) {
  return mode & EVTHREAD_TRY ? pthread_mutex_trylock(lock) : pthread_mutex_lock(lock);
}

static int lock_release(unsigned mode, void *lock) {
  (void)mode;
  return pthread_mutex_unlock(lock);
}

static unsigned long thread_id(void) {
  pthread_t self = pthread_self();
  unsigned long id = 0;
  memcpy(&id, &self, sizeof(self) < sizeof(id) ? sizeof(self) : sizeof(id));
  return id;
}

#if !STRATA_HAVE_COND_CLOCK
#define COND_CLOCK CLOCK_REALTIME
static int cond_init(pthread_cond_t *cond) {
  return pthread_cond_init(cond, NULL) ? -1 : 0;
}
#else
#define COND_CLOCK CLOCK_MONOTONIC
static int cond_init(pthread_cond_t *cond) {
  pthread_condattr_t attr;
  if (pthread_condattr_init(&attr)) return -1;
  int failed = pthread_condattr_setclock(&attr, COND_CLOCK) || pthread_cond_init(cond, &attr);
  pthread_condattr_destroy(&attr);
  return failed ? -1 : 0;
}
#endif

static void *cond_alloc(unsigned condtype) {
  (void)condtype;
  pthread_cond_t *cond = strata_malloc(sizeof(*cond));
  if (!cond) return NULL;
  if (cond_init(cond) < 0) {
    strata_free(cond);
    return NULL;
  }
  return cond;
}

static void cond_free(void *cond) {
  pthread_cond_destroy(cond);
  strata_free(cond);
}

static int cond_signal(void *cond, int broadcast) {
  int error = broadcast ? pthread_cond_broadcast(cond) : pthread_cond_signal(cond);
  return error ? -1 : 0;
}

static struct timespec deadline_after(const struct timeval *timeout) {
  struct timespec deadline;
  clock_gettime(COND_CLOCK, &deadline);
  deadline.tv_sec += timeout->tv_sec;
  deadline.tv_nsec += timeout->tv_usec * (long)STRATA_NS_PER_US;
  if (deadline.tv_nsec >= STRATA_NS_PER_SECOND) {
    deadline.tv_nsec -= STRATA_NS_PER_SECOND;
    ++deadline.tv_sec;
  }
  return deadline;
}

static int cond_wait(void *cond, void *lock, const struct timeval *timeout) {
  if (!timeout) return pthread_cond_wait(cond, lock) ? -1 : 0;
  struct timespec deadline = deadline_after(timeout);
  int error = pthread_cond_timedwait(cond, lock, &deadline);
  if (error == ETIMEDOUT) return 1;
  return error ? -1 : 0;
}

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

/* Whether this system makes mutexes with these flags at all. */
static int flags_work(int flags) {
  pthread_mutex_t mutex;
  if (flags & ~EVTHREAD_PTHREAD_PRIO_INHERIT) return 0;
  if (mutex_init(&mutex, EVTHREAD_LOCKTYPE_RECURSIVE, flags) < 0) return 0;
  pthread_mutex_destroy(&mutex);
  return 1;
}

int evthread_use_pthreads_with_flags(int flags) {
  if (!flags_work(flags)) return -1;
  if (evthread_set_lock_callbacks(&lock_callbacks) < 0) return -1;
  if (evthread_set_condition_callbacks(&cond_callbacks) < 0) return -1;
  mutex_flags |= flags; /* a second call without flags takes none away */
  evthread_set_id_callback(thread_id);
  return 0;
}

int evthread_use_pthreads(void) {
  return evthread_use_pthreads_with_flags(0);
}
