#include "loop/fd_map.h"

#include <errno.h>
#include <string.h>

#include "loop/active.h"
#include "loop/base.h"
#include "loop/debug.h"
#include "loop/io_source.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"

#define MIN_DIRTY 32
#define IO_EVENTS (EV_READ | EV_WRITE | EV_CLOSED)

void event_fd_map_clear(struct fd_map *map) {
  event_fd_slots_clear(&map->slots);
  if (map->dirty) strata_free(map->dirty);
  memset(map, 0, sizeof(*map));
}

static int backend_has_edge(const struct event_base *base) {
  return (base->backend->features & EV_FEATURE_ET) != 0;
}

/* A source and edge-triggered events share a descriptor with level-triggered ones by level. */
static int is_edge_triggered(const struct event_base *base, const struct fd_slot *slot) {
  return backend_has_edge(base) && !slot->num_level && (slot->events || slot->sources);
}

/* EV_CLOSED too: a short read counts as drained, so an end of data that arrived together with the
 * data has to show in the same report. */
static short source_interest(const struct event_base *base) {
  short mask = EV_READ | EV_WRITE;
  return base->backend->features & EV_FEATURE_EARLY_CLOSE ? mask | EV_CLOSED : mask;
}

static short wanted_mask(const struct event_base *base, const struct fd_slot *slot) {
  short mask = 0;
  if (slot->num_read) mask |= EV_READ;
  if (slot->num_write) mask |= EV_WRITE;
  if (slot->num_closed) mask |= EV_CLOSED;
  if (!slot->sources && !mask) return 0;
  if (is_edge_triggered(base, slot)) {
    if (slot->sources) mask |= source_interest(base);
    return mask | EV_ET;
  }
  const struct event_io_source *source = slot->sources;
  for (; source; source = source->next) mask |= source->want;
  return mask;
}

/* Whether the kernel has this mask for the file that the slot stands for now. */
static inline bool kernel_knows(const struct fd_slot *slot, short mask) {
  return mask == slot->kernel_mask && !slot->was_unused;
}

static int tell_kernel_when(struct event_base *base, evutil_socket_t fd, struct fd_slot *slot,
                            short mask, int may_be_late) {
  if (slot->was_unused) slot->generation++;
  struct event_readiness_change change = {
      fd, slot->kernel_mask, mask, slot->generation, &slot->backend_state, may_be_late};
  if (base->backend->change(base->backend_state, &change) < 0) return -1;
  slot->was_unused = false;
  slot->kernel_mask = mask;
  if (!mask) {
    slot->backend_state = 0;
    slot->generation++;
  }
  if (!(base->backend->features & STRATA_READINESS_LIVE_CHANGES)) event_base_notify(base);
  return 0;
}

static int tell_kernel(struct event_base *base, evutil_socket_t fd, struct fd_slot *slot,
                       short mask) {
  return tell_kernel_when(base, fd, slot, mask, 0);
}

/* Notes a change for the end of the turn. False when there is no memory for that. */
static bool put_off(struct event_base *base, evutil_socket_t fd, struct fd_slot *slot) {
  struct fd_map *map = &base->fds;
  if (slot->is_dirty) return true;
  if (map->num_dirty == map->dirty_capacity) {
    int capacity = map->dirty_capacity ? map->dirty_capacity * 2 : MIN_DIRTY;
    void *dirty = strata_realloc(map->dirty, (size_t)capacity * sizeof(*map->dirty));
    if (!dirty) return false;
    map->dirty = dirty;
    map->dirty_capacity = capacity;
  }
  map->dirty[map->num_dirty++] = fd;
  slot->is_dirty = true;
  event_base_notify(base);
  return true;
}

/* Brings the kernel's registration in line with the slot, or has that done before the next wait. */
static int sync_events(struct event_base *base, evutil_socket_t fd, struct fd_slot *slot) {
  short mask = wanted_mask(base, slot);
  if (kernel_knows(slot, mask)) return 0;
  if (base->backend->features & STRATA_READINESS_BATCHES) {
    if (!mask) slot->was_unused = true;
    if (put_off(base, fd, slot)) return 0;
  }
  return tell_kernel(base, fd, slot, mask);
}

/* Whether the change is made, or never will be. */
static bool flush_slot(struct event_base *base, evutil_socket_t fd, struct fd_slot *slot) {
  short mask = wanted_mask(base, slot);
  if (kernel_knows(slot, mask)) return true;
  if (mask == 0 && slot->kernel_mask == 0) {
    slot->was_unused = false;
    return true;
  }
  if (tell_kernel_when(base, fd, slot, mask, 1) == 0) return true;
  if (errno == ENOMEM) return false; /* event_add has succeeded, so it has to come yet */
  strata_log_errno(STRATA_LOG_WARN, "%s: watching descriptor %lld", base->backend->name,
                   (long long)fd);
  return true;
}

void event_fd_map_flush(struct event_base *base) {
  struct fd_map *map = &base->fds;
  int num_left = 0;
  for (int i = 0; i < map->num_dirty; i++) {
    evutil_socket_t fd = map->dirty[i];
    struct fd_slot *slot = event_fd_slots_find(&map->slots, fd);
    slot->is_dirty = !flush_slot(base, fd, slot);
    if (slot->is_dirty) map->dirty[num_left++] = fd;
  }
  map->num_dirty = num_left;
}

/* At once, batching or not: a source is registered once, so there is nothing to collect, and its
 * owner hears of errors. */
static int sync_source(struct event_base *base, evutil_socket_t fd, struct fd_slot *slot) {
  short mask = wanted_mask(base, slot);
  return kernel_knows(slot, mask) ? 0 : tell_kernel(base, fd, slot, mask);
}

