#ifndef EVENT2_EVENT_STRUCT_H_INCLUDED_
#define EVENT2_EVENT_STRUCT_H_INCLUDED_

/** @file event2/event_struct.h
 *
 * The layout of struct event, for programs that keep events inside structs of their own and fill
 * them in with event_assign(). It is the layout of libevent 2.1 (128 bytes on LP64) and will stay
 * that. The fields belong to the library: read an event with the event_get_... functions.
 */

#include <event2/callback_struct.h>
#include <event2/event-config.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name The states of an event, in evcb_flags
 * @{ */
/** In the timer heap or in a common-timeout queue. */
#define EVLIST_TIMEOUT 0x01
/** Watching a descriptor or a signal. */
#define EVLIST_INSERTED 0x02
/** Was used for signals by old versions; no event has it. */
#define EVLIST_SIGNAL 0x04
/** In the queue of callbacks to run. */
#define EVLIST_ACTIVE 0x08
/** The library's own: does not keep the loop running. */
#define EVLIST_INTERNAL 0x10
/** In the queue of callbacks to run in the next turn. */
#define EVLIST_ACTIVE_LATER 0x20
/** Handed to event_finalize() or event_free_finalize(). */
#define EVLIST_FINALIZING 0x40
/** Filled in. */
#define EVLIST_INIT 0x80
/** All of them. */
#define EVLIST_ALL 0xff
/** @} */

struct event_base;

/** One event. See event2/event.h for what it is and who may free it. */
struct event {
  /** The callback and, while the event is active, its place in the queue. */
  struct event_callback ev_evcallback;
  /** The place among the timeouts: in the heap (its index, -1 when it is not there), or in the
   * queue of a common timeout. */
  union {
    EVENT_TAILQ_ENTRY_(event) ev_next_with_common_timeout;
    int min_heap_idx;
  } ev_timeout_pos;
  /** The descriptor, or the signal number, or -1. */
  evutil_socket_t ev_fd;
  struct event_base *ev_base;
  /** The place among the events of the same descriptor or signal. */
  union {
    struct {
      EVENT_LIST_ENTRY_(event) ev_io_next;
      /** The duration of a persistent event's timeout. */
      struct timeval ev_timeout;
    } ev_io;
    struct {
      EVENT_LIST_ENTRY_(event) ev_signal_next;
      /** How often the callback has still to run for the signals delivered. */
      short ev_ncalls;
      /** Keeps the layout; unused. */
      short *ev_pncalls;
    } ev_signal;
  } ev_;
  /** EV_... that the event was made with. */
  short ev_events;
  /** EV_... that the callback will be told. */
  short ev_res;
  /** Where the library keeps the deadline of some timeouts, in a form of its own. */
  struct timeval ev_timeout;
};

/** A queue of events. */
EVENT_TAILQ_HEAD_(event_list, event);

/** A list of events of one descriptor or signal. */
struct event_dlist {
  struct event *lh_first;
};

#ifdef __cplusplus
}
#endif

#endif
