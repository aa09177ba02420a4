#include "backends/iocp_accept_room.h"

#include <string.h>

#include "util/memory.h"
#include "util/socket.h"

int strata_iocp_accept_room_new(evutil_socket_t listener, struct accept_room **out_room) {
  WSAPROTOCOL_INFOW protocol;
  int len = sizeof(protocol);
  if (getsockopt((SOCKET)listener, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&protocol, &len) != 0)
    return WSAGetLastError();
  struct accept_room *room = strata_malloc(sizeof(*room));
  if (!room) return WSA_NOT_ENOUGH_MEMORY;
  room->fd = strata_socket_new(protocol.iAddressFamily, protocol.iSocketType, protocol.iProtocol,
                               STRATA_SOCK_DEFAULT);
  if (room->fd < 0) {
    int error = WSAGetLastError();
    strata_free(room);
    return error;
  }
  *out_room = room;
  return 0;
}

int strata_iocp_accept_room_peer(const struct iocp_state *state, struct accept_room *room,
                                 struct sockaddr *out_address, int len) {
  struct sockaddr *local, *peer;
  int local_len, peer_len;
  state->get_addresses(room->addresses, 0, STRATA_IOCP_ADDRESS_LEN, STRATA_IOCP_ADDRESS_LEN, &local,
                       &local_len, &peer, &peer_len);
  memcpy(out_address, peer, (size_t)(peer_len < len ? peer_len : len));
  return peer_len;
}

void strata_iocp_accept_room_free(struct accept_room *room) {
  if (room->fd >= 0) evutil_closesocket(room->fd);
  strata_free(room);
}
