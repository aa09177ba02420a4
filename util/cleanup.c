#include "util/cleanup.h"

#include <stdatomic.h>

/* C11 atomics stay out of the header, which C++ reads too. */
static _Atomic(struct strata_cleanup *) newest;

void strata_cleanup_register(struct strata_cleanup *cleanup) {
  if (__atomic_exchange_n(&cleanup->registered, 1, __ATOMIC_ACQ_REL)) return;
  cleanup->next = atomic_load(&newest);
  while (!atomic_compare_exchange_weak(&newest, &cleanup->next, cleanup)) {
  }
}

void strata_cleanup_run_all(void) {
  struct strata_cleanup *cleanup = atomic_exchange(&newest, NULL);
  while (cleanup) {
    struct strata_cleanup *next = cleanup->next;
    /* Before the call, which may bring the module back to life. */
    __atomic_store_n(&cleanup->registered, 0, __ATOMIC_RELEASE);
    cleanup->function();
    cleanup = next;
  }
}
