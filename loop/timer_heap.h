#ifndef STRATA_LOOP_TIMER_HEAP_H_
#define STRATA_LOOP_TIMER_HEAP_H_

#include <stddef.h>
#include <stdint.h>

#include <event2/event_struct.h>

/* A 4-ary min-heap of events by deadline. The deadline is cached in the slot, so that sifting
 * touches no event but those it moves; the four children of a slot share one cache line. An
 * event's index lives in ev_timeout_pos.min_heap_idx, -1 while it is in no heap. */

struct timer_slot {
  int64_t deadline_ns;
  struct event *event;
};

struct timer_heap {
  struct timer_slot *slots; /* aligned to a cache line; the root is slots[TIMER_HEAP_ROOT] */
  void *block;              /* what `slots` was allocated as */
  int num_timers;
  int capacity;     /* in timers */
  int shrink_below; /* how few timers are too few for the capacity; 0: never */
};

/* Slots that a slot has as children. */
#define TIMER_HEAP_ARITY 4
/* Chosen so that every group of siblings begins on a cache line. */
#define TIMER_HEAP_ROOT 3

/* A zeroed heap is empty and valid. Frees the heap's memory, not the events. */
void event_timer_heap_clear(struct timer_heap *heap);

/* Makes the heap's memory larger. 0, or -1 when memory is short. */
int event_timer_heap_grow(struct timer_heap *heap);
/* Makes room for one more timer; after that one event_timer_heap_push can't fail. 0, or -1 when
 * memory is short. */
static inline int event_timer_heap_reserve(struct timer_heap *heap) {
  return heap->num_timers < heap->capacity ? 0 : event_timer_heap_grow(heap);
}
/* Inserts an event that is in no heap. There is room (event_timer_heap_reserve). */
void event_timer_heap_push(struct timer_heap *heap, struct event *event, int64_t deadline_ns);
/* Moves an event of this heap to a new deadline. */
void event_timer_heap_update(struct timer_heap *heap, struct event *event, int64_t deadline_ns);
/* Takes an event of this heap out, and gives memory back once the heap is mostly empty. */
void event_timer_heap_remove(struct timer_heap *heap, struct event *event);

static inline void event_timer_heap_init_event(struct event *event) {
  event->ev_timeout_pos.min_heap_idx = -1;
}

static inline int event_timer_heap_contains(const struct event *event) {
  return event->ev_timeout_pos.min_heap_idx >= 0;
}

static inline int event_timer_heap_is_empty(const struct timer_heap *heap) {
  return heap->num_timers == 0;
}

/* When an event of this heap is due. */
static inline int64_t event_timer_heap_deadline_ns(const struct timer_heap *heap,
                                                   const struct event *event) {
  return heap->slots[event->ev_timeout_pos.min_heap_idx].deadline_ns;
}

/* The heap is not empty. */
static inline const struct timer_slot *event_timer_heap_top(const struct timer_heap *heap) {
  return &heap->slots[TIMER_HEAP_ROOT];
}

#endif
