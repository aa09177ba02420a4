#ifndef EVENT2_EVENT_H_INCLUDED_
#define EVENT2_EVENT_H_INCLUDED_

/** @file event2/event.h
 *
 * Events and the loop that runs them.
 *
 * An event names a condition (a descriptor is readable or writable, a signal arrived, some time
 * has passed, or "somebody called event_active()") and a callback. A base watches the conditions
 * of its events and runs the callbacks of those that became true, in the thread that called
 * event_base_loop() or event_base_dispatch().
 *
 * An event is in any combination of these states:
 *
 *     initialized   event_new() or event_assign() has filled it in
 *     pending       event_add() made the base watch its condition or its timeout
 *     active        its condition came true, its callback is queued to run
 *
 * When a callback is about to run, its event stops being active and, unless it has EV_PERSIST,
 * stops being pending. A persistent event stays pending, and its timeout, if it has one, starts
 * anew; so a persistent event with nothing but a timeout is a periodic timer.
 *
 * Lifetime. The memory of an event belongs to whoever made it and must stay valid while the event
 * is pending or active. A callback may free any event, its own included, and may change any other
 * event of the base. A base must outlive the events that are pending in it, and must not be freed
 * from a callback that it is running.
 *
 * Threads. With threads set up (event2/thread.h) before a base is made, every function here may be
 * called from any thread unless its comment says otherwise, and adding or activating an event
 * wakes the loop's thread when it waits. Only one thread at a time may run the loop of a base.
 * Callbacks run without the base's lock held. Without threads, a base and everything in it belong
 * to one thread at a time.
 *
 * Errors. Functions that return int return 0 on success and -1 on failure, functions that return a
 * pointer return NULL on failure, unless said otherwise; what fails changes nothing. Running out
 * of memory is such a failure. Misuse (an event that was never initialized, a second loop on a
 * base) is reported by a log message where it is noticed; event_enable_debug_mode() makes the
 * library notice more of it.
 *
 * Which label to link. The loop (//loop) makes no base by itself, because it knows no backend:
 * event_base_new(), event_base_new_with_config() and event_get_supported_methods() come with
 * //backends, and with the whole, //:event_core.
 */

#include <stddef.h>
#include <stdio.h>

#include <event2/event-config.h>
#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A loop: the set of events that it watches and the queues of callbacks to run. Opaque. */
struct event_base;

/** One condition with its callback. Treat it as opaque; event2/event_struct.h has its layout for
 * programs that embed events in structs of their own. */
struct event;

/** What a base should be like, collected before it is made. Opaque. */
struct event_config;

/** What an event calls. `fd` is the event's descriptor, or the signal number, or -1. `what` says
 * why: EV_READ, EV_WRITE, EV_CLOSED, EV_SIGNAL, EV_TIMEOUT, or what was given to event_active();
 * EV_ET is set beside them when the event is edge-triggered. `arg` is the event's argument. */
typedef void (*event_callback_fn)(evutil_socket_t fd, short what, void *arg);

/** @name What an event waits for, and what a callback is told
 * @{ */
/** Time ran out. Only ever told to callbacks and asked of event_pending(): any event gets a timeout
 * by passing one to event_add(), with or without this flag. */
#define EV_TIMEOUT 0x01
/** The descriptor can be read without blocking; end of stream and errors count. */
#define EV_READ 0x02
/** The descriptor can be written without blocking; errors count. */
#define EV_WRITE 0x04
/** The signal whose number stands in place of the descriptor was delivered to the process. Not to
 * be combined with EV_READ, EV_WRITE or EV_CLOSED. */
#define EV_SIGNAL 0x08
/** The event stays pending when it fires, and a timeout starts anew, until event_del(). */
#define EV_PERSIST 0x10
/** Fire when the descriptor becomes ready, not as long as it is ready. Needs EV_FEATURE_ET;
 * elsewhere the event is level-triggered. All events of one descriptor should agree on it. */
#define EV_ET 0x20
/** event_del() and event_free() of this event never wait for a callback that is running in another
 * thread; tear it down with event_finalize() or event_free_finalize(). */
