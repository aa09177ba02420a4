#ifndef STRATA_UTIL_WINSOCK_H_
#define STRATA_UTIL_WINSOCK_H_

#ifdef __cplusplus
extern "C" {
#endif

/* Starts Winsock 2.2 for this process, once; later calls return at once. Everything that makes
 * sockets or asks Winsock calls it first, so that a program need not call WSAStartup itself; one
 * that does does no harm, since Winsock counts. It is not ended again before the process is: the
 * program may still have sockets. Elsewhere than on Windows nothing has to be started.
 *
 * From any thread. Returns 0, or -1 with EVUTIL_SOCKET_ERROR() set. */
#ifdef _WIN32
int strata_winsock_start(void);
#else
static inline int strata_winsock_start(void) {
  return 0;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
