#ifndef STRATA_UTIL_SOCKET_H_
#define STRATA_UTIL_SOCKET_H_

#include <stddef.h>
#include <stdint.h>

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Making sockets, and what an error number means for the call that gave it. The public half of
 * this file's noun is in event2/util.h. Functions return 0 (or a descriptor), or -1 with
 * EVUTIL_SOCKET_ERROR() set, unless stated. "Closed on exec" means on Windows that child processes
 * do not inherit the socket. */

/* How a new descriptor behaves: set in the call that makes it where the system can do that, so
 * that no other thread's exec comes between. */
#define STRATA_SOCK_NONBLOCK 1
#define STRATA_SOCK_CLOEXEC 2
#define STRATA_SOCK_DEFAULT (STRATA_SOCK_NONBLOCK | STRATA_SOCK_CLOEXEC)

/* socket(2) with STRATA_SOCK_ flags. The caller closes it with evutil_closesocket(). */
evutil_socket_t strata_socket_new(int domain, int type, int protocol, int flags);

#ifdef _WIN32
/* Called with each socket that evutil_closesocket() is about to close, from any thread. One for the
 * process, for ever. */
typedef void (*strata_socket_fn)(evutil_socket_t fd);
void strata_socket_on_close(strata_socket_fn function);
#endif

/* accept4(2) with STRATA_SOCK_ flags. out_addr may be NULL (then inout_addr_len too). Does not
 * repeat on EINTR: see strata_error_accept_retriable. */
evutil_socket_t strata_accept4(evutil_socket_t listener, struct sockaddr *out_addr,
                               ev_socklen_t *inout_addr_len, int flags);

/* evutil_socketpair, both ends non-blocking and closed on exec. */
int strata_socketpair(int domain, int type, int protocol, evutil_socket_t out_fds[2]);

/* pipe2(2), both ends non-blocking and closed on exec: [0] is read from, [1] written to. On Windows
 * a pair of sockets, since nothing else can be waited for. */
int strata_pipe(evutil_socket_t out_fds[2]);

/* Takes those of STRATA_SOCK_DEFAULT that are not in `flags` away from a descriptor that has both.
 */
int strata_socket_drop_flags(evutil_socket_t fd, int flags);

/* What a non-blocking connect has come to. */
enum strata_connect_state {
  STRATA_CONNECT_FAILED = -1, /* EVUTIL_SOCKET_ERROR() says why */
  STRATA_CONNECT_PENDING = 0, /* wait until the socket is writable */
  STRATA_CONNECT_DONE = 1,
};

/* Starts a connection. */
enum strata_connect_state strata_socket_connect(evutil_socket_t fd, const struct sockaddr *addr,
                                                ev_socklen_t addr_len);
/* Asks a socket that became writable (SO_ERROR, connect(2)); fetching the error clears it. */
enum strata_connect_state strata_socket_connect_result(evutil_socket_t fd);

/* Spreads descriptors over a hash table: the upper half of a product with 2^64 over the golden
 * ratio, since of handles (Windows) the lower bits say little. */
static inline size_t strata_socket_hash(evutil_socket_t fd) {
  return (size_t)((uint64_t)fd * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

/* ---- error numbers, as EVUTIL_SOCKET_ERROR() gives them; results are 0 or 1 ---- */

/* Nothing to do now; the descriptor will become ready. */
int strata_error_would_block(int error);
/* read, write and their kin: nothing is wrong, try again (at once or when ready). */
int strata_error_rw_retriable(int error);
/* connect: it goes on in the background, after EINTR too. */
int strata_error_connect_retriable(int error);
/* connect: nobody listens there. */
int strata_error_connect_refused(int error);
/* accept: the listener is fine; either nobody is waiting (strata_error_would_block) or a
 * connection died before it was accepted (accept(2), "Error handling") and the next can follow. */
int strata_error_accept_retriable(int error);
/* accept, socket: out of descriptors or kernel memory; a listener has to pause. */
int strata_error_exhausted(int error);

/* The socket error that says the same as a number of errno's: the number itself, except on Windows,
 * where what fails for memory or an argument has its reason in errno and sockets have theirs in
 * WSAGetLastError(). */
int strata_error_from_errno(int number);
/* Makes errno's reason that of EVUTIL_SOCKET_ERROR(). */
void strata_errno_to_socket_error(void);

#ifdef __cplusplus
}
#endif

#endif
