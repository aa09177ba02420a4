#include "util/address.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef _WIN32
#include <iphlpapi.h>
typedef ADDRESS_FAMILY sa_family_t;
#else
#include <net/if.h>
#include <netinet/in.h>
#endif

#include "util/addrinfo.h"

/* Callers hand in struct sockaddr pointers into bytes of unknown alignment and declared type, so
 * that addresses are copied in and out. */
static struct sockaddr_in as_in(const struct sockaddr *addr) {
  struct sockaddr_in in;
  memcpy(&in, addr, sizeof(in));
  return in;
}

static struct sockaddr_in6 as_in6(const struct sockaddr *addr) {
  struct sockaddr_in6 in6;
  memcpy(&in6, addr, sizeof(in6));
  return in6;
}

static int family_of(const struct sockaddr *addr) {
  sa_family_t family;
  memcpy(&family, (const char *)addr + offsetof(struct sockaddr, sa_family), sizeof(family));
  return family;
}

/* ---- text ---- */

/* The number of a zone (RFC 4007, section 11.2): an interface's name or its number; empty is 0.
 * -1 when there is no such interface. */
static int64_t zone_parse(const char *zone) {
  unsigned index = if_nametoindex(zone);
  if (index) return index;
  char *end;
  errno = 0;
  unsigned long number = strtoul(zone, &end, 10);
  if (*end || *zone == '-' || errno || number > UINT32_MAX) return -1;
  return (int64_t)number;
}

int evutil_inet_pton_scope(int af, const char *src, void *dst, unsigned *indexp) {
  *indexp = 0;
  const char *percent = af == AF_INET6 ? strchr(src, '%') : NULL;
  if (!percent) return evutil_inet_pton(af, src, dst);
  char host[STRATA_ADDRESS_TEXT_LEN];
  size_t host_len = (size_t)(percent - src);
  if (host_len >= sizeof(host)) return 0;
  memcpy(host, src, host_len);
  host[host_len] = '\0';
  int64_t index = zone_parse(percent + 1);
  if (index < 0) return 0;
  int result = evutil_inet_pton(af, host, dst);
  if (result == 1) *indexp = (unsigned)index;
  return result;
}

static int store(const void *addr, size_t addr_len, struct sockaddr *out, int *outlen) {
  if (*outlen < 0 || (size_t)*outlen < addr_len) return -1;
  memset(out, 0, (size_t)*outlen);
  memcpy(out, addr, addr_len);
  *outlen = (int)addr_len;
  return 0;
}

static int parse_in(const char *host, int port, struct sockaddr *out, int *outlen) {
  struct sockaddr_in in;
  memset(&in, 0, sizeof(in));
  in.sin_family = AF_INET;
  in.sin_port = htons((uint16_t)port);
  if (evutil_inet_pton(AF_INET, host, &in.sin_addr) != 1) return -1;
  return store(&in, sizeof(in), out, outlen);
}

static int parse_in6(const char *host, int port, struct sockaddr *out, int *outlen) {
  struct sockaddr_in6 in6;
  unsigned index;
  memset(&in6, 0, sizeof(in6));
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons((uint16_t)port);
  if (evutil_inet_pton_scope(AF_INET6, host, &in6.sin6_addr, &index) != 1) return -1;
  in6.sin6_scope_id = index;
  return store(&in6, sizeof(in6), out, outlen);
}

/* Where the text's host and port are; port NULL when there is none. */
struct host_port {
  const char *host;
  size_t host_len;
  const char *port;
  int is_v6;
};

static int split_host_port(const char *str, struct host_port *out_parts) {
  const char *colon = strchr(str, ':');
  if (*str == '[') {
    const char *bracket = strchr(str, ']');
    if (!bracket || (bracket[1] && bracket[1] != ':')) return -1;
    *out_parts = (struct host_port){str + 1, (size_t)(bracket - str - 1),
                                    bracket[1] ? bracket + 2 : NULL, 1};
  } else if (colon && strchr(colon + 1, ':')) {
    *out_parts = (struct host_port){str, strlen(str), NULL, 1};
  } else if (colon) {
    *out_parts = (struct host_port){str, (size_t)(colon - str), colon + 1, 0};
  } else {
    *out_parts = (struct host_port){str, strlen(str), NULL, 0};
  }
  return 0;
}

