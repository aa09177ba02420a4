#ifndef EVENT2_EVENT_COMPAT_H_INCLUDED_
#define EVENT2_EVENT_COMPAT_H_INCLUDED_

/** @file event2/event_compat.h
 *
 * The functions from before a program could have several bases. They work on the current base,
 * which is the one that event_init() made last, in whatever thread: safe in programs with one
 * thread and one base. New code uses the functions that each comment names.
 */

#include <event2/event-config.h>
#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event;
struct event_base;

/** Makes a base and makes it the current one; the caller frees it with event_base_free(). Never
 * returns NULL: a program that cannot have a base is ended with a message (see
 * event_set_fatal_callback()). Now event_base_new(). Linked with //backends. */
EVENT2_EXPORT_SYMBOL
struct event_base *event_init(void);

/** Runs the current base's loop. Now event_base_dispatch(). */
EVENT2_EXPORT_SYMBOL
int event_dispatch(void);

/** Runs the current base's loop with flags EVLOOP_*. Now event_base_loop(). */
EVENT2_EXPORT_SYMBOL
int event_loop(int flags);

/** Stops the current base's loop after `tv`, or at once for NULL. Now event_base_loopexit(). */
EVENT2_EXPORT_SYMBOL
int event_loopexit(const struct timeval *tv);

/** Stops the current base's loop after the running callback. Now event_base_loopbreak(). */
EVENT2_EXPORT_SYMBOL
int event_loopbreak(void);

/** Runs a callback once, in the current base. Now event_base_once(), which see. */
EVENT2_EXPORT_SYMBOL
int event_once(evutil_socket_t fd, short events, void (*callback)(evutil_socket_t, short, void *),
               void *arg, const struct timeval *timeout);

/** The name of the current base's backend; static storage. Now event_base_get_method(). */
EVENT2_EXPORT_SYMBOL
const char *event_get_method(void);

/** Sets the number of the current base's priorities. Now event_base_priority_init(). */
EVENT2_EXPORT_SYMBOL
int event_priority_init(int npriorities);

/** Fills in an event of the current base; without one, event_base_set() must follow. Arguments that
 * do not fit together are a caller's bug that it cannot report. Now event_assign(). */
EVENT2_EXPORT_SYMBOL
void event_set(struct event *ev, evutil_socket_t fd, short events,
               void (*callback)(evutil_socket_t, short, void *), void *arg);

/** @name Timers and signals with event_set(); now evtimer_assign() and evsignal_assign()
 * @{ */
#define evtimer_set(ev, callback, arg) event_set((ev), -1, 0, (callback), (arg))
#define evsignal_set(ev, signum, callback, arg) \
  event_set((ev), (signum), EV_SIGNAL | EV_PERSIST, (callback), (arg))
/** @} */

/** @name The names that the evtimer_ macros had at first
 * @{ */
#define timeout_add(ev, tv) event_add((ev), (tv))
#define timeout_set(ev, callback, arg) event_set((ev), -1, 0, (callback), (arg))
#define timeout_del(ev) event_del(ev)
#define timeout_pending(ev, out_expiry) event_pending((ev), EV_TIMEOUT, (out_expiry))
#define timeout_initialized(ev) event_initialized(ev)
/** @} */

/** @name The names that the evsignal_ macros had at first
 * @{ */
#define signal_add(ev, tv) event_add((ev), (tv))
#define signal_set(ev, signum, callback, arg) \
  event_set((ev), (signum), EV_SIGNAL | EV_PERSIST, (callback), (arg))
#define signal_del(ev) event_del(ev)
#define signal_pending(ev, out_expiry) event_pending((ev), EV_SIGNAL, (out_expiry))
#define signal_initialized(ev) event_initialized(ev)
/** @} */

#ifndef EVENT_FD
/** Now event_get_fd() and event_get_signal(). */
#define EVENT_FD(ev) ((int)event_get_fd(ev))
#define EVENT_SIGNAL(ev) event_get_signal(ev)
#endif

#ifdef __cplusplus
}
#endif

#endif
