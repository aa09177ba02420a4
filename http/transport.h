#ifndef STRATA_HTTP_TRANSPORT_H_
#define STRATA_HTTP_TRANSPORT_H_

#include <stddef.h>

#include <event2/util.h>

struct sockaddr_storage;

/* What the server asks of the socket below its bufferevents: the place for what differs between
 * platforms. */

/* Sends small pieces at once instead of waiting for the peer to acknowledge earlier ones
 * (TCP_NODELAY, tcp(7)). Best effort. */
void strata_http_transport_no_delay(evutil_socket_t fd);

/* Tells the peer that nothing more will be sent (shutdown(2)). 0, or -1 on error. */
int strata_http_transport_shutdown_write(evutil_socket_t fd);

/* Stores the peer's address (getpeername(2)). 0, or -1 on error. */
int strata_http_transport_peer_address(evutil_socket_t fd, struct sockaddr_storage *out_address);

/* Writes the text form of an address, for a local socket its path; empty when there is none. */
void strata_http_transport_peer(const struct sockaddr *addr, char *out_text, size_t size,
                                ev_uint16_t *out_port);

#endif
