#ifndef STRATA_UTIL_LOOPBACK_PAIR_H_
#define STRATA_UTIL_LOOPBACK_PAIR_H_

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The steps of evutil_socketpair() on Windows, which has no socketpair(2): one socket connects to
 * another over the loopback interface. All sockets block and are not inherited; the caller closes
 * them. -1 with WSAGetLastError() set on failure. */

/* A listener on a free port that no other socket can share. */
evutil_socket_t strata_loopback_listen(struct sockaddr_in *out_addr);

/* Accepts the connection that `connector` has made; those of strangers, who may have come first,
 * are closed. */
evutil_socket_t strata_loopback_accept(evutil_socket_t listener, evutil_socket_t connector);

#ifdef __cplusplus
}
#endif

#endif