#define EV_FINALIZE 0x40
/** The peer closed its sending side, noticed without reading what it sent before. Needs
 * EV_FEATURE_EARLY_CLOSE. */
#define EV_CLOSED 0x80
/** @} */

/* ---- Configuration --------------------------------------------------------------------------- */

/** What a backend can do; a bit mask of them is required with event_config_require_features() and
 * answered by event_base_get_features(). */
enum event_method_feature {
  /** Events may be edge-triggered (EV_ET). */
  EV_FEATURE_ET = 0x01,
  /** The cost of finding, adding or removing one event does not grow with the number of events. */
  EV_FEATURE_O1 = 0x02,
  /** Descriptors of every kind can be watched, plain files included, and not sockets alone. */
  EV_FEATURE_FDS = 0x04,
  /** Events may wait for EV_CLOSED. */
  EV_FEATURE_EARLY_CLOSE = 0x08
};

/** How a base behaves; given to event_config_set_flag(). */
enum event_base_config_flag {
  /** The base gets no lock, even if threads are set up: it and its events belong to one thread. */
  EVENT_BASE_FLAG_NOLOCK = 0x01,
  /** The environment has no say: EVENT_NOEPOLL and its like, EVENT_EPOLL_USE_CHANGELIST,
   * EVENT_PRECISE_TIMER and EVENT_SHOW_METHOD are ignored. */
  EVENT_BASE_FLAG_IGNORE_ENV = 0x02,
  /** On Windows: socket bufferevents and listeners use overlapped I/O. Elsewhere it does
   * nothing. */
  EVENT_BASE_FLAG_STARTUP_IOCP = 0x04,
  /** The clock is read whenever the time is needed, not once a turn of the loop. */
  EVENT_BASE_FLAG_NO_CACHE_TIME = 0x08,
  /** With epoll: changes of what a descriptor waits for are collected and handed to the kernel once
   * a turn. Saves system calls when events are often removed and added again; the price is that
   * event_add() can no longer report what the kernel thinks of the descriptor, and that duplicated
   * descriptors (dup(2)) of one file confuse the kernel's bookkeeping. The environment variable
   * EVENT_EPOLL_USE_CHANGELIST sets it as well. Without effect for other backends. */
  EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST = 0x10,
  /** Timeouts use the most precise clock that the system has, where reading it costs more than the
   * one that is used otherwise. The environment variable EVENT_PRECISE_TIMER sets it as well. */
  EVENT_BASE_FLAG_PRECISE_TIMER = 0x20,
  /** Sockets are served by completion where the platform can: bufferevents and listeners of the
   * base hand their operations to the kernel (io_uring on Linux) instead of waiting until they
   * would not block. Where it cannot, the base is one without this flag. The environment variable
   * EVENT_COMPLETION sets it as well; when its value is a number above 1, that is also the hint of
   * event_config_set_num_cpus_hint() for a program that gave none. An addition of strata. */
  EVENT_BASE_FLAG_COMPLETION = 0x10000
};

/** A configuration without wishes, to be freed with event_config_free(); NULL when memory is
 * short. A configuration belongs to one thread at a time. */
EVENT2_EXPORT_SYMBOL
struct event_config *event_config_new(void);

/** Frees a configuration. Bases made from it do not need it any more. */
EVENT2_EXPORT_SYMBOL
void event_config_free(struct event_config *cfg);

/** No base made from `cfg` uses the backend called `method`; the name is copied and need not be
 * that of a backend that exists. May be called for several names. */
EVENT2_EXPORT_SYMBOL
int event_config_avoid_method(struct event_config *cfg, const char *method);

/** Only a backend that has all of `features` (a mask of enum event_method_feature) will do.
 * Replaces an earlier requirement. Whether there is such a backend shows when the base is made. */
EVENT2_EXPORT_SYMBOL
int event_config_require_features(struct event_config *cfg, int features);

/** Adds `flag`, one or more of enum event_base_config_flag, to the flags set before. */
EVENT2_EXPORT_SYMBOL
int event_config_set_flag(struct event_config *cfg, int flag);

