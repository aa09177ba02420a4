#ifndef STRATA_UTIL_ADDRESS_H_
#define STRATA_UTIL_ADDRESS_H_

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Socket addresses as text. The public functions are in event2/util.h. */

/* Room for any address with zone, brackets, port and NUL. */
#define STRATA_ADDRESS_TEXT_LEN 128

/* Writes "192.0.2.1:80" or "[2001:db8::1]:80"; of other families "<address of family N>".
 * Truncates to out_len (at least 1) with a NUL. Returns out_text. */
const char *strata_address_format(const struct sockaddr *addr, char *out_text, size_t out_len);

/* Writes the address alone, without brackets and without zone, and its port. Returns 0, or -1
 * when the family is neither IPv4 nor IPv6 or out_len is too small. out_port may be NULL. */
int strata_address_host(const struct sockaddr *addr, char *out_host, size_t out_len,
                        ev_uint16_t *out_port);

/* The port, or 0 for families without one. */
ev_uint16_t strata_address_port(const struct sockaddr *addr);
/* Sets the port of an IPv4 or IPv6 address; others are left alone. */
void strata_address_set_port(struct sockaddr *addr, ev_uint16_t port);

#ifdef __cplusplus
}
#endif

#endif
