#include "loop/timeouts.h"

#include <stddef.h>
#include <string.h>

#include "loop/active.h"
#include "loop/base.h"
#include "loop/event_internal.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"

/* A duration that event_base_init_common_timeout() returned carries its queue's number in the bits
 * of tv_usec above the microseconds. */
#define USEC_MASK 0x000fffff
#define QUEUE_MASK 0x0ff00000
#define QUEUE_SHIFT 20
#define MAGIC_MASK 0xf0000000u
#define MAGIC 0x50000000u
#define MAX_COMMON_TIMEOUTS 256

/* Tells a queue's entry in the heap from an event; it is never run. */
#define HEAP_ENTRY_CLOSURE 0xff

struct common_timeout {
  EVENT_TAILQ_HEAD_(, event) events; /* by deadline */
  struct timeval duration;           /* with magic and number */
  int number;
  struct event heap_entry; /* stands for the first event in the heap */
};

static inline int has_magic(const struct timeval *tv) {
  return ((unsigned)tv->tv_usec & MAGIC_MASK) == MAGIC;
}

static struct common_timeout *queue_by_magic(const struct event_base *base,
                                             const struct timeval *tv) {
  int number = (int)((tv->tv_usec & QUEUE_MASK) >> QUEUE_SHIFT);
  return number < base->num_common_timeouts ? base->common_timeouts[number] : NULL;
}

/* NULL for a duration like any other. */
static inline struct common_timeout *queue_of(const struct event_base *base,
                                              const struct timeval *tv) {
  return has_magic(tv) ? queue_by_magic(base, tv) : NULL;
}

static inline int64_t length_ns(const struct timeval *tv, const struct common_timeout *queue) {
  if (tv->tv_sec < 0) return 0;
  struct timeval plain = {tv->tv_sec, queue ? tv->tv_usec & USEC_MASK : tv->tv_usec};
  int64_t ns = strata_timeval_to_ns(&plain);
  return ns < 0 ? 0 : ns;
}

int64_t event_timeouts_duration_ns(const struct event_base *base, const struct timeval *tv) {
  return length_ns(tv, queue_of(base, tv));
}

static int is_heap_entry_of_queue(const struct event *event) {
  return event->ev_evcallback.evcb_closure == HEAP_ENTRY_CLOSURE;
}

static struct common_timeout *queue_of_heap_entry(struct event *event) {
  return STRATA_CONTAINER_OF(event, struct common_timeout, heap_entry);
}

int64_t event_base_clock_ns(struct event_base *base) {
  int64_t now =
      base->backend->now ? base->backend->now(base->backend_state) : strata_monotonic_ns();
  return now - now % STRATA_NS_PER_US;
}

/* --- What an event in a queue has in ev_timeout --- */

/* The microseconds of the deadline above the number of the queue, which fit: those of INT64_MAX
 * nanoseconds have 54 bits. In one queue the packed values order the events. */
#define PACKED_QUEUE_BITS 8

_Static_assert(sizeof(struct timeval) >= sizeof(int64_t), "ev_timeout holds a packed deadline");
_Static_assert(MAX_COMMON_TIMEOUTS <= 1 << PACKED_QUEUE_BITS, "and the number of any queue");

static inline void set_packed(struct event *event, const struct common_timeout *queue,
                              int64_t deadline_ns) {
  int64_t packed = deadline_ns / STRATA_NS_PER_US * (1 << PACKED_QUEUE_BITS) + queue->number;
  memcpy(&event->ev_timeout, &packed, sizeof(packed));
}

static inline int64_t packed_of(const struct event *event) {
  int64_t packed;
  memcpy(&packed, &event->ev_timeout, sizeof(packed));
  return packed;
}

static inline int64_t queued_deadline_ns(const struct event *event) {
  return (packed_of(event) >> PACKED_QUEUE_BITS) * STRATA_NS_PER_US;
}

/* NULL for an event in the heap. */
static inline struct common_timeout *queue_holding(const struct event *event) {
  if (!(event->ev_evcallback.evcb_flags & STRATA_EVLIST_QUEUED_TIMEOUT)) return NULL;
  return event->ev_base->common_timeouts[packed_of(event) & ((1 << PACKED_QUEUE_BITS) - 1)];
}

int64_t event_timeouts_deadline_ns(const struct event *event) {
  return event->ev_evcallback.evcb_flags & STRATA_EVLIST_QUEUED_TIMEOUT
             ? queued_deadline_ns(event)
             : event_timer_heap_deadline_ns(event);
}

/* --- The queues --- */

/* The queue's slot in the heap follows its first event. */
static void queue_sync_heap(struct event_base *base, struct common_timeout *queue) {
  struct event *first = EV_TAILQ_FIRST(&queue->events);
  struct event *entry = &queue->heap_entry;
  if (!first) {
    if (event_timer_heap_contains(entry)) event_timer_heap_remove(&base->timers, entry);
  } else if (event_timer_heap_contains(entry)) {
    event_timer_heap_update(&base->timers, entry, queued_deadline_ns(first));
  } else {
    event_timer_heap_push(&base->timers, entry, queued_deadline_ns(first));
  }
}

