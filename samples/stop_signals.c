#define _GNU_SOURCE 1 /* SIGPIPE under -std=c11 */
#include "samples/stop_signals.h"

#include <signal.h>

#ifdef SIGBREAK
/* No program can send SIGTERM to another on Windows, but Ctrl-Break to a process group. */
static const int kSignals[2] = {SIGINT, SIGBREAK};
#else
static const int kSignals[2] = {SIGINT, SIGTERM};
#endif

static void ignore_broken_pipes(void) {
#ifdef SIGPIPE
  signal(SIGPIPE, SIG_IGN);
#endif
}

int stop_signals_watch(struct stop_signals *signals, struct event_base *base,
                       event_callback_fn callback, void *arg) {
  ignore_broken_pipes();
  for (int i = 0; i < 2; i++) {
    signals->events[i] = evsignal_new(base, kSignals[i], callback, arg);
    if (signals->events[i] == NULL || evsignal_add(signals->events[i], NULL) != 0) return -1;
  }
  return 0;
}

void stop_signals_forget(struct stop_signals *signals) {
  for (int i = 0; i < 2; i++) {
    if (signals->events[i] != NULL) event_free(signals->events[i]);
    signals->events[i] = NULL;
  }
}
