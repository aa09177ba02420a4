#ifndef STRATA_LOOP_FD_MAP_H_
#define STRATA_LOOP_FD_MAP_H_

#include <stdint.h>

#include <event2/event_struct.h>

#include "loop/fd_slots.h"
#include "loop/readiness.h"

struct event_base;
struct event_io_source;

struct fd_map {
  struct fd_slots slots;  /* a zeroed map is empty and valid */
  evutil_socket_t *dirty; /* for a backend that takes changes once a turn */
  int num_dirty, dirty_capacity;
};

/* All functions are called with the base's lock held. */

void event_fd_map_clear(struct fd_map *map);

/* Starts or stops watching for an event that has EV_READ, EV_WRITE or EV_CLOSED. event_fd_map_add
 * returns 0, or -1 with errno (EBADF, EPERM, ENOMEM) and no change. Edge-triggered events that
 * share a descriptor with a level-triggered one are triggered by level; debug mode refuses that
 * (EINVAL). */
int event_fd_map_add(struct event_base *base, struct event *event);
void event_fd_map_remove(struct event_base *base, struct event *event);

/* Same for a source; also called when what the source wants has changed. */
int event_fd_map_add_source(struct event_base *base, struct event_io_source *source);
void event_fd_map_remove_source(struct event_base *base, struct event_io_source *source);
int event_fd_map_update_source(struct event_base *base, struct event_io_source *source);

/* Activates whatever watches `fd` for something in `what`. */
void event_fd_map_activate(struct event_base *base, evutil_socket_t fd, short what);
/* The same for what the kernel reported, which may be meant for an earlier user of the number. */
void event_fd_map_deliver(struct event_base *base, evutil_socket_t fd, uint32_t generation,
                          short what);

/* Hands over the changes that a batching backend (loop/readiness.h) has not been told yet. One that
 * there was no memory for stays among `dirty`, for the next turn; another error is logged. */
void event_fd_map_flush(struct event_base *base);

/* Tells a fresh backend about every descriptor (after fork). 0, or -1 if one was refused. */
int event_fd_map_register_all(struct event_base *base);

#endif
