#ifndef STRATA_LOOP_WATCH_H_
#define STRATA_LOOP_WATCH_H_

#include <stdbool.h>

struct event_base;

/* The prepare, check and idle watchers of a base (event2/watch.h). All functions are called with
 * the base's lock held, and release it around callbacks; the first three only for a base that has
 * or had watchers: base->watchers. */

/* Runs the prepare watchers of a turn of a loop with these EVLOOP_* flags. Whether the turn may
 * wait for events. */
bool event_watchers_run_prepare(struct event_base *base, int flags);
void event_watchers_run_check(struct event_base *base);
/* Runs the idle watchers, if nothing that is active forbids it. How many callbacks ran. */
int event_watchers_run_idle(struct event_base *base);

/* For a base that goes away; there may be no watchers. */
void event_watchers_free_all(struct event_base *base);

#endif
