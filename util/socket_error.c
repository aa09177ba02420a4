#include "util/socket.h"

int strata_error_would_block(int error) {
#if EAGAIN != EWOULDBLOCK
  if (error == EWOULDBLOCK) return 1;
#endif
  return error == EAGAIN;
}

int strata_error_rw_retriable(int error) {
  return error == EINTR || strata_error_would_block(error);
}

/* An interrupted connect is not started anew; it goes on (connect(2)). */
int strata_error_connect_retriable(int error) {
  return error == EINTR || error == EINPROGRESS;
}

int strata_error_connect_refused(int error) {
  return error == ECONNREFUSED;
}

/* Linux hands over errors that are pending on the new connection (accept(2)). The manual counts
 * EOPNOTSUPP among them, but a descriptor that cannot accept at all gives it too, for ever. */
int strata_error_accept_retriable(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EPROTO:
    case ENOPROTOOPT:
#if defined(EHOSTDOWN)
    case EHOSTDOWN:
#endif
#if defined(ENONET)
    case ENONET:
#endif
      return 1;
    default:
      return strata_error_would_block(error);
  }
}

int strata_error_exhausted(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}
