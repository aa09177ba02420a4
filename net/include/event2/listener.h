#ifndef EVENT2_LISTENER_H_INCLUDED_
#define EVENT2_LISTENER_H_INCLUDED_

/** @file event2/listener.h
 *
 * Listeners: accept connections on a stream socket and hand each to a callback.
 *
 * A listener is enabled or disabled; an enabled one keeps the loop running. It accepts at most 32
 * connections before other callbacks that are due have their turn, and some 2,000 before the loop
 * asks the kernel again what else is ready. When the process or the system is out of descriptors or
 * buffers, the listener reports it to the error callback, stops accepting for a moment, and tries
 * again; meanwhile the kernel keeps the connections in its backlog.
 *
 * Callbacks run in the thread of the base's loop and may free the listener, disable it, or change
 * its callback. A listener with LEV_OPT_THREADSAFE may be used from any thread, others only from
 * the thread of the loop. The base must outlive the listener.
 *
 * int functions return 0 on success and -1 on failure, pointer functions NULL on failure.
 */

#include <event2/event.h>
#include <event2/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sockaddr;

/** A listener. Opaque. */
struct evconnlistener;

/** Called for each connection. The socket `fd` is the callback's to close, does not block unless
 * LEV_OPT_LEAVE_SOCKETS_BLOCKING says so, and came from `address` (of `address_len` bytes, valid
 * during the call). `arg` is the listener's argument. */
typedef void (*evconnlistener_cb)(struct evconnlistener *listener, evutil_socket_t fd,
                                  struct sockaddr *address, int address_len, void *arg);

/** Called when accepting failed for a reason that does not pass by itself at once, which
 * EVUTIL_SOCKET_ERROR() has. Connections that were gone before they could be accepted are not
 * errors. `arg` is the listener's argument. */
typedef void (*evconnlistener_errorcb)(struct evconnlistener *listener, void *arg);

/** @name Options of a new listener, to be combined
 * @{ */
/** Accepted sockets block. */
#define LEV_OPT_LEAVE_SOCKETS_BLOCKING (1u << 0)
/** The listening socket belongs to the listener, which closes it when it is freed. */
#define LEV_OPT_CLOSE_ON_FREE (1u << 1)
/** The listening socket, if evconnlistener_new_bind() makes it, and the accepted ones are closed
 * when the process executes another program. */
#define LEV_OPT_CLOSE_ON_EXEC (1u << 2)
/** The address may be bound while connections of an earlier listener linger (SO_REUSEADDR). */
#define LEV_OPT_REUSEABLE (1u << 3)
/** The listener gets a lock, if threads are set up. */
#define LEV_OPT_THREADSAFE (1u << 4)
/** The listener starts disabled. */
#define LEV_OPT_DISABLED (1u << 5)
/** A connection counts as arrived once it has sent something, where the system can do that
 * (TCP_DEFER_ACCEPT on Linux). Not for protocols in which the server speaks first. Only
 * evconnlistener_new_bind() knows it. */
#define LEV_OPT_DEFERRED_ACCEPT (1u << 6)
/** Several sockets, each with this option, may listen on one address and share its connections
 * (SO_REUSEPORT). evconnlistener_new_bind() fails where the system cannot do that. */
#define LEV_OPT_REUSEABLE_PORT (1u << 7)
/** An IPv6 address takes IPv6 connections only (IPV6_V6ONLY, RFC 3493 section 5.3), whatever the
 * system's default is. Only evconnlistener_new_bind() knows it. */
#define LEV_OPT_BIND_IPV6ONLY (1u << 8)
/** An IPv6 address takes IPv4 connections too, from IPv4-mapped addresses (RFC 3493 section 3.7),
 * whatever the system's default is, and LEV_OPT_BIND_IPV6ONLY says. Only evconnlistener_new_bind()
 * knows it, and fails with it for an address that is not IPv6. */
#define LEV_OPT_BIND_IPV4_AND_IPV6 (1u << 9)
/** @} */

/** A listener on `fd`, a bound socket that does not block. `backlog` is given to listen(2); a
 * negative one stands for a fair size, and 0 for a socket that listens already. `callback` may be
 * NULL: then nothing is accepted until evconnlistener_set_cb(). `flags` combines LEV_OPT_.... On
 * failure `fd` stays the caller's, and open. Free it with evconnlistener_free(). */
EVENT2_EXPORT_SYMBOL
struct evconnlistener *evconnlistener_new(struct event_base *base, evconnlistener_cb callback,
                                          void *arg, unsigned flags, int backlog,
                                          evutil_socket_t fd);

/** As evconnlistener_new(), on a new socket bound to `address` (of `address_len` bytes). Port 0
 * stands for any free one: ask getsockname() with evconnlistener_get_fd(). `backlog` must not be 0.
 * Without LEV_OPT_CLOSE_ON_FREE the socket is left to the caller when the listener is freed. On
 * failure EVUTIL_SOCKET_ERROR() has the reason where the system gave one. */
EVENT2_EXPORT_SYMBOL
struct evconnlistener *evconnlistener_new_bind(struct event_base *base, evconnlistener_cb callback,
                                               void *arg, unsigned flags, int backlog,
                                               const struct sockaddr *address, int address_len);

/** Disables and frees the listener; afterwards no callback starts, and the listener must not be
 * used any more. Allowed in its callbacks. */
EVENT2_EXPORT_SYMBOL
void evconnlistener_free(struct evconnlistener *listener);

/** Accepts again. Nothing happens when it is enabled; without a callback, it counts as enabled and
 * accepts from evconnlistener_set_cb() on. */
EVENT2_EXPORT_SYMBOL
int evconnlistener_enable(struct evconnlistener *listener);

/** Stops accepting. The kernel goes on completing connections up to the backlog. */
EVENT2_EXPORT_SYMBOL
int evconnlistener_disable(struct evconnlistener *listener);

/** The base. */
EVENT2_EXPORT_SYMBOL
struct event_base *evconnlistener_get_base(struct evconnlistener *listener);

/** The listening socket, which stays with the listener. */
EVENT2_EXPORT_SYMBOL
evutil_socket_t evconnlistener_get_fd(struct evconnlistener *listener);

/** Sets the callback (NULL: stop accepting) and the argument, that of the error callback included.
 */
EVENT2_EXPORT_SYMBOL
void evconnlistener_set_cb(struct evconnlistener *listener, evconnlistener_cb callback, void *arg);

/** Sets the error callback; NULL: errors are logged, as at first. */
EVENT2_EXPORT_SYMBOL
void evconnlistener_set_error_cb(struct evconnlistener *listener, evconnlistener_errorcb errorcb);

#ifdef __cplusplus
}
#endif

#endif