/* The event whose link to the next one `link` is; NULL for the queue's own. */
static struct event *event_of_link(const struct common_timeout *queue, struct event **link) {
  if (link == &queue->events.tqh_first) return NULL;
  return STRATA_CONTAINER_OF(link, struct event,
                             ev_timeout_pos.ev_next_with_common_timeout.tqe_next);
}

static void queue_link(struct common_timeout *queue, struct event *event) {
  /* Deadlines grow with the clock, so the place is at the end or close to it. */
  struct event *after = event_of_link(queue, queue->events.tqh_last);
  while (after && packed_of(after) > packed_of(event))
    after = event_of_link(queue, after->ev_timeout_pos.ev_next_with_common_timeout.tqe_prev);
  if (after)
    EV_TAILQ_INSERT_AFTER(&queue->events, after, event, ev_timeout_pos.ev_next_with_common_timeout);
  else
    EV_TAILQ_PUSH_FRONT(&queue->events, event, ev_timeout_pos.ev_next_with_common_timeout);
}

static inline void queue_unlink(struct common_timeout *queue, struct event *event) {
  EV_TAILQ_REMOVE(&queue->events, event, ev_timeout_pos.ev_next_with_common_timeout);
}

static inline int is_first(const struct common_timeout *queue, const struct event *event) {
  return EV_TAILQ_FIRST(&queue->events) == event;
}

static void queue_insert(struct event_base *base, struct common_timeout *queue, struct event *event,
                         int64_t deadline_ns) {
  set_packed(event, queue, deadline_ns);
  event->ev_evcallback.evcb_flags |= STRATA_EVLIST_QUEUED_TIMEOUT;
  queue_link(queue, event);
  if (is_first(queue, event)) queue_sync_heap(base, queue);
}

static void queue_remove(struct event_base *base, struct common_timeout *queue,
                         struct event *event) {
  int was_first = is_first(queue, event);
  queue_unlink(queue, event);
  event->ev_evcallback.evcb_flags &= ~STRATA_EVLIST_QUEUED_TIMEOUT;
  event_timer_heap_init_event(event);
  if (was_first) queue_sync_heap(base, queue);
}

static void queue_move(struct event_base *base, struct common_timeout *queue, struct event *event,
                       int64_t deadline_ns) {
  int was_first = is_first(queue, event);
  queue_unlink(queue, event);
  set_packed(event, queue, deadline_ns);
  queue_link(queue, event);
  if (was_first || is_first(queue, event)) queue_sync_heap(base, queue);
}

/* --- Setting and cancelling; `queue` is NULL for the heap --- */

static inline void enter(struct event *event, struct common_timeout *queue, int64_t deadline_ns) {
  if (queue)
    queue_insert(event->ev_base, queue, event, deadline_ns);
  else
    event_timer_heap_push(&event->ev_base->timers, event, deadline_ns);
}

static inline void leave(struct event *event, struct common_timeout *queue) {
  if (queue)
    queue_remove(event->ev_base, queue, event);
  else
    event_timer_heap_remove(&event->ev_base->timers, event);
}

static inline void move(struct event *event, struct common_timeout *from, struct common_timeout *to,
                        int64_t deadline_ns) {
  if (from != to) {
    leave(event, from);
    enter(event, to, deadline_ns);
  } else if (to) {
    queue_move(event->ev_base, to, event, deadline_ns);
  } else {
    event_timer_heap_update(&event->ev_base->timers, event, deadline_ns);
  }
}

static inline int has_timeout(const struct event *event) {
  return event->ev_evcallback.evcb_flags & EVLIST_TIMEOUT;
}

void event_timeouts_schedule_any(struct event *event, const struct timeval *duration,
                                 int64_t from_ns) {
  struct common_timeout *queue = queue_of(event->ev_base, duration);
  int64_t deadline_ns = strata_ns_add(from_ns, length_ns(duration, queue));
  if (has_timeout(event)) {
    move(event, queue_holding(event), queue, deadline_ns);
  } else {
    event->ev_evcallback.evcb_flags |= EVLIST_TIMEOUT;
    event_count_added(event, 1);
    enter(event, queue, deadline_ns);
  }
}

void event_timeouts_cancel_queued(struct event *event) {
  queue_remove(event->ev_base, queue_holding(event), event);
}

/* The time that an EV_PERSIST event asks for again and again; NULL when it has none. */
static const struct timeval *interval_of(const struct event *event) {
  if (event->ev_evcallback.evcb_closure != STRATA_CLOSURE_EVENT_PERSIST) return NULL;
  const struct timeval *interval = &event->ev_.ev_io.ev_timeout;
  return interval->tv_sec || interval->tv_usec ? interval : NULL;
}

