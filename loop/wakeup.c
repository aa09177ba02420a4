#include "loop/wakeup.h"

#include "loop/base.h"
#include "util/log.h"

static void on_readable(struct event_callback *task, void *arg) {
  struct event_base *base = arg;
  (void)task;
  event_base_lock(base);
  base->wakeup.is_pending = false;
  strata_wakeup_drain(&base->wakeup.descriptors);
  event_io_source_clear_ready(&base->wakeup.source, EV_READ);
  event_base_unlock(base);
}

void event_base_wakeup_init(struct event_base *base) {
  struct event_base_wakeup *wakeup = &base->wakeup;
  struct strata_wakeup closed = STRATA_WAKEUP_INIT;
  wakeup->descriptors = closed;
  wakeup->is_pending = false;
  wakeup->source.fd = -1;
  event_callback_init(&wakeup->source.task, 0, on_readable, base);
  wakeup->source.task.evcb_flags |= EVLIST_INTERNAL;
}

int event_base_wakeup_open(struct event_base *base) {
  struct event_base_wakeup *wakeup = &base->wakeup;
  if (base->backend->wake || event_io_source_is_attached(&wakeup->source)) return 0;
  if (strata_wakeup_open(&wakeup->descriptors) < 0) return -1;
  if (event_io_source_attach(&wakeup->source, base, wakeup->descriptors.read_fd) == 0 &&
      event_io_source_set_want(&wakeup->source, EV_READ) == 0)
    return 0;
  event_base_wakeup_close(base);
  return -1;
}

void event_base_wakeup_close(struct event_base *base) {
  event_io_source_detach(&base->wakeup.source);
  strata_wakeup_close(&base->wakeup.descriptors);
  base->wakeup.is_pending = false;
}

static void signal_descriptor(struct event_base_wakeup *wakeup) {
  if (wakeup->is_pending || !event_io_source_is_attached(&wakeup->source)) return;
  wakeup->is_pending = strata_wakeup_signal(&wakeup->descriptors) == 0;
  if (!wakeup->is_pending) strata_log_errno(STRATA_LOG_WARN, "waking the loop");
}

void event_base_wakeup_send(struct event_base *base) {
  if (!event_base_runs_elsewhere(base)) return;
  if (!base->backend->wake) {
    signal_descriptor(&base->wakeup);
    return;
  }
  /* One is enough for this wait. */
  base->may_be_waiting = base->backend->wake(base->backend_state) < 0;
}
