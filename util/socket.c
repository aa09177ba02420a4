#include "util/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "util/platform.h"

/* ---- flags of descriptors ---- */

int evutil_make_socket_nonblocking(evutil_socket_t sock) {
  int flags = fcntl(sock, F_GETFL);
  if (flags < 0) return -1;
  if (flags & O_NONBLOCK) return 0;
  return fcntl(sock, F_SETFL, flags | O_NONBLOCK) < 0 ? -1 : 0;
}

int evutil_make_socket_closeonexec(evutil_socket_t sock) {
  int flags = fcntl(sock, F_GETFD);
  if (flags < 0) return -1;
  if (flags & FD_CLOEXEC) return 0;
  return fcntl(sock, F_SETFD, flags | FD_CLOEXEC) < 0 ? -1 : 0;
}

static int make_blocking(evutil_socket_t fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -1;
  if (!(flags & O_NONBLOCK)) return 0;
  return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -1 : 0;
}

int strata_socket_drop_flags(evutil_socket_t fd, int flags) {
  if (!(flags & STRATA_SOCK_NONBLOCK) && make_blocking(fd) < 0) return -1;
  if (!(flags & STRATA_SOCK_CLOEXEC) && fcntl(fd, F_SETFD, 0) < 0) return -1;
  return 0;
}

/* Not repeated on EINTR: Linux has freed the descriptor by then, and another thread may have got
 * its number (close(2)). */
int evutil_closesocket(evutil_socket_t sock) {
  return close(sock);
}

/* ---- making descriptors ---- */

#if STRATA_HAVE_SOCK_FLAGS

static int kernel_flags(int flags) {
  return (flags & STRATA_SOCK_NONBLOCK ? SOCK_NONBLOCK : 0) |
         (flags & STRATA_SOCK_CLOEXEC ? SOCK_CLOEXEC : 0);
}

evutil_socket_t strata_socket_new(int domain, int type, int protocol, int flags) {
  return socket(domain, type | kernel_flags(flags), protocol);
}

evutil_socket_t strata_accept4(evutil_socket_t listener, struct sockaddr *out_addr,
                               ev_socklen_t *inout_addr_len, int flags) {
  return accept4(listener, out_addr, inout_addr_len, kernel_flags(flags));
}

int strata_socketpair(int domain, int type, int protocol, evutil_socket_t out_fds[2]) {
  return socketpair(domain, type | kernel_flags(STRATA_SOCK_DEFAULT), protocol, out_fds);
}

int strata_pipe(evutil_socket_t out_fds[2]) {
  return pipe2(out_fds, O_NONBLOCK | O_CLOEXEC);
}

#else

/* An accepted socket is as its listener is on the BSDs and macOS, else all begin blocking. */
static int set_flags(evutil_socket_t fd, int flags) {
  int result =
      flags & STRATA_SOCK_NONBLOCK ? evutil_make_socket_nonblocking(fd) : make_blocking(fd);
  if (result == 0 && flags & STRATA_SOCK_CLOEXEC) result = evutil_make_socket_closeonexec(fd);
  return result;
}

/* Takes a descriptor or -1 and returns it with the flags set, or closes it. */
static evutil_socket_t with_flags(evutil_socket_t fd, int flags) {
  if (fd < 0) return -1;
  if (set_flags(fd, flags) < 0) {
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
  }
  return fd;
}

static int pair_with_flags(evutil_socket_t fds[2]) {
  evutil_socket_t first = with_flags(fds[0], STRATA_SOCK_DEFAULT);
  evutil_socket_t second = with_flags(fds[1], STRATA_SOCK_DEFAULT);
  if (first >= 0 && second >= 0) return 0;
  int saved_errno = errno;
  if (first >= 0) close(first);
  if (second >= 0) close(second);
  errno = saved_errno;
  fds[0] = fds[1] = -1;
  return -1;
}

evutil_socket_t strata_socket_new(int domain, int type, int protocol, int flags) {
  return with_flags(socket(domain, type, protocol), flags);
}

