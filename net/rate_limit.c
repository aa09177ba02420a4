#include "net/rate_limit.h"

#include <event2/event.h>

#include "loop/base_clock.h"
#include "util/clock.h"
#include "util/memory.h"

/* Keeps the loop of a member going whose group has its timer in another base. */
#define KEEP_ALIVE_NS (3600 * STRATA_NS_PER_SECOND)

static enum token_direction index_of(short direction) {
  return direction == EV_READ ? TOKENS_READ : TOKENS_WRITE;
}

static short mask_of(enum token_direction direction) {
  return direction == TOKENS_READ ? EV_READ : EV_WRITE;
}

static uint8_t *suspended_of(struct bufferevent_private *bev, enum token_direction direction) {
  return direction == TOKENS_READ ? &bev->read_suspended : &bev->write_suspended;
}

static void set_suspended(struct bufferevent_private *bev, enum token_direction direction,
                          uint8_t why, bool is_suspended) {
  uint8_t *suspended = suspended_of(bev, direction);
  *suspended = (uint8_t)(is_suspended ? *suspended | why : *suspended & ~why);
}

static void update_bucket(struct bufferevent_rate_limit *limit) {
  if (!limit->cfg) return;
  strata_token_bucket_update(&limit->bucket, limit->cfg,
                             event_base_loop_time_ns(limit->bev->bev.ev_base));
}

/* --- Suspending and resuming --- */

/* The direction has something to do, limits aside. */
static bool is_wanted(struct bufferevent_private *bev, enum token_direction direction) {
  short what = mask_of(direction);
  uint8_t *suspended = suspended_of(bev, direction);
  uint8_t old_suspended = *suspended;
  *suspended &= (uint8_t) ~(BEV_SUSPEND_BW | BEV_SUSPEND_BW_GROUP);
  bool result = bufferevent_awaits_progress(bev, what) ||
                (what == EV_WRITE && bev->wants_write_report && bufferevent_is_active(bev, what));
  *suspended = old_suspended;
  return result && !bev->is_freed;
}

int strata_rate_timer_set(struct event *timer, int64_t *inout_due_ns, int64_t due_ns,
                          int64_t now_ns) {
  if (due_ns == INT64_MAX) {
    if (*inout_due_ns) event_del_noblock(timer);
    *inout_due_ns = 0;
    return 0;
  }
  if (*inout_due_ns == due_ns) return 0;
  /* Not a microsecond too early. */
  int64_t delay_ns = due_ns > now_ns ? strata_ns_add(due_ns - now_ns, STRATA_NS_PER_US - 1) : 0;
  struct timeval delay = strata_ns_to_timeval(delay_ns);
  if (event_add(timer, &delay) < 0) return *inout_due_ns && *inout_due_ns < due_ns ? 0 : -1;
  *inout_due_ns = due_ns;
  return 0;
}

/* Returns the directions that need the timer. */
static short refresh_bucket(struct bufferevent_rate_limit *limit, int64_t now_ns,
                            const bool *wanted, int64_t *inout_due_ns) {
  short waiting = 0;
  if (limit->cfg) strata_token_bucket_update(&limit->bucket, limit->cfg, now_ns);
  for (int d = 0; d < TOKENS_DIRECTIONS; d++) {
    bool is_empty = limit->cfg && limit->bucket.tokens[d] <= 0;
    set_suspended(limit->bev, d, BEV_SUSPEND_BW, is_empty);
    if (!is_empty || !wanted[d]) continue;
    waiting |= mask_of(d);
    int64_t due_ns = strata_token_bucket_when_ns(&limit->bucket, limit->cfg, d, 1);
    if (due_ns < *inout_due_ns) *inout_due_ns = due_ns;
  }
  return waiting;
}

/* Adds the directions that need the timer to *inout_waiting. Returns those that the group will not
 * call, because there is no memory for its own. */
