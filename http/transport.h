#ifndef STRATA_HTTP_TRANSPORT_H_
#define STRATA_HTTP_TRANSPORT_H_

#include <stddef.h>

#include <event2/util.h>

struct sockaddr_storage;

/* What servers and clients ask of the sockets below their bufferevents: the place for what differs
 * between platforms. */

/* Sends small pieces at once instead of waiting for the peer to acknowledge earlier ones
 * (TCP_NODELAY, tcp(7)). Best effort. */
void strata_http_transport_no_delay(evutil_socket_t fd);

/* Tells the peer that nothing more will be sent (shutdown(2)). 0, or -1 on error. */
int strata_http_transport_shutdown_write(evutil_socket_t fd);

/* Stores the peer's address (getpeername(2)). 0, or -1 on error. */
int strata_http_transport_peer_address(evutil_socket_t fd, struct sockaddr_storage *out_address);

/* Bytes of an address, by its family. */
int strata_http_transport_address_len(const struct sockaddr_storage *address);

/* The address of a local socket with this path. 0; or -1 when the path is too long, or where there
 * are no local sockets. */
int strata_http_transport_local_address(const char *path, struct sockaddr_storage *out_address);

/* A new stream socket, bound to `address` (text form or host name; NULL for any) and `port` (0 for
 * any), of `family`, AF_UNSPEC for that of the address. -1 on error. */
evutil_socket_t strata_http_transport_bound_socket(const char *address, ev_uint16_t port,
                                                   int family);

/* Writes the text form of an address, for a local socket its path; empty when there is none. */
void strata_http_transport_peer(const struct sockaddr *addr, char *out_text, size_t size,
                                ev_uint16_t *out_port);

#endif
