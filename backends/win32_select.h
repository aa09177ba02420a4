#ifndef STRATA_BACKENDS_WIN32_SELECT_H_
#define STRATA_BACKENDS_WIN32_SELECT_H_

#include "loop/readiness.h"

/* Winsock's select(), with sets as large as needed: FD_SETSIZE is no limit. Called "win32", as in
 * libevent. Level triggering only, and no EV_CLOSED: an interest in nothing else is accepted and
 * never reported. Sockets only; one that was closed while it was registered is forgotten. A
 * connection that could not be made is reported to whoever waits to write, as hung up. Changes take
 * effect at the next wait. Waits to the millisecond, rounded up. */
extern const struct event_readiness_ops event_win32_select_ops;

#endif
