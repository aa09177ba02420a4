#ifndef STRATA_LOOP_IO_SOURCE_H_
#define STRATA_LOOP_IO_SOURCE_H_

#include <event2/callback_struct.h>
#include <event2/event.h>

/* A descriptor with one owner that stays registered: where the backend knows edge triggering it is
 * registered once for both directions, and nothing is said to the kernel again until it is
 * detached. Elsewhere, or while a level-triggered event of the user watches the same descriptor,
 * the registration follows what the owner wants.
 *
 * `ready` remembers what the kernel reported, per direction, until the owner finds by a short
 * transfer or EAGAIN that it is used up: an edge that arrives while nobody wants it is not lost.
 * Whenever a direction is both wanted and ready the owner's task is queued; its function is never
 * called from inside one of these calls.
 *
 * A source keeps the loop alive only while it wants something, and not even then when its task is
 * marked EVLIST_INTERNAL. The fields change under the base's lock; all functions here take it and
 * may be called from any thread, by one at a time. */

struct event_io_source {
  struct event_callback task; /* set up by the owner with event_callback_init */
  struct event_base *base;
  struct event_io_source *next; /* of the same descriptor */
  evutil_socket_t fd;           /* -1 while detached */
  short want;                   /* EV_READ | EV_WRITE */
  short ready;                  /* EV_READ | EV_WRITE | STRATA_EV_HANGUP */
};

/* Registers `fd`. Several sources may share a descriptor: each is told of everything. Returns 0, or
 * -1 with errno: EPERM for what can't be polled (a regular file), EBADF, ENOMEM. */
int event_io_source_attach(struct event_io_source *source, struct event_base *base,
                           evutil_socket_t fd);
/* Unregisters, forgets readiness and wants, and takes the task out of the queue. Does not wait for
 * a task that is running in another thread. Nothing happens when it is not attached. */
void event_io_source_detach(struct event_io_source *source);

/* The priority at which the task, or any other callback, is queued from now on; one that is queued
 * changes its place. */
void event_base_set_callback_priority(struct event_base *base, struct event_callback *callback,
                                      int priority);

static inline int event_io_source_is_attached(const struct event_io_source *source) {
  return source->fd >= 0;
}

/* Says what the owner wants from now on. 0, or -1 with errno when a level-triggered registration
 * could not be extended; `want` is then as before. */
int event_io_source_set_want(struct event_io_source *source, short want);
/* The direction was found used up: do not run the task for it until the kernel reports it again. */
void event_io_source_clear_ready(struct event_io_source *source, short direction);
/* Treats a direction as ready without asking the kernel: an optimistic first attempt, or a budget
 * that ran out before the data did. */
void event_io_source_set_ready(struct event_io_source *source, short direction);

#endif
