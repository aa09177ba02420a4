#include "util/sigpipe.h"

#include <errno.h>
#include <stddef.h>

static void only_sigpipe(sigset_t *out_set) {
  sigemptyset(out_set);
  sigaddset(out_set, SIGPIPE);
}

static int is_pending(void) {
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void strata_sigpipe_hold(struct strata_sigpipe *out_held) {
  sigset_t set;
  only_sigpipe(&set);
  pthread_sigmask(SIG_BLOCK, &set, &out_held->mask);
  /* A thread that lets it through has none waiting. */
  out_held->was_pending = sigismember(&out_held->mask, SIGPIPE) == 1 && is_pending();
}

void strata_sigpipe_release(const struct strata_sigpipe *held, int error) {
  int saved_errno = errno;
  if (error == EPIPE && !held->was_pending && is_pending()) {
    sigset_t set;
    int signal_number;
    only_sigpipe(&set);
    sigwait(&set, &signal_number);
  }
  pthread_sigmask(SIG_SETMASK, &held->mask, NULL);
  errno = saved_errno;
}
