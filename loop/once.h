#ifndef STRATA_LOOP_ONCE_H_
#define STRATA_LOOP_ONCE_H_

struct event_base;

/* Frees the one-time events that never ran. Base lock held. */
void event_once_free_all(struct event_base *base);

#endif
