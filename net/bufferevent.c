#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_compat.h>
#include <event2/event.h>

#include "loop/attachment.h"
#include "loop/completion.h"
#include "loop/current_base.h"
#include "loop/finalize.h"
#include "net/bufferevent_internal.h"
#include "net/rate_limit.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"

/* --- References --- */

static void destroy(struct event_callback *callback, void *arg) {
  struct bufferevent_private *bev = arg;
  (void)callback;
  bev->bev.be_ops->destroy(bev);
  if (bev->rate_limit) bufferevent_rate_limit_destroy(bev);
  evbuffer_cleanup_embedded(&bev->input);
  evbuffer_cleanup_embedded(&bev->output);
  bufferevent_drop_lock(bev);
  strata_free(bev);
}

bool bufferevent_hold(struct bufferevent_private *bev) {
  strata_lock_acquire(bev->lock);
  if (bev->num_refs) {
    bev->num_refs++;
    return true;
  }
  strata_lock_release(bev->lock);
  return false;
}

static int release(struct bufferevent_private *bev) {
  strata_assert(bev->num_refs > 0);
  if (--bev->num_refs) {
    strata_lock_release(bev->lock);
    return 0;
  }
  bev->bev.be_ops->detach(bev);
  if (bev->rate_limit) bufferevent_rate_limit_detach(bev);
  bufferevent_stop_inactivity(bev);
  event_debug_unassign(&bev->bev.ev_read);
  event_debug_unassign(&bev->bev.ev_write);
  strata_lock_release(bev->lock);
  event_base_finalize_callback(bev->bev.ev_base, &bev->deferred, destroy, bev);
  return 1;
}

void bufferevent_release(struct bufferevent_private *bev) {
  (void)release(bev);
}

static void parent_hold(struct evbuffer_parent *parent) {
  struct bufferevent_private *bev = STRATA_CONTAINER_OF(parent, struct bufferevent_private, parent);
  bev->num_refs++;
}

static void parent_release(struct evbuffer_parent *parent) {
  struct bufferevent_private *bev = STRATA_CONTAINER_OF(parent, struct bufferevent_private, parent);
  strata_lock_acquire(bev->lock);
  (void)release(bev);
}

static void parent_added(struct evbuffer_parent *parent, struct evbuffer *buf) {
  struct bufferevent_private *bev = STRATA_CONTAINER_OF(parent, struct bufferevent_private, parent);
  (void)buf;
  /* The end of the callbacks that are running looks at the output once for all of them. */
  if (!bev->is_serving) bufferevent_update(bev);
}

static const struct evbuffer_parent_ops parent_ops = {parent_hold, parent_release, parent_added};

void bufferevent_incref(struct bufferevent *bev) {
  bool is_alive = bufferevent_hold(bufferevent_private_of(bev));
  strata_assert(is_alive);
  strata_lock_release(bufferevent_private_of(bev)->lock);
}

int bufferevent_decref(struct bufferevent *bev) {
  strata_lock_acquire(bufferevent_private_of(bev)->lock);
  return release(bufferevent_private_of(bev));
}

void bufferevent_lock(struct bufferevent *bev) {
  bufferevent_incref(bev);
  strata_lock_acquire(bufferevent_private_of(bev)->lock);
}

void bufferevent_unlock(struct bufferevent *bev) {
  bufferevent_release(bufferevent_private_of(bev));
}

/* --- Making and freeing --- */

static const char pool_key;

static void *make_pool(void) {
  return evbuffer_chain_pool_new();
}

static void release_pool(void *pool) {
  evbuffer_chain_pool_unref(pool);
}

static void on_output_changed(struct evbuffer *output, const struct evbuffer_cb_info *info,
                              void *arg) {
  (void)output;
  if (info->n_added) bufferevent_update(arg);
}

/* Watches a buffer. The callback is hidden from the buffer, which then saves itself the trouble of
 * holding the bufferevent, unless it may run the user's code. */
