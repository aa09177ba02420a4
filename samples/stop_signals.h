#ifndef SAMPLES_STOP_SIGNALS_H_
#define SAMPLES_STOP_SIGNALS_H_

#include <event2/event.h>

/* SIGINT and SIGTERM, which ask a program to stop; on Windows, Ctrl-C and Ctrl-Break of the
 * console. SIGPIPE is ignored from then on: a peer that hangs up is an error of that write, no
 * more. */
struct stop_signals {
  struct event *events[2];
};

/* 0, or -1 with errno. The callback comes from the loop. */
int stop_signals_watch(struct stop_signals *signals, struct event_base *base,
                       event_callback_fn callback, void *arg);

/* May be called on zeros. */
void stop_signals_forget(struct stop_signals *signals);

#endif
