#ifndef STRATA_LOOP_SIGNAL_MAP_H_
#define STRATA_LOOP_SIGNAL_MAP_H_

#include <stdbool.h>

#include <event2/event_struct.h>

#include "loop/io_source.h"

struct event_base;

#define EVENT_NUM_SIGNALS 65

/* Signals reach the loop through its backend, where that has watch_signal() (loop/readiness.h): a
 * handler that does nothing is there then to keep the default action away. With other backends they
 * come through a pipe that the handler (loop/signal_handler.h) writes the signal's number to
 * (sigaction(2); write(2) is async-signal-safe), and one such base at a time receives the signals
 * of the process: the one with signal events that was last added to or began to run. */
struct signal_map {
  struct event *events[EVENT_NUM_SIGNALS]; /* lists through ev_.ev_signal.ev_signal_next */
  bool is_handled[EVENT_NUM_SIGNALS];
  int num_writers;                   /* handlers of this base that are to write to the pipe */
  evutil_socket_t read_fd, write_fd; /* -1 until the first signal event */
  struct event_io_source source;
};

/* All functions but event_signal_map_init are called with the base's lock held. */

void event_signal_map_init(struct signal_map *map);
/* Restores every handler and closes the descriptors. The events stay in their lists. */
void event_signal_map_stop(struct event_base *base);
/* Starts again in a child of fork(2): with descriptors of its own, for the events there are. */
int event_signal_map_restart(struct event_base *base);

/* Makes the base, which has signal events, the one that receives the signals from now on. Returns
 * whether another one did before. */
int event_signal_map_claim_signals(struct event_base *base);
/* Starts watching for the event's signal. 0, or -1 with errno (EINVAL for a number that is none).
 */
int event_signal_map_add(struct event_base *base, struct event *event);
/* Stops watching; the last event of a signal restores the handler that was there before. */
void event_signal_map_remove(struct event_base *base, struct event *event);
/* Activates the events of a signal, each to be called num_calls times. */
void event_signal_map_activate(struct event_base *base, int signal, int num_calls);

#endif
