#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "net/bufferevent_internal.h"
#include "net/rate_limit.h"
#include "util/memory.h"

/* Two bufferevents, each of which reads what the other writes. Bytes go over inside the call that
 * made it possible (adding output, enabling, draining an input that was full), by moving blocks;
 * callbacks are always deferred. Neither holds a reference to the other: the first that is freed
 * unlinks both, under the lock that they share. */

struct bufferevent_pair {
  struct bufferevent_private bev; /* first */
  struct bufferevent_pair *partner;
  bool is_using_limits; /* its output is on the way, and what was claimed for that not settled */
};

static struct bufferevent_pair *pair_of(struct bufferevent_private *bev) {
  return (struct bufferevent_pair *)bev;
}

/* Returns how many bytes went. */
static size_t move_bytes(struct evbuffer *from, struct evbuffer *to, size_t limit_len) {
  if (limit_len < from->total_len) {
    int len = evbuffer_remove_buffer(from, to, limit_len);
    if (len > 0) return (size_t)len;
    /* No memory to split a block. Rather too much at once than a reader that waits for ever. */
    if (to->total_len) return 0;
  }
  size_t all_len = from->total_len;
  return evbuffer_add_buffer(to, from) == 0 ? all_len : 0;
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
  size_t moved_len = move_bytes(&source->output, &target->input, limit_len);
  evbuffer_freeze(&source->output, 1);
  evbuffer_freeze(&target->input, 0);
  if (moved_len) {
    bufferevent_charge(source, EV_WRITE, moved_len);
    bufferevent_charge(target, EV_READ, moved_len);
    bufferevent_note_progress(source, EV_WRITE);
    bufferevent_note_progress(target, EV_READ);
    /* First what keeps the loop running, then what may let it end. */
    bufferevent_run_if_due(target, EV_READ, 0);
    bufferevent_run_if_due(source, EV_WRITE, 0);
    if (bufferevent_follow_waiting(source, bufferevent_waiting(source)))
      bufferevent_schedule_work(source);
  }
  bufferevent_release(target);
  bufferevent_release(source);
  return moved_len > 0;
}

/* What both ends' rate limits allow. */
static void move_limited(struct bufferevent_pair *from, struct bufferevent_pair *to,
                         size_t limit_len) {
  struct bufferevent_private *source = &from->bev, *target = &to->bev;
  size_t len = source->output.total_len < limit_len ? source->output.total_len : limit_len;
  if (from->is_using_limits) {
    bufferevent_schedule_work(source); /* a callback of a buffer has added this */
    return;
  }
  from->is_using_limits = true;
  (void)bufferevent_hold(source);
  (void)bufferevent_hold(target);
  len = bufferevent_claim(source, EV_WRITE, len);
  if (len) len = bufferevent_claim(target, EV_READ, len);
  if (len) (void)move_output(from, to, len);
  bufferevent_settle(source, EV_WRITE);
  bufferevent_settle(target, EV_READ);
  from->is_using_limits = false;
  bufferevent_release(target);
  bufferevent_release(source);
}

static void pass_on(struct bufferevent_pair *from, struct bufferevent_pair *to) {
  if (!from->bev.output.total_len || !bufferevent_is_active(&from->bev, EV_WRITE) ||
      !bufferevent_is_active(&to->bev, EV_READ))
    return;
  size_t room = bufferevent_read_room(&to->bev);
  if (from->bev.rate_limit || to->bev.rate_limit)
    move_limited(from, to, room);
  else
    (void)move_output(from, to, room);
}

/* What moved may have used up a limit; a tick that has come since resumes a direction for which
 * nothing else would be done then. */
static short wait_for_more(struct bufferevent_pair *pair) {
  struct bufferevent_private *bev = &pair->bev;
  if (!bev->rate_limit) return bufferevent_follow_waiting(bev, bufferevent_waiting(bev));
  uint8_t reading = bev->read_suspended, writing = bev->write_suspended;
  short without_tokens = bufferevent_refresh_limits(bev);
  if ((reading & ~bev->read_suspended) | (writing & ~bev->write_suspended))
    bufferevent_schedule_work(bev);
  short untimed = bufferevent_follow_waiting(bev, bufferevent_waiting(bev));
  return bufferevent_failed_update(untimed, without_tokens);
}

static short pair_update(struct bufferevent_private *bev) {
  struct bufferevent_pair *pair = pair_of(bev);
  (void)bufferevent_refresh_limits(bev);
  /* Each step may take the partner away. */
  if (pair->partner) pass_on(pair, pair->partner);
  if (pair->partner) pass_on(pair->partner, pair);
  if (pair->partner && pair->partner->bev.rate_limit && wait_for_more(pair->partner))
    bufferevent_schedule_work(&pair->partner->bev); /* tells of it */
  return wait_for_more(pair);
}

/* Both ways regardless of what is enabled, of limits and of the high watermark: whoever flushes
 * wants all of it to be on the other side, the more so before the end is told. */
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
