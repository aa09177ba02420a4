#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "net/bufferevent_internal.h"

/* Callbacks of the user, called at once or from the deferred task. */

static bool is_deferred(const struct bufferevent_private *bev, int trigger_options) {
  return (bev->options | trigger_options) & BEV_OPT_DEFER_CALLBACKS;
}

static void schedule(struct bufferevent_private *bev) {
  struct event_executor *executor = (struct event_executor *)bev->bev.ev_base;
  (void)event_executor_schedule(executor, &bev->deferred);
}

static void unlock_for_callback(struct bufferevent_private *bev) {
  if (bev->options & BEV_OPT_UNLOCK_CALLBACKS) strata_lock_release(bev->lock);
}

static void lock_after_callback(struct bufferevent_private *bev) {
  if (bev->options & BEV_OPT_UNLOCK_CALLBACKS) strata_lock_acquire(bev->lock);
}

static void call_data_callback(struct bufferevent_private *bev, bufferevent_data_cb callback) {
  void *arg = bev->bev.cbarg;
  unlock_for_callback(bev);
  callback(&bev->bev, arg);
  lock_after_callback(bev);
}

static void call_event_callback(struct bufferevent_private *bev, short what, int error) {
  bufferevent_event_cb callback = bev->bev.errorcb;
  void *arg = bev->bev.cbarg;
  unlock_for_callback(bev);
  EVUTIL_SET_SOCKET_ERROR(error);
  callback(&bev->bev, what, arg);
  lock_after_callback(bev);
}

static void call_pending(struct bufferevent_private *bev) {
  struct bufferevent_pending pending = bev->pending;
  struct bufferevent_pending nothing = {.work = pending.work};
  bev->pending = nothing;
  /* A connection is announced before its data, its end after it. Each callback may have taken the
   * others away. */
  if (pending.events & BEV_EVENT_CONNECTED && bev->bev.errorcb) {
    pending.events &= ~BEV_EVENT_CONNECTED;
    call_event_callback(bev, BEV_EVENT_CONNECTED, pending.error);
  }
  if (pending.read && bev->bev.readcb) call_data_callback(bev, bev->bev.readcb);
  if (pending.write && bev->bev.writecb) call_data_callback(bev, bev->bev.writecb);
  if (pending.events && bev->bev.errorcb) call_event_callback(bev, pending.events, pending.error);
  if (pending.timeouts & EV_READ && bev->bev.errorcb)
    call_event_callback(bev, BEV_EVENT_TIMEOUT | BEV_EVENT_READING, 0);
  if (pending.timeouts & EV_WRITE && bev->bev.errorcb)
    call_event_callback(bev, BEV_EVENT_TIMEOUT | BEV_EVENT_WRITING, 0);
}

static void run_deferred(struct event_callback *callback, void *arg) {
  struct bufferevent_private *bev = arg;
  (void)callback;
  if (!bufferevent_hold(bev)) return;
  /* A callback that runs without the lock keeps no other thread's output waiting. */
  bev->is_serving = !(bev->options & BEV_OPT_UNLOCK_CALLBACKS);
  if (bev->pending.work) {
    bev->pending.work = false;
    if (bev->bev.be_ops->work) bev->bev.be_ops->work(bev);
  }
  call_pending(bev);
  bev->is_serving = false;
  bufferevent_update(bev);
  bufferevent_release(bev);
}

void bufferevent_init_callbacks(struct bufferevent_private *bev) {
  event_callback_init(&bev->deferred, bev->priority, run_deferred, bev);
}

void bufferevent_schedule_work(struct bufferevent_private *bev) {
  bev->pending.work = true;
  schedule(bev);
}

void bufferevent_run_readcb(struct bufferevent_private *bev, int trigger_options) {
  if (!bev->bev.readcb) return;
  if (is_deferred(bev, trigger_options)) {
    bev->pending.read = true;
    schedule(bev);
  } else {
    call_data_callback(bev, bev->bev.readcb);
  }
}

void bufferevent_run_writecb(struct bufferevent_private *bev, int trigger_options) {
  if (!bev->bev.writecb) return;
  if (is_deferred(bev, trigger_options)) {
    bev->pending.write = true;
    schedule(bev);
  } else {
    call_data_callback(bev, bev->bev.writecb);
  }
}

void bufferevent_run_eventcb(struct bufferevent_private *bev, short what, int trigger_options) {
  if (!bev->bev.errorcb) return;
  int error = EVUTIL_SOCKET_ERROR();
  if (is_deferred(bev, trigger_options)) {
    if (!(bev->pending.events & BEV_EVENT_ERROR)) bev->pending.error = error;
    bev->pending.events |= what;
    schedule(bev);
  } else {
    call_event_callback(bev, what, error);
  }
}

void bufferevent_run_timeoutcb(struct bufferevent_private *bev, short direction) {
  if (!bev->bev.errorcb) return;
  if (!is_deferred(bev, 0))
    bev->pending.timeouts |= direction;
  else
    bev->pending.events |=
        BEV_EVENT_TIMEOUT | (direction == EV_READ ? BEV_EVENT_READING : BEV_EVENT_WRITING);
  schedule(bev);
}

void bufferevent_run_if_due(struct bufferevent_private *bev, short directions,
                            int trigger_options) {
  bool ignores_watermarks = trigger_options & BEV_TRIG_IGNORE_WATERMARKS;
  if (directions & EV_READ && (ignores_watermarks || bev->input.total_len >= bev->bev.wm_read.low))
    bufferevent_run_readcb(bev, trigger_options);
  if (directions & EV_WRITE &&
      (ignores_watermarks || bev->output.total_len <= bev->bev.wm_write.low))
    bufferevent_run_writecb(bev, trigger_options);
}

void bufferevent_trigger(struct bufferevent *bufev, short directions, int options) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bufferevent_hold(bev)) return;
  bufferevent_run_if_due(bev, directions, options);
  bufferevent_release(bev);
}

void bufferevent_trigger_event(struct bufferevent *bufev, short what, int options) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bufferevent_hold(bev)) return;
  bufferevent_run_eventcb(bev, what, options);
  bufferevent_release(bev);
}

void bufferevent_setcb(struct bufferevent *bufev, bufferevent_data_cb readcb,
                       bufferevent_data_cb writecb, bufferevent_event_cb eventcb, void *arg) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  bufev->readcb = readcb;
  bufev->writecb = writecb;
  bufev->errorcb = eventcb;
  bufev->cbarg = arg;
  strata_lock_release(bev->lock);
}

void bufferevent_getcb(struct bufferevent *bufev, bufferevent_data_cb *out_readcb,
                       bufferevent_data_cb *out_writecb, bufferevent_event_cb *out_eventcb,
                       void **out_arg) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  if (out_readcb) *out_readcb = bufev->readcb;
  if (out_writecb) *out_writecb = bufev->writecb;
  if (out_eventcb) *out_eventcb = bufev->errorcb;
  if (out_arg) *out_arg = bufev->cbarg;
  strata_lock_release(bev->lock);
}
