#ifndef STRATA_UTIL_ADDRINFO_H_
#define STRATA_UTIL_ADDRINFO_H_

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lists of addresses as getaddrinfo(3) returns them, for whoever answers a lookup without asking
 * the system. All of them are freed with evutil_freeaddrinfo(). */

/* Makes elements for one address: one for the socket type that the hints ask for, or, when they
 * leave it open, one for each of TCP, UDP and raw. *out_list becomes the list. Returns 0 or
 * EVUTIL_EAI_MEMORY. */
int strata_addrinfo_new(const struct sockaddr *addr, ev_socklen_t addr_len,
                        const struct evutil_addrinfo *hints, struct evutil_addrinfo **out_list);

/* Appends `tail` to `list` (either may be NULL) and returns the first element. */
struct evutil_addrinfo *strata_addrinfo_append(struct evutil_addrinfo *list,
                                               struct evutil_addrinfo *tail);

/* Parses "0" to "65535", digits only. Returns the port or -1. */
int strata_port_parse(const char *text);

/* Answers when the host is a numeric address and the service a number or NULL, and the hints hold
 * nothing out of the ordinary; never blocks. Returns 0, EVUTIL_EAI_MEMORY, or
 * STRATA_ADDRINFO_NOT_NUMERIC when the system has to be asked. */
#define STRATA_ADDRINFO_NOT_NUMERIC 1
int strata_addrinfo_numeric(const char *host, const char *service,
                            const struct evutil_addrinfo *hints, struct evutil_addrinfo **out_list);

/* Asks the system, which may take long (getaddrinfo(3)). Returns 0 or an EVUTIL_EAI_ code. */
int strata_addrinfo_system(const char *host, const char *service,
                           const struct evutil_addrinfo *hints, struct evutil_addrinfo **out_list);

#ifdef __cplusplus
}
#endif

#endif
