#ifndef STRATA_BACKENDS_IOCP_ERROR_H_
#define STRATA_BACKENDS_IOCP_ERROR_H_

#include <stdbool.h>
#include <stdint.h>

/* The Winsock error for an NTSTATUS, as WSAGetOverlappedResult() would give it; that needs the
 * socket, which may be closed by then. 0 for success. */
int strata_iocp_error(int32_t status);
/* Its socket was closed. Only Wine says so: to Windows that is a cancellation like others. */
bool strata_iocp_tells_of_a_close(int32_t status);

#endif
