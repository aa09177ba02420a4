#ifndef STRATA_BACKENDS_IOCP_ERROR_H_
#define STRATA_BACKENDS_IOCP_ERROR_H_

#include <stdint.h>

/* The Winsock error for an NTSTATUS, as WSAGetOverlappedResult() would give it; that needs the
 * socket, which may be closed by then. 0 for success. */
int strata_iocp_error(int32_t status);

#endif
