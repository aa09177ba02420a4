#include <event2/event.h>

#include "loop/base_clock.h"
#include "loop/finalize.h"
#include "net/rate_limit.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"

#define DEFAULT_MIN_SHARE 64

EVENT_TAILQ_HEAD_(rate_turns, rate_turn);

/* Who waits for tokens of one direction. */
struct rate_queue {
  struct rate_turns unserved; /* had no share in this round */
  struct rate_turns served;   /* had one, and want more */
  uint64_t round;
  int64_t num_called;   /* in this round, and have not claimed yet */
  int64_t called_at_ns; /* the tick of that */
  uint64_t total;
};

struct bufferevent_rate_limit_group {
  strata_lock lock;
  struct event_base *base;
  struct ev_token_bucket_cfg cfg;
  struct token_bucket bucket;
  struct rate_queue queues[TOKENS_DIRECTIONS];
  int64_t num_members;
  int64_t configured_min_share;
  int64_t min_share; /* at least 1, and not more than a tick brings */
  struct event timer;
  int64_t timer_due_ns;       /* 0: not armed */
  struct event_callback task; /* begins rounds */
};

/* --- Waiting --- */

static struct rate_queue *queue_of(struct bufferevent_rate_limit_group *group, int direction) {
  return &group->queues[direction];
}

/* While a member waits, its last service tells which list it is in. */
static struct rate_turns *list_of(struct rate_queue *queue, const struct rate_turn *turn) {
  return turn->served_round == queue->round ? &queue->served : &queue->unserved;
}

static bool has_waiting(const struct rate_queue *queue) {
  return !EV_TAILQ_EMPTY(&queue->unserved) || !EV_TAILQ_EMPTY(&queue->served);
}

static void begin_waiting(struct rate_queue *queue, struct rate_turn *turn) {
  turn->state = RATE_WAITING;
  EV_TAILQ_PUSH_BACK(list_of(queue, turn), turn, next);
}

/* The place of a member that was called in vain. */
static void wait_on(struct rate_queue *queue, struct rate_turn *turn) {
  turn->state = RATE_WAITING;
  EV_TAILQ_PUSH_FRONT(list_of(queue, turn), turn, next);
}

static bool is_called_now(const struct rate_queue *queue, const struct rate_turn *turn) {
  return turn->state == RATE_CALLED && turn->called_round == queue->round;
}

static void become_idle(struct rate_queue *queue, struct rate_turn *turn) {
  if (turn->state == RATE_WAITING) EV_TAILQ_REMOVE(list_of(queue, turn), turn, next);
  if (is_called_now(queue, turn)) queue->num_called--;
  turn->state = RATE_IDLE;
}

/* --- Rounds --- */

/* Whether a round can begin: not before those who were called in this tick have claimed. */
static bool can_begin_round(struct bufferevent_rate_limit_group *group, int direction) {
  const struct rate_queue *queue = queue_of(group, direction);
  return has_waiting(queue) && group->bucket.tokens[direction] >= group->min_share &&
         (!queue->num_called || queue->called_at_ns != group->bucket.since_ns);
}

static void run_member(struct bufferevent_rate_limit *member) {
  event_executor_schedule((struct event_executor *)member->bev->bev.ev_base, &member->task);
}

static void call(struct rate_queue *queue, struct rate_turn *turn) {
  EV_TAILQ_REMOVE(&queue->unserved, turn, next);
  turn->state = RATE_CALLED;
  turn->called_round = queue->round;
  queue->num_called++;
  run_member(turn->member);
}

static void begin_round(struct bufferevent_rate_limit_group *group, int direction) {
  struct rate_queue *queue = queue_of(group, direction);
  int64_t num_shares = group->bucket.tokens[direction] / group->min_share;
  queue->round++;
  queue->num_called = 0;
  queue->called_at_ns = group->bucket.since_ns;
  EV_TAILQ_CONCAT(&queue->unserved, &queue->served, next);
  while (queue->num_called < num_shares && !EV_TAILQ_EMPTY(&queue->unserved))
    call(queue, EV_TAILQ_FIRST(&queue->unserved));
}

/* When something is to be done for those who wait. INT64_MAX: nothing. */
static int64_t next_look_ns(struct bufferevent_rate_limit_group *group, int direction) {
  if (!has_waiting(queue_of(group, direction))) return INT64_MAX;
  if (group->bucket.tokens[direction] < group->min_share)
    return strata_token_bucket_when_ns(&group->bucket, &group->cfg, direction, group->min_share);
  /* Those who were called, and not heard of since, hold up the others for a tick at most. */
  return strata_ns_add(group->bucket.since_ns, group->cfg.tick_ns);
}

