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
 * Locks: the buffers share the bufferevent's lock, which is taken before the base's. */

/* Why a direction is not served although it is enabled. */
#define BEV_SUSPEND_WATERMARK 0x01 /* the input is at its high watermark */
#define BEV_SUSPEND_LOOKUP 0x08    /* the host's name is being looked up */

struct bufferevent_private;

/* What a kind of bufferevent does. Called with the bufferevent's lock held. */
struct bufferevent_ops {
  const char *type;
  /* The directions that are enabled or suspended, or the amount of output, have changed. Returns 0,
   * or -1 with errno when the descriptor can't be waited for. */
  int (*update)(struct bufferevent_private *bev);
  /* Takes everything out of the base: when the object is freed, and again when the last reference
   * is gone. */
  void (*detach)(struct bufferevent_private *bev);
  /* Frees what the kind owns. The lock is not held; nothing else uses the object any more. */
  void (*destroy)(struct bufferevent_private *bev);
  int (*flush)(struct bufferevent_private *bev, short directions, enum bufferevent_flush_mode mode);
  int (*set_fd)(struct bufferevent_private *bev, evutil_socket_t fd);
};

/* Callbacks that wait for the deferred task. */
struct bufferevent_pending {
  bool read, write;
  short events;   /* BEV_EVENT_*: one call for all */
  short timeouts; /* EV_READ, EV_WRITE: one call each, where callbacks are otherwise not deferred */
  int error;      /* the socket error of an event */
};

struct bufferevent_private {
  struct bufferevent bev; /* first */
  struct evbuffer input, output;
  struct evbuffer_parent parent;
  struct event_io_source source;
  struct event_callback deferred;
  strata_lock lock;
  int num_refs;
  int options; /* BEV_OPT_* */
  int priority;
  struct bufferevent_pending pending;
  uint8_t read_suspended, write_suspended; /* BEV_SUSPEND_* */
  bool is_serving; /* its callbacks are being run: output waits for their end */
  bool is_freed;   /* bufferevent_free() was called */
  bool is_connecting;
  bool wants_write_report; /* writing was enabled: the write callback is due without output too */
  bool connection_refused; /* a connect that failed at once, to be told from the loop */
  bool is_unconnected;     /* connecting failed: nothing is to be had from this socket */
  int dns_error;           /* EVUTIL_EAI_... of the last lookup, or 0 */
  struct bufferevent_lookup *lookup; /* connect_hostname.c */
  int read_error;                    /* met by a read, but not told yet: the kernel tells it once */
  uint32_t read_size;                /* what the next read asks for; grows while reads are filled */
  size_t max_single_read, max_single_write;
  int64_t read_since_ns,
      write_since_ns; /* when the direction last made progress or became active */
  struct evbuffer_cb_entry *input_watcher; /* while there is a high watermark */
};

static inline struct bufferevent_private *bufferevent_private_of(const struct bufferevent *bev) {
  return (struct bufferevent_private *)bev; /* the public part is the first member */
}

/* --- bufferevent.c --- */

/* Sets up the common part of a zeroed object with one reference. 0, or -1. */
int bufferevent_init(struct bufferevent_private *bev, struct event_base *base,
                     const struct bufferevent_ops *ops, int options);
/* Takes the lock and a reference: what a callback from the loop does first. False when the object
 * is already on its way out: then neither is taken. */
bool bufferevent_hold(struct bufferevent_private *bev);
/* Gives the reference back and releases the lock; frees at zero. */
void bufferevent_release(struct bufferevent_private *bev);

/* The kind's update(), for callers that can't pass an error on: the directions that can't be waited
 * for are disabled, and the event callback hears of it, deferred. */
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
size_t bufferevent_read_room(const struct bufferevent_private *bev);

/* --- callbacks.c: now, or deferred when the options or `trigger_options` say so. The lock is held,
 * and the caller holds a reference: a callback may free the bufferevent. --- */

void bufferevent_init_callbacks(struct bufferevent_private *bev);
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
/* The direction (one of EV_READ, EV_WRITE) waits for progress from now on. 0, or -1 when there is
 * no memory for its timer. */
int bufferevent_expect_progress(struct bufferevent_private *bev, short direction);
/* The direction has made progress. */
void bufferevent_note_progress(struct bufferevent_private *bev, short direction);
/* Disarms the timers. */
void bufferevent_stop_inactivity(struct bufferevent_private *bev);
/* Whether a direction waits for progress now: active, on a socket that is of use, and for writing
 * with output to write. */
bool bufferevent_awaits_progress(const struct bufferevent_private *bev, short direction);

/* --- connect_hostname.c --- */

/* Ends a lookup that is under way. The lock is held. */
void bufferevent_cancel_lookup(struct bufferevent_private *bev);

#endif
