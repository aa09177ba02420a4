#ifndef STRATA_WINDOWS_POLL_H_
#define STRATA_WINDOWS_POLL_H_

/* <poll.h> of the tests in a Windows build; the rest of its names is in posix_names.h. */
#include <winsock2.h>
#include <ws2tcpip.h>

#endif
