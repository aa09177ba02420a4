#ifndef STRATA_BACKENDS_AFD_H_
#define STRATA_BACKENDS_AFD_H_

#include "loop/readiness.h"

/* Windows: readiness of sockets by polls of the driver under Winsock (\Device\Afd), whose answers
 * come to a completion port; the port is also the base's for operations (iocp.c). There is no limit
 * on the number of sockets. A poll tells of a level, so there is no EV_ET. */
extern const struct event_readiness_ops event_afd_ops;

#endif