static short refresh_group(struct bufferevent_rate_limit *limit, int64_t now_ns, const bool *wanted,
                           int64_t *inout_due_ns, short *inout_waiting) {
  short failed = 0;
  for (int d = 0; d < TOKENS_DIRECTIONS; d++) {
    /* Who has no tokens of its own gives up its place. */
    bool can_use = wanted[d] && !(*suspended_of(limit->bev, d) & BEV_SUSPEND_BW);
    bool waits = false;
    if (limit->group && bufferevent_rate_limit_group_refresh(limit, d, can_use, &waits) < 0)
      failed |= mask_of(d);
    set_suspended(limit->bev, d, BEV_SUSPEND_BW_GROUP, waits);
    if (waits && *inout_due_ns == INT64_MAX &&
        bufferevent_rate_limit_group_base(limit->group) != limit->bev->bev.ev_base) {
      *inout_due_ns = limit->timer_due_ns > now_ns ? limit->timer_due_ns : now_ns + KEEP_ALIVE_NS;
      *inout_waiting |= mask_of(d);
    }
  }
  return failed;
}

short bufferevent_rate_limit_refresh(struct bufferevent_private *bev) {
  struct bufferevent_rate_limit *limit = bev->rate_limit;
  int64_t now_ns = event_base_loop_time_ns(bev->bev.ev_base);
  int64_t due_ns = INT64_MAX;
  bool wanted[TOKENS_DIRECTIONS];
  for (int d = 0; d < TOKENS_DIRECTIONS; d++) wanted[d] = is_wanted(bev, d);
  short waiting = refresh_bucket(limit, now_ns, wanted, &due_ns);
  short failed = refresh_group(limit, now_ns, wanted, &due_ns, &waiting);
  if (strata_rate_timer_set(&limit->timer, &limit->timer_due_ns, due_ns, now_ns) < 0)
    failed |= waiting;
  return failed;
}

static void on_timer(evutil_socket_t fd, short what, void *arg) {
  struct bufferevent_private *bev = arg;
  (void)fd;
  (void)what;
  if (!bufferevent_hold(bev)) return;
  bev->rate_limit->timer_due_ns = 0;
  bufferevent_update(bev);
  bufferevent_release(bev);
}

static void run_task(struct event_callback *task, void *arg) {
  struct bufferevent_private *bev = arg;
  (void)task;
  if (!bufferevent_hold(bev)) return;
  bufferevent_update(bev);
  bufferevent_release(bev);
}

/* --- Using tokens --- */

size_t bufferevent_rate_limit_claim(struct bufferevent_private *bev, short direction,
                                    size_t max_len) {
  struct bufferevent_rate_limit *limit = bev->rate_limit;
  enum token_direction d = index_of(direction);
  update_bucket(limit);
  if (limit->cfg) {
    int64_t tokens = limit->bucket.tokens[d];
    if (tokens <= 0) {
      set_suspended(bev, d, BEV_SUSPEND_BW, true);
      return 0;
    }
    if ((uint64_t)tokens < max_len) max_len = (size_t)tokens;
  }
  if (!limit->group || !max_len) return max_len;
  size_t len = bufferevent_rate_limit_group_claim(limit, d, max_len);
  if (!len) set_suspended(bev, d, BEV_SUSPEND_BW_GROUP, true);
  return len;
}

void bufferevent_rate_limit_charge(struct bufferevent_private *bev, short direction, size_t len) {
  struct bufferevent_rate_limit *limit = bev->rate_limit;
  enum token_direction d = index_of(direction);
  if (limit->cfg) {
    strata_token_bucket_take(&limit->bucket, d, (int64_t)len);
    if (limit->bucket.tokens[d] <= 0) set_suspended(bev, d, BEV_SUSPEND_BW, true);
  }
  if (limit->group) bufferevent_rate_limit_group_charge(limit, d, len);
}

void bufferevent_rate_limit_settle(struct bufferevent_private *bev, short direction) {
  struct bufferevent_rate_limit *limit = bev->rate_limit;
  if (limit->group) bufferevent_rate_limit_group_settle(limit, index_of(direction));
}

/* --- Making and freeing --- */

