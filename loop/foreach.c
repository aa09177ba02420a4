#include <inttypes.h>

#include <event2/event.h>

#include "loop/active.h"
#include "loop/base.h"
#include "loop/timeouts.h"
#include "util/clock.h"
#include "util/queue.h"

struct visit {
  const struct event_base *base;
  event_base_foreach_event_cb fn;
  void *arg;
};

static int visit(struct event *event, void *arg) {
  struct visit *visit = arg;
  return visit->fn(visit->base, event, visit->arg);
}

/* An event is in up to three lists; each walk passes over what an earlier one has shown. */
static int visit_inserted(struct event_base *base, struct visit *v) {
  int result = 0;
  for (int i = 0; i < base->fds.slots.num_places && !result; i++)
    for (struct event *e = event_fd_slots_at(&base->fds.slots, i)->events; e && !result;
         e = e->ev_.ev_io.ev_io_next.le_next)
      result = visit(e, v);
  for (int signal = 0; signal < EVENT_NUM_SIGNALS && !result; signal++)
    for (struct event *e = base->signals.events[signal]; e && !result;
         e = e->ev_.ev_signal.ev_signal_next.le_next)
      result = visit(e, v);
  return result;
}

static int visit_if_not_inserted(struct event *event, void *arg) {
  return event->ev_evcallback.evcb_flags & EVLIST_INSERTED ? 0 : visit(event, arg);
}

static int visit_active(struct event_base *base, struct visit *v) {
  for (int priority = 0; priority < base->executor.num_priorities; priority++) {
    struct event_callback *callback;
    EV_TAILQ_FOREACH(callback, &base->active[priority].callbacks, evcb_active_next) {
      if (!callback_is_event(callback) ||
          callback->evcb_flags & (EVLIST_INSERTED | EVLIST_INTERNAL | EVLIST_TIMEOUT))
        continue;
      int result = visit(event_of_callback(callback), v);
      if (result) return result;
    }
  }
  return 0;
}

static int foreach_event(struct event_base *base, event_base_foreach_event_cb fn, void *arg) {
  struct visit v = {base, fn, arg};
  int result = visit_inserted(base, &v);
  if (!result) result = event_timeouts_foreach(base, visit_if_not_inserted, &v);
  if (!result) result = visit_active(base, &v);
  return result;
}

int event_base_foreach_event(struct event_base *base, event_base_foreach_event_cb fn, void *arg) {
  if (!base || !fn) return -1;
  event_base_lock(base);
  int result = foreach_event(base, fn, arg);
  event_base_unlock(base);
  return result;
}

static void print_kinds(FILE *out, short events) {
  static const struct {
    short bit;
    const char *name;
  } kinds[] = {{EV_READ, " Read"},     {EV_WRITE, " Write"},     {EV_CLOSED, " EOF"},
               {EV_SIGNAL, " Signal"}, {EV_TIMEOUT, " Timeout"}, {EV_PERSIST, " Persist"},
               {EV_ET, " ET"}};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    if (events & kinds[i].bit) fputs(kinds[i].name, out);
}

static int print_added(const struct event_base *base, const struct event *event, void *arg) {
  FILE *out = arg;
  short flags = event->ev_evcallback.evcb_flags;
  if (!(flags & (EVLIST_INSERTED | EVLIST_TIMEOUT))) return 0;
  fprintf(out, "  %p [%s %ld]", (const void *)event, event->ev_events & EV_SIGNAL ? "sig" : "fd",
          (long)event->ev_fd);
  print_kinds(out, event->ev_events);
  if (flags & EVLIST_TIMEOUT) {
    struct event_base *mutable_base = (struct event_base *)base;
    int64_t at = event_base_wall_ns(mutable_base, event_timeouts_deadline_ns(event));
    fprintf(out, " Timeout=%" PRId64 ".%06d", (int64_t)(at / STRATA_NS_PER_SECOND),
            (int)(at % STRATA_NS_PER_SECOND / STRATA_NS_PER_US));
  }
  fputc('\n', out);
  return 0;
}

static int print_active(const struct event_base *base, const struct event *event, void *arg) {
  FILE *out = arg;
  (void)base;
  if (!(event->ev_evcallback.evcb_flags & EVLIST_ACTIVE)) return 0;
  fprintf(out, "  %p [%s %ld, priority=%d]", (const void *)event,
          event->ev_events & EV_SIGNAL ? "sig" : "fd", (long)event->ev_fd,
          event->ev_evcallback.evcb_pri);
  print_kinds(out, event->ev_res);
  fputs(" active\n", out);
  return 0;
}

void event_base_dump_events(struct event_base *base, FILE *out) {
  event_base_lock(base);
  fputs("Inserted events:\n", out);
  foreach_event(base, print_added, out);
  fputs("Active events:\n", out);
  foreach_event(base, print_active, out);
  event_base_unlock(base);
}