/** How many processors the program may count on, for engines that run workers of their own; others
 * ignore it. On Windows a base with EVENT_BASE_FLAG_STARTUP_IOCP or EVENT_BASE_FLAG_COMPLETION has
 * so many (64 at most) when this is above 1 and threads were enabled before the base was made. No
 * callback runs in a worker, but memory and lock hooks do. */
EVENT2_EXPORT_SYMBOL
int event_config_set_num_cpus_hint(struct event_config *cfg, int cpus);

/** Limits how long the loop runs callbacks before it looks for new events: not beyond
 * `max_interval` (NULL: no limit; checked after each callback, so one slow callback exceeds it),
 * and not more than `max_callbacks` of them (-1: no limit). Callbacks of priorities below
 * `min_priority`, that is more urgent ones, are exempt; 0 exempts none. Without this, the loop runs
 * all active callbacks of the most urgent priority before it looks again. What is left runs in the
 * next turns: urgent events wait less, at the price of more waits in the kernel. */
EVENT2_EXPORT_SYMBOL
int event_config_set_max_dispatch_interval(struct event_config *cfg,
                                           const struct timeval *max_interval, int max_callbacks,
                                           int min_priority);

/* ---- Bases ----------------------------------------------------------------------------------- */

/** A base with the platform's best backend, to be freed with event_base_free(). NULL when memory or
 * descriptors are short, or the environment forbids every backend. Linked with //backends. */
EVENT2_EXPORT_SYMBOL
struct event_base *event_base_new(void);

/** A base as `cfg` (or NULL: no wishes) describes; the configuration stays the caller's and may be
 * used again. NULL also when no backend satisfies it. Linked with //backends. */
EVENT2_EXPORT_SYMBOL
struct event_base *event_base_new_with_config(const struct event_config *cfg);

/** Frees a base; NULL is allowed. Events that are still pending or active are removed, not freed,
 * and their callbacks do not run; finalizers that wait to run, do run. No descriptor of the
 * caller's is closed. Events that the caller owns are freed before the base: afterwards they may
 * only be filled in again or, if they lie in the caller's memory, forgotten. The loop must not be
 * running, and no other thread may be using the base. */
EVENT2_EXPORT_SYMBOL
void event_base_free(struct event_base *base);

/** As event_base_free(), but drops finalizers without running them, and with them whatever they
 * would have freed. */
EVENT2_EXPORT_SYMBOL
void event_base_free_nofinalize(struct event_base *base);

/** Makes a base usable in the child of fork(2), where it shares kernel objects with the parent
 * until this is called: new kernel objects are made, pending events registered anew. Call it in the
 * child, before anything else with the base. The parent is not disturbed. Returns -1 when some
 * event could not be registered; the others are. */
EVENT2_EXPORT_SYMBOL
int event_reinit(struct event_base *base);

/** The name of the backend that the base uses, such as "epoll". Static storage. */
EVENT2_EXPORT_SYMBOL
const char *event_base_get_method(const struct event_base *base);

/** The name of the mechanism by which the base learns of signals. Static storage. From libevent
 * 2.2. */
EVENT2_EXPORT_SYMBOL
const char *event_base_get_signal_method(const struct event_base *base);

/** The features (enum event_method_feature, as a mask) of the base's backend. */
EVENT2_EXPORT_SYMBOL
int event_base_get_features(const struct event_base *base);

/** The names of the backends that this build has, best first, ended by NULL; whether the running
 * kernel offers them is not asked. The array belongs to the library; the next call may free it.
 * NULL when memory is short. Linked with //backends. */
EVENT2_EXPORT_SYMBOL
const char **event_get_supported_methods(void);

/** @name What event_base_get_num_events() and event_base_get_max_events() count
 * @{ */
/** Callbacks that are queued to run. */
#define EVENT_BASE_COUNT_ACTIVE 1U
/** Obligations that keep the loop from ending although no event stands for them. */
#define EVENT_BASE_COUNT_VIRTUAL 2U
/** Pending events, the library's own included. */
#define EVENT_BASE_COUNT_ADDED 4U
/** @} */

/** The sum of the kinds in `flags` (EVENT_BASE_COUNT_*): a measure of load, in which an event that
 * is both pending and active counts once for each kind asked. */
