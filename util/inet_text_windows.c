#include <stdio.h>

#include "util/address.h"

/* Windows' own functions read and write some addresses in other ways than every other system
 * (ISATAP addresses with dots, RtlIpv6AddressToString), and a program that compares texts must not
 * see a difference. */

#define IPV4_LEN 4
#define NUM_GROUPS 8
#define MAX_GROUP_DIGITS 4

/* ---- reading ---- */

/* Digits only and no leading zero, which elsewhere means octal. Returns what follows the number, or
 * NULL. */
static const char *read_octet(const char *text, unsigned char *out_octet) {
  unsigned value = 0;
  size_t num_digits = strspn(text, "0123456789");
  if (num_digits < 1 || num_digits > 3 || (num_digits > 1 && *text == '0')) return NULL;
  for (size_t i = 0; i < num_digits; ++i) value = value * 10 + (unsigned)(text[i] - '0');
  if (value > 255) return NULL;
  *out_octet = (unsigned char)value;
  return text + num_digits;
}

static int read_ipv4(const char *text, unsigned char *out_octets) {
  unsigned char octets[IPV4_LEN];
  for (int i = 0; i < IPV4_LEN; ++i) {
    text = read_octet(text, &octets[i]);
    if (!text || *text != (i < IPV4_LEN - 1 ? '.' : '\0')) return 0;
    ++text;
  }
  memcpy(out_octets, octets, sizeof(octets));
  return 1;
}

static unsigned hex_value(char digit) {
  if (digit <= '9') return (unsigned)(digit - '0');
  return (unsigned)((digit | 0x20) - 'a') + 10;
}

/* The groups of an IPv6 address (RFC 4291, section 2.2) read so far. */
struct groups {
  unsigned values[NUM_GROUPS];
  int num;
  int gap; /* how many stand before "::"; -1: none seen */
};

/* Appends the group at the start of the text, or the IPv4 address that ends it. Returns what
 * follows, or NULL. */
static const char *read_group(const char *text, struct groups *groups) {
  unsigned char tail[IPV4_LEN];
  unsigned value = 0;
  size_t num_digits = strspn(text, "0123456789abcdefABCDEF");
  if (text[num_digits] == '.') {
    if (groups->num > NUM_GROUPS - 2 || !read_ipv4(text, tail)) return NULL;
    groups->values[groups->num++] = (unsigned)tail[0] << 8 | tail[1];
    groups->values[groups->num++] = (unsigned)tail[2] << 8 | tail[3];
    return text + strlen(text);
  }
  if (groups->num == NUM_GROUPS || num_digits < 1 || num_digits > MAX_GROUP_DIGITS) return NULL;
  for (size_t i = 0; i < num_digits; ++i) value = value << 4 | hex_value(text[i]);
  groups->values[groups->num++] = value;
  text += num_digits;
  if (*text == '\0') return text;
  return *text == ':' && text[1] ? text + 1 : NULL; /* the colon is never the last */
}

static int read_groups(const char *text, struct groups *out_groups) {
  out_groups->num = 0;
  out_groups->gap = -1;
  if (*text == ':' && *++text != ':') return 0;
  while (text && *text) {
    if (*text != ':') {
      text = read_group(text, out_groups);
    } else if (out_groups->gap < 0) {
      out_groups->gap = out_groups->num;
      ++text;
    } else {
      return 0;
    }
  }
  if (!text) return 0;
  return out_groups->gap < 0 ? out_groups->num == NUM_GROUPS : out_groups->num < NUM_GROUPS;
}

static int read_ipv6(const char *text, unsigned char *out_bytes) {
  struct groups groups;
  if (!read_groups(text, &groups)) return 0;
  memset(out_bytes, 0, 2 * NUM_GROUPS);
  int num_skipped = NUM_GROUPS - groups.num;
  for (int i = 0; i < groups.num; ++i) {
    int place = groups.gap >= 0 && i >= groups.gap ? i + num_skipped : i;
    out_bytes[2 * place] = (unsigned char)(groups.values[i] >> 8);
    out_bytes[2 * place + 1] = (unsigned char)groups.values[i];
  }
  return 1;
}

int evutil_inet_pton(int af, const char *src, void *dst) {
  if (af == AF_INET) return read_ipv4(src, dst);
  if (af == AF_INET6) return read_ipv6(src, dst);
  WSASetLastError(WSAEAFNOSUPPORT);
  return -1;
}

/* ---- writing ---- */

static int write_ipv4(const unsigned char *octets, char *out_text, size_t out_len) {
  return snprintf(out_text, out_len, "%u.%u.%u.%u", octets[0], octets[1], octets[2], octets[3]);
}

static unsigned group_at(const unsigned char *bytes, int i) {
  return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* The longest run of two or more groups of zeros, the first of equals (RFC 5952, section 4.2). */
static void find_zeros(const unsigned char *bytes, int *out_start, int *out_num) {
  *out_start = -1;
  *out_num = 1;
  for (int i = 0, num = 0; i < NUM_GROUPS; ++i) {
    num = group_at(bytes, i) ? 0 : num + 1;
    if (num <= *out_num) continue;
    *out_num = num;
    *out_start = i - num + 1;
  }
}

/* Mapped and "compatible" addresses end like an IPv4 one, as inet_ntop(3) writes them. */
static int has_ipv4_tail(const unsigned char *bytes, int zeros_start, int num_zeros) {
  if (zeros_start != 0) return 0;
  return num_zeros == 6 || (num_zeros == 5 && group_at(bytes, 5) == 0xffff);
}

static void write_ipv6(const unsigned char *bytes, char *out_text, size_t out_len) {
  int zeros_start, num_zeros, len = 0;
  find_zeros(bytes, &zeros_start, &num_zeros);
  int num_groups = has_ipv4_tail(bytes, zeros_start, num_zeros) ? NUM_GROUPS - 2 : NUM_GROUPS;
  int needs_colon = 0;
  for (int i = 0; i < num_groups; ++i) {
    if (i == zeros_start) {
      len += snprintf(out_text + len, out_len - (size_t)len, "::");
      i += num_zeros - 1;
      needs_colon = 0;
      continue;
    }
    len += snprintf(out_text + len, out_len - (size_t)len, needs_colon ? ":%x" : "%x",
                    group_at(bytes, i));
    needs_colon = 1;
  }
  if (num_groups == NUM_GROUPS) return;
  if (needs_colon) out_text[len++] = ':';
  write_ipv4(bytes + 2 * num_groups, out_text + len, out_len - (size_t)len);
}

const char *evutil_inet_ntop(int af, const void *src, char *dst, size_t len) {
  char text[STRATA_ADDRESS_TEXT_LEN];
  if (af == AF_INET) {
    write_ipv4(src, text, sizeof(text));
  } else if (af == AF_INET6) {
    write_ipv6(src, text, sizeof(text));
  } else {
    WSASetLastError(WSAEAFNOSUPPORT);
    return NULL;
  }
  size_t text_len = strlen(text);
  if (text_len >= len) {
    WSASetLastError(WSAENOBUFS);
    return NULL;
  }
  memcpy(dst, text, text_len + 1);
  return dst;
}