static struct evbuffer_cb_entry *watch(struct bufferevent_private *bev, struct evbuffer *buf,
                                       evbuffer_cb_func on_change) {
  struct evbuffer_cb_entry *entry = evbuffer_add_cb(buf, on_change, bev);
  ev_uint32_t flags = EVBUFFER_CB_STAYS;
  if (!bev->bev.be_ops->moves_at_once) flags |= EVBUFFER_CB_NODEFER;
  if (entry) (void)evbuffer_cb_set_flags(buf, entry, flags);
  return entry;
}

static int watch_output(struct bufferevent_private *bev) {
  if (bev->bev.be_ops->moves_at_once) return watch(bev, &bev->output, on_output_changed) ? 0 : -1;
  evbuffer_tell_parent(&bev->output);
  return 0;
}

static int init_buffers(struct bufferevent_private *bev, struct event_base *base) {
  struct evbuffer_chain_pool *pool =
      event_base_get_attachment(base, &pool_key, make_pool, release_pool);
  bev->parent.ops = &parent_ops;
  bev->bev.input = &bev->input;
  bev->bev.output = &bev->output;
  struct evbuffer *buffers[] = {&bev->input, &bev->output};
  for (int i = 0; i < 2; i++) {
    evbuffer_init_embedded(buffers[i], &bev->parent);
    evbuffer_set_lock_(buffers[i], bev->lock);
    if (pool) evbuffer_set_pool(buffers[i], pool);
  }
  if (watch_output(bev) < 0) {
    evbuffer_cleanup_embedded(&bev->input);
    evbuffer_cleanup_embedded(&bev->output);
    return -1;
  }
  /* The input is filled, and the output emptied, by the bufferevent alone. */
  evbuffer_freeze(&bev->input, 0);
  evbuffer_freeze(&bev->output, 1);
  return 0;
}

int bufferevent_init(struct bufferevent_private *bev, struct event_base *base,
                     const struct bufferevent_ops *ops, int options) {
  if (options & BEV_OPT_UNLOCK_CALLBACKS && !(options & BEV_OPT_DEFER_CALLBACKS)) {
    strata_log(STRATA_LOG_WARN, "BEV_OPT_UNLOCK_CALLBACKS needs BEV_OPT_DEFER_CALLBACKS");
    bufferevent_drop_lock(bev);
    return -1;
  }
  if (!base) base = event_current_base;
  if (!base) {
    bufferevent_drop_lock(bev);
    return -1;
  }
  bev->bev.ev_base = base;
  bev->bev.be_ops = ops;
  bev->bev.enabled = EV_WRITE;
  bev->num_refs = 1;
  bev->options = (uint8_t)options;
  bev->priority = (uint8_t)(event_base_get_npriorities(base) / 2);
  bev->source.fd = -1;
  if (options & BEV_OPT_THREADSAFE && !bev->lock &&
      strata_lock_init(&bev->lock, EVTHREAD_LOCKTYPE_RECURSIVE) < 0)
    return -1;
  if (init_buffers(bev, base) < 0) {
    bufferevent_drop_lock(bev);
    return -1;
  }
  bufferevent_set_max_single_read(&bev->bev, 0);
  bufferevent_set_max_single_write(&bev->bev, 0);
  bufferevent_init_callbacks(bev);
  bufferevent_init_inactivity(bev);
  return 0;
}

void bufferevent_free(struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  bev->bev.readcb = bev->bev.writecb = NULL;
  bev->bev.errorcb = NULL;
  bev->is_freed = true;
  bev->bev.enabled = 0;
  /* At once, though a running callback may hold the object a little longer: the descriptor's number
   * may have a new owner before that. */
  bev->bev.be_ops->detach(bev);
  if (bev->rate_limit) bufferevent_rate_limit_detach(bev);
  bufferevent_stop_inactivity(bev);
  (void)release(bev);
}

