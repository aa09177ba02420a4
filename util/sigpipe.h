#ifndef STRATA_UTIL_SIGPIPE_H_
#define STRATA_UTIL_SIGPIPE_H_

#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A write to a socket whose other end is gone fails with EPIPE and raises SIGPIPE, which ends a
 * program that does not expect it (write(2)). These two stand around a call that has no flag
 * against the signal; the thread is to do nothing else between them. POSIX systems only. */
struct strata_sigpipe {
  sigset_t mask; /* the thread's before */
  int was_pending;
};

void strata_sigpipe_hold(struct strata_sigpipe *out_held);
/* Takes back what the call in between has raised, if it has failed with EPIPE: a signal that the
 * thread had waiting stays. `error` is that call's errno or 0. Leaves errno alone. */
void strata_sigpipe_release(const struct strata_sigpipe *held, int error);

#ifdef __cplusplus
}
#endif

#endif
