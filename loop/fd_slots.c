#include "loop/fd_slots.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <event2/event_struct.h>

#include "util/memory.h"

#define MIN_PLACES 32

void event_fd_slots_clear(struct fd_slots *slots) {
  if (slots->places) strata_free(slots->places);
  memset(slots, 0, sizeof(*slots));
}

/* The first event of a list points back into its slot, which has moved. */
static void point_back(struct fd_slot *slot) {
  if (slot->events) slot->events->ev_.ev_io.ev_io_next.le_prev = &slot->events;
}

static int grow(struct fd_slots *slots, evutil_socket_t fd) {
  int num_places = slots->num_places ? slots->num_places : MIN_PLACES;
  while (num_places <= fd) num_places *= 2;
  struct fd_slot *places = strata_realloc(slots->places, (size_t)num_places * sizeof(*places));
  if (!places) return -1;
  memset(places + slots->num_places, 0, (size_t)(num_places - slots->num_places) * sizeof(*places));
  for (int i = 0; i < slots->num_places; i++) point_back(&places[i]);
  slots->places = places;
  slots->num_places = num_places;
  return 0;
}

struct fd_slot *event_fd_slots_find_or_make(struct fd_slots *slots, evutil_socket_t fd) {
  if (fd < 0 || fd > INT_MAX / 4) {
    errno = EBADF;
    return NULL;
  }
  if (fd >= slots->num_places && grow(slots, fd) < 0) return NULL;
  return &slots->places[fd];
}
