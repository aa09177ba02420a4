#include "http/authority.h"

#include <string.h>

#include "http/scan.h"

int evhttp_is_reg_name(const char *bytes, size_t len) {
  size_t i = 0;
  while (i < len) {
    if (strata_http_is(bytes[i], STRATA_HTTP_REG_NAME)) {
      ++i;
    } else if (bytes[i] == '%' && len - i >= 3 && strata_http_is(bytes[i + 1], STRATA_HTTP_HEX) &&
               strata_http_is(bytes[i + 2], STRATA_HTTP_HEX)) {
      i += 3;
    } else {
      return 0;
    }
  }
  return 1;
}

static size_t count_class(const char *bytes, size_t len, uint8_t mask) {
  size_t n = 0;
  while (n < len && strata_http_is(bytes[n], mask)) ++n;
  return n;
}

/* Four decimal octets without leading zeros. */
static int is_ipv4(const char *bytes, size_t len) {
  int octets = 0;
  for (;;) {
    size_t digits = count_class(bytes, len, STRATA_HTTP_DIGIT);
    if (digits == 0 || digits > 3 || (digits > 1 && bytes[0] == '0')) return 0;
    if (digits == 3 && memcmp(bytes, "255", 3) > 0) return 0;
    bytes += digits, len -= digits;
    if (++octets == 4) return len == 0;
    if (len == 0 || *bytes != '.') return 0;
    ++bytes, --len;
  }
}

/* Counts 16-bit groups; one "::" stands for at least one group of zeros. */
static int is_ipv6(const char *bytes, size_t len) {
  int groups = 0, compressed = 0;
  if (len >= 2 && memcmp(bytes, "::", 2) == 0) {
    compressed = 1;
    bytes += 2, len -= 2;
  }
  while (len > 0) {
    size_t digits = count_class(bytes, len, STRATA_HTTP_HEX);
    if (digits < len && bytes[digits] == '.') {
      if (!is_ipv4(bytes, len)) return 0;
      groups += 2;
      break;
    }
    if (digits == 0 || digits > 4) return 0;
    bytes += digits, len -= digits;
    ++groups;
    if (len == 0) break;
    if (bytes[0] != ':' || len == 1) return 0;
    ++bytes, --len;
    if (bytes[0] == ':') {
      if (compressed) return 0;
      compressed = 1;
      ++bytes, --len;
    }
  }
  return compressed ? groups <= 7 : groups == 8;
}

static int is_ip_future(const char *bytes, size_t len) {
  size_t digits;
  if (len == 0 || (bytes[0] != 'v' && bytes[0] != 'V')) return 0;
  ++bytes, --len;
  digits = count_class(bytes, len, STRATA_HTTP_HEX);
  if (digits == 0 || len - digits < 2 || bytes[digits] != '.') return 0;
  bytes += digits + 1, len -= digits + 1;
  for (; len > 0; ++bytes, --len) {
    if (*bytes != ':' && !strata_http_is(*bytes, STRATA_HTTP_REG_NAME)) return 0;
  }
  return 1;
}

int evhttp_is_ip_literal(const char *bytes, size_t len) {
  if (len < 2 || bytes[0] != '[' || bytes[len - 1] != ']') return 0;
  return is_ipv6(bytes + 1, len - 2) || is_ip_future(bytes + 1, len - 2);
}

int32_t evhttp_parse_port(const char *digits, size_t len) {
  unsigned port = 0;
  size_t i;
  if (len == 0) return -1;
  for (i = 0; i < len; ++i) {
    unsigned digit = (unsigned char)digits[i] - (unsigned)'0';
    port = port * 10 + digit;
    if (digit > 9 || port > 65535) return -1;
  }
  return (int32_t)port;
}

/* The length of what comes before the colon that starts a port, or everything. */
static size_t host_part_len(const char *bytes, size_t len) {
  const char *colon;
  if (len > 0 && bytes[0] == '[') {
    const char *close = (const char *)memchr(bytes, ']', len);
    return close ? (size_t)(close - bytes) + 1 : len;
  }
  if (len == 0) return 0;
  colon = (const char *)memchr(bytes, ':', len);
  return colon ? (size_t)(colon - bytes) : len;
}

int evhttp_authority_split(const char *bytes, size_t len, size_t *out_host_len, int32_t *out_port) {
  /* Most are names without percent escapes. */
  size_t host_len = count_class(bytes, len, STRATA_HTTP_REG_NAME);
  int is_plain_name = host_len == len || bytes[host_len] == ':';
  if (!is_plain_name) host_len = host_part_len(bytes, len);
  *out_host_len = host_len;
  *out_port = -1;
  if (!is_plain_name && !evhttp_is_reg_name(bytes, host_len) &&
      !evhttp_is_ip_literal(bytes, host_len))
    return -1;
  if (host_len == len) return 0;
  if (bytes[host_len] != ':') return -1;
  if (host_len + 1 == len) return 0;
  *out_port = evhttp_parse_port(bytes + host_len + 1, len - host_len - 1);
  return *out_port < 0 ? -1 : 0;
}