EVENT2_EXPORT_SYMBOL
int event_base_get_num_events(struct event_base *base, unsigned int flags);

/** The highest number that each kind in `flags` has reached, summed up. With `clear` not 0, those
 * kinds count anew from 0 afterwards. */
EVENT2_EXPORT_SYMBOL
int event_base_get_max_events(struct event_base *base, unsigned int flags, int clear);

/** The most priorities that a base can have. */
#define EVENT_MAX_PRIORITIES 256

/** Gives a base `npriorities` priorities, 1 to EVENT_MAX_PRIORITIES - 1, numbered from 0, the most
 * urgent. The loop runs nothing of a priority while something more urgent is active, so urgent
 * events can starve others. A new base has one priority; an event gets the middle one unless
 * event_priority_set() says otherwise. Set it before events are made; fails (-1) while events are
 * active or when the number is out of range. */
EVENT2_EXPORT_SYMBOL
int event_base_priority_init(struct event_base *base, int npriorities);

/** How many priorities the base has. */
EVENT2_EXPORT_SYMBOL
int event_base_get_npriorities(struct event_base *base);

/* ---- Running the loop ------------------------------------------------------------------------ */

/** @name How event_base_loop() runs
 * @{ */
/** Wait until something is active, run what is, return. */
#define EVLOOP_ONCE 0x01
/** Do not wait: run what is ready, and return when nothing is; together with EVLOOP_ONCE, return
 * after the first round. */
#define EVLOOP_NONBLOCK 0x02
/** Go on although nothing is pending or active, until told to stop. */
#define EVLOOP_NO_EXIT_ON_EMPTY 0x04
/** @} */

/** Waits for events and runs their callbacks in this thread, until nothing is pending or active or
 * one of the calls below stops it; `flags` (EVLOOP_*) change that. Returns 0 when it was stopped or
 * `flags` ended it, 1 when it ended because nothing was pending or active, and -1 when the backend
 * failed or this base's loop is running already (the library does not nest loops). */
EVENT2_EXPORT_SYMBOL
int event_base_loop(struct event_base *base, int flags);

/** event_base_loop() without flags. */
EVENT2_EXPORT_SYMBOL
int event_base_dispatch(struct event_base *base);

/** Stops the loop once `tv` has passed (NULL: now), after the callbacks that are active at that
 * time have run. When no loop is running, the next one stops after one turn (NULL) or when the
 * time has come. Later loops run as usual. */
EVENT2_EXPORT_SYMBOL
int event_base_loopexit(struct event_base *base, const struct timeval *tv);

/** Stops the loop as soon as the running callback returns; callbacks that are active but have not
 * run stay active for the next event_base_loop(). Calls made while no loop runs have no effect on
 * the next one. */
EVENT2_EXPORT_SYMBOL
int event_base_loopbreak(struct event_base *base);

/** Makes the loop look for new events as soon as the running callback returns, before it goes on
 * with the callbacks that are active. Nothing happens when no loop runs. */
EVENT2_EXPORT_SYMBOL
int event_base_loopcontinue(struct event_base *base);

/** Whether event_base_loopexit() has stopped the loop, from then until a loop starts again. */
EVENT2_EXPORT_SYMBOL
int event_base_got_exit(struct event_base *base);

/** Whether event_base_loopbreak() has been called, from then until a loop starts again. */
EVENT2_EXPORT_SYMBOL
int event_base_got_break(struct event_base *base);

/** Inside a callback, the event whose callback it is; NULL elsewhere, and in callbacks of the
 * library's own. Ask in the loop's thread. */
EVENT2_EXPORT_SYMBOL
struct event *event_base_get_running_event(struct event_base *base);

/* ---- Time ------------------------------------------------------------------------------------ */

/** The clock that the base's timeouts go by: it never goes back, and its zero means nothing. */
EVENT2_EXPORT_SYMBOL
int event_gettime_monotonic(struct event_base *base, struct timeval *out_time);

/** The wall-clock time (as gettimeofday()), from the base's cache where it has one: while callbacks
 * run, it is the time at which this round of them began. For NULL, the base of event_init() serves,
 * or the clock where there is none. */
