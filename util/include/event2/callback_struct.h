#ifndef EVENT2_CALLBACK_STRUCT_H_INCLUDED_
#define EVENT2_CALLBACK_STRUCT_H_INCLUDED_

/** @file event2/callback_struct.h
 *
 * The link by which anything that a loop can run sits in the loop's queues: a struct event
 * begins with one, and so does every deferred callback. Its layout is libevent 2.1's; its
 * fields belong to the library. Include event2/event_struct.h, not this file.
 */

#include <stddef.h>

#include <event2/event-config.h>
#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The shapes of queue(7), under names of our own so that a program's <sys/queue.h> may come
 * before or after this file. */
#define EVENT_TAILQ_ENTRY_(type)                               \
  struct {                                                     \
    struct type *tqe_next;  /* the following element */        \
    struct type **tqe_prev; /* the pointer that points here */ \
  }
#define EVENT_TAILQ_HEAD_(name, type)                             \
  struct name {                                                   \
    struct type *tqh_first;                                       \
    struct type **tqh_last; /* the pointer that ends the queue */ \
  }
#define EVENT_LIST_ENTRY_(type)                               \
  struct {                                                    \
    struct type *le_next;  /* the following element */        \
    struct type **le_prev; /* the pointer that points here */ \
  }

struct event;

/** One thing for a loop to run: an event, or a callback queued by the library. */
struct event_callback {
  EVENT_TAILQ_ENTRY_(event_callback) evcb_active_next;
  short evcb_flags;
  ev_uint8_t evcb_pri; /* smaller runs first */
  ev_uint8_t evcb_closure;
  union {
    void (*evcb_callback)(evutil_socket_t, short, void *);
    void (*evcb_selfcb)(struct event_callback *, void *);
    void (*evcb_evfinalize)(struct event *, void *);
    void (*evcb_cbfinalize)(struct event_callback *, void *);
  } evcb_cb_union;
  void *evcb_arg;
};

#ifdef __cplusplus
}
#endif
#endif