evutil_socket_t strata_accept4(evutil_socket_t listener, struct sockaddr *out_addr,
                               ev_socklen_t *inout_addr_len, int flags) {
  return with_flags(accept(listener, out_addr, inout_addr_len), flags);
}

int strata_socketpair(int domain, int type, int protocol, evutil_socket_t out_fds[2]) {
  if (socketpair(domain, type, protocol, out_fds) < 0) return -1;
  return pair_with_flags(out_fds);
}

int strata_pipe(evutil_socket_t out_fds[2]) {
  if (pipe(out_fds) < 0) return -1;
  return pair_with_flags(out_fds);
}

#endif

int evutil_socketpair(int d, int type, int protocol, evutil_socket_t sv[2]) {
  return socketpair(d, type, protocol, sv);
}

/* ---- options ---- */

static int set_option(evutil_socket_t sock, int level, int option, int value) {
  return setsockopt(sock, level, option, &value, sizeof(value));
}

int evutil_make_listen_socket_reuseable(evutil_socket_t sock) {
  return set_option(sock, SOL_SOCKET, SO_REUSEADDR, 1);
}

int evutil_make_listen_socket_reuseable_port(evutil_socket_t sock) {
#if defined(SO_REUSEPORT)
  return set_option(sock, SOL_SOCKET, SO_REUSEPORT, 1);
#else
  (void)sock;
  return 0;
#endif
}

int evutil_make_listen_socket_ipv6only(evutil_socket_t sock) {
  return set_option(sock, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

int evutil_make_listen_socket_not_ipv6only(evutil_socket_t sock) {
  return set_option(sock, IPPROTO_IPV6, IPV6_V6ONLY, 0);
}

int evutil_make_tcp_listen_socket_deferred(evutil_socket_t sock) {
#if defined(TCP_DEFER_ACCEPT)
  return set_option(sock, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
#else
  (void)sock;
  return 0;
#endif
}

#define NUM_KEEPALIVE_PROBES 3

static int set_keepalive_times(evutil_socket_t sock, int idle_s) {
  (void)sock; /* OpenBSD has the system's times alone */
  int interval_s = idle_s / NUM_KEEPALIVE_PROBES;
  if (interval_s < 1) interval_s = 1;
#if defined(TCP_KEEPIDLE)
  if (set_option(sock, IPPROTO_TCP, TCP_KEEPIDLE, idle_s) < 0) return -1;
#elif defined(TCP_KEEPALIVE)
  if (set_option(sock, IPPROTO_TCP, TCP_KEEPALIVE, idle_s) < 0) return -1;
#endif
#if defined(TCP_KEEPINTVL)
  if (set_option(sock, IPPROTO_TCP, TCP_KEEPINTVL, interval_s) < 0) return -1;
#endif
#if defined(TCP_KEEPCNT)
  if (set_option(sock, IPPROTO_TCP, TCP_KEEPCNT, NUM_KEEPALIVE_PROBES) < 0) return -1;
#endif
  return 0;
}

int evutil_set_tcp_keepalive(evutil_socket_t sock, int on, int timeout) {
  if (set_option(sock, SOL_SOCKET, SO_KEEPALIVE, on != 0) < 0) return -1;
  if (!on || timeout <= 0) return 0;
  return set_keepalive_times(sock, timeout);
}

/* ---- connecting ---- */

enum strata_connect_state strata_socket_connect(evutil_socket_t fd, const struct sockaddr *addr,
                                                ev_socklen_t addr_len) {
  if (connect(fd, addr, addr_len) == 0) return STRATA_CONNECT_DONE;
  return strata_error_connect_retriable(errno) ? STRATA_CONNECT_PENDING : STRATA_CONNECT_FAILED;
}

enum strata_connect_state strata_socket_connect_result(evutil_socket_t fd) {
  int error = 0;
  socklen_t error_len = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0) return STRATA_CONNECT_FAILED;
  if (error == 0) return STRATA_CONNECT_DONE;
  if (strata_error_connect_retriable(error)) return STRATA_CONNECT_PENDING;
  errno = error;
  return STRATA_CONNECT_FAILED;
}
