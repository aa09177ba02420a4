#include "http/thread.h"

#include <pthread.h>
#include <signal.h>

#include "util/memory.h"

struct strata_thread {
  pthread_t id;
  void (*run)(void *);
  void *arg;
};

static void *run_thread(void *arg) {
  struct strata_thread *thread = arg;
  thread->run(thread->arg);
  return NULL;
}

/* A thread begins with its creator's mask. Left out are the signals that a thread raises itself by
 * a fault, whose handlers tell of it, and SIGPROF, which profilers send to the thread that is busy.
 */
static int create(struct strata_thread *thread) {
  static const int left_out[] = {SIGABRT, SIGBUS,  SIGFPE, SIGILL,
                                 SIGPROF, SIGSEGV, SIGSYS, SIGTRAP};
  sigset_t all, before;
  size_t i;
  int error;
  sigfillset(&all);
  for (i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) sigdelset(&all, left_out[i]);
  if (pthread_sigmask(SIG_SETMASK, &all, &before)) return -1;
  error = pthread_create(&thread->id, NULL, run_thread, thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error ? -1 : 0;
}

struct strata_thread *strata_thread_start(void (*run)(void *), void *arg) {
  struct strata_thread *thread = strata_malloc(sizeof(*thread));
  if (!thread) return NULL;
  thread->run = run;
  thread->arg = arg;
  if (create(thread) == 0) return thread;
  strata_free(thread);
  return NULL;
}

void strata_thread_join(struct strata_thread *thread) {
  pthread_join(thread->id, NULL);
  strata_free(thread);
}
