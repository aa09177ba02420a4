#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "net/bufferevent_internal.h"
#include "util/memory.h"

/* Two bufferevents, each of which reads what the other writes. Bytes go over inside the call that
 * made it possible (adding output, enabling, draining an input that was full), by moving blocks;
 * callbacks are always deferred. Neither holds a reference to the other: the first that is freed
 * unlinks both, under the lock that they share. */

struct bufferevent_pair {
  struct bufferevent_private bev; /* first */
  struct bufferevent_pair *partner;
  short waiting; /* the directions whose timeouts run */
};

static struct bufferevent_pair *pair_of(struct bufferevent_private *bev) {
  return (struct bufferevent_pair *)bev;
}

static int move_bytes(struct evbuffer *from, struct evbuffer *to, size_t limit_len) {
  if (limit_len < from->total_len) {
    if (evbuffer_remove_buffer(from, to, limit_len) > 0) return 0;
    /* No memory to split a block. Rather too much at once than a reader that waits for ever. */
    if (to->total_len) return -1;
  }
  return evbuffer_add_buffer(to, from);
}

/* Moves up to limit_len bytes; true if any went. Callbacks of the evbuffers may free both. */
static bool move_output(struct bufferevent_pair *from, struct bufferevent_pair *to,
                        size_t limit_len) {
  struct bufferevent_private *source = &from->bev, *target = &to->bev;
  if (!source->output.total_len) return false;
  (void)bufferevent_hold(source);
  (void)bufferevent_hold(target);
  evbuffer_unfreeze(&source->output, 1);
  evbuffer_unfreeze(&target->input, 0);
  bool has_moved = move_bytes(&source->output, &target->input, limit_len) == 0;
  evbuffer_freeze(&source->output, 1);
  evbuffer_freeze(&target->input, 0);
  if (has_moved) {
    bufferevent_note_progress(source, EV_WRITE);
    bufferevent_note_progress(target, EV_READ);
    (void)bufferevent_follow_waiting(source, &from->waiting);
    bufferevent_run_if_due(target, EV_READ, 0);
    bufferevent_run_if_due(source, EV_WRITE, 0);
  }
  bufferevent_release(target);
  bufferevent_release(source);
  return has_moved;
}

static void pass_on(struct bufferevent_pair *from, struct bufferevent_pair *to) {
  if (bufferevent_is_active(&from->bev, EV_WRITE) && bufferevent_is_active(&to->bev, EV_READ))
    (void)move_output(from, to, bufferevent_read_room(&to->bev));
}

static short pair_update(struct bufferevent_private *bev) {
  struct bufferevent_pair *pair = pair_of(bev);
  /* Each step may take the partner away. */
  if (pair->partner) pass_on(pair, pair->partner);
  if (pair->partner) pass_on(pair->partner, pair);
  return bufferevent_follow_waiting(bev, &pair->waiting);
}

/* Both ways regardless of what is enabled and of the high watermark: whoever flushes wants all of
 * it to be on the other side, the more so before the end is told. */
static int pair_flush(struct bufferevent_private *bev, short directions,
                      enum bufferevent_flush_mode mode) {
  struct bufferevent_pair *pair = pair_of(bev);
  bool has_moved = false;
  if (!pair->partner) return -1;
  if (mode == BEV_NORMAL) return 0;
  if (directions & EV_READ) has_moved = move_output(pair->partner, pair, EV_SSIZE_MAX);
  if (directions & EV_WRITE && pair->partner)
    has_moved = move_output(pair, pair->partner, EV_SSIZE_MAX) || has_moved;
  if (mode == BEV_FINISHED && pair->partner) {
    short what = BEV_EVENT_EOF;
    if (directions & EV_READ) what |= BEV_EVENT_WRITING;
    if (directions & EV_WRITE) what |= BEV_EVENT_READING;
    bufferevent_run_eventcb(&pair->partner->bev, what, 0);
  }
  return has_moved;
}

static void pair_detach(struct bufferevent_private *bev) {
  struct bufferevent_pair *pair = pair_of(bev);
  if (pair->partner) pair->partner->partner = NULL;
  pair->partner = NULL;
}

static void pair_destroy(struct bufferevent_private *bev) {
  (void)bev;
}

static struct bufferevent_private *pair_peer(struct bufferevent_private *bev) {
  struct bufferevent_pair *pair = pair_of(bev);
  return pair->partner ? &pair->partner->bev : NULL;
}

static const struct bufferevent_ops pair_ops = {
    .type = "pair",
    .moves_at_once = true,
    .update = pair_update,
    .detach = pair_detach,
    .destroy = pair_destroy,
    .flush = pair_flush,
    .peer = pair_peer,
};

static struct bufferevent_pair *new_half(struct event_base *base, int options,
                                         struct bufferevent_pair *first) {
  struct bufferevent_pair *pair = strata_calloc(1, sizeof(*pair));
  if (!pair) return NULL;
  if ((first && bufferevent_share_lock(&pair->bev, &first->bev) < 0) ||
      bufferevent_init(&pair->bev, base, &pair_ops, options | BEV_OPT_DEFER_CALLBACKS) < 0) {
    strata_free(pair);
    return NULL;
  }
  return pair;
}

int bufferevent_pair_new(struct event_base *base, int options, struct bufferevent *out_pair[2]) {
  struct bufferevent_pair *first = new_half(base, options, NULL);
  if (!first) return -1;
  struct bufferevent_pair *second = new_half(base, options, first);
  if (!second) {
    bufferevent_free(&first->bev.bev);
    return -1;
  }
  first->partner = second;
  second->partner = first;
  out_pair[0] = &first->bev.bev;
  out_pair[1] = &second->bev.bev;
  return 0;
}

struct bufferevent *bufferevent_pair_get_partner(struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (bufev->be_ops != &pair_ops) return NULL;
  strata_lock_acquire(bev->lock);
  struct bufferevent_private *partner = pair_peer(bev);
  strata_lock_release(bev->lock);
  return partner ? &partner->bev : NULL;
}
