#include "http/transport.h"

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