void event_timeouts_restart(struct event *event) {
  const struct timeval *interval = interval_of(event);
  if (interval && has_timeout(event))
    event_timeouts_schedule(event, interval, event_base_now_ns(event->ev_base));
}

/* A persistent event keeps its slot, so that its next timeout needs no memory. */
static void activate_due_event(struct event *event, int64_t now) {
  const struct timeval *interval = interval_of(event);
  if (interval) {
    int64_t from = event_timeouts_deadline_ns(event);
    int64_t length = event_timeouts_duration_ns(event->ev_base, interval);
    /* A loop that fell behind by an interval starts counting anew. */
    if (strata_ns_add(from, length) <= now) from = now;
    /* An interval of nothing is over in the next turn, not again in this one. */
    if (length == 0) from += STRATA_NS_PER_US;
    event_timeouts_schedule(event, interval, from);
  } else {
    event_timeouts_cancel(event);
  }
  event_active_locked(event, EV_TIMEOUT, 1);
}

static void activate_due_queue(struct common_timeout *queue, int64_t now) {
  struct event *event;
  while ((event = EV_TAILQ_FIRST(&queue->events)) && queued_deadline_ns(event) <= now)
    activate_due_event(event, now);
}

static void activate_top(struct event_base *base, int64_t now) {
  struct event *event = event_timer_heap_top(&base->timers);
  if (is_heap_entry_of_queue(event))
    activate_due_queue(queue_of_heap_entry(event), now);
  else
    activate_due_event(event, now);
}

void event_timeouts_activate_due(struct event_base *base) {
  if (event_timer_heap_is_empty(&base->timers)) return;
  int64_t now = event_base_now_ns(base);
  while (event_timeouts_next_ns(base) <= now) activate_top(base, now);
}

static struct common_timeout *find_queue(struct event_base *base, const struct timeval *duration) {
  for (int i = 0; i < base->num_common_timeouts; i++) {
    struct common_timeout *queue = base->common_timeouts[i];
    if (queue->duration.tv_sec == duration->tv_sec &&
        (queue->duration.tv_usec & USEC_MASK) == (duration->tv_usec & USEC_MASK))
      return queue;
  }
  return NULL;
}

static struct common_timeout *make_queue(struct event_base *base, const struct timeval *duration) {
  size_t num = (size_t)base->num_common_timeouts;
  if (num == MAX_COMMON_TIMEOUTS) return NULL;
  void *grown = strata_realloc(base->common_timeouts, (num + 1) * sizeof(*base->common_timeouts));
  if (!grown) return NULL;
  base->common_timeouts = grown;
  struct common_timeout *queue = strata_calloc(1, sizeof(*queue));
  if (!queue) return NULL;
  EV_TAILQ_INIT(&queue->events);
  queue->number = base->num_common_timeouts;
  queue->duration.tv_sec = duration->tv_sec;
  queue->duration.tv_usec =
      (long)(MAGIC | (unsigned)num << QUEUE_SHIFT | (unsigned)(duration->tv_usec & USEC_MASK));
  queue->heap_entry.ev_evcallback.evcb_closure = HEAP_ENTRY_CLOSURE;
  event_timer_heap_init_event(&queue->heap_entry);
  base->common_timeouts[base->num_common_timeouts++] = queue;
  return queue;
}

const struct timeval *event_base_init_common_timeout(struct event_base *base,
                                                     const struct timeval *duration) {
  event_base_lock(base);
  struct timeval plain = *duration;
  if (plain.tv_usec >= 1000000) {
    if (queue_of(base, duration)) {
      plain.tv_usec &= USEC_MASK;
    } else {
      plain.tv_sec += plain.tv_usec / 1000000;
      plain.tv_usec %= 1000000;
    }
  }
  struct common_timeout *queue = find_queue(base, &plain);
  if (!queue) queue = make_queue(base, &plain);
  event_base_unlock(base);
  return queue ? &queue->duration : NULL;
}

static int foreach_in_queue(struct common_timeout *queue, int (*fn)(struct event *, void *),
                            void *arg) {
  struct event *event;
  EV_TAILQ_FOREACH(event, &queue->events, ev_timeout_pos.ev_next_with_common_timeout) {
    int result = fn(event, arg);
    if (result) return result;
  }
  return 0;
}

int event_timeouts_foreach(struct event_base *base, int (*fn)(struct event *, void *), void *arg) {
  int result = 0;
  for (int i = 0; i < base->timers.num_timers && !result; i++) {
    struct event *event = base->timers.slots[TIMER_HEAP_ROOT + i].event;
    result = is_heap_entry_of_queue(event) ? foreach_in_queue(queue_of_heap_entry(event), fn, arg)
                                           : fn(event, arg);
  }
  return result;
}

void event_timeouts_free_all(struct event_base *base) {
  for (int i = 0; i < base->num_common_timeouts; i++) strata_free(base->common_timeouts[i]);
  if (base->common_timeouts) strata_free(base->common_timeouts);
  event_timer_heap_clear(&base->timers);
}
