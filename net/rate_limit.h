#ifndef STRATA_NET_RATE_LIMIT_H_
#define STRATA_NET_RATE_LIMIT_H_

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <event2/bufferevent.h>

#include "net/bufferevent_internal.h"
#include "net/token_bucket.h"

/* Rate limits: a bucket of a bufferevent's own, and that of the group it may be in.
 *
 * Whoever moves bytes claims tokens, moves at most as many bytes, says how many they were, and
 * settles. Where there are no tokens the direction is suspended (BEV_SUSPEND_BW, _BW_GROUP). What
 * is suspended follows from the buckets: every update of a bufferevent computes it afresh. A timer
 * is armed only for a suspended direction that has something to do, for the tick that will bring
 * the tokens; it, like the group when it is a member's turn, does nothing but such an update.
 *
 * Fairness in a group, per direction. What a member may move at a time is its share: the tokens
 * divided among those who want them, but not less than the group's min_share. Only who comes when
 * nobody waits may use a smaller rest. A member that has used its share waits behind those that had
 * none in this round. A round begins when those called in the one before had their turn, or with a
 * tick: as many waiting members as there are tokens for are called, the longest waiting first.
 *
 *   idle --(no tokens, or others come first; share used up)--> waiting --(a round begins)--> called
 *     ^------------(nothing to do any more)-----------------------'                             |
 *     '-----------------------------------(claims, or has nothing to do any more)---------------'
 *
 * Locks: bufferevent before group before base. No user code runs under a group's lock, and the
 * group calls its members by tasks in their own bases, so it never takes their locks. */

struct bufferevent_rate_limit;

enum rate_turn_state { RATE_IDLE, RATE_WAITING, RATE_CALLED };

/* A member's place in its group, for one direction. The group's lock is held. */
struct rate_turn {
  EVENT_TAILQ_ENTRY_(rate_turn) next; /* while waiting */
  struct bufferevent_rate_limit *member;
  enum rate_turn_state state;
  uint64_t served_round, called_round; /* the last ones; 0: none */
  int64_t share;                       /* of the claim that is being used; 0: none is */
  int64_t used;                        /* of it */
  int64_t reserved; /* taken out of the group's bucket and neither used nor put back yet */
};

/* What a bufferevent has from its first limit on until it is destroyed. Its lock is held. */
struct bufferevent_rate_limit {
  struct bufferevent_private *bev;
  struct ev_token_bucket_cfg *cfg; /* the user's; NULL: no limit of its own */
  struct token_bucket bucket;      /* while there is a cfg */
  struct event timer;
  int64_t timer_due_ns; /* 0: not armed */
  struct event_callback task;
  struct bufferevent_rate_limit_group *group; /* or NULL */
  struct rate_turn turns[TOKENS_DIRECTIONS];
};

/* Arms the timer for `due_ns`, or disarms it (INT64_MAX). 0, or -1 when there is no memory. */
int strata_rate_timer_set(struct event *timer, int64_t *inout_due_ns, int64_t due_ns,
                          int64_t now_ns);

/* --- rate_limit.c: what bufferevents call. Their lock is held, and there is a limit. --- */

/* Suspends and resumes both directions as the buckets say, and sees to it that what is suspended
 * and wanted will be resumed. Calls no update(). Returns the directions (EV_READ, EV_WRITE) that
 * will not be, because there is no memory for a timer. */
short bufferevent_rate_limit_refresh(struct bufferevent_private *bev);
/* How many bytes may be moved now, up to max_len. bufferevent_rate_limit_settle() must follow. */
size_t bufferevent_rate_limit_claim(struct bufferevent_private *bev, short direction,
                                    size_t max_len);
/* So many of the claimed bytes were moved. */
void bufferevent_rate_limit_charge(struct bufferevent_private *bev, short direction, size_t len);
/* Gives back what was claimed and not used. */
void bufferevent_rate_limit_settle(struct bufferevent_private *bev, short direction);
/* Leaves the group, and takes timer and task out of the base. */
void bufferevent_rate_limit_detach(struct bufferevent_private *bev);

/* Its timer and task get a priority, which is a base's. */
void bufferevent_rate_limit_set_priority(struct bufferevent_private *bev, int priority);

/* What moving to another base has to remember. */
struct rate_limit_move {
  struct event_base *old_base;
  struct bufferevent_rate_limit_group *group;
};
/* Before and after the bufferevent gets another base. A group calls its members in their bases, so
 * it does not have the member meanwhile. */
void bufferevent_rate_limit_leave_base(struct bufferevent_private *bev,
                                       struct rate_limit_move *out_move);
void bufferevent_rate_limit_enter_base(struct bufferevent_private *bev,
                                       const struct rate_limit_move *move);
/* Frees it. Nothing else uses the bufferevent any more. */
void bufferevent_rate_limit_destroy(struct bufferevent_private *bev);

/* --- What the kinds call, whether there is a limit or not; the lock is held --- */

/* How much of max_len may be moved now; settle() follows. */
static inline size_t bufferevent_claim(struct bufferevent_private *bev, short direction,
                                       size_t max_len) {
  return bev->rate_limit ? bufferevent_rate_limit_claim(bev, direction, max_len) : max_len;
}

static inline void bufferevent_charge(struct bufferevent_private *bev, short direction,
                                      size_t len) {
  if (bev->rate_limit) bufferevent_rate_limit_charge(bev, direction, len);
}

static inline void bufferevent_settle(struct bufferevent_private *bev, short direction) {
  if (bev->rate_limit) bufferevent_rate_limit_settle(bev, direction);
}

/* What update() begins and ends with, around serving whatever the limits allow: the directions that
 * have used up theirs and for whose tokens nothing waits, because there is no memory; and all that
 * fail, with errno. */
static inline short bufferevent_refresh_limits(struct bufferevent_private *bev) {
  return bev->rate_limit ? bufferevent_rate_limit_refresh(bev) : 0;
}

static inline short bufferevent_failed_update(short unserved, short without_tokens) {
  if (without_tokens && !unserved) errno = ENOMEM;
  return unserved | without_tokens;
}

/* --- rate_limit_group.c: what rate_limit.c calls. There is a group. --- */

size_t bufferevent_rate_limit_group_claim(struct bufferevent_rate_limit *member,
                                          enum token_direction direction, size_t max_len);
void bufferevent_rate_limit_group_charge(struct bufferevent_rate_limit *member,
                                         enum token_direction direction, size_t len);
void bufferevent_rate_limit_group_settle(struct bufferevent_rate_limit *member,
                                         enum token_direction direction);
/* What a claim would get. */
size_t bufferevent_rate_limit_group_share(struct bufferevent_rate_limit *member,
                                          enum token_direction direction);
/* Says whether the direction waits. One that is not wanted gives up its place. 0, or -1 when it
 * waits and there is no memory for the group's timer. */
int bufferevent_rate_limit_group_refresh(struct bufferevent_rate_limit *member,
                                         enum token_direction direction, bool is_wanted,
                                         bool *out_waits);
void bufferevent_rate_limit_group_join(struct bufferevent_rate_limit *member,
                                       struct bufferevent_rate_limit_group *group);
void bufferevent_rate_limit_group_leave(struct bufferevent_rate_limit *member);
struct event_base *bufferevent_rate_limit_group_base(
    const struct bufferevent_rate_limit_group *group);

#endif
