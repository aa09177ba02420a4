#ifndef STRATA_HTTP_SCAN_H_
#define STRATA_HTTP_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Classes of bytes and runs of them, portably. Whole lines of a head have faster loops of their
 * own: http/parser_lines.h. */

enum {
  STRATA_HTTP_TOKEN = 0x01,    /* tchar, RFC 9110 5.6.2 */
  STRATA_HTTP_TARGET = 0x02,   /* Visible ASCII but '#': RFC 9112 3.2 has no fragment. */
  STRATA_HTTP_TEXT = 0x04,     /* HTAB, SP, VCHAR, obs-text: RFC 9110 5.5. */
  STRATA_HTTP_REG_NAME = 0x08, /* unreserved and sub-delims, RFC 3986 2.2 and 2.3 */
  STRATA_HTTP_DIGIT = 0x10,
  STRATA_HTTP_HEX = 0x20,
  STRATA_HTTP_SCHEME = 0x40, /* RFC 3986 3.1, after the first letter. */
  STRATA_HTTP_ALPHA = 0x80,
};

/* For each byte the classes that it is in. */
extern const uint8_t strata_http_char_class[256];

static inline int strata_http_is(char byte, uint8_t mask) {
  return (strata_http_char_class[(unsigned char)byte] & mask) != 0;
}

/* The value of a hexadecimal digit; `digit` must be one. */
static inline unsigned strata_http_hex_value(char digit) {
  unsigned char c = (unsigned char)digit;
  return c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u;
}

/* Each returns the first byte from `bytes` on that is not of its class, or `end`. */
const char *strata_http_scan_token(const char *bytes, const char *end);
const char *strata_http_scan_target(const char *bytes, const char *end);
const char *strata_http_scan_text(const char *bytes, const char *end);

/* Whether the bytes are `lower_case` (a literal in lower case) but for the case of ASCII letters,
 * whatever the locale. */
int strata_http_equal_nocase(const char *bytes, size_t len, const char *lower_case);

#ifdef __cplusplus
}
#endif

#endif
