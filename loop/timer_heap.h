#ifndef STRATA_LOOP_TIMER_HEAP_H_
#define STRATA_LOOP_TIMER_HEAP_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <event2/event_struct.h>

/* A 4-ary min-heap of events by deadline. An event's index lives in ev_timeout_pos.min_heap_idx, -1
 * while it is in no heap.
 *
 * The event has the deadline. The time in its slot, so that sifting needs no look at the event, is
 * never later, but may be earlier: to put off a deadline moves nothing until the slot gets to the
 * top. So timers that start anew again and again before they are due, as those of busy connections
 * do, cost one move in the time that they take, and none is moved more often than it was put off.
 */

struct timer_slot {
  int64_t not_before_ns;
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
/* Takes an event of this heap out, and gives memory back once the heap is mostly empty. */
void event_timer_heap_remove(struct timer_heap *heap, struct event *event);
/* event_timer_heap_update() to an earlier time. */
void event_timer_heap_advance(struct timer_heap *heap, struct event *event, int64_t deadline_ns);
/* Moves slots from the top whose event has a later deadline, until one is there that has not. The
 * heap is not empty. */
void event_timer_heap_settle(struct timer_heap *heap);

static inline void event_timer_heap_init_event(struct event *event) {
  event->ev_timeout_pos.min_heap_idx = -1;
}

static inline int event_timer_heap_contains(const struct event *event) {
  return event->ev_timeout_pos.min_heap_idx >= 0;
}

static inline int event_timer_heap_is_empty(const struct timer_heap *heap) {
  return heap->num_timers == 0;
}

/* Where an event has its deadline: beside the index if there is room, since that cache line is
 * needed anyway. */
#define TIMER_DEADLINE_OFFSET                                         \
  (sizeof(((struct event *)0)->ev_timeout_pos) >= 2 * sizeof(int64_t) \
       ? offsetof(struct event, ev_timeout_pos) + sizeof(int64_t)     \
       : offsetof(struct event, ev_timeout))

/* When an event of a heap is due. */
static inline int64_t event_timer_heap_deadline_ns(const struct event *event) {
  int64_t deadline_ns;
  memcpy(&deadline_ns, (const char *)event + TIMER_DEADLINE_OFFSET, sizeof(deadline_ns));
  return deadline_ns;
}

static inline void event_timer_heap_set_deadline(struct event *event, int64_t deadline_ns) {
  memcpy((char *)event + TIMER_DEADLINE_OFFSET, &deadline_ns, sizeof(deadline_ns));
}

/* Gives an event of this heap a new deadline. */
static inline void event_timer_heap_update(struct timer_heap *heap, struct event *event,
                                           int64_t deadline_ns) {
  if (deadline_ns >= event_timer_heap_deadline_ns(event))
    event_timer_heap_set_deadline(event, deadline_ns);
  else
    event_timer_heap_advance(heap, event, deadline_ns);
}

/* The event that is due first. The heap is not empty. */
static inline struct event *event_timer_heap_top(struct timer_heap *heap) {
  const struct timer_slot *top = &heap->slots[TIMER_HEAP_ROOT];
  if (event_timer_heap_deadline_ns(top->event) != top->not_before_ns) event_timer_heap_settle(heap);
  return top->event;
}

#endif
