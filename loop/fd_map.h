#ifndef STRATA_LOOP_FD_MAP_H_
#define STRATA_LOOP_FD_MAP_H_

#include <stdint.h>

#include <event2/event_struct.h>

#include "loop/readiness.h"

struct event_base;
struct event_io_source;

/* Everyone who watches one descriptor, and what the kernel was told about it. */
struct fd_slot {
  struct event *events; /* a list through ev_.ev_io.ev_io_next */
  struct event_io_source *source;
  intptr_t backend_state;
  uint32_t generation; /* grows whenever the kernel is told to forget the descriptor */
  short kernel_mask;
  uint16_t num_read, num_write, num_closed; /* events that watch for each */
  uint16_t num_edge;                        /* events with EV_ET: none or all of them */
};

/* An array indexed by descriptor. A zeroed map is empty and valid. */
struct fd_map {
  struct fd_slot *slots;
  int num_slots;
};

/* All functions are called with the base's lock held. */

void fd_map_clear(struct fd_map *map);
/* NULL when nobody ever watched the descriptor. */
struct fd_slot *fd_map_find(const struct fd_map *map, evutil_socket_t fd);

/* Starts or stops watching for an event that has EV_READ, EV_WRITE or EV_CLOSED. fd_map_add returns
 * 0, or -1 with errno (EBADF, EPERM, ENOMEM, EINVAL for a mix of edge- and level-triggered events
 * on one descriptor) and no change. */
int fd_map_add(struct event_base *base, struct event *event);
void fd_map_remove(struct event_base *base, struct event *event);

/* Same for a source; also called when what the source wants has changed. */
int fd_map_add_source(struct event_base *base, struct event_io_source *source);
void fd_map_remove_source(struct event_base *base, struct event_io_source *source);
int fd_map_update_source(struct event_base *base, struct event_io_source *source);

/* Activates whatever watches `fd` for something in `what`. */
void fd_map_activate(struct event_base *base, evutil_socket_t fd, short what);
/* The same for what the kernel reported, which may be meant for an earlier user of the number. */
void fd_map_deliver(struct event_base *base, evutil_socket_t fd, uint32_t generation, short what);

/* Tells a fresh backend about every descriptor (after fork). 0, or -1 if one was refused. */
int fd_map_register_all(struct event_base *base);

#endif