/* Sees to it that those who wait are called in time: to be called after every change, with an
 * updated bucket. 0, or -1 when there is no memory for the timer. */
static int arrange(struct bufferevent_rate_limit_group *group, int64_t now_ns) {
  int64_t due_ns = INT64_MAX;
  for (int d = 0; d < TOKENS_DIRECTIONS; d++) {
    if (can_begin_round(group, d))
      event_executor_schedule((struct event_executor *)group->base, &group->task);
    int64_t look_ns = next_look_ns(group, d);
    if (look_ns < due_ns) due_ns = look_ns;
  }
  return strata_rate_timer_set(&group->timer, &group->timer_due_ns, due_ns, now_ns);
}

/* Locks the group and brings its bucket up to date; returns the time. */
static int64_t enter(struct bufferevent_rate_limit_group *group) {
  strata_lock_acquire(group->lock);
  int64_t now_ns = event_base_loop_time_ns(group->base);
  strata_token_bucket_update(&group->bucket, &group->cfg, now_ns);
  return now_ns;
}

/* Each member that waits finds for itself that nothing will call it, and tells its program. */
static void alarm_waiting(struct bufferevent_rate_limit_group *group) {
  for (int d = 0; d < TOKENS_DIRECTIONS; d++) {
    struct rate_turn *turn;
    EV_TAILQ_FOREACH(turn, &queue_of(group, d)->unserved, next) run_member(turn->member);
    EV_TAILQ_FOREACH(turn, &queue_of(group, d)->served, next) run_member(turn->member);
  }
}

static int leave(struct bufferevent_rate_limit_group *group, int64_t now_ns) {
  int result = arrange(group, now_ns);
  if (result < 0) alarm_waiting(group);
  strata_lock_release(group->lock);
  return result;
}

static void begin_rounds(struct bufferevent_rate_limit_group *group, bool is_timer) {
  int64_t now_ns = enter(group);
  if (is_timer) group->timer_due_ns = 0;
  for (int d = 0; d < TOKENS_DIRECTIONS; d++)
    if (can_begin_round(group, d)) begin_round(group, d);
  leave(group, now_ns);
}

static void run_task(struct event_callback *task, void *arg) {
  (void)task;
  begin_rounds(arg, false);
}

static void on_timer(evutil_socket_t fd, short what, void *arg) {
  (void)fd;
  (void)what;
  begin_rounds(arg, true);
}

/* --- Using tokens --- */

