#ifndef SAMPLES_ADDRESS_H_
#define SAMPLES_ADDRESS_H_

#include <stdio.h>

#include <event2/util.h>

/* Addresses of TCP, as the command line has them. */

/* The addresses of a host (NULL: any) and a port, a name or a number; this asks the resolver and
 * waits for it. For evutil_freeaddrinfo(). NULL when there are none: then standard error says why.
 */
struct evutil_addrinfo *address_resolve(const char *program, const char *host, const char *port);

/* "listening on HOST:PORT", with what the system chose. 0, or -1 with
 * EVUTIL_SOCKET_ERROR(). */
int address_announce(evutil_socket_t listening_fd, FILE *file);

/* What is written goes out at once: nothing waits for the other end to acknowledge what went
 * before. Of no interest to a socket that is not TCP. */
void address_send_without_delay(evutil_socket_t fd);

#endif
