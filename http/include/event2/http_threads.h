#ifndef EVENT2_HTTP_THREADS_H_INCLUDED_
#define EVENT2_HTTP_THREADS_H_INCLUDED_

/** @file event2/http_threads.h
 *
 * An HTTP server on many cores: several loops, each with a thread, an event base and a server
 * (struct evhttp) of its own, behind one address. strata's own; libevent has no such thing.
 *
 *     static int configure(struct event_base *base, struct evhttp *http, int index, void *arg) {
 *       evhttp_set_gencb(http, answer, arg);
 *       return 0;
 *     }
 *
 *     evthread_use_pthreads();
 *     threads = evhttp_threads_new(4, event_base_new, configure, arg);
 *     if (!threads || evhttp_threads_bind(threads, "127.0.0.1", 8080) < 0 ||
 *         evhttp_threads_start(threads) < 0) ...
 *     ...
 *     evhttp_threads_stop(threads);
 *     evhttp_threads_join(threads);
 *     evhttp_threads_free(threads);
 *
 * A connection belongs to one loop from beginning to end, so the callbacks of a server run in its
 * loop's thread only, and need no locks for what is that server's alone. What they share with the
 * other loops is theirs to protect.
 *
 * How connections get to the loops: on Linux, every loop has a listening socket and the kernel
 * spreads connections over them (SO_REUSEPORT). On systems where that is missing or does not
 * balance, the first loop accepts for all and hands the sockets out in turn; the flag
 * EVHTTP_THREADS_ONE_LISTENER asks for that anywhere.
 *
 * Who may call what: evhttp_threads_stop(), evhttp_threads_stop_accepting() and
 * evhttp_threads_serve_socket() any thread at any time before evhttp_threads_free(), callbacks
 * included; all others one thread at a time, and none of the loops' threads.
 *
 * Link //http:threads. int functions return 0, or -1; pointer functions return NULL on failure.
 */

#include <event2/util.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct evhttp;
struct sockaddr;

/** The loops. Opaque. */
struct evhttp_threads;

/** Makes `num_threads` (1 or more) bases and servers; no thread runs yet.
 *
 * `make_base` makes a base: event_base_new, or a function of the caller's that uses
 * event_base_new_with_config(). `configure` is called for each new server, in the calling thread,
 * with the base and the number of its loop from 0: it sets callbacks and limits, which hold for
 * this server alone (a limit on connections is one for each loop; when there is no descriptor for
 * a connection to an address of evhttp_threads_bind(), each loop gives up one that only waits: see
 * evhttp_set_max_connections()). When it returns something negative, making the loops fails, and
 * the bases go with it: events of the caller's own are made on a base when all is there, and freed
 * before evhttp_threads_free(). `arg` is the argument.
 *
 * Threading must have been enabled before (evthread_use_pthreads() or
 * evthread_use_windows_threads()); otherwise, and when out of memory or descriptors, NULL. Free it
 * with evhttp_threads_free(). */
EVENT2_EXPORT_SYMBOL
struct evhttp_threads *evhttp_threads_new(int num_threads, struct event_base *(*make_base)(void),
                                          int (*configure)(struct event_base *base,
                                                           struct evhttp *http, int index,
                                                           void *arg),
                                          void *arg);

/** Flag: the first loop accepts for all. */
#define EVHTTP_THREADS_ONE_LISTENER 0x0001
/** Sets flags, for evhttp_threads_bind() calls from now on. -1: a flag is unknown. */
EVENT2_EXPORT_SYMBOL
int evhttp_threads_set_flags(struct evhttp_threads *threads, int flags);

/** Listens on an address (text form or host name; NULL for any) and port (0: a free one, the same
 * for all loops). May be called several times, before evhttp_threads_start() only. On failure, with
 * the socket error set where there is one, nothing new listens.
 *
 * With one listener a port, an address in use is an error as usual. With SO_REUSEPORT, it is no
 * error when those who use it said SO_REUSEPORT too and belong to the same user: they then share
 * its connections, as it may be wanted when one process takes over from another. */
EVENT2_EXPORT_SYMBOL
int evhttp_threads_bind(struct evhttp_threads *threads, const char *address, ev_uint16_t port);

/** Where the bind of that number, from 0, listens: fills in `out_address`, which has room for
 * `*inout_len` bytes, and sets that to the length. -1: there is no such bind, or no room. Also
 * after listening has ended. */
EVENT2_EXPORT_SYMBOL
int evhttp_threads_get_address(const struct evhttp_threads *threads, int number,
                               struct sockaddr *out_address, int *inout_len);

/** Starts a thread for each loop. May be called once. -1: not all could be started, or they had
 * been before; no thread runs then that did not before. The new threads block all signals but those
 * of faults and SIGPROF, so that they go to the others. The loops run until
 * evhttp_threads_stop(), also while there is nothing to do.
 */
EVENT2_EXPORT_SYMBOL
int evhttp_threads_start(struct evhttp_threads *threads);

/** Has one of the loops, the next in turn, serve an accepted socket: for listeners of the caller's
 * own. `address` (of `address_len` bytes, copied) is the peer's; NULL and 0 where it is not known.
 * 0: the socket belongs to the loop, which closes it when it cannot serve it. -1: out of memory,
 * too many sockets wait for that loop already, or accepting has been stopped; the socket is still
 * the caller's. */
EVENT2_EXPORT_SYMBOL
int evhttp_threads_serve_socket(struct evhttp_threads *threads, evutil_socket_t fd,
                                const struct sockaddr *address, int address_len);

/** Closes the listening sockets, soon: each in its loop's thread (before evhttp_threads_start(),
 * when that is called). Connections that exist are served on. Those that the kernel has completed
 * and nobody has accepted are reset. */
EVENT2_EXPORT_SYMBOL
void evhttp_threads_stop_accepting(struct evhttp_threads *threads);

/** Ends the loops, soon: as evhttp_threads_stop_accepting(), and each loop returns when the
 * callbacks that are due have run. Requests in flight are not waited for: replies that were not
 * sent or written by then are lost when evhttp_threads_free() closes their connections. A program
 * that wants to wait calls evhttp_threads_stop_accepting() first, and this when its own count of
 * requests in flight is zero or its patience ends. Calling it again does nothing. */
EVENT2_EXPORT_SYMBOL
void evhttp_threads_stop(struct evhttp_threads *threads);

/** Waits until all loops have ended and their threads are gone. 0 also when none was started; -1: a
 * loop ended by an error of its backend. From here on, the bases and servers are the caller's
 * thread's to use again. */
EVENT2_EXPORT_SYMBOL
int evhttp_threads_join(struct evhttp_threads *threads);

/** Frees the servers with their connections, and the bases; if evhttp_threads_join() was not called
 * since evhttp_threads_start(), it stops and joins first. NULL is allowed. */
EVENT2_EXPORT_SYMBOL
void evhttp_threads_free(struct evhttp_threads *threads);

/** How many loops there are. */
EVENT2_EXPORT_SYMBOL
int evhttp_threads_get_num(const struct evhttp_threads *threads);
/** The server of a loop, from 0. While the loop runs, for its thread only: event_base_once() on
 * its base is a way there. It stays the loops'. */
EVENT2_EXPORT_SYMBOL
struct evhttp *evhttp_threads_get_http(const struct evhttp_threads *threads, int index);
/** The base of a loop, from 0. It has locks, so what event2/event.h allows from other threads is
 * allowed. It stays the loops'. */
EVENT2_EXPORT_SYMBOL
struct event_base *evhttp_threads_get_base(const struct evhttp_threads *threads, int index);

#ifdef __cplusplus
}
#endif

#endif