static void set_up_in_base(struct bufferevent_rate_limit *limit) {
  struct bufferevent_private *bev = limit->bev;
  event_assign(&limit->timer, bev->bev.ev_base, -1, EV_FINALIZE, on_timer, bev);
  event_priority_set(&limit->timer, bev->priority);
  event_callback_init(&limit->task, bev->priority, run_task, bev);
}

/* The bufferevent's limits, made if there are none. NULL when there is no memory. */
static struct bufferevent_rate_limit *limits_of(struct bufferevent_private *bev) {
  if (bev->rate_limit) return bev->rate_limit;
  struct bufferevent_rate_limit *limit = strata_calloc(1, sizeof(*limit));
  if (!limit) return NULL;
  limit->bev = bev;
  for (int d = 0; d < TOKENS_DIRECTIONS; d++) limit->turns[d].member = limit;
  set_up_in_base(limit);
  bev->rate_limit = limit;
  return limit;
}

/* Out of the group, and out of the base. */
static void withdraw(struct bufferevent_private *bev) {
  struct bufferevent_rate_limit *limit = bev->rate_limit;
  if (limit->group) bufferevent_rate_limit_group_leave(limit);
  event_del_noblock(&limit->timer);
  limit->timer_due_ns = 0;
  event_executor_cancel((struct event_executor *)bev->bev.ev_base, &limit->task);
}

void bufferevent_rate_limit_detach(struct bufferevent_private *bev) {
  withdraw(bev);
  bev->rate_limit->cfg = NULL; /* the user's, who may free it now */
}

void bufferevent_rate_limit_set_priority(struct bufferevent_private *bev, int priority) {
  struct bufferevent_rate_limit *limit = bev->rate_limit;
  event_base_set_callback_priority(bev->bev.ev_base, &limit->timer.ev_evcallback, priority);
  event_base_set_callback_priority(bev->bev.ev_base, &limit->task, priority);
}

void bufferevent_rate_limit_leave_base(struct bufferevent_private *bev,
                                       struct rate_limit_move *out_move) {
  if (!bev->rate_limit) return;
  out_move->old_base = bev->bev.ev_base;
  out_move->group = bev->rate_limit->group;
  withdraw(bev);
}

void bufferevent_rate_limit_enter_base(struct bufferevent_private *bev,
                                       const struct rate_limit_move *move) {
  struct bufferevent_rate_limit *limit = bev->rate_limit;
  if (!limit) return;
  limit->bucket.since_ns +=
      event_base_loop_time_ns(bev->bev.ev_base) - event_base_loop_time_ns(move->old_base);
  set_up_in_base(limit);
  if (move->group) bufferevent_rate_limit_group_join(limit, move->group);
  bufferevent_update(bev);
}

void bufferevent_rate_limit_destroy(struct bufferevent_private *bev) {
  event_debug_unassign(&bev->rate_limit->timer);
  strata_free(bev->rate_limit);
}

/* --- The interface --- */

static int set_rate_limit(struct bufferevent_private *bev, struct ev_token_bucket_cfg *cfg) {
  struct bufferevent_rate_limit *limit = cfg ? limits_of(bev) : bev->rate_limit;
  if (!limit) return cfg ? -1 : 0;
  if (limit->cfg == cfg) return 0;
  int64_t now_ns = event_base_loop_time_ns(bev->bev.ev_base);
  if (cfg && limit->cfg)
    strata_token_bucket_change(&limit->bucket, limit->cfg, cfg, now_ns);
  else if (cfg)
    strata_token_bucket_start(&limit->bucket, cfg, now_ns);
  limit->cfg = cfg;
  bufferevent_update(bev);
  return 0;
}

int bufferevent_set_rate_limit(struct bufferevent *bufev, struct ev_token_bucket_cfg *cfg) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bufferevent_hold(bev)) return -1;
  int result = set_rate_limit(bev, cfg);
  bufferevent_release(bev);
  return result;
}

