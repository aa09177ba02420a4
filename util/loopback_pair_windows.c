#include "util/loopback_pair.h"

#include "util/socket.h"
#include "util/winsock.h"

/* Anyone on this machine may connect to the listener before the other end does; more of them than
 * this is an attack. */
#define MAX_STRANGERS 64

/* Keeps the error that is being reported. */
static void close_quietly(evutil_socket_t sock) {
  if (sock < 0) return;
  int saved_error = WSAGetLastError();
  closesocket(sock);
  WSASetLastError(saved_error);
}

static int set_flag(evutil_socket_t fd, int level, int option) {
  int on = 1;
  return setsockopt(fd, level, option, (const char *)&on, sizeof(on)) ? -1 : 0;
}

evutil_socket_t strata_loopback_listen(struct sockaddr_in *out_addr) {
  int addr_len = sizeof(*out_addr);
  evutil_socket_t fd = strata_socket_new(AF_INET, SOCK_STREAM, 0, STRATA_SOCK_CLOEXEC);
  if (fd < 0) return -1;
  memset(out_addr, 0, sizeof(*out_addr));
  out_addr->sin_family = AF_INET;
  out_addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (set_flag(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE) < 0 ||
      bind(fd, (struct sockaddr *)out_addr, sizeof(*out_addr)) || listen(fd, MAX_STRANGERS) ||
      getsockname(fd, (struct sockaddr *)out_addr, &addr_len)) {
    close_quietly(fd);
    return -1;
  }
  return fd;
}

/* The connection is there already, so that accept never waits. */
evutil_socket_t strata_loopback_accept(evutil_socket_t listener, evutil_socket_t connector) {
  struct sockaddr_in wanted, peer;
  int wanted_len = sizeof(wanted);
  if (getsockname(connector, (struct sockaddr *)&wanted, &wanted_len)) return -1;
  for (int i = 0; i <= MAX_STRANGERS; ++i) {
    int peer_len = sizeof(peer);
    evutil_socket_t fd =
        strata_accept4(listener, (struct sockaddr *)&peer, &peer_len, STRATA_SOCK_CLOEXEC);
    if (fd < 0 && !strata_error_accept_retriable(WSAGetLastError())) return -1;
    if (fd < 0) continue;
    if (peer.sin_port == wanted.sin_port && peer.sin_addr.s_addr == wanted.sin_addr.s_addr)
      return fd;
    closesocket(fd);
  }
  WSASetLastError(WSAECONNABORTED);
  return -1;
}

static evutil_socket_t connect_to(const struct sockaddr_in *listener_addr) {
  evutil_socket_t fd = strata_socket_new(AF_INET, SOCK_STREAM, 0, STRATA_SOCK_CLOEXEC);
  if (fd < 0) return -1;
  if (connect(fd, (const struct sockaddr *)listener_addr, sizeof(*listener_addr))) {
    close_quietly(fd);
    return -1;
  }
  return fd;
}

/* Bytes go at once (TCP_NODELAY), as they do in a socketpair(2): a wake-up must not wait for the
 * peer's acknowledgement of the one before. */
static int connect_both(evutil_socket_t listener, const struct sockaddr_in *listener_addr,
                        evutil_socket_t out_fds[2]) {
  evutil_socket_t connector = connect_to(listener_addr);
  if (connector < 0) return -1;
  evutil_socket_t accepted = strata_loopback_accept(listener, connector);
  if (accepted < 0 || set_flag(connector, IPPROTO_TCP, TCP_NODELAY) < 0 ||
      set_flag(accepted, IPPROTO_TCP, TCP_NODELAY) < 0) {
    close_quietly(connector);
    close_quietly(accepted);
    return -1;
  }
  out_fds[0] = connector;
  out_fds[1] = accepted;
  return 0;
}

int evutil_socketpair(int d, int type, int protocol, evutil_socket_t sv[2]) {
  struct sockaddr_in addr;
  if (strata_winsock_start() < 0) return -1;
  if ((d != AF_INET && d != AF_UNIX) || type != SOCK_STREAM || protocol) {
    WSASetLastError(WSAEAFNOSUPPORT);
    return -1;
  }
  evutil_socket_t listener = strata_loopback_listen(&addr);
  if (listener < 0) return -1;
  int result = connect_both(listener, &addr, sv);
  close_quietly(listener);
  return result;
}
