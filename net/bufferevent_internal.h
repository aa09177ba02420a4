#ifndef STRATA_NET_BUFFEREVENT_INTERNAL_H_
#define STRATA_NET_BUFFEREVENT_INTERNAL_H_

#include <stdbool.h>
#include <stdint.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>

#include "buffer/evbuffer_internal.h"
#include "buffer/parent.h"
#include "loop/io_source.h"
#include "util/executor.h"
#include "util/lock.h"

/* What every kind of bufferevent has. One allocation: the public struct, both buffers and this.
 *
 * Lifetime: counted. bufferevent_free() gives back the maker's reference; a running callback holds
 * one, a queued one does not. At zero the object is taken out of its base, and its memory is freed
 * once no callback can be under way in the loop's thread (loop/finalize.h). Any callback may free
 * the bufferevent.
 *
 * Locks: the buffers share the bufferevent's lock, which is taken before the base's. Partners of a
 * pair, and a filter and what it lies over, have one lock together, so that there is no order to
 * take two in; it goes with the last of them. */

/* Why a direction is not served although it is enabled. */
#define BEV_SUSPEND_WATERMARK 0x01 /* the input is at its high watermark */
#define BEV_SUSPEND_FILTER 0x40    /* the filter above does not read */
#define BEV_SUSPEND_BW 0x02        /* it has used up its rate limit (rate_limit.h) */
#define BEV_SUSPEND_BW_GROUP 0x04  /* it waits for its turn in its group */
#define BEV_SUSPEND_LOOKUP 0x08    /* the host's name is being looked up */

struct bufferevent_private;

/* What a kind of bufferevent does. Called with the bufferevent's lock held. */
struct bufferevent_ops {
  const char *type;
  /* It works on a descriptor of its own, which is ev_read.ev_fd. */
  bool is_socket;
  /* update() moves bytes to another bufferevent at once, in the middle of callbacks too, and may
   * call functions of the user's (evbuffer callbacks, filters), which may free the object: its
   * callers hold a reference. */
  bool moves_at_once;
  /* What was received ahead of being wanted goes with its socket: forget_socket() can't undo it. */
  bool receives_ahead;
  /* peer() is what bufferevent_get_underlying() returns. */
  bool wraps_peer;
  /* The directions that are enabled or suspended, or the amount of output, have changed. Returns 0,
   * or with errno the directions that can't be served; the others are. */
  short (*update)(struct bufferevent_private *bev);
  /* Takes everything out of the base: when the object is freed, and again when the last reference
   * is gone. */
  void (*detach)(struct bufferevent_private *bev);
  /* Frees what the kind owns. The lock is not held; nothing else uses the object any more. */
  void (*destroy)(struct bufferevent_private *bev);
  /* The rest may be NULL: not supported. */
  int (*flush)(struct bufferevent_private *bev, short directions, enum bufferevent_flush_mode mode);
  int (*set_fd)(struct bufferevent_private *bev, evutil_socket_t fd);
  evutil_socket_t (*get_fd)(struct bufferevent_private *bev);
  /* Closes a descriptor that set_fd() has just taken away, as soon as nothing uses it any more;
   * NULL: nothing does. */
  int (*discard_fd)(struct bufferevent_private *bev, evutil_socket_t fd);
  /* What is known of its socket, and what is under way there, belongs to another from now on, or
   * to one that was not connecting. Not NULL when is_socket. */
  void (*forget_socket)(struct bufferevent_private *bev);
  /* Tells what is the kind's own of a new priority, which is a base's. */
  void (*set_priority)(struct bufferevent_private *bev, int priority);
  /* Whether its base can't be changed now. */
  bool (*is_busy)(struct bufferevent_private *bev);
  /* The bufferevent that it shares its lock with, or NULL. */
  struct bufferevent_private *(*peer)(struct bufferevent_private *bev);
  /* What bufferevent_schedule_work() asked for, from the loop. Callbacks may be called. */
  void (*work)(struct bufferevent_private *bev);
};

/* Callbacks that wait for the deferred task. */
struct bufferevent_pending {
  bool read, write;
  bool work; /* the kind's own, before the callbacks */
  uint8_t
      timeouts; /* EV_READ, EV_WRITE: one call each, where callbacks are otherwise not deferred */
  short events; /* BEV_EVENT_*: one call for all */
  int error;    /* the socket error of an event */
};

struct bufferevent_shared_lock {
  int num_refs; /* the bufferevents that use the lock, which also guards this */
};

