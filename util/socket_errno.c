#include "util/socket.h"

#include <errno.h>

#if defined(_WIN32)

/* errno's numbers are the C runtime's there, and nothing to do with Winsock's. */
int strata_error_from_errno(int number) {
  switch (number) {
    case ENOMEM:
      return WSAENOBUFS;
    case EBADF:
      return WSAEBADF;
    case EINVAL:
      return WSAEINVAL;
    case EPERM:
    case EACCES:
      return WSAEACCES;
    case EMFILE:
    case ENFILE:
      return WSAEMFILE;
    case EAGAIN:
      return WSAEWOULDBLOCK;
    case EINTR:
      return WSAEINTR;
    case ENOTSOCK:
      return WSAENOTSOCK;
    case ENOTSUP:
    case EOPNOTSUPP:
      return WSAEOPNOTSUPP;
    case ECANCELED:
      return WSA_OPERATION_ABORTED;
    default:
      return WSASYSCALLFAILURE;
  }
}

#else

int strata_error_from_errno(int number) {
  return number;
}

#endif

void strata_errno_to_socket_error(void) {
  EVUTIL_SET_SOCKET_ERROR(strata_error_from_errno(errno));
}