EVENT2_EXPORT_SYMBOL
int event_base_gettimeofday_cached(struct event_base *base, struct timeval *out_time);

/** Reads the clock anew into the base's cache, for callbacks that take long and then set timeouts,
 * which count from the cached time. Nothing happens when no loop runs or the base caches no
 * time. */
EVENT2_EXPORT_SYMBOL
int event_base_update_cache_time(struct event_base *base);

/** Announces that many events will have the timeout `duration`, and returns a timeval that stands
 * for it: given to event_add() of this base, it puts the event into a queue shared by all events
 * of this duration, which costs the same however many there are. Worth it from some thousands of
 * equal timeouts. The result belongs to the base and lives as long; its content is not a readable
 * duration. Asking again for the same duration gives the same pointer. NULL when memory is short
 * or the base has 256 such durations. */
EVENT2_EXPORT_SYMBOL
const struct timeval *event_base_init_common_timeout(struct event_base *base,
                                                     const struct timeval *duration);

/* ---- Events: making and freeing -------------------------------------------------------------- */

/** Allocates an event and fills it in as event_assign() does; free it with event_free(). NULL when
 * memory is short or the arguments do not fit together. */
EVENT2_EXPORT_SYMBOL
struct event *event_new(struct event_base *base, evutil_socket_t fd, short events,
                        event_callback_fn callback, void *arg);

/** Fills in an event in the caller's memory.
 *
 * `events` combines EV_READ, EV_WRITE and EV_CLOSED to watch the descriptor `fd`; or is EV_SIGNAL,
 * then `fd` is a signal number; or has none of them, then `fd` is -1 and only a timeout or
 * event_active() fires the event. EV_PERSIST, EV_ET and EV_FINALIZE may be added. Any number of
 * events may watch one descriptor or signal; the signals of a process can be watched by one base at
 * a time. The event gets the middle one of the base's priorities.
 *
 * `arg` goes to the callback; event_self_cbarg() stands for the event itself. For a `base` of
 * NULL the base of event_init() serves; where there is none, event_base_set() must follow before
 * the event is used.
 *
 * The event must not be pending or active: it would stay in the base's lists with its links
 * overwritten. Debug mode notices. Returns -1 when EV_SIGNAL comes with a flag of a descriptor. */
EVENT2_EXPORT_SYMBOL
int event_assign(struct event *ev, struct event_base *base, evutil_socket_t fd, short events,
                 event_callback_fn callback, void *arg);

/** Deletes the event as event_del() does and frees it. Only for events from event_new(). Allowed
 * inside the event's own callback, not after its base was freed. */
EVENT2_EXPORT_SYMBOL
void event_free(struct event *ev);

/** The value that stands, as the `arg` of event_new() or event_assign(), for the event itself. */
EVENT2_EXPORT_SYMBOL
void *event_self_cbarg(void);

/** Attaches an event that is neither pending nor active to another base, with that base's middle
 * priority. Returns -1 when the event is in use. */
EVENT2_EXPORT_SYMBOL
int event_base_set(struct event_base *base, struct event *ev);

/** What event_finalize() calls once the event is out of use: the event and its argument. The
 * callback may free the event's memory, if event_free_finalize() does not, and what `arg` points
 * at. */
typedef void (*event_finalize_callback_fn)(struct event *ev, void *arg);

/** Deletes the event and, when its callback cannot be running any more, calls `callback` from the
 * loop: the way to tear down, from any thread and without waiting, an event that its callback may
 * be using. Until then the event must stay in memory and must not be added again. `flags` must be
 * 0. Made for events with EV_FINALIZE. */
EVENT2_EXPORT_SYMBOL
int event_finalize(unsigned flags, struct event *ev, event_finalize_callback_fn callback);

/** As event_finalize(), and frees the event, which came from event_new(), after `callback`. */
EVENT2_EXPORT_SYMBOL
int event_free_finalize(unsigned flags, struct event *ev, event_finalize_callback_fn callback);