/* Whether the counter left 0 or came to it. */
static inline bool count(uint16_t *counter, int by) {
  bool was_zero = !*counter;
  *counter = (uint16_t)(*counter + by);
  return was_zero != !*counter;
}

/* Whether that can change what the kernel is asked for: wanted_mask() asks of each counter whether
 * it is 0, and an event changes at least one. */
static bool count_event(struct fd_slot *slot, const struct event *event, int by) {
  bool matters = false;
  if (event->ev_events & EV_READ) matters |= count(&slot->num_read, by);
  if (event->ev_events & EV_WRITE) matters |= count(&slot->num_write, by);
  if (event->ev_events & EV_CLOSED) matters |= count(&slot->num_closed, by);
  if (!(event->ev_events & EV_ET)) matters |= count(&slot->num_level, by);
  return matters;
}

static int is_full(const struct fd_slot *slot) {
  return slot->num_read == UINT16_MAX || slot->num_write == UINT16_MAX ||
         slot->num_closed == UINT16_MAX || slot->num_level == UINT16_MAX;
}

static bool mixes_triggering(const struct fd_slot *slot, const struct event *event) {
  return slot->events && (slot->num_level > 0) != !(event->ev_events & EV_ET);
}

int event_fd_map_add(struct event_base *base, struct event *event) {
  struct fd_slot *slot = event_fd_slots_find_or_make(&base->fds.slots, event->ev_fd);
  if (!slot) return -1;
  if (is_full(slot) || (event_debug_mode_on && mixes_triggering(slot, event))) {
    errno = EINVAL;
    return -1;
  }
  bool matters = count_event(slot, event, 1);
  EV_LIST_PUSH_FRONT(&slot->events, event, ev_.ev_io.ev_io_next);
  if (!matters || sync_events(base, event->ev_fd, slot) == 0) return 0;
  EV_LIST_REMOVE(event, ev_.ev_io.ev_io_next);
  count_event(slot, event, -1);
  return -1;
}

void event_fd_map_remove(struct event_base *base, struct event *event) {
  struct fd_slot *slot = event_fd_slots_find(&base->fds.slots, event->ev_fd);
  EV_LIST_REMOVE(event, ev_.ev_io.ev_io_next);
  /* Fails only to shrink an interest; what is reported beyond it finds no taker. */
  if (count_event(slot, event, -1)) (void)sync_events(base, event->ev_fd, slot);
}

static void unlink_source(struct fd_slot *slot, struct event_io_source *source) {
  struct event_io_source **link = &slot->sources;
  while (*link != source) link = &(*link)->next;
  *link = source->next;
}

int event_fd_map_add_source(struct event_base *base, struct event_io_source *source) {
  struct fd_slot *slot = event_fd_slots_find_or_make(&base->fds.slots, source->fd);
  if (!slot) return -1;
  source->next = slot->sources;
  slot->sources = source;
  short mask = wanted_mask(base, slot);
  /* A second one needs a report of what is ready already; and it may be over another file, the
   * first one's having been closed. */
  if (kernel_knows(slot, mask) && !source->next) return 0;
  if (tell_kernel(base, source->fd, slot, mask) == 0) return 0;
  unlink_source(slot, source);
  return -1;
}

void event_fd_map_remove_source(struct event_base *base, struct event_io_source *source) {
  struct fd_slot *slot = event_fd_slots_find(&base->fds.slots, source->fd);
  unlink_source(slot, source);
  (void)sync_source(base, source->fd, slot);
}

int event_fd_map_update_source(struct event_base *base, struct event_io_source *source) {
  struct fd_slot *slot = event_fd_slots_find(&base->fds.slots, source->fd);
  return is_edge_triggered(base, slot) ? 0 : sync_source(base, source->fd, slot);
}

static void activate_source(struct event_base *base, struct event_io_source *source, short what) {
  /* Whoever waits for data hears of the end of data by reading. */
  if (what & EV_CLOSED) what |= EV_READ | STRATA_EV_HANGUP;
  source->ready |= what & (EV_READ | EV_WRITE | STRATA_EV_HANGUP);
  if (source->ready & source->want) event_active_queue_push(base, &source->task);
}

static inline void activate_slot(struct event_base *base, struct fd_slot *slot, short what) {
  struct event_io_source *source = slot->sources;
  for (; source; source = source->next) activate_source(base, source, what);
  for (struct event *event = slot->events; event; event = event->ev_.ev_io.ev_io_next.le_next) {
    short result = event->ev_events & what & IO_EVENTS;
    if (!result) continue;
    if (event->ev_events & EV_ET && backend_has_edge(base)) result |= EV_ET;
    event_active_locked(event, result, 1);
  }
}

void event_fd_map_activate(struct event_base *base, evutil_socket_t fd, short what) {
  struct fd_slot *slot = event_fd_slots_find(&base->fds.slots, fd);
  if (!slot) return;
  activate_slot(base, slot, what);
  event_base_notify(base);
}

void event_fd_map_deliver(struct event_base *base, evutil_socket_t fd, uint32_t generation,
                          short what) {
  struct fd_slot *slot = event_fd_slots_find(&base->fds.slots, fd);
  if (slot && slot->kernel_mask && slot->generation == generation) activate_slot(base, slot, what);
}

int event_fd_map_register_all(struct event_base *base) {
  int result = 0;
  for (int i = 0; i < base->fds.slots.num_places; i++) {
    struct fd_slot *slot = event_fd_slots_at(&base->fds.slots, i);
    slot->kernel_mask = 0;
    slot->backend_state = 0;
    slot->was_unused = false;
    if (sync_source(base, event_fd_slots_fd_at(&base->fds.slots, i), slot) < 0) result = -1;
  }
  return result;
}
