#ifndef STRATA_LOOP_FD_SLOTS_H_
#define STRATA_LOOP_FD_SLOTS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/util.h>

#include "util/socket.h"

struct event;
struct event_io_source;

/* Everyone who watches one descriptor, and what the kernel was told about it. */
struct fd_slot {
  struct event *events; /* a list through ev_.ev_io.ev_io_next */
  struct event_io_source *sources;
  intptr_t backend_state;
  uint32_t generation; /* grows whenever the kernel is told to forget the descriptor */
  short kernel_mask;
  uint16_t num_read, num_write, num_closed; /* events that watch for each */
  uint16_t num_level;                       /* events without EV_ET */
  bool is_dirty;   /* in the list of descriptors to tell the kernel about */
  bool was_unused; /* nobody watched it for a time since the kernel was told: it may be another file
                    */
};

/* Finds slots by descriptor: an array that the descriptor indexes, or a hash table where
 * descriptors are handles (Windows). A slot is never given up, for its generation tells late
 * reports from those of the number's next file; it may move when another is made. Zeroed slots are
 * empty and valid. */
#ifdef _WIN32

/* One place of a table with linear probing. */
struct fd_slots_place {
  struct fd_slot slot;
  evutil_socket_t fd_plus_one; /* 0: free */
};

struct fd_slots {
  struct fd_slots_place *places;
  int num_places; /* a power of two, at least twice num_used */
  int num_used;
};

/* NULL when nobody ever watched the descriptor. */
static inline struct fd_slot *event_fd_slots_find(const struct fd_slots *slots,
                                                  evutil_socket_t fd) {
  if (fd < 0 || !slots->num_places) return NULL;
  const size_t last = (size_t)slots->num_places - 1;
  for (size_t i = strata_socket_hash(fd) & last;; i = (i + 1) & last) {
    struct fd_slots_place *place = &slots->places[i];
    if (place->fd_plus_one == fd + 1) return &place->slot;
    if (!place->fd_plus_one) return NULL;
  }
}

/* For a look at all slots: those from 0 to num_places - 1, of which some were never used. */
static inline struct fd_slot *event_fd_slots_at(const struct fd_slots *slots, int i) {
  return &slots->places[i].slot;
}
static inline evutil_socket_t event_fd_slots_fd_at(const struct fd_slots *slots, int i) {
  return slots->places[i].fd_plus_one - 1;
}

#else

struct fd_slots {
  struct fd_slot *places;
  int num_places;
};

static inline struct fd_slot *event_fd_slots_find(const struct fd_slots *slots,
                                                  evutil_socket_t fd) {
  return fd >= 0 && fd < slots->num_places ? &slots->places[fd] : NULL;
}

static inline struct fd_slot *event_fd_slots_at(const struct fd_slots *slots, int i) {
  return &slots->places[i];
}
static inline evutil_socket_t event_fd_slots_fd_at(const struct fd_slots *slots, int i) {
  (void)slots;
  return i;
}

#endif

/* The descriptor's slot, made when there is none; or NULL with errno: EBADF for a number that no
 * descriptor has, ENOMEM. */
struct fd_slot *event_fd_slots_find_or_make(struct fd_slots *slots, evutil_socket_t fd);

void event_fd_slots_clear(struct fd_slots *slots);

#endif