/** Runs `callback` once, when `fd` is ready for `events` (EV_READ, EV_WRITE, EV_CLOSED) or
 * `timeout` has passed (NULL: never), with an event that the library allocates and frees. With
 * EV_TIMEOUT alone and no timeout, it runs in the next turn of the loop. The request cannot be
 * withdrawn; freeing the base drops it. Returns -1 for EV_SIGNAL and EV_PERSIST, when memory is
 * short, or when the kernel refuses `fd`. */
EVENT2_EXPORT_SYMBOL
int event_base_once(struct event_base *base, evutil_socket_t fd, short events,
                    event_callback_fn callback, void *arg, const struct timeval *timeout);

/* ---- Events: pending, active, and back ------------------------------------------------------- */

/** Makes the event pending: the base watches its condition and, with `timeout`, fires it with
 * EV_TIMEOUT when so much time has passed (0 or less: in the next turn). For an event that is
 * pending already, a timeout replaces the old one, and NULL leaves the old one as it is. An event
 * that is active stays so. Returns -1, and leaves the event as it was, when memory is short or the
 * kernel refuses the descriptor (errno EBADF, EPERM for a plain file, EEXIST, ...). */
EVENT2_EXPORT_SYMBOL
int event_add(struct event *ev, const struct timeval *timeout);

/** Takes away the timeout of a pending event, which goes on waiting for its condition. An event
 * with nothing but its timeout is no longer pending afterwards. */
EVENT2_EXPORT_SYMBOL
int event_remove_timer(struct event *ev);

/** Makes the event neither pending nor active. Nothing happens when it is not either. When its
 * callback is running in another thread, waits for it to return, unless the event has EV_FINALIZE:
 * so do not hold a lock that the callback takes. Inside its own callback it never waits. When it
 * returns, the callback will not run again (though, with EV_FINALIZE, it may still be running) and
 * the descriptor may be closed. */
EVENT2_EXPORT_SYMBOL
int event_del(struct event *ev);

/** event_del() that never waits, whatever the event's flags. */
EVENT2_EXPORT_SYMBOL
int event_del_noblock(struct event *ev);

/** event_del() that always waits as described, EV_FINALIZE or not. */
EVENT2_EXPORT_SYMBOL
int event_del_block(struct event *ev);

/** Makes the event active, pending or not: its callback will be told `what`, together with what it
 * is active for already. A signal event's callback runs `ncalls` times; for others `ncalls` says
 * nothing. From any thread, and inside callbacks. */
EVENT2_EXPORT_SYMBOL
void event_active(struct event *ev, int what, short ncalls);

/** Which of `events` (EV_READ, EV_WRITE, EV_CLOSED, EV_SIGNAL, EV_TIMEOUT) the event is pending or
 * active for, 0 if for none. When it has a timeout and `events` has EV_TIMEOUT, `out_expiry`,
 * unless NULL, gets the wall-clock time at which it will fire. */
EVENT2_EXPORT_SYMBOL
int event_pending(const struct event *ev, short events, struct timeval *out_expiry);

/** Whether the event has been filled in, provided that its memory was zeroed before: other memory
 * cannot be told apart. */
EVENT2_EXPORT_SYMBOL
int event_initialized(const struct event *ev);

/** Sets the event's priority, from 0 (most urgent) to the base's number of priorities less one.
 * Returns -1 when it is out of range or the event is active. */
EVENT2_EXPORT_SYMBOL
int event_priority_set(struct event *ev, int priority);

/* ---- Events: looking ------------------------------------------------------------------------- */

/** The event's descriptor, or its signal number, or -1. */
EVENT2_EXPORT_SYMBOL
evutil_socket_t event_get_fd(const struct event *ev);

/** The number of a signal event's signal. */
#define event_get_signal(ev) ((int)event_get_fd(ev))

/** The base that the event belongs to. */
EVENT2_EXPORT_SYMBOL
struct event_base *event_get_base(const struct event *ev);

/** The `events` that the event was made with. */
EVENT2_EXPORT_SYMBOL
short event_get_events(const struct event *ev);

/** The event's callback. */
EVENT2_EXPORT_SYMBOL
event_callback_fn event_get_callback(const struct event *ev);

/** The argument of the event's callback. */
EVENT2_EXPORT_SYMBOL
void *event_get_callback_arg(const struct event *ev);

