#ifndef EVENT2_WATCH_H_INCLUDED_
#define EVENT2_WATCH_H_INCLUDED_

/** @file event2/watch.h
 *
 * Watchers of the loop itself: callbacks at fixed places of every turn.
 *
 *     prepare   before the loop looks for events, which is when it may block
 *     check     after it has looked, before the callbacks of what it found
 *     idle      in a turn that has nothing more urgent to do (strata's own)
 *
 * Prepare and check watchers are libevent 2.2's. They serve to measure a loop, or to embed in it a
 * library that wants to be asked before and told after each wait.
 *
 * The watchers of one kind run in the order in which they were made; one that is made by a callback
 * of its kind runs from the next turn on. Callbacks run in the loop's thread, without the base's
 * lock. They may add, delete and activate events, which the wait that follows takes into account,
 * and may make and free watchers, their own included. After event_base_loopbreak() the loop neither
 * waits nor runs another callback.
 *
 * Lifetime. A watcher belongs to its base: it lives until evwatch_free(), or until the base is
 * freed, which runs no callback of it. A base without watchers pays nothing for them.
 *
 * Threads. As with events, every function may be called from any thread of a base that has locks.
 */

#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct timeval;

/** A prepare, check or idle watcher. Opaque. */
struct evwatch;

/** What a prepare callback may ask about: evwatch_prepare_get_timeout(). Valid during the
 * callback. */
struct evwatch_prepare_cb_info;
/** Nothing can be asked about a check so far. */
struct evwatch_check_cb_info;
/** Nothing can be asked about idleness so far. */
struct evwatch_idle_cb_info;

/** Called with the watcher, what may be asked about the turn, and the watcher's argument. */
typedef void (*evwatch_prepare_cb)(struct evwatch *, const struct evwatch_prepare_cb_info *,
                                   void *);
typedef void (*evwatch_check_cb)(struct evwatch *, const struct evwatch_check_cb_info *, void *);
typedef void (*evwatch_idle_cb)(struct evwatch *, const struct evwatch_idle_cb_info *, void *);

/** Makes a watcher whose callback runs in every turn of the loop just before it looks for
 * events, also when it will not wait for them. Does not keep the loop going. NULL when memory is
 * short. */
EVENT2_EXPORT_SYMBOL
struct evwatch *evwatch_prepare_new(struct event_base *base, evwatch_prepare_cb callback,
                                    void *arg);

/** Makes a watcher whose callback runs in every turn once the loop has looked at its
 * descriptors, before any event's callback, and before timers that are due count as active. Does
 * not keep the loop going. NULL when memory is short.
 */
EVENT2_EXPORT_SYMBOL
struct evwatch *evwatch_check_new(struct event_base *base, evwatch_check_cb callback, void *arg);

/** Makes a watcher whose callback runs once in each turn that finds nothing active at `priority`
 * or a more urgent one, as libev's ev_idle does. strata's own.
 *
 * It runs before the events of less urgent priorities, which have their share of every turn
 * nevertheless. Where idle watchers have different priorities, only those of the most urgent one
 * run. While there is an idle watcher the loop does not block; neither does it end for lack of
 * events: the watcher counts as one, of the kind EVENT_BASE_COUNT_VIRTUAL. EVLOOP_ONCE takes its
 * callback for an event's; EVLOOP_NONBLOCK ends the loop after it, when there are no events.
 *
 * @param priority 0, the most urgent, to event_base_get_npriorities() - 1.
 * @return the watcher; NULL when there is no such priority or memory is short.
 */
EVENT2_EXPORT_SYMBOL
struct evwatch *evwatch_idle_new(struct event_base *base, int priority, evwatch_idle_cb callback,
                                 void *arg);

/** Ends a watcher: its callback does not run again. Any callback may do this. Does not wait for
 * a callback that another thread is running; the watcher's memory stays valid until that returns.
 */
EVENT2_EXPORT_SYMBOL
void evwatch_free(struct evwatch *watcher);

/** The base that the watcher was made with. */
EVENT2_EXPORT_SYMBOL
struct event_base *evwatch_base(struct evwatch *watcher);

/** How long the loop is going to wait at most, as things stand when the callback begins.
 *
 * @param out_timeout is set to the time until the next timer, rounded up to the microsecond; to 0
 *   when the loop will not wait.
 * @return 1, or 0 when no timer bounds the wait, and `out_timeout` is left alone. */
EVENT2_EXPORT_SYMBOL
int evwatch_prepare_get_timeout(const struct evwatch_prepare_cb_info *info,
                                struct timeval *out_timeout);

#ifdef __cplusplus
}
#endif

#endif
