#define _GNU_SOURCE 1 /* NI_MAXHOST under -std=c11 */
#include "samples/address.h"

#include <string.h>

#ifndef _WIN32
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

struct evutil_addrinfo *address_resolve(const char *program, const char *host, const char *port) {
  struct evutil_addrinfo hints, *addresses;
  memset(&hints, 0, sizeof(hints));
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = host == NULL ? EVUTIL_AI_PASSIVE : 0;
  int error = evutil_getaddrinfo(host, port, &hints, &addresses);
  if (error == 0) return addresses;
  fprintf(stderr, "%s: %s:%s: %s\n", program, host == NULL ? "*" : host, port,
          evutil_gai_strerror(error));
  return NULL;
}

int address_announce(evutil_socket_t listening_fd, FILE *file) {
  struct sockaddr_storage address;
  ev_socklen_t address_len = sizeof(address);
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (getsockname(listening_fd, (struct sockaddr *)&address, &address_len) != 0 ||
      getnameinfo((struct sockaddr *)&address, address_len, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return -1;
  fprintf(file, address.ss_family == AF_INET6 ? "listening on [%s]:%s\n" : "listening on %s:%s\n",
          host, port);
  return fflush(file);
}

void address_send_without_delay(evutil_socket_t fd) {
  int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on));
}
