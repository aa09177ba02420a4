#ifndef STRATA_WINDOWS_NET_IF_H_
#define STRATA_WINDOWS_NET_IF_H_

/* <net/if.h> of the tests in a Windows build. */
#include <winsock2.h>
/* After winsock2.h. */
#include <iphlpapi.h>

#endif
