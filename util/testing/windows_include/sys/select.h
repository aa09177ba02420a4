#ifndef STRATA_WINDOWS_SYS_SELECT_H_
#define STRATA_WINDOWS_SYS_SELECT_H_

/* <sys/select.h> of the tests in a Windows build; the rest of its names is in posix_names.h. */
#include <winsock2.h>
#include <ws2tcpip.h>

#endif
