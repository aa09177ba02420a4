#ifndef STRATA_WINDOWS_ARPA_INET_H_
#define STRATA_WINDOWS_ARPA_INET_H_

/* <arpa/inet.h> of the tests in a Windows build; the rest of its names is in posix_names.h. */
#include <winsock2.h>
#include <ws2tcpip.h>

#endif