const struct ev_token_bucket_cfg *bufferevent_get_token_bucket_cfg(
    const struct bufferevent *bufev) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  const struct ev_token_bucket_cfg *cfg = bev->rate_limit ? bev->rate_limit->cfg : NULL;
  strata_lock_release(bev->lock);
  return cfg;
}

static ev_ssize_t get_limit(struct bufferevent *bufev, enum token_direction direction) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  ev_ssize_t result = EV_SSIZE_MAX;
  strata_lock_acquire(bev->lock);
  if (bev->rate_limit && bev->rate_limit->cfg) {
    update_bucket(bev->rate_limit);
    result = strata_token_bucket_tokens(&bev->rate_limit->bucket, direction);
  }
  strata_lock_release(bev->lock);
  return result;
}

ev_ssize_t bufferevent_get_read_limit(struct bufferevent *bev) {
  return get_limit(bev, TOKENS_READ);
}

ev_ssize_t bufferevent_get_write_limit(struct bufferevent *bev) {
  return get_limit(bev, TOKENS_WRITE);
}

static size_t max_to_move(struct bufferevent_rate_limit *limit, enum token_direction direction,
                          size_t max_len) {
  update_bucket(limit);
  if (limit->cfg) {
    int64_t tokens = limit->bucket.tokens[direction];
    if (tokens <= 0) return 0;
    if ((uint64_t)tokens < max_len) max_len = (size_t)tokens;
  }
  if (limit->group) {
    size_t share = bufferevent_rate_limit_group_share(limit, direction);
    if (share < max_len) max_len = share;
  }
  return max_len;
}

static ev_ssize_t get_max(struct bufferevent *bufev, enum token_direction direction) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  strata_lock_acquire(bev->lock);
  size_t max_len = direction == TOKENS_READ ? bev->max_single_read : bev->max_single_write;
  if (bev->rate_limit) max_len = max_to_move(bev->rate_limit, direction, max_len);
  strata_lock_release(bev->lock);
  return (ev_ssize_t)max_len;
}

ev_ssize_t bufferevent_get_max_to_read(struct bufferevent *bev) {
  return get_max(bev, TOKENS_READ);
}

ev_ssize_t bufferevent_get_max_to_write(struct bufferevent *bev) {
  return get_max(bev, TOKENS_WRITE);
}

static int decrement(struct bufferevent *bufev, enum token_direction direction, ev_ssize_t decr) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  int result = -1;
  if (!bufferevent_hold(bev)) return -1;
  if (bev->rate_limit && bev->rate_limit->cfg) {
    update_bucket(bev->rate_limit);
    strata_token_bucket_take(&bev->rate_limit->bucket, direction, decr);
    bufferevent_update(bev);
    result = 0;
  }
  bufferevent_release(bev);
  return result;
}

int bufferevent_decrement_read_limit(struct bufferevent *bev, ev_ssize_t decr) {
  return decrement(bev, TOKENS_READ, decr);
}

int bufferevent_decrement_write_limit(struct bufferevent *bev, ev_ssize_t decr) {
  return decrement(bev, TOKENS_WRITE, decr);
}

/* --- Being in a group --- */

static int join(struct bufferevent_private *bev, struct bufferevent_rate_limit_group *group) {
  struct bufferevent_rate_limit *limit = group ? limits_of(bev) : bev->rate_limit;
  if (!limit) return group ? -1 : 0;
  if (limit->group == group) return 0;
  if (limit->group) bufferevent_rate_limit_group_leave(limit);
  if (group) bufferevent_rate_limit_group_join(limit, group);
  bufferevent_update(bev);
  return 0;
}

int bufferevent_add_to_rate_limit_group(struct bufferevent *bufev,
                                        struct bufferevent_rate_limit_group *group) {
  struct bufferevent_private *bev = bufferevent_private_of(bufev);
  if (!bufferevent_hold(bev)) return -1;
  int result = join(bev, group);
  bufferevent_release(bev);
  return result;
}

int bufferevent_remove_from_rate_limit_group(struct bufferevent *bev) {
  return bufferevent_add_to_rate_limit_group(bev, NULL);
}
