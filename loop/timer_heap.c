#include "loop/timer_heap.h"

#include <limits.h>
#include <string.h>

#include "util/memory.h"
#include "util/prefetch.h"

#define CACHE_LINE 64
#define MIN_CAPACITY 64

static inline size_t first_child_of(size_t k) {
  return TIMER_HEAP_ARITY * (k - TIMER_HEAP_ROOT) + TIMER_HEAP_ROOT + 1;
}

static inline size_t parent_of(size_t k) {
  return (k - TIMER_HEAP_ROOT - 1) / TIMER_HEAP_ARITY + TIMER_HEAP_ROOT;
}

static inline size_t end_of(const struct timer_heap *heap) {
  return TIMER_HEAP_ROOT + (size_t)heap->num_timers;
}

/* --- Sifting --- */

static inline void place(struct timer_slot *slots, size_t k, struct timer_slot slot) {
  slots[k] = slot;
  slot.event->ev_timeout_pos.min_heap_idx = (int)k;
}

static inline void sift_up(struct timer_heap *heap, size_t k, struct timer_slot slot) {
  struct timer_slot *slots = heap->slots;
  while (k > TIMER_HEAP_ROOT) {
    size_t parent = parent_of(k);
    if (slots[parent].not_before_ns <= slot.not_before_ns) break;
    place(slots, k, slots[parent]);
    k = parent;
  }
  place(slots, k, slot);
}

static inline size_t is_earlier(const struct timer_slot *a, const struct timer_slot *b) {
  return a->not_before_ns < b->not_before_ns;
}

/* Arithmetic, since nobody can predict a branch on which of the four it is. */
static inline size_t earliest_of_four(const struct timer_slot *slots, size_t k) {
  size_t a = k + is_earlier(&slots[k + 1], &slots[k]);
  size_t b = k + 2 + is_earlier(&slots[k + 3], &slots[k + 2]);
  return a + (b - a) * is_earlier(&slots[b], &slots[a]);
}

/* Which of the up to four children that begin at `child` is due first. */
static inline size_t earliest_child(const struct timer_slot *slots, size_t child, size_t end) {
  if (child + TIMER_HEAP_ARITY <= end) return earliest_of_four(slots, child);
  size_t best = child;
  for (size_t c = child + 1; c < end; c++)
    if (is_earlier(&slots[c], &slots[best])) best = c;
  return best;
}

/* Ends the slots of the root, its children and theirs. The events there are soon due, and will be
 * needed whole: a move has touched one of their two cache lines. */
#define NEAR_TOP (TIMER_HEAP_ROOT + 1 + TIMER_HEAP_ARITY + TIMER_HEAP_ARITY * TIMER_HEAP_ARITY)

static void sift_down(struct timer_heap *heap, size_t k, struct timer_slot slot) {
  struct timer_slot *slots = heap->slots;
  size_t end = end_of(heap);
  for (size_t child = first_child_of(k); child < end; child = first_child_of(k)) {
    size_t best = earliest_child(slots, child, end);
    if (slots[best].not_before_ns >= slot.not_before_ns) break;
    place(slots, k, slots[best]);
    if (k < NEAR_TOP) STRATA_PREFETCH(slots[k].event, offsetof(struct event, ev_events));
    k = best;
  }
  place(slots, k, slot);
}

static inline void sift(struct timer_heap *heap, size_t k, struct timer_slot slot) {
  if (k > TIMER_HEAP_ROOT && heap->slots[parent_of(k)].not_before_ns > slot.not_before_ns)
    sift_up(heap, k, slot);
  else
    sift_down(heap, k, slot);
}

/* --- Memory --- */

static void *align(void *block) {
  return (void *)(((uintptr_t)block + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
}

/* By realloc, which for large blocks the system does without copying. 0 or -1. */
static int resize(struct timer_heap *heap, int capacity) {
  size_t offset = heap->block ? (size_t)((char *)heap->slots - (char *)heap->block) : 0;
  size_t size = ((size_t)capacity + TIMER_HEAP_ROOT) * sizeof(struct timer_slot);
  char *block = strata_realloc(heap->block, size + CACHE_LINE);
  if (!block) return -1;
  heap->block = block;
  heap->slots = align(block);
  if (heap->num_timers && (char *)heap->slots != block + offset)
    memmove(heap->slots + TIMER_HEAP_ROOT,
            (struct timer_slot *)(void *)(block + offset) + TIMER_HEAP_ROOT,
            (size_t)heap->num_timers * sizeof(struct timer_slot));
  heap->capacity = capacity;
  heap->shrink_below = capacity > MIN_CAPACITY ? capacity / 8 : 0;
  return 0;
}

void event_timer_heap_clear(struct timer_heap *heap) {
  if (heap->block) strata_free(heap->block);
  memset(heap, 0, sizeof(*heap));
}

int event_timer_heap_grow(struct timer_heap *heap) {
  if (heap->capacity > INT_MAX / 4) return -1;
  return resize(heap, heap->capacity ? heap->capacity * 2 : MIN_CAPACITY);
}

/* --- Events --- */

void event_timer_heap_push(struct timer_heap *heap, struct event *event, int64_t deadline_ns) {
  struct timer_slot slot = {deadline_ns, event};
  event_timer_heap_set_deadline(event, deadline_ns);
  size_t end = end_of(heap);
  heap->num_timers++;
  sift_up(heap, end, slot);
}

void event_timer_heap_remove(struct timer_heap *heap, struct event *event) {
  size_t k = (size_t)event->ev_timeout_pos.min_heap_idx;
  event->ev_timeout_pos.min_heap_idx = -1;
  heap->num_timers--;
  size_t last = end_of(heap);
  if (k != last) sift(heap, k, heap->slots[last]);
  /* Without the memory for a smaller block the larger one serves on. */
  if (heap->num_timers < heap->shrink_below) (void)resize(heap, heap->capacity / 4);
}

void event_timer_heap_advance(struct timer_heap *heap, struct event *event, int64_t deadline_ns) {
  struct timer_slot slot = {deadline_ns, event};
  event_timer_heap_set_deadline(event, deadline_ns);
  size_t k = (size_t)event->ev_timeout_pos.min_heap_idx;
  if (deadline_ns < heap->slots[k].not_before_ns) sift_up(heap, k, slot);
}

void event_timer_heap_settle(struct timer_heap *heap) {
  for (;;) {
    struct timer_slot top = heap->slots[TIMER_HEAP_ROOT];
    int64_t deadline_ns = event_timer_heap_deadline_ns(top.event);
    if (deadline_ns == top.not_before_ns) return;
    top.not_before_ns = deadline_ns;
    sift_down(heap, TIMER_HEAP_ROOT, top);
  }
}
