#ifndef STRATA_HTTP_SCAN_H_
#define STRATA_HTTP_SCAN_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* For each hexadecimal digit 16 more than its value, 0 for all other bytes. */
extern const uint8_t strata_http_hex_digit[256];

/* The value of a hexadecimal digit; `digit` must be one. */
static inline unsigned strata_http_hex_value(char digit) {
  return strata_http_hex_digit[(unsigned char)digit] & 0x0fu;
}

/* Each returns the first byte from `bytes` on that is not of its class, or `end`. */
const char *strata_http_scan_token(const char *bytes, const char *end);
const char *strata_http_scan_target(const char *bytes, const char *end);
const char *strata_http_scan_text(const char *bytes, const char *end);

/* The bits in which eight, or four, bytes differ from those of `lower_case`, but for the case of
 * letters. */
static inline uint64_t strata_http_differ_8(const char *bytes, const char *lower_case) {
  const uint64_t letter_bits = 0x4040404040404040u;
  uint64_t some, wanted;
  memcpy(&some, bytes, sizeof(some));
  memcpy(&wanted, lower_case, sizeof(wanted));
  return (some ^ wanted) & ~((wanted & letter_bits) >> 1);
}
static inline uint32_t strata_http_differ_4(const char *bytes, const char *lower_case) {
  const uint32_t letter_bits = 0x40404040u;
  uint32_t some, wanted;
  memcpy(&some, bytes, sizeof(some));
  memcpy(&wanted, lower_case, sizeof(wanted));
  return (some ^ wanted) & ~((wanted & letter_bits) >> 1);
}

/* Whether the bytes are `lower_case` (lower-case letters, digits and '-') but for the case of ASCII
 * letters, whatever the locale. With a literal it costs a few instructions. */
static inline int strata_http_equal_nocase(const char *bytes, size_t len, const char *lower_case) {
  const size_t want_len = strlen(lower_case);
  uint64_t differ = 0;
  size_t i;
  if (len != want_len) return 0;
  if (want_len >= 8) {
    /* The last piece overlaps with the one before it. */
    differ = strata_http_differ_8(bytes, lower_case);
    for (i = 8; i + 8 < want_len; i += 8) differ |= strata_http_differ_8(bytes + i, lower_case + i);
    differ |= strata_http_differ_8(bytes + want_len - 8, lower_case + want_len - 8);
  } else if (want_len >= 4) {
    differ = strata_http_differ_4(bytes, lower_case) |
             strata_http_differ_4(bytes + want_len - 4, lower_case + want_len - 4);
  } else {
    for (i = 0; i < want_len; i++) {
      unsigned wanted = (unsigned char)lower_case[i];
      differ |= ((unsigned char)bytes[i] ^ wanted) & ~((wanted & 0x40u) >> 1);
    }
  }
  return differ == 0;
}

#ifdef __cplusplus
}
#endif

#endif