struct bufferevent *bufferevent_new(evutil_socket_t fd, evbuffercb readcb, evbuffercb writecb,
                                    everrorcb errorcb, void *arg) {
  struct bufferevent *bev = bufferevent_socket_new(NULL, fd, 0);
  if (bev) bufferevent_setcb(bev, readcb, writecb, errorcb, arg);
  return bev;
}

/* --- Watermarks --- */

static void on_input_changed(struct evbuffer *input, const struct evbuffer_cb_info *info,
                             void *arg) {
  struct bufferevent_private *bev = arg;
  (void)input;
  if (!bufferevent_read_room(bev))
    bufferevent_suspend_read(bev, BEV_SUSPEND_WATERMARK);
  else if (bev->read_suspended & BEV_SUSPEND_WATERMARK)
    bufferevent_resume_read(bev, BEV_SUSPEND_WATERMARK);
  else if (bev->bev.be_ops->moves_at_once && (!info || info->n_deleted))
    bufferevent_update(bev); /* a filter may have waited for more room */
}

static int watch_input(struct bufferevent_private *bev) {
  if (!bev->watches_input) bev->watches_input = watch(bev, &bev->input, on_input_changed) != NULL;
  return bev->watches_input ? 0 : -1;
}

static void set_read_watermark(struct bufferevent_private *bev, size_t low, size_t high) {
  /* Without the watcher nothing would resume reading: rather read on than never again. */
  if (high && watch_input(bev) < 0) {
    strata_log(STRATA_LOG_WARN, "bufferevent_setwatermark: out of memory");
    high = 0;
  }
  bev->bev.wm_read.low = low;
  bev->bev.wm_read.high = high;
  on_input_changed(&bev->input, NULL, bev);
}

void bufferevent_setwatermark(struct bufferevent *bufev, short directions, size_t low,
                              size_t high) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bufferevent_hold(bev)) return;
  if (directions & EV_WRITE) {
    bufev->wm_write.low = low;
    bufev->wm_write.high = high;
    bufferevent_filter_on_write_mark(bev);
  }
  if (directions & EV_READ) set_read_watermark(bev, low, high);
  bufferevent_release(bev);
}

int bufferevent_getwatermark(struct bufferevent *bufev, short direction, size_t *out_low,
                             size_t *out_high) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (direction != EV_READ && direction != EV_WRITE) return -1;
  strata_lock_acquire(bev->lock);
  const struct event_watermark *watermark =
      direction == EV_READ ? &bufev->wm_read : &bufev->wm_write;
  if (out_low) *out_low = watermark->low;
  if (out_high) *out_high = watermark->high;
  strata_lock_release(bev->lock);
  return 0;
}

/* --- Data --- */

int bufferevent_write(struct bufferevent *bev, const void *data, size_t size) {
  return evbuffer_add(bev->output, data, size);
}

int bufferevent_write_buffer(struct bufferevent *bev, struct evbuffer *source) {
  return evbuffer_add_buffer(bev->output, source);
}

size_t bufferevent_read(struct bufferevent *bev, void *data, size_t size) {
  int len = evbuffer_remove(bev->input, data, size);
  return len < 0 ? 0 : (size_t)len;
}

int bufferevent_read_buffer(struct bufferevent *bev, struct evbuffer *target) {
  return evbuffer_add_buffer(target, bev->input);
}

struct evbuffer *bufferevent_get_input(struct bufferevent *bev) {
  return bev->input;
}

struct evbuffer *bufferevent_get_output(struct bufferevent *bev) {
  return bev->output;
}

int bufferevent_flush(struct bufferevent *bufev, short directions,
                      enum bufferevent_flush_mode mode) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bufferevent_hold(bev)) return -1;
  int result = bufev->be_ops->flush ? bufev->be_ops->flush(bev, directions, mode) : 0;
  bufferevent_release(bev);
  return result;
}

/* --- The rest --- */

struct event_base *bufferevent_get_base(struct bufferevent *bev) {
  return bev->ev_base;
}

