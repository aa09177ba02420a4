#ifndef STRATA_HTTP_AUTHORITY_H_
#define STRATA_HTTP_AUTHORITY_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The host and port of a URI (RFC 3986 3.2.2 and 3.2.3), as bytes that need no NUL. */

/* Whether the bytes are a reg-name: unreserved and sub-delims characters and percent escapes;
 * possibly none. An IPv4 address is one too. */
int evhttp_is_reg_name(const char *bytes, size_t len);

/* Whether the bytes, brackets included, are an IP-literal: "[" IPv6address or IPvFuture "]". */
int evhttp_is_ip_literal(const char *bytes, size_t len);

/* Parses 1*DIGIT of at most 65535; -1 for anything else. */
int32_t evhttp_parse_port(const char *digits, size_t len);

/* Splits host [":" [port]] without userinfo. Sets *out_host_len (the host starts at `bytes` and
 * keeps its brackets) and *out_port, which is -1 when there is no port or an empty one. Returns
 * -1 when the host is neither a reg-name nor an IP-literal, or the port is out of range. */
int evhttp_authority_split(const char *bytes, size_t len, size_t *out_host_len, int32_t *out_port);

#ifdef __cplusplus
}
#endif

#endif