struct bufferevent_private {
  struct bufferevent bev; /* first */
  struct evbuffer input, output;
  struct evbuffer_parent parent;
  struct event_io_source source;
  struct event_callback deferred;
  strata_lock lock;
  struct bufferevent_shared_lock *shared_lock; /* NULL while the lock is its own alone */
  int num_refs;
  uint8_t options; /* BEV_OPT_* */
  uint8_t priority;
  uint8_t read_suspended, write_suspended; /* BEV_SUSPEND_* */
  struct bufferevent_pending pending;
  uint8_t waiting; /* EV_READ, EV_WRITE: waits for progress, as of the last update() */
  uint8_t untimed; /* EV_READ, EV_WRITE: waits without its timer, for which there was no memory */
  bool keeps_loop; /* a timer keeps the loop going, for which there is no descriptor */
  int dns_error;   /* EVUTIL_EAI_... of the last lookup, or 0 */
  bool is_serving; /* its callbacks are being run: output waits for their end */
  bool is_freed;   /* bufferevent_free() was called */
  bool watches_input; /* there has been a high watermark */
  bool is_connecting;
  bool connect_timer_has_ended; /* connecting goes on all the same */
  bool wants_write_report; /* writing was enabled: the write callback is due without output too */
  bool is_unconnected;     /* connecting failed: nothing is to be had from this socket */
  int connect_error;       /* a refusal that came at once, to be told from the loop, or 0 */
  struct bufferevent_lookup *lookup; /* connect_hostname.c */
  int read_error;                    /* met by a read, but not told yet: the kernel tells it once */
  uint32_t read_size;                /* what the next read asks for; grows while reads are filled */
  size_t max_single_read, max_single_write;
  int64_t read_since_ns,
      write_since_ns; /* when the direction last made progress or became active */
  struct bufferevent_rate_limit *rate_limit; /* from its first limit or group on */
};

static inline struct bufferevent_private *bufferevent_private_of(const struct bufferevent *bev) {
  return (struct bufferevent_private *)bev; /* the public part is the first member */
}

/* --- bufferevent.c --- */

/* Sets up the common part of a zeroed object with one reference. 0, or -1; a shared lock is then
 * given back. */
int bufferevent_init(struct bufferevent_private *bev, struct event_base *base,
                     const struct bufferevent_ops *ops, int options);
/* Takes the lock and a reference: what a callback from the loop does first. False when the object
 * is already on its way out: then neither is taken. */
bool bufferevent_hold(struct bufferevent_private *bev);
/* Gives the reference back and releases the lock; frees at zero. */
void bufferevent_release(struct bufferevent_private *bev);

/* --- shared_lock.c --- */

/* Makes `bev`, which has no lock, use that of `peer` (if it has one), which is held. Before
 * bufferevent_init(), or for one that has been in use without. 0, or -1 without memory. */
int bufferevent_share_lock(struct bufferevent_private *bev, struct bufferevent_private *peer);
/* Gives a lock to `bev` and to those that it shares one with, if threads are set up and it has
 * none. 0, or -1: no memory, or somebody may be in the middle of a call or a callback of one of
 * them, because it has more references than its owners'. */
int bufferevent_enable_locking(struct bufferevent_private *bev);
/* Gives up the lock, or its share in it, of an object that goes away. */
void bufferevent_drop_lock(struct bufferevent_private *bev);
/* The bufferevent that shares its lock because it is its partner or lies under it, or NULL. */
struct bufferevent_private *bufferevent_peer(struct bufferevent_private *bev);

/* Closes a descriptor that was just taken away from it, now or when it is in use no more. */
int bufferevent_discard_fd(struct bufferevent_private *bev, evutil_socket_t fd);

/* --- directions.c --- */

/* The kind's update(), for callers that can't pass an error on: the directions that can't be served
 * are disabled, and the event callback hears of it, deferred. */
void bufferevent_update(struct bufferevent_private *bev);

static inline void bufferevent_suspend_read(struct bufferevent_private *bev, uint8_t why) {
  if (bev->read_suspended & why) return;
  bev->read_suspended |= why;
  bufferevent_update(bev);
}

static inline void bufferevent_resume_read(struct bufferevent_private *bev, uint8_t why) {
  if (!(bev->read_suspended & why)) return;
  bev->read_suspended &= (uint8_t)~why;
  bufferevent_update(bev);
}

static inline void bufferevent_suspend_write(struct bufferevent_private *bev, uint8_t why) {
  if (bev->write_suspended & why) return;
  bev->write_suspended |= why;
  bufferevent_update(bev);
}

static inline void bufferevent_resume_write(struct bufferevent_private *bev, uint8_t why) {
  if (!(bev->write_suspended & why)) return;
  bev->write_suspended &= (uint8_t)~why;
  bufferevent_update(bev);
}

/* A direction that is enabled and not suspended. */
static inline bool bufferevent_is_active(const struct bufferevent_private *bev, short direction) {
  uint8_t suspended = direction == EV_READ ? bev->read_suspended : bev->write_suspended;
  return bev->bev.enabled & direction && !suspended;
}

/* How many more bytes the input may take: bounded by its high watermark. */
static inline size_t bufferevent_read_room(const struct bufferevent_private *bev) {
  size_t high = bev->bev.wm_read.high;
  if (!high) return EV_SSIZE_MAX;
  return bev->input.total_len < high ? high - bev->input.total_len : 0;
}

