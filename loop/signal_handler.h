#ifndef STRATA_LOOP_SIGNAL_HANDLER_H_
#define STRATA_LOOP_SIGNAL_HANDLER_H_

#include <stdbool.h>

#include <event2/util.h>

/* The process's half of signal events: a handler that writes the number of each signal that comes,
 * as one byte, to a descriptor. */

/* What was done about a signal before its handler was installed. */
struct event_signal_action;

/* Where the handler writes from now on; -1: nowhere. */
void event_signal_handler_set_target(evutil_socket_t fd);

/* Whether this system has the signal and lets a program handle it. */
bool event_signal_can_be_caught(int signal);
/* Room for one, to be freed by strata_free() or event_signal_handler_restore(); NULL without
 * memory. */
struct event_signal_action *event_signal_action_new(void);
/* Handles the signal from now on. 0, or -1 with errno and no change. */
int event_signal_handler_install(int signal, struct event_signal_action *out_old_action);
/* Undoes that; frees `old_action`. With `drops_pending`, what the process was sent and no thread
 * has taken yet is dropped if the old action would end the process: it is told of already. */
void event_signal_handler_restore(int signal, struct event_signal_action *old_action,
                                  bool drops_pending);

/* Takes up to `capacity` numbers from the other end of the target, whose ends do not block. 0 when
 * there are none. */
size_t event_signal_take_numbers(evutil_socket_t fd, unsigned char *out_numbers, size_t capacity);

#endif
