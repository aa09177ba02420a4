#include "http/transport.h"

#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#define SHUT_WR SD_SEND
#else
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif

#include "util/socket.h"

void strata_http_transport_no_delay(evutil_socket_t fd) {
  int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on));
}

int strata_http_transport_shutdown_write(evutil_socket_t fd) {
  return shutdown(fd, SHUT_WR) == 0 ? 0 : -1;
}

int strata_http_transport_peer_address(evutil_socket_t fd, struct sockaddr_storage *out_address) {
  socklen_t len = sizeof(*out_address);
  return getpeername(fd, (struct sockaddr *)out_address, &len) == 0 ? 0 : -1;
}

int strata_http_transport_address_len(const struct sockaddr_storage *address) {
  switch (address->ss_family) {
    case AF_INET:
      return (int)sizeof(struct sockaddr_in);
    case AF_INET6:
      return (int)sizeof(struct sockaddr_in6);
#ifndef _WIN32
    case AF_UNIX:
      return (int)sizeof(struct sockaddr_un);
#endif
    default:
      return (int)sizeof(*address);
  }
}

int strata_http_transport_local_address(const char *path, struct sockaddr_storage *out_address) {
#ifdef _WIN32
  (void)path;
  (void)out_address;
  return -1;
#else
  struct sockaddr_un *local = (struct sockaddr_un *)(void *)out_address;
  size_t len = strlen(path);
  if (!len || len >= sizeof(local->sun_path)) return -1;
  memset(out_address, 0, sizeof(*out_address));
  local->sun_family = AF_UNIX;
  memcpy(local->sun_path, path, len + 1);
  return 0;
#endif
}

static evutil_socket_t bound_to(const struct evutil_addrinfo *where) {
  int reuse = 1;
  evutil_socket_t fd = strata_socket_new(where->ai_family, SOCK_STREAM, 0, STRATA_SOCK_DEFAULT);
  if (fd < 0) return -1;
  /* A port of the user's choice may be waiting from the last connection (socket(7)). */
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (const char *)&reuse, sizeof(reuse));
  if (bind(fd, where->ai_addr, (socklen_t)where->ai_addrlen) == 0) return fd;
  evutil_closesocket(fd);
  return -1;
}

evutil_socket_t strata_http_transport_bound_socket(const char *address, ev_uint16_t port,
                                                   int family) {
  struct evutil_addrinfo hints, *list = NULL;
  char service[8];
  evutil_socket_t fd;
  memset(&hints, 0, sizeof(hints));
  /* Without an address there is none that says the family. */
  hints.ai_family = !address && family == AF_UNSPEC ? AF_INET : family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = EVUTIL_AI_PASSIVE;
  snprintf(service, sizeof(service), "%d", (int)port);
  if (evutil_getaddrinfo(address, service, &hints, &list) != 0) return -1;
  fd = bound_to(list);
  evutil_freeaddrinfo(list);
  return fd;
}

#ifndef _WIN32
static void local_peer(const struct sockaddr *addr, char *out_text, size_t size) {
  const struct sockaddr_un *local = (const struct sockaddr_un *)(const void *)addr;
  evutil_snprintf(out_text, size, "%s", local->sun_path);
}
#endif

void strata_http_transport_peer(const struct sockaddr *addr, char *out_text, size_t size,
                                ev_uint16_t *out_port) {
  out_text[0] = '\0';
  *out_port = 0;
  if (!addr) return;
  if (addr->sa_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
    evutil_inet_ntop(AF_INET, &in->sin_addr, out_text, size);
    *out_port = ntohs(in->sin_port);
  } else if (addr->sa_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)addr;
    evutil_inet_ntop(AF_INET6, &in6->sin6_addr, out_text, size);
    *out_port = ntohs(in6->sin6_port);
#ifndef _WIN32
  } else if (addr->sa_family == AF_UNIX) {
    local_peer(addr, out_text, size);
#endif
  }
}
