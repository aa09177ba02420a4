#ifndef STRATA_LOOP_FINALIZE_H_
#define STRATA_LOOP_FINALIZE_H_

#include <event2/callback_struct.h>

struct event_base;

/* Ends the life of an object whose callbacks run in the base's loop. When another thread runs the
 * loop, one of them may be under way there: `function` is then queued behind it. Otherwise it is
 * called before this returns. Either way it is called exactly once, by event_base_free() if the
 * loop never turns again, and may free the memory that `callback` lies in. The caller has detached
 * everything else of the object from the base, and holds no lock. */
void event_base_finalize_callback(struct event_base *base, struct event_callback *callback,
                                  void (*function)(struct event_callback *, void *), void *arg);

#endif
