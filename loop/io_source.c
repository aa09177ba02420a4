#include "loop/io_source.h"

#include "loop/active.h"
#include "loop/base.h"

int event_io_source_attach(struct event_io_source *source, struct event_base *base,
                           evutil_socket_t fd) {
  source->base = base;
  source->fd = fd;
  source->want = source->ready = 0;
  event_base_lock(base);
  int result = event_fd_map_add_source(base, source);
  event_base_unlock(base);
  if (result < 0) source->fd = -1;
  return result;
}

static void set_want(struct event_io_source *source, short want) {
  int was_wanting = source->want != 0;
  source->want = want;
  if (!(source->task.evcb_flags & EVLIST_INTERNAL))
    event_base_add_virtual(source->base, (want != 0) - was_wanting);
}

void event_io_source_detach(struct event_io_source *source) {
  if (!event_io_source_is_attached(source)) return;
  struct event_base *base = source->base;
  event_base_lock(base);
  set_want(source, 0);
  source->ready = 0;
  event_fd_map_remove_source(base, source);
  event_active_queue_remove(base, &source->task);
  source->fd = -1;
  event_base_unlock(base);
}

void event_base_set_callback_priority(struct event_base *base, struct event_callback *callback,
                                      int priority) {
  event_base_lock(base);
  int was_queued = callback->evcb_flags & EVLIST_ACTIVE;
  event_active_queue_remove(base, callback);
  callback->evcb_pri = (ev_uint8_t)priority;
  if (was_queued) event_active_queue_push(base, callback);
  event_base_unlock(base);
}

static void queue_if_due(struct event_io_source *source) {
  if (source->ready & source->want) {
    if (event_active_queue_push(source->base, &source->task)) event_base_notify(source->base);
  }
}

int event_io_source_set_want(struct event_io_source *source, short want) {
  if (!event_io_source_is_attached(source)) return 0;
  struct event_base *base = source->base;
  event_base_lock(base);
  short old_want = source->want;
  int result = 0;
  if (want != old_want) {
    set_want(source, want);
    result = event_fd_map_update_source(base, source);
    if (result < 0 && want & ~old_want)
      set_want(source, old_want);
    else
      result = 0; /* what is reported beyond a smaller want finds no taker */
  }
  queue_if_due(source);
  event_base_unlock(base);
  return result;
}

void event_io_source_clear_ready(struct event_io_source *source, short direction) {
  if (!event_io_source_is_attached(source)) return;
  event_base_lock(source->base);
  source->ready &= (short)~direction;
  event_base_unlock(source->base);
}

void event_io_source_set_ready(struct event_io_source *source, short direction) {
  if (!event_io_source_is_attached(source)) return;
  event_base_lock(source->base);
  source->ready |= direction;
  queue_if_due(source);
  event_base_unlock(source->base);
}
