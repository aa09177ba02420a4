#include "loop/timer_heap.h"

#include <limits.h>
#include <string.h>

#include "util/memory.h"

#define ARITY 4
#define CACHE_LINE 64
#define MIN_CAPACITY 64

static inline int first_child_of(int k) {
  return ARITY * (k - TIMER_HEAP_ROOT) + TIMER_HEAP_ROOT + 1;
}

static inline int parent_of(int k) {
  return (k - TIMER_HEAP_ROOT - 1) / ARITY + TIMER_HEAP_ROOT;
}

static inline void place(struct timer_heap *heap, int k, struct timer_slot slot) {
  heap->slots[k] = slot;
  slot.event->ev_timeout_pos.min_heap_idx = k;
}

static void sift_up(struct timer_heap *heap, int k, struct timer_slot slot) {
  while (k > TIMER_HEAP_ROOT) {
    int parent = parent_of(k);
    if (heap->slots[parent].deadline_ns <= slot.deadline_ns) break;
    place(heap, k, heap->slots[parent]);
    k = parent;
  }
  place(heap, k, slot);
}

/* The smallest of the up to four children that begin at `child`. */
static inline int smallest_child(const struct timer_heap *heap, int child, int end) {
  const struct timer_slot *slots = heap->slots;
  int best = child;
  int last = child + ARITY < end ? child + ARITY : end;
  for (int c = child + 1; c < last; c++)
    if (slots[c].deadline_ns < slots[best].deadline_ns) best = c;
  return best;
}

static void sift_down(struct timer_heap *heap, int k, struct timer_slot slot) {
  int end = TIMER_HEAP_ROOT + heap->num_timers;
  for (int child = first_child_of(k); child < end; child = first_child_of(k)) {
    int best = smallest_child(heap, child, end);
    if (heap->slots[best].deadline_ns >= slot.deadline_ns) break;
    place(heap, k, heap->slots[best]);
    k = best;
  }
  place(heap, k, slot);
}

static void sift(struct timer_heap *heap, int k, struct timer_slot slot) {
  if (k > TIMER_HEAP_ROOT && heap->slots[parent_of(k)].deadline_ns > slot.deadline_ns)
    sift_up(heap, k, slot);
  else
    sift_down(heap, k, slot);
}

static int resize(struct timer_heap *heap, int capacity) {
  size_t size = ((size_t)capacity + TIMER_HEAP_ROOT) * sizeof(struct timer_slot);
  void *block = strata_malloc(size + CACHE_LINE);
  if (!block) return -1;
  uintptr_t address = ((uintptr_t)block + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1);
  struct timer_slot *slots = (struct timer_slot *)address;
  if (heap->num_timers)
    memcpy(slots + TIMER_HEAP_ROOT, heap->slots + TIMER_HEAP_ROOT,
           (size_t)heap->num_timers * sizeof(*slots));
  if (heap->block) strata_free(heap->block);
  heap->block = block;
  heap->slots = slots;
  heap->capacity = capacity;
  return 0;
}

void event_timer_heap_clear(struct timer_heap *heap) {
  if (heap->block) strata_free(heap->block);
  memset(heap, 0, sizeof(*heap));
}

int event_timer_heap_reserve(struct timer_heap *heap) {
  if (heap->num_timers < heap->capacity) return 0;
  if (heap->capacity > INT_MAX / 4) return -1;
  return resize(heap, heap->capacity ? heap->capacity * 2 : MIN_CAPACITY);
}

void event_timer_heap_push(struct timer_heap *heap, struct event *event, int64_t deadline_ns) {
  struct timer_slot slot = {deadline_ns, event};
  sift_up(heap, TIMER_HEAP_ROOT + heap->num_timers++, slot);
}

void event_timer_heap_update(struct timer_heap *heap, struct event *event, int64_t deadline_ns) {
  struct timer_slot slot = {deadline_ns, event};
  sift(heap, event->ev_timeout_pos.min_heap_idx, slot);
}

void event_timer_heap_remove(struct timer_heap *heap, struct event *event) {
  int k = event->ev_timeout_pos.min_heap_idx;
  event->ev_timeout_pos.min_heap_idx = -1;
  int last = TIMER_HEAP_ROOT + --heap->num_timers;
  if (k != last) sift(heap, k, heap->slots[last]);
  /* Without the memory for a smaller block the larger one serves on. */
  if (heap->capacity > MIN_CAPACITY && heap->num_timers < heap->capacity / 8)
    (void)resize(heap, heap->capacity / 4);
}
