#include <errno.h>

#include <event2/bufferevent.h>

#include "net/bufferevent_internal.h"
#include "util/socket.h"

/* The directions of a bufferevent: which are enabled, what becomes of those that can't be served,
 * and how much is moved in one of them at a time. */

#define DEFAULT_MAX_SINGLE_READ 65536
#define DEFAULT_MAX_SINGLE_WRITE 262144

void bufferevent_update(struct bufferevent_private *bev) {
  /* What is not enabled fails nobody: it is tried again with the next update. */
  short failed = bev->bev.be_ops->update(bev) & bev->bev.enabled, disabled = 0;
  if (!failed) return;
  int error = strata_error_from_errno(errno);
  /* The other direction may fail in its turn, when it has the need that both had to itself. */
  while ((failed &= bev->bev.enabled)) {
    disabled |= failed;
    bev->bev.enabled &= (short)~failed;
    failed = bev->bev.be_ops->update(bev);
  }
  short what = BEV_EVENT_ERROR;
  if (disabled & EV_READ) what |= BEV_EVENT_READING;
  if (disabled & EV_WRITE) what |= BEV_EVENT_WRITING;
  EVUTIL_SET_SOCKET_ERROR(error);
  bufferevent_run_eventcb(bev, what, BEV_TRIG_DEFER_CALLBACKS);
}

static int enable(struct bufferevent_private *bev, short directions) {
  short old_enabled = bev->bev.enabled;
  bool old_report = bev->wants_write_report;
  bev->bev.enabled |= directions & (EV_READ | EV_WRITE);
  if (directions & EV_WRITE) bev->wants_write_report = true;
  short failed = bev->bev.be_ops->update(bev) & bev->bev.enabled;
  if (!failed) return 0;
  bool is_another = !(failed & directions);
  int error = strata_error_from_errno(errno);
  if (!is_another) {
    bev->bev.enabled = old_enabled;
    bev->wants_write_report = old_report;
  }
  bufferevent_update(bev); /* tells of one that was enabled before */
  EVUTIL_SET_SOCKET_ERROR(error);
  return is_another ? 0 : -1;
}

int bufferevent_enable(struct bufferevent *bufev, short directions) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bufferevent_hold(bev)) return 0;
  int result = bev->is_freed ? 0 : enable(bev, directions);
  bufferevent_release(bev);
  return result;
}

int bufferevent_disable(struct bufferevent *bufev, short directions) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bufferevent_hold(bev)) return 0;
  bufev->enabled &= (short)~directions;
  bufferevent_update(bev); /* to want less does not fail */
  bufferevent_release(bev);
  return 0;
}

short bufferevent_get_enabled(struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  short enabled = bufev->enabled;
  strata_lock_release(bev->lock);
  return enabled;
}

/* --- How much at a time --- */

static size_t limit_or_default(size_t size, size_t default_size) {
  return size == 0 || size > EV_SSIZE_MAX ? default_size : size;
}

int bufferevent_set_max_single_read(struct bufferevent *bufev, size_t size) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  bev->max_single_read = limit_or_default(size, DEFAULT_MAX_SINGLE_READ);
  strata_lock_release(bev->lock);
  return 0;
}

int bufferevent_set_max_single_write(struct bufferevent *bufev, size_t size) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  bev->max_single_write = limit_or_default(size, DEFAULT_MAX_SINGLE_WRITE);
  strata_lock_release(bev->lock);
  return 0;
}

ev_ssize_t bufferevent_get_max_single_read(struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  ev_ssize_t size = (ev_ssize_t)bev->max_single_read;
  strata_lock_release(bev->lock);
  return size;
}

ev_ssize_t bufferevent_get_max_single_write(struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  ev_ssize_t size = (ev_ssize_t)bev->max_single_write;
  strata_lock_release(bev->lock);
  return size;
}
