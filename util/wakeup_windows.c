#include "util/wakeup.h"

#include "util/socket.h"

/* Sockets, since these are all that select and AFD wait for. */
int strata_wakeup_open(struct strata_wakeup *out_wakeup) {
  evutil_socket_t fds[2] = {-1, -1};
  int result = strata_pipe(fds);
  out_wakeup->read_fd = fds[0];
  out_wakeup->write_fd = fds[1];
  return result;
}

void strata_wakeup_close(struct strata_wakeup *wakeup) {
  if (wakeup->write_fd >= 0) evutil_closesocket(wakeup->write_fd);
  if (wakeup->read_fd >= 0) evutil_closesocket(wakeup->read_fd);
  wakeup->read_fd = wakeup->write_fd = -1;
}

int strata_wakeup_signal(const struct strata_wakeup *wakeup) {
  const char byte = 0;
  int saved_errno = errno;
  int saved_error = WSAGetLastError();
  int num_sent = send(wakeup->write_fd, &byte, 1, 0);
  /* Full means that the reader has not yet seen an earlier one. */
  int failed = num_sent < 0 && !strata_error_would_block(WSAGetLastError());
  WSASetLastError(saved_error);
  errno = saved_errno;
  return failed ? -1 : 0;
}

void strata_wakeup_drain(const struct strata_wakeup *wakeup) {
  char bytes[1024];
  /* Not until a short read: what was sent one by one may come one by one. */
  while (recv(wakeup->read_fd, bytes, sizeof(bytes), 0) > 0) {
  }
}
