#ifndef STRATA_BACKENDS_IOCP_ACCEPT_ROOM_H_
#define STRATA_BACKENDS_IOCP_ACCEPT_ROOM_H_

#include "backends/iocp_state.h"

/* AcceptEx: each address needs 16 bytes more than the longest of the protocol. */
#define STRATA_IOCP_ADDRESS_LEN (sizeof(struct sockaddr_storage) + 16)

/* What a connection is accepted into. */
struct accept_room {
  evutil_socket_t fd; /* -1 when it was taken */
  char addresses[2 * STRATA_IOCP_ADDRESS_LEN];
};

/* With a socket of the listener's kind. 0, or a socket error. */
int strata_iocp_accept_room_new(evutil_socket_t listener, struct accept_room **out_room);
/* Copies the peer's address, as much as there is room for, and returns its length. */
int strata_iocp_accept_room_peer(const struct iocp_state *state, struct accept_room *room,
                                 struct sockaddr *out_address, int len);
void strata_iocp_accept_room_free(struct accept_room *room);

#endif