/** The event's priority. */
EVENT2_EXPORT_SYMBOL
int event_get_priority(const struct event *ev);

/** All that the event was made with. An output that is NULL is skipped. */
EVENT2_EXPORT_SYMBOL
void event_get_assignment(const struct event *ev, struct event_base **out_base,
                          evutil_socket_t *out_fd, short *out_events,
                          event_callback_fn *out_callback, void **out_arg);

/** The size of struct event in bytes, as the library was compiled, for programs that allocate
 * events themselves but do not want its layout compiled in. */
EVENT2_EXPORT_SYMBOL
size_t event_get_struct_event_size(void);

/* ---- Shorthands ------------------------------------------------------------------------------ */

/** @name Timers: events that fire once, after the time given when they are added
 * (a periodic timer is event_new() with -1 and EV_PERSIST)
 * @{ */
#define evtimer_assign(ev, base, callback, arg) event_assign((ev), (base), -1, 0, (callback), (arg))
#define evtimer_new(base, callback, arg) event_new((base), -1, 0, (callback), (arg))
#define evtimer_add(ev, tv) event_add((ev), (tv))
#define evtimer_del(ev) event_del(ev)
#define evtimer_pending(ev, out_expiry) event_pending((ev), EV_TIMEOUT, (out_expiry))
#define evtimer_initialized(ev) event_initialized(ev)
/** @} */

/** @name Signal events, persistent
 * @{ */
#define evsignal_assign(ev, base, signum, callback, arg) \
  event_assign((ev), (base), (signum), EV_SIGNAL | EV_PERSIST, (callback), (arg))
#define evsignal_new(base, signum, callback, arg) \
  event_new((base), (signum), EV_SIGNAL | EV_PERSIST, (callback), (arg))
#define evsignal_add(ev, tv) event_add((ev), (tv))
#define evsignal_del(ev) event_del(ev)
#define evsignal_pending(ev, out_expiry) event_pending((ev), EV_SIGNAL, (out_expiry))
#define evsignal_initialized(ev) event_initialized(ev)
/** @} */

/** @name User events: fired by evuser_trigger() and nothing else
 * @{ */
#define evuser_new(base, callback, arg) event_new((base), -1, 0, (callback), (arg))
#define evuser_del(ev) event_del(ev)
#define evuser_pending(ev, out_expiry) event_pending((ev), 0, (out_expiry))
#define evuser_initialized(ev) event_initialized(ev)
#define evuser_trigger(ev) event_active((ev), 0, 0)
/** @} */

/* ---- A base's events as a whole -------------------------------------------------------------- */

/** Makes active those pending events of `fd` that wait for any of `events` (EV_READ, EV_WRITE,
 * EV_CLOSED), and with EV_TIMEOUT those that have a timeout, as if it had come. */
EVENT2_EXPORT_SYMBOL
void event_base_active_by_fd(struct event_base *base, evutil_socket_t fd, short events);

/** Makes active the pending events of the signal `signum`, as if it had been delivered once. */
EVENT2_EXPORT_SYMBOL
void event_base_active_by_signal(struct event_base *base, int signum);

/** What event_base_foreach_event() calls: 0 to go on, anything else to stop. */
typedef int (*event_base_foreach_event_cb)(const struct event_base *base, const struct event *ev,
                                           void *arg);

/** Calls `callback` for each event that is pending or active, the library's own included, in no
 * promised order. The base's lock is held all the while: the callback may only look, and must not
 * add, remove, change or free an event. Returns 0, or what the callback returned to stop. */
EVENT2_EXPORT_SYMBOL
int event_base_foreach_event(struct event_base *base, event_base_foreach_event_cb callback,
                             void *arg);

/** Writes a list of the pending and the active events to `output`, one a line, for people: the
 * format may change. */
EVENT2_EXPORT_SYMBOL
void event_base_dump_events(struct event_base *base, FILE *output);

/* ---- The library as a whole ------------------------------------------------------------------ */

/** From now on, remember every event that is filled in, and end the program with a message (see
 * event_set_fatal_callback()) when one is used that never was, or is filled in anew while pending.
 * Costs time and memory. Call it before the first event or base is made. Events in the caller's own
 * memory are forgotten with event_debug_unassign(). */