int evutil_parse_sockaddr_port(const char *str, struct sockaddr *out, int *outlen) {
  struct host_port parts;
  char host[STRATA_ADDRESS_TEXT_LEN];
  int port = 0;
  if (split_host_port(str, &parts) < 0 || parts.host_len >= sizeof(host)) return -1;
  memcpy(host, parts.host, parts.host_len);
  host[parts.host_len] = '\0';
  if (parts.port) {
    port = strata_port_parse(parts.port);
    if (port <= 0) return -1; /* no connection goes to port 0 */
  }
  return parts.is_v6 ? parse_in6(host, port, out, outlen) : parse_in(host, port, out, outlen);
}

int strata_address_host(const struct sockaddr *addr, char *out_host, size_t out_len,
                        ev_uint16_t *out_port) {
  const char *text = NULL;
  if (family_of(addr) == AF_INET) {
    struct sockaddr_in in = as_in(addr);
    text = evutil_inet_ntop(AF_INET, &in.sin_addr, out_host, out_len);
  } else if (family_of(addr) == AF_INET6) {
    struct sockaddr_in6 in6 = as_in6(addr);
    text = evutil_inet_ntop(AF_INET6, &in6.sin6_addr, out_host, out_len);
  }
  if (!text) return -1;
  if (out_port) *out_port = strata_address_port(addr);
  return 0;
}

const char *strata_address_format(const struct sockaddr *addr, char *out_text, size_t out_len) {
  char host[STRATA_ADDRESS_TEXT_LEN];
  ev_uint16_t port;
  if (strata_address_host(addr, host, sizeof(host), &port) < 0)
    snprintf(out_text, out_len, "<address of family %d>", family_of(addr));
  else
    snprintf(out_text, out_len, family_of(addr) == AF_INET6 ? "[%s]:%d" : "%s:%d", host, port);
  return out_text;
}

/* ---- ports and order ---- */

ev_uint16_t strata_address_port(const struct sockaddr *addr) {
  if (family_of(addr) == AF_INET) return ntohs(as_in(addr).sin_port);
  if (family_of(addr) == AF_INET6) return ntohs(as_in6(addr).sin6_port);
  return 0;
}

void strata_address_set_port(struct sockaddr *addr, ev_uint16_t port) {
  uint16_t wire_port = htons(port);
  if (family_of(addr) == AF_INET)
    memcpy((char *)addr + offsetof(struct sockaddr_in, sin_port), &wire_port, sizeof(wire_port));
  else if (family_of(addr) == AF_INET6)
    memcpy((char *)addr + offsetof(struct sockaddr_in6, sin6_port), &wire_port, sizeof(wire_port));
}

int evutil_sockaddr_cmp(const struct sockaddr *sa1, const struct sockaddr *sa2, int include_port) {
  int order = family_of(sa1) - family_of(sa2);
  if (order) return order;
  if (family_of(sa1) == AF_INET) {
    struct sockaddr_in a = as_in(sa1), b = as_in(sa2);
    order = memcmp(&a.sin_addr, &b.sin_addr, sizeof(a.sin_addr));
  } else if (family_of(sa1) == AF_INET6) {
    struct sockaddr_in6 a = as_in6(sa1), b = as_in6(sa2);
    order = memcmp(&a.sin6_addr, &b.sin6_addr, sizeof(a.sin6_addr));
  } else {
    return 1; /* the length, and so the end, of other addresses is unknown */
  }
  if (order || !include_port) return order;
  return (int)strata_address_port(sa1) - (int)strata_address_port(sa2);
}