static int64_t greater(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* A member that was not called may go first where nobody has an older right to the tokens. */
static bool may_go_first(const struct rate_queue *queue, const struct rate_turn *turn) {
  return EV_TAILQ_EMPTY(&queue->unserved) &&
         (turn->served_round != queue->round || EV_TAILQ_EMPTY(&queue->served));
}

static int64_t share_of_called(struct bufferevent_rate_limit_group *group, int direction,
                               const struct rate_turn *turn) {
  const struct rate_queue *queue = queue_of(group, direction);
  int64_t tokens = group->bucket.tokens[direction];
  if (tokens < group->min_share) return 0;
  int64_t num_sharing = queue->num_called + !is_called_now(queue, turn);
  return greater(tokens / num_sharing, group->min_share);
}

/* It may use up a rest that is no share for anybody else. */
static int64_t share_of_first(struct bufferevent_rate_limit_group *group, int direction) {
  int64_t tokens = group->bucket.tokens[direction],
          num_called = queue_of(group, direction)->num_called;
  if (tokens <= 0 || num_called > tokens / group->min_share) return 0;
  int64_t left = tokens - num_called * group->min_share;
  int64_t share = greater(tokens / group->num_members, group->min_share);
  return left - share < group->min_share ? left : share;
}

/* What the member may use now; 0: nothing. */
static int64_t share_of(struct bufferevent_rate_limit_group *group, int direction,
                        const struct rate_turn *turn) {
  if (turn->state == RATE_WAITING) return 0;
  if (turn->state == RATE_CALLED) return share_of_called(group, direction, turn);
  return may_go_first(queue_of(group, direction), turn) ? share_of_first(group, direction) : 0;
}

static void begin_use(struct bufferevent_rate_limit_group *group, int direction,
                      struct rate_turn *turn, int64_t share, size_t max_len) {
  become_idle(queue_of(group, direction), turn);
  turn->share = share;
  turn->used = 0;
  turn->reserved = (uint64_t)share < max_len ? share : (int64_t)max_len;
  strata_token_bucket_take(&group->bucket, direction, turn->reserved);
}

static void miss_turn(struct rate_queue *queue, struct rate_turn *turn) {
  bool was_called = turn->state == RATE_CALLED;
  if (turn->state == RATE_WAITING) return;
  become_idle(queue, turn);
  if (was_called)
    wait_on(queue, turn);
  else
    begin_waiting(queue, turn);
}

/* Gives back what was claimed; the member has a share no more. */
static void end_use(struct bufferevent_rate_limit_group *group, int direction,
                    struct rate_turn *turn) {
  strata_token_bucket_take(&group->bucket, direction, -turn->reserved);
  turn->share = turn->used = turn->reserved = 0;
}

size_t bufferevent_rate_limit_group_claim(struct bufferevent_rate_limit *member,
                                          enum token_direction direction, size_t max_len) {
  struct bufferevent_rate_limit_group *group = member->group;
  struct rate_turn *turn = &member->turns[direction];
  int64_t now_ns = enter(group);
  int64_t share = share_of(group, direction, turn);
  if (share)
    begin_use(group, direction, turn, share, max_len);
  else
    miss_turn(queue_of(group, direction), turn);
  size_t len = (size_t)turn->reserved;
  leave(group, now_ns);
  return len;
}

void bufferevent_rate_limit_group_charge(struct bufferevent_rate_limit *member,
                                         enum token_direction direction, size_t len) {
  struct bufferevent_rate_limit_group *group = member->group;
  struct rate_turn *turn = &member->turns[direction];
  int64_t amount = (int64_t)len;
  strata_lock_acquire(group->lock);
  group->queues[direction].total += len;
  /* A flush moves bytes without a claim, and without a settle(). */
  if (turn->share) turn->used += amount;
  /* A callback of a buffer may have changed the group since the claim. */
  int64_t from_reserve = amount < turn->reserved ? amount : turn->reserved;
  turn->reserved -= from_reserve;
  strata_token_bucket_take(&group->bucket, direction, amount - from_reserve);
  strata_lock_release(group->lock);
}

void bufferevent_rate_limit_group_settle(struct bufferevent_rate_limit *member,
                                         enum token_direction direction) {
  struct bufferevent_rate_limit_group *group = member->group;
  struct rate_turn *turn = &member->turns[direction];
  struct rate_queue *queue = queue_of(group, direction);
  int64_t now_ns = enter(group);
  bool wants_more = turn->share && turn->used >= turn->share;
  if (turn->used) turn->served_round = queue->round;
  end_use(group, direction, turn);
  if (wants_more && turn->state == RATE_IDLE) begin_waiting(queue, turn);
  leave(group, now_ns);
}

size_t bufferevent_rate_limit_group_share(struct bufferevent_rate_limit *member,
                                          enum token_direction direction) {
  struct bufferevent_rate_limit_group *group = member->group;
  enter(group);
  int64_t share = share_of(group, direction, &member->turns[direction]);
  strata_lock_release(group->lock);
  return (size_t)share;
}

int bufferevent_rate_limit_group_refresh(struct bufferevent_rate_limit *member,
                                         enum token_direction direction, bool is_wanted,
                                         bool *out_waits) {
  struct bufferevent_rate_limit_group *group = member->group;
  struct rate_turn *turn = &member->turns[direction];
  strata_lock_acquire(group->lock);
  bool must_arrange = turn->state == RATE_WAITING || (turn->state == RATE_CALLED && !is_wanted);
  strata_lock_release(group->lock);
  *out_waits = false;
  if (!must_arrange) return 0;
  int64_t now_ns = enter(group);
  if (!is_wanted) become_idle(queue_of(group, direction), turn);
  *out_waits = turn->state == RATE_WAITING;
  int result = leave(group, now_ns);
  return *out_waits ? result : 0;
}

/* --- Members --- */

void bufferevent_rate_limit_group_join(struct bufferevent_rate_limit *member,
                                       struct bufferevent_rate_limit_group *group) {
  strata_lock_acquire(group->lock);
  group->num_members++;
  strata_lock_release(group->lock);
  member->group = group;
}

void bufferevent_rate_limit_group_leave(struct bufferevent_rate_limit *member) {
  struct bufferevent_rate_limit_group *group = member->group;
  int64_t now_ns = enter(group);
  for (int d = 0; d < TOKENS_DIRECTIONS; d++) {
    struct rate_turn *turn = &member->turns[d];
    end_use(group, d, turn);
    become_idle(queue_of(group, d), turn);
    turn->served_round = turn->called_round = 0;
  }
  group->num_members--;
  leave(group, now_ns);
  member->group = NULL;
}

struct event_base *bufferevent_rate_limit_group_base(
    const struct bufferevent_rate_limit_group *group) {
  return group->base;
}

/* --- The interface --- */

static void apply_min_share(struct bufferevent_rate_limit_group *group) {
  int64_t min_share = group->configured_min_share;
  /* More than a tick brings might never be there at once. */
  for (int d = 0; d < TOKENS_DIRECTIONS; d++)
    if (min_share > group->cfg.rate[d]) min_share = group->cfg.rate[d];
  group->min_share = greater(min_share, 1);
}

static void init_queue(struct rate_queue *queue) {
  EV_TAILQ_INIT(&queue->unserved);
  EV_TAILQ_INIT(&queue->served);
  queue->round = 1;
}

struct bufferevent_rate_limit_group *bufferevent_rate_limit_group_new(
    struct event_base *base, const struct ev_token_bucket_cfg *cfg) {
  struct bufferevent_rate_limit_group *group = strata_calloc(1, sizeof(*group));
  if (!group) return NULL;
  if (strata_lock_init(&group->lock, 0) < 0) {
    strata_free(group);
    return NULL;
  }
  group->base = base;
  group->cfg = *cfg;
  group->configured_min_share = DEFAULT_MIN_SHARE;
  apply_min_share(group);
  strata_token_bucket_start(&group->bucket, cfg, event_base_loop_time_ns(base));
  for (int d = 0; d < TOKENS_DIRECTIONS; d++) init_queue(queue_of(group, d));
  event_assign(&group->timer, base, -1, EV_FINALIZE, on_timer, group);
  event_callback_init(&group->task, event_base_get_npriorities(base) / 2, run_task, group);
  return group;
}

static void destroy(struct event_callback *task, void *arg) {
  struct bufferevent_rate_limit_group *group = arg;
  (void)task;
  event_debug_unassign(&group->timer);
  strata_lock_destroy(&group->lock, 0);
  strata_free(group);
}

void bufferevent_rate_limit_group_free(struct bufferevent_rate_limit_group *group) {
  if (!group) return;
  strata_lock_acquire(group->lock);
  strata_assert(!group->num_members);
  strata_lock_release(group->lock);
  event_del_noblock(&group->timer);
  event_base_finalize_callback(group->base, &group->task, destroy, group);
}

int bufferevent_rate_limit_group_set_cfg(struct bufferevent_rate_limit_group *group,
                                         const struct ev_token_bucket_cfg *cfg) {
  if (!group || !cfg) return -1;
  int64_t now_ns = enter(group);
  strata_token_bucket_change(&group->bucket, &group->cfg, cfg, now_ns);
  group->cfg = *cfg;
  apply_min_share(group);
  return leave(group, now_ns);
}

int bufferevent_rate_limit_group_set_min_share(struct bufferevent_rate_limit_group *group,
                                               size_t min_share) {
  if (min_share > EV_RATE_LIMIT_MAX) return -1;
  int64_t now_ns = enter(group);
  group->configured_min_share = (int64_t)min_share;
  apply_min_share(group);
  return leave(group, now_ns);
}

static ev_ssize_t get_limit(struct bufferevent_rate_limit_group *group,
                            enum token_direction direction) {
  enter(group);
  ev_ssize_t result = strata_token_bucket_tokens(&group->bucket, direction);
  strata_lock_release(group->lock);
  return result;
}

ev_ssize_t bufferevent_rate_limit_group_get_read_limit(struct bufferevent_rate_limit_group *group) {
  return get_limit(group, TOKENS_READ);
}

ev_ssize_t bufferevent_rate_limit_group_get_write_limit(
    struct bufferevent_rate_limit_group *group) {
  return get_limit(group, TOKENS_WRITE);
}

static int decrement(struct bufferevent_rate_limit_group *group, enum token_direction direction,
                     ev_ssize_t decr) {
  int64_t now_ns = enter(group);
  strata_token_bucket_take(&group->bucket, direction, decr);
  return leave(group, now_ns);
}

int bufferevent_rate_limit_group_decrement_read(struct bufferevent_rate_limit_group *group,
                                                ev_ssize_t decr) {
  return decrement(group, TOKENS_READ, decr);
}

int bufferevent_rate_limit_group_decrement_write(struct bufferevent_rate_limit_group *group,
                                                 ev_ssize_t decr) {
  return decrement(group, TOKENS_WRITE, decr);
}

void bufferevent_rate_limit_group_get_totals(struct bufferevent_rate_limit_group *group,
                                             ev_uint64_t *out_total_read,
                                             ev_uint64_t *out_total_written) {
  strata_lock_acquire(group->lock);
  if (out_total_read) *out_total_read = group->queues[TOKENS_READ].total;
  if (out_total_written) *out_total_written = group->queues[TOKENS_WRITE].total;
  strata_lock_release(group->lock);
}

void bufferevent_rate_limit_group_reset_totals(struct bufferevent_rate_limit_group *group) {
  strata_lock_acquire(group->lock);
  group->queues[TOKENS_READ].total = group->queues[TOKENS_WRITE].total = 0;
  strata_lock_release(group->lock);
}
