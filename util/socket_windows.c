#include "util/socket.h"
#include "util/winsock.h"

/* After winsock2.h, which comes with the headers above. */
#include <mstcpip.h>

/* ---- flags of sockets ---- */

/* -1 is a handle too: that of this process (GetCurrentProcess). */
static int check_open(evutil_socket_t sock) {
  if (sock >= 0) return 0;
  WSASetLastError(WSAENOTSOCK);
  return -1;
}

static int set_nonblocking(evutil_socket_t sock, int nonblocking) {
  u_long value = nonblocking != 0;
  return ioctlsocket(sock, (long)FIONBIO, &value) ? -1 : 0;
}

/* Windows has no exec: the children of this process inherit the handles that are marked so. */
static int set_inherited(evutil_socket_t sock, int inherited) {
  if (check_open(sock) < 0) return -1;
  DWORD flags = inherited ? HANDLE_FLAG_INHERIT : 0;
  if (SetHandleInformation((HANDLE)sock, HANDLE_FLAG_INHERIT, flags)) return 0;
  WSASetLastError(WSAENOTSOCK);
  return -1;
}

int evutil_make_socket_nonblocking(evutil_socket_t sock) {
  return set_nonblocking(sock, 1);
}

int evutil_make_socket_closeonexec(evutil_socket_t sock) {
  return set_inherited(sock, 0);
}

int strata_socket_drop_flags(evutil_socket_t fd, int flags) {
  if (!(flags & STRATA_SOCK_NONBLOCK) && set_nonblocking(fd, 0) < 0) return -1;
  if (!(flags & STRATA_SOCK_CLOEXEC) && set_inherited(fd, 1) < 0) return -1;
  return 0;
}

static strata_socket_fn on_close;

void strata_socket_on_close(strata_socket_fn function) {
  __atomic_store_n(&on_close, function, __ATOMIC_RELEASE);
}

int evutil_closesocket(evutil_socket_t sock) {
  strata_socket_fn function = __atomic_load_n(&on_close, __ATOMIC_ACQUIRE);
  if (function) function(sock);
  return closesocket(sock) ? -1 : 0;
}

/* Keeps the error that is being reported. */
static void close_quietly(evutil_socket_t sock) {
  if (sock < 0) return;
  int saved_error = WSAGetLastError();
  closesocket(sock);
  WSASetLastError(saved_error);
}

/* ---- making sockets ---- */

evutil_socket_t strata_socket_new(int domain, int type, int protocol, int flags) {
  if (strata_winsock_start() < 0) return -1;
  DWORD wsa_flags = WSA_FLAG_OVERLAPPED;
  if (flags & STRATA_SOCK_CLOEXEC) wsa_flags |= WSA_FLAG_NO_HANDLE_INHERIT;
  evutil_socket_t fd = (evutil_socket_t)WSASocketW(domain, type, protocol, NULL, 0, wsa_flags);
  if (fd < 0) return -1;
  if (flags & STRATA_SOCK_NONBLOCK && set_nonblocking(fd, 1) < 0) {
    close_quietly(fd);
    return -1;
  }
  return fd;
}

/* The new socket takes its mode from the listener (accept), and is always inherited. */
evutil_socket_t strata_accept4(evutil_socket_t listener, struct sockaddr *out_addr,
                               ev_socklen_t *inout_addr_len, int flags) {
  evutil_socket_t fd = (evutil_socket_t)accept(listener, out_addr, inout_addr_len);
  if (fd < 0) return -1;
  if (set_nonblocking(fd, flags & STRATA_SOCK_NONBLOCK) < 0 ||
      set_inherited(fd, !(flags & STRATA_SOCK_CLOEXEC)) < 0) {
    close_quietly(fd);
    return -1;
  }
  return fd;
}

/* ---- pairs ---- */

int strata_socketpair(int domain, int type, int protocol, evutil_socket_t out_fds[2]) {
  evutil_socket_t fds[2];
  if (evutil_socketpair(domain, type, protocol, fds) < 0) return -1;
  if (set_nonblocking(fds[0], 1) < 0 || set_nonblocking(fds[1], 1) < 0) {
    close_quietly(fds[0]);
    close_quietly(fds[1]);
    return -1;
  }
  out_fds[0] = fds[0];
  out_fds[1] = fds[1];
  return 0;
}

int strata_pipe(evutil_socket_t out_fds[2]) {
  return strata_socketpair(AF_INET, SOCK_STREAM, 0, out_fds);
}

/* ---- options ---- */

static int set_option(evutil_socket_t sock, int level, int option, int value) {
  return setsockopt(sock, level, option, (const char *)&value, sizeof(value)) ? -1 : 0;
}

/* Connections in TIME_WAIT do not keep anyone from binding here, and SO_REUSEADDR would let any
 * other program take the address ("Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE"). */
int evutil_make_listen_socket_reuseable(evutil_socket_t sock) {
  return check_open(sock);
}

int evutil_make_listen_socket_reuseable_port(evutil_socket_t sock) {
  return check_open(sock);
}

int evutil_make_listen_socket_ipv6only(evutil_socket_t sock) {
  return set_option(sock, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

int evutil_make_listen_socket_not_ipv6only(evutil_socket_t sock) {
  return set_option(sock, IPPROTO_IPV6, IPV6_V6ONLY, 0);
}

int evutil_make_tcp_listen_socket_deferred(evutil_socket_t sock) {
  return check_open(sock);
}

#define NUM_KEEPALIVE_PROBES 3
#define MAX_KEEPALIVE_S (UINT32_MAX / 1000)

/* TCP_KEEPCNT came with Windows 10, version 1703 (IPPROTO_TCP socket options). */
#define OPTION_TCP_KEEPCNT 16

int evutil_set_tcp_keepalive(evutil_socket_t sock, int on, int timeout) {
  if (!on || timeout <= 0) return set_option(sock, SOL_SOCKET, SO_KEEPALIVE, on != 0);
  u_long idle_s = (u_long)timeout < MAX_KEEPALIVE_S ? (u_long)timeout : MAX_KEEPALIVE_S;
  u_long interval_s = idle_s / NUM_KEEPALIVE_PROBES;
  if (interval_s < 1) interval_s = 1;
  struct tcp_keepalive values = {1, idle_s * 1000, interval_s * 1000};
  DWORD result_len;
  if (WSAIoctl(sock, SIO_KEEPALIVE_VALS, &values, sizeof(values), NULL, 0, &result_len, NULL, NULL))
    return -1;
  /* Best effort: older systems always send ten. */
  (void)set_option(sock, IPPROTO_TCP, OPTION_TCP_KEEPCNT, NUM_KEEPALIVE_PROBES);
  return 0;
}

/* ---- connecting ---- */

enum strata_connect_state strata_socket_connect(evutil_socket_t fd, const struct sockaddr *addr,
                                                ev_socklen_t addr_len) {
  if (connect(fd, addr, addr_len) == 0) return STRATA_CONNECT_DONE;
  return strata_error_connect_retriable(WSAGetLastError()) ? STRATA_CONNECT_PENDING
                                                           : STRATA_CONNECT_FAILED;
}

enum strata_connect_state strata_socket_connect_result(evutil_socket_t fd) {
  int error = 0;
  int error_len = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, (char *)&error, &error_len))
    return STRATA_CONNECT_FAILED;
  if (error == 0) return STRATA_CONNECT_DONE;
  if (strata_error_connect_retriable(error)) return STRATA_CONNECT_PENDING;
  WSASetLastError(error);
  return STRATA_CONNECT_FAILED;
}