/* --- callbacks.c: now, or deferred when the options or `trigger_options` say so. The lock is held,
 * and the caller holds a reference: a callback may free the bufferevent. --- */

void bufferevent_init_callbacks(struct bufferevent_private *bev);
/* Has the kind's work(), if it has one, and then update() called from the loop. */
void bufferevent_schedule_work(struct bufferevent_private *bev);
void bufferevent_run_readcb(struct bufferevent_private *bev, int trigger_options);
void bufferevent_run_writecb(struct bufferevent_private *bev, int trigger_options);
void bufferevent_run_eventcb(struct bufferevent_private *bev, short what, int trigger_options);
/* Always from the deferred task: it counts as something that has happened, for which EVLOOP_ONCE
 * returns, and the internal timers do not. */
void bufferevent_run_timeoutcb(struct bufferevent_private *bev, short direction);
/* The read or write callback, if the watermark of that direction lets it. */
void bufferevent_run_if_due(struct bufferevent_private *bev, short directions, int trigger_options);

/* --- inactivity.c: the timeouts. A timer is armed when a direction becomes active, and looks when
 * it fires how long ago the last progress was, so that progress costs a store. --- */

void bufferevent_init_inactivity(struct bufferevent_private *bev);
/* Whether writing waits for a connection: also while it is disabled, but only until that has been
 * told to take too long. */
static inline bool bufferevent_awaits_connection(const struct bufferevent_private *bev) {
  if (!bev->is_connecting || bev->is_freed || bev->write_suspended) return false;
  return !bev->connect_timer_has_ended || bev->bev.enabled & EV_WRITE;
}

/* Whether a direction waits for progress now: active, on a socket that is of use, and for writing
 * with output to write or a connection to be made. */
static inline bool bufferevent_awaits_progress(const struct bufferevent_private *bev,
                                               short direction) {
  if (direction == EV_WRITE && bev->is_connecting) return bufferevent_awaits_connection(bev);
  if (direction == EV_WRITE && !bev->output.total_len) return false;
  if (!bufferevent_is_active(bev, direction)) return false;
  return !bev->bev.be_ops->is_socket || (bev->bev.ev_read.ev_fd >= 0 && !bev->is_unconnected);
}

/* Starts the timers of these directions, and of those that have none yet for want of memory. */
short bufferevent_start_timers(struct bufferevent_private *bev, short directions);
/* The directions (EV_READ, EV_WRITE) wait for progress from now on. Returns those for whose timers
 * there is no memory; the next call tries them again, so that a caller may leave it to the next
 * update() to tell of them. */
static inline short bufferevent_expect_progress(struct bufferevent_private *bev, short directions) {
  return directions | bev->untimed ? bufferevent_start_timers(bev, directions) : 0;
}
/* The directions that wait for progress now. */
static inline short bufferevent_waiting(const struct bufferevent_private *bev) {
  short waiting = bufferevent_awaits_progress(bev, EV_READ) ? EV_READ : 0;
  return bufferevent_awaits_progress(bev, EV_WRITE) ? waiting | EV_WRITE : waiting;
}
/* Where no descriptor does it, a timer keeps the loop going, but only while its direction waits. */
void bufferevent_keep_loop_going(struct bufferevent_private *bev);
/* bufferevent_expect_progress() for those of `waiting`, which is bufferevent_waiting(), that did
 * not wait so far. */
static inline short bufferevent_follow_waiting(struct bufferevent_private *bev, short waiting) {
  short begun = waiting & ~bev->waiting;
  bev->waiting = (uint8_t)waiting;
  short untimed = bufferevent_expect_progress(bev, begun);
  if (!bev->bev.be_ops->is_socket) bufferevent_keep_loop_going(bev);
  return untimed;
}

void bufferevent_note_time(struct bufferevent_private *bev, short direction);
/* The direction has made progress. */
static inline void bufferevent_note_progress(struct bufferevent_private *bev, short direction) {
  const struct timeval *timeout =
      direction == EV_READ ? &bev->bev.timeout_read : &bev->bev.timeout_write;
  if (timeout->tv_sec || timeout->tv_usec) bufferevent_note_time(bev, direction);
}

/* Disarms the timers. */
void bufferevent_stop_inactivity(struct bufferevent_private *bev);

/* --- bufferevent_filter.c --- */

/* The high watermark of writing was set: a filter over this one may have room below now. */
void bufferevent_filter_on_write_mark(struct bufferevent_private *underlying);

/* --- connect_hostname.c --- */

/* Ends a lookup that is under way: its answer will be ignored. The lock is held; the directions are
 * not suspended any more, and update() is the caller's to call. */
void bufferevent_cancel_lookup(struct bufferevent_private *bev);

#endif