struct bufferevent *bufferevent_get_underlying(struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bufev->be_ops->wraps_peer) return NULL;
  strata_lock_acquire(bev->lock);
  struct bufferevent_private *peer = bufferevent_peer(bev);
  strata_lock_release(bev->lock);
  return peer ? &peer->bev : NULL;
}

evutil_socket_t bufferevent_getfd(struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  evutil_socket_t fd = bufev->be_ops->get_fd ? bufev->be_ops->get_fd(bev) : -1;
  strata_lock_release(bev->lock);
  return fd;
}

int bufferevent_setfd(struct bufferevent *bufev, evutil_socket_t fd) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  int result = bufev->be_ops->set_fd ? bufev->be_ops->set_fd(bev, fd) : -1;
  strata_lock_release(bev->lock);
  return result;
}

int bufferevent_discard_fd(struct bufferevent_private *bev, evutil_socket_t fd) {
  return bev->bev.be_ops->discard_fd ? bev->bev.be_ops->discard_fd(bev, fd)
                                     : evutil_closesocket(fd);
}

int bufferevent_replacefd(struct bufferevent *bufev, evutil_socket_t fd) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  int result = -1;
  if (bufev->be_ops->set_fd) {
    evutil_socket_t old_fd = bufferevent_getfd(bufev);
    result = bufev->be_ops->set_fd(bev, fd);
    if (result == 0 && old_fd >= 0 && old_fd != fd) result = bufferevent_discard_fd(bev, old_fd);
  }
  strata_lock_release(bev->lock);
  return result;
}

static void use_priority(struct bufferevent_private *bev, int priority) {
  bev->priority = (uint8_t)priority;
  event_base_set_callback_priority(bev->bev.ev_base, &bev->source.task, priority);
  event_base_set_callback_priority(bev->bev.ev_base, &bev->deferred, priority);
  if (bev->rate_limit) bufferevent_rate_limit_set_priority(bev, priority);
  if (bev->bev.be_ops->set_priority) bev->bev.be_ops->set_priority(bev, priority);
}

int bufferevent_priority_set(struct bufferevent *bufev, int priority) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  int result = -1;
  strata_lock_acquire(bev->lock);
  if (bufev->be_ops->is_socket && priority >= 0 &&
      priority < event_base_get_npriorities(bufev->ev_base) &&
      event_priority_set(&bufev->ev_read, priority) == 0 &&
      event_priority_set(&bufev->ev_write, priority) == 0) {
    use_priority(bev, priority);
    result = 0;
  }
  strata_lock_release(bev->lock);
  return result;
}

int bufferevent_get_priority(const struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  int priority = bev->priority;
  strata_lock_release(bev->lock);
  return priority;
}

static int set_base(struct bufferevent_private *bev, struct event_base *base) {
  const struct bufferevent_pending *pending = &bev->pending;
  if (!bev->bev.be_ops->is_socket || bev->source.want) return -1;
  if (bev->bev.be_ops->is_busy && bev->bev.be_ops->is_busy(bev)) return -1;
  /* The kind goes with the base. */
  if (event_base_port_features(base) != event_base_port_features(bev->bev.ev_base)) return -1;
  if (pending->read || pending->write || pending->events || pending->timeouts) return -1;
  struct rate_limit_move move;
  event_io_source_detach(&bev->source);
  bufferevent_stop_inactivity(bev);
  bev->waiting = 0;
  if (event_base_set(base, &bev->bev.ev_read) < 0) return -1;
  if (event_base_set(base, &bev->bev.ev_write) < 0) return -1;
  bufferevent_rate_limit_leave_base(bev, &move);
  bev->bev.ev_base = base;
  use_priority(bev, event_base_get_npriorities(base) / 2);
  bufferevent_rate_limit_enter_base(bev, &move);
  return 0;
}

int bufferevent_base_set(struct event_base *base, struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  int result = set_base(bev, base);
  strata_lock_release(bev->lock);
  return result;
}
