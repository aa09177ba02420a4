#include "loop/fd_slots.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <event2/event_struct.h>

#include "util/memory.h"

#define MIN_PLACES 64

void event_fd_slots_clear(struct fd_slots *slots) {
  if (slots->places) strata_free(slots->places);
  memset(slots, 0, sizeof(*slots));
}

/* There is one. */
static struct fd_slots_place *free_place_for(const struct fd_slots *slots, evutil_socket_t fd) {
  const size_t last = (size_t)slots->num_places - 1;
  size_t i = strata_socket_hash(fd) & last;
  while (slots->places[i].fd_plus_one) i = (i + 1) & last;
  return &slots->places[i];
}

/* The first event of a list points back into its slot, which has moved. */
static void move_place(struct fd_slots_place *to, const struct fd_slots_place *from) {
  *to = *from;
  if (to->slot.events) to->slot.events->ev_.ev_io.ev_io_next.le_prev = &to->slot.events;
}

static int grow(struct fd_slots *slots) {
  struct fd_slots bigger = {NULL, MIN_PLACES, slots->num_used};
  if (slots->num_places > INT_MAX / 2) {
    errno = ENOMEM;
    return -1;
  }
  if (slots->num_places) bigger.num_places = slots->num_places * 2;
  bigger.places = strata_calloc((size_t)bigger.num_places, sizeof(*bigger.places));
  if (!bigger.places) return -1;
  for (int i = 0; i < slots->num_places; i++) {
    const struct fd_slots_place *old = &slots->places[i];
    if (old->fd_plus_one) move_place(free_place_for(&bigger, old->fd_plus_one - 1), old);
  }
  event_fd_slots_clear(slots);
  *slots = bigger;
  return 0;
}

struct fd_slot *event_fd_slots_find_or_make(struct fd_slots *slots, evutil_socket_t fd) {
  struct fd_slot *slot = event_fd_slots_find(slots, fd);
  if (slot) return slot;
  if (fd < 0 || fd == INTPTR_MAX) {
    errno = EBADF;
    return NULL;
  }
  if (slots->num_used >= slots->num_places / 2 && grow(slots) < 0) return NULL;
  struct fd_slots_place *place = free_place_for(slots, fd);
  place->fd_plus_one = fd + 1;
  slots->num_used++;
  return &place->slot;
}
