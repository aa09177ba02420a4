#ifndef EVENT2_THREAD_H_INCLUDED_
#define EVENT2_THREAD_H_INCLUDED_

/** @file event2/thread.h
 *
 * How the library takes locks. By default it takes none, and each base, buffer and bufferevent
 * belongs to one thread. A program that touches the same object from several threads first says
 * which threads library to use: evthread_use_pthreads() or evthread_use_windows_threads(), or,
 * for any other kind, the three setters of hooks below.
 *
 * Call these before anything else of the library: an object made earlier stays without locks.
 */

#include <event2/event-config.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name Modes for the lock and unlock hooks
 * @{ */
/** The lock is a read-write lock, wanted (or given back) for writing. */
#define EVTHREAD_WRITE 0x04
/** The lock is a read-write lock, wanted (or given back) for reading. */
#define EVTHREAD_READ 0x08
/** Do not wait: return nonzero at once when another thread has the lock. */
#define EVTHREAD_TRY 0x10
/** @} */

/** The version of struct evthread_lock_callbacks described here. */
#define EVTHREAD_LOCK_API_VERSION 1

/** @name Kinds of lock
 * @{ */
/** The thread that has the lock may take it again, and must release it as often as it took it. */
#define EVTHREAD_LOCKTYPE_RECURSIVE 1
/** Many readers or one writer. The library does not ask for such locks at present. */
#define EVTHREAD_LOCKTYPE_READWRITE 2
/** @} */

/** A threads library's locks. */
struct evthread_lock_callbacks {
  /** EVTHREAD_LOCK_API_VERSION. */
  int lock_api_version;
  /** The EVTHREAD_LOCKTYPE_ bits that alloc understands besides 0; RECURSIVE must be one. */
  unsigned supported_locktypes;
  /** Makes a lock of that kind, not taken. NULL on failure. */
  void *(*alloc)(unsigned locktype);
  /** Frees a lock that nobody holds. locktype is what alloc was given. */
  void (*free)(void *lock, unsigned locktype);
  /** Takes the lock. 0 when taken, anything else when not. */
  int (*lock)(unsigned mode, void *lock);
  /** Gives it back. 0 on success. */
  int (*unlock)(unsigned mode, void *lock);
};

/**
 * Installs the locks to use; the struct is copied.
 *
 * NULL switches locking off for objects made from now on. Locks that exist already keep whatever
 * hooks they have, so hooks cannot be exchanged for different ones: installing the same set again
 * is harmless, another set is refused.
 *
 * @return 0 on success; -1 when other hooks are in place or a function is missing.
 */
EVENT2_EXPORT_SYMBOL
int evthread_set_lock_callbacks(const struct evthread_lock_callbacks *callbacks);

/** The version of struct evthread_condition_callbacks described here. */
#define EVTHREAD_CONDITION_API_VERSION 1

struct timeval;

/** A threads library's condition variables. */
struct evthread_condition_callbacks {
  /** EVTHREAD_CONDITION_API_VERSION. */
  int condition_api_version;
  /** Makes a condition variable; condtype is 0. NULL on failure. */
  void *(*alloc_condition)(unsigned condtype);
  /** Frees one that nobody waits for. */
  void (*free_condition)(void *cond);
  /** Wakes all waiters (broadcast 1) or one of them (0). The caller holds the lock that the
   * waiters gave to wait_condition. 0 on success, -1 on failure. */
  int (*signal_condition)(void *cond, int broadcast);
  /** Releases the lock, which the caller holds once, waits until signalled or until timeout has
   * passed (NULL: no limit), and takes the lock again. Waking without a reason is allowed.
   * 0 when signalled, 1 when the time was up, -1 on error. */
  int (*wait_condition)(void *cond, void *lock, const struct timeval *timeout);
};

/**
 * Installs the condition variables to use; the struct is copied. NULL and repeated calls are
 * treated as in evthread_set_lock_callbacks().
 *
 * @return 0 on success, -1 when refused.
 */
EVENT2_EXPORT_SYMBOL
int evthread_set_condition_callbacks(const struct evthread_condition_callbacks *callbacks);

/** Installs the function that tells threads apart: equal results exactly for the same thread. */
EVENT2_EXPORT_SYMBOL
void evthread_set_id_callback(unsigned long (*id_fn)(void));

#if defined(_WIN32)
/**
 * Uses the locks, condition variables and thread ids of Windows. It needs no library of its own.
 *
 * @return 0 on success (also when called again), -1 when other hooks are in place.
 */
EVENT2_EXPORT_SYMBOL
int evthread_use_windows_threads(void);
/** Says that evthread_use_windows_threads() exists. */
#define EVTHREAD_USE_WINDOWS_THREADS_IMPLEMENTED 1
#endif

#if defined(EVENT__HAVE_PTHREADS)
/**
 * Uses POSIX threads. The function comes with a library of its own: link event_pthreads.
 *
 * @return 0 on success (also when called again), -1 when other hooks are in place or a POSIX call
 *   failed.
 */
EVENT2_EXPORT_SYMBOL
int evthread_use_pthreads(void);
/** Says that evthread_use_pthreads() exists. */
#define EVTHREAD_USE_PTHREADS_IMPLEMENTED 1

/** The owner of a lock runs at the highest priority among those who wait for it
 * (pthread_mutexattr_setprotocol(3), PTHREAD_PRIO_INHERIT). */
#define EVTHREAD_PTHREAD_PRIO_INHERIT 0x01

/**
 * As evthread_use_pthreads(), with EVTHREAD_PTHREAD_ flags for the mutexes. (libevent 2.2.)
 *
 * @return 0 on success, -1 also when the system cannot do what a flag asks for.
 */
EVENT2_EXPORT_SYMBOL
int evthread_use_pthreads_with_flags(int flags);
/** Says that evthread_use_pthreads_with_flags() exists. */
#define EVTHREAD_USE_PTHREADS_WITH_FLAGS_IMPLEMENTED 1
#endif

/**
 * From now on checks how every lock is used, and ends the program with a message when a lock is
 * released by a thread that has not got it, taken again though it is not recursive, used after
 * its end, or freed while held. For tests: it makes locking much slower. Works with any hooks,
 * and without any (then one thread is assumed). Call it before the first lock is made.
 */
EVENT2_EXPORT_SYMBOL
void evthread_enable_lock_debugging(void);

/** The same function under the misspelt name that it once had. */
EVENT2_EXPORT_SYMBOL
void evthread_enable_lock_debuging(void);

struct event_base;

/**
 * Makes sure that another thread can wake this base. A base made after threads were set up can be
 * woken anyway; this is for one that was made before.
 *
 * @return 0 on success, -1 on failure.
 */
EVENT2_EXPORT_SYMBOL
int evthread_make_base_notifiable(struct event_base *base);

#ifdef __cplusplus
}
#endif

#endif