EVENT2_EXPORT_SYMBOL
void event_enable_debug_mode(void);

/** In debug mode: the event, which must not be pending, is out of use and its memory may be used
 * for something else. Without debug mode nothing happens. */
EVENT2_EXPORT_SYMBOL
void event_debug_unassign(struct event *ev);

/** @name Severities of log messages
 * @{ */
#define EVENT_LOG_DEBUG 0
#define EVENT_LOG_MSG 1
#define EVENT_LOG_WARN 2
#define EVENT_LOG_ERR 3
/* The names that they had at first. */
#define _EVENT_LOG_DEBUG EVENT_LOG_DEBUG
#define _EVENT_LOG_MSG EVENT_LOG_MSG
#define _EVENT_LOG_WARN EVENT_LOG_WARN
#define _EVENT_LOG_ERR EVENT_LOG_ERR
/** @} */

/** Receives a log message: its severity (EVENT_LOG_*) and its text, without a newline, valid during
 * the call. May be called from any thread and with locks of the library held, so it must not call
 * the library. */
typedef void (*event_log_cb)(int severity, const char *msg);

/** Sends log messages to `cb`; NULL: to standard error, as at first. Set it before other threads
 * use the library. */
EVENT2_EXPORT_SYMBOL
void event_set_log_callback(event_log_cb cb);

/** Called when the library cannot go on, after a message of severity EVENT_LOG_ERR that says why.
 * It should not return; if it does, the state of the library is undefined. */
typedef void (*event_fatal_cb)(int err);

/** Calls `cb` instead of ending the process when the library cannot go on; NULL: end it, as at
 * first. Set it before other threads use the library. */
EVENT2_EXPORT_SYMBOL
void event_set_fatal_callback(event_fatal_cb cb);

/** @name Arguments of event_enable_debug_logging()
 * @{ */
#define EVENT_DBG_ALL 0xffffffffu
#define EVENT_DBG_NONE 0
/** @} */

/** Turns messages of severity EVENT_LOG_DEBUG on (EVENT_DBG_ALL) or off (EVENT_DBG_NONE, as at
 * first); other values are reserved. There are many. Set it before the first base is made. */
EVENT2_EXPORT_SYMBOL
void event_enable_debug_logging(ev_uint32_t which);

#ifndef EVENT__DISABLE_MM_REPLACEMENT
/** Makes the library get, resize and free all its memory through these functions (contracts of
 * malloc, realloc and free); a NULL stands for the C library's. Memory that the library hands to
 * the caller is from them too, and is given back with `free_fn`. Call it before the library has
 * allocated anything, since it frees with the functions of today what it got yesterday. The
 * functions are called from every thread that uses the library, and with locks held. */
EVENT2_EXPORT_SYMBOL
void event_set_mem_functions(void *(*malloc_fn)(size_t size),
                             void *(*realloc_fn)(void *memory, size_t size),
                             void (*free_fn)(void *memory));
/** Defined where event_set_mem_functions() exists. */
#define EVENT_SET_MEM_FUNCTIONS_IMPLEMENTED
#endif

/** The version of libevent whose interface the library offers, such as "2.1.12-stable", as the
 * library was compiled. Static storage. */
EVENT2_EXPORT_SYMBOL
const char *event_get_version(void);

/** The same as a number, one byte each for major, minor and patch level, then a byte that says
 * nothing: 0x02010c00 for 2.1.12. */
EVENT2_EXPORT_SYMBOL
ev_uint32_t event_get_version_number(void);

/** event_get_version() of the headers that the program is compiled with. */
#define LIBEVENT_VERSION EVENT__VERSION
/** event_get_version_number() of the headers that the program is compiled with. */
#define LIBEVENT_VERSION_NUMBER EVENT__NUMERIC_VERSION

/** Frees what the library keeps for the process as a whole (not bases, events and other objects,
 * which are the caller's to free), so that leak checkers find nothing. Nothing of the library may
 * be used during it or afterwards, in any thread. */
EVENT2_EXPORT_SYMBOL
void libevent_global_shutdown(void);

#ifdef __cplusplus
}
#endif

#endif
