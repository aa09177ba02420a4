#include <windows.h>

#include <process.h>
#include <stdint.h>

#include "http/thread.h"
#include "util/memory.h"

struct strata_thread {
  HANDLE handle;
  void (*run)(void *);
  void *arg;
};

static unsigned __stdcall run_thread(void *arg) {
  struct strata_thread *thread = arg;
  thread->run(thread->arg);
  return 0;
}

struct strata_thread *strata_thread_start(void (*run)(void *), void *arg) {
  struct strata_thread *thread = strata_malloc(sizeof(*thread));
  if (!thread) return NULL;
  thread->run = run;
  thread->arg = arg;
  /* Not CreateThread(): the C library has something of its own to set up in a thread. */
  thread->handle = (HANDLE)_beginthreadex(NULL, 0, run_thread, thread, 0, NULL);
  if (thread->handle) return thread;
  strata_free(thread);
  return NULL;
}

void strata_thread_join(struct strata_thread *thread) {
  WaitForSingleObject(thread->handle, INFINITE);
  CloseHandle(thread->handle);
  strata_free(thread);
}
