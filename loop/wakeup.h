#ifndef STRATA_LOOP_WAKEUP_H_
#define STRATA_LOOP_WAKEUP_H_

#include <stdbool.h>

#include "loop/io_source.h"
#include "util/wakeup.h"

struct event_base;

/* How another thread ends a loop's wait: by the backend's wake(), or, where it has none, by a
 * descriptor of the base's own that is open from when threads may need it. */
struct event_base_wakeup {
  struct strata_wakeup descriptors;
  struct event_io_source source;
  bool is_pending; /* sent, and not yet received */
};

void event_base_wakeup_init(struct event_base *base);

/* The rest is called with the base's lock held. */

/* 0, or -1 with errno. Nothing happens when it is open already. */
int event_base_wakeup_open(struct event_base *base);
void event_base_wakeup_close(struct event_base *base);
/* Ends the wait of a loop that another thread runs, or its next one. Nothing happens while a wakeup
 * is pending, or when it is not open. */
void event_base_wakeup_send(struct event_base *base);

#endif
