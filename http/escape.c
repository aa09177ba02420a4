#include <string.h>

#include <event2/http.h>

#include "http/escape.h"
#include "http/scan.h"
#include "util/memory.h"

/* RFC 3986 2.3. */
static int is_unreserved(char c) {
  return strata_http_is(c, STRATA_HTTP_ALPHA | STRATA_HTTP_DIGIT) || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

static size_t encoded_len(const char *bytes, size_t len, int space_to_plus) {
  size_t total = 0, i;
  for (i = 0; i < len; ++i) {
    total += is_unreserved(bytes[i]) || (bytes[i] == ' ' && space_to_plus) ? 1 : 3;
  }
  return total;
}

static char *put_escape(char *to, unsigned char byte) {
  static const char digits[] = "0123456789ABCDEF";
  *to++ = '%';
  *to++ = digits[byte >> 4];
  *to++ = digits[byte & 15];
  return to;
}

static char *encode(const char *bytes, size_t len, int space_to_plus) {
  char *out, *to;
  size_t i;
  if (len > (SIZE_MAX - 1) / 3) return NULL;
  to = out = strata_malloc(encoded_len(bytes, len, space_to_plus) + 1);
  if (!out) return NULL;
  for (i = 0; i < len; ++i) {
    if (is_unreserved(bytes[i])) {
      *to++ = bytes[i];
    } else if (bytes[i] == ' ' && space_to_plus) {
      *to++ = '+';
    } else {
      to = put_escape(to, (unsigned char)bytes[i]);
    }
  }
  *to = '\0';
  return out;
}

char *evhttp_uriencode(const char *str, ev_ssize_t size, int space_to_plus) {
  return encode(str, size >= 0 ? (size_t)size : strlen(str), space_to_plus);
}

char *evhttp_encode_uri(const char *str) {
  return evhttp_uriencode(str, -1, 0);
}

static int is_escape(const char *bytes, size_t len) {
  return len >= 3 && bytes[0] == '%' && strata_http_is(bytes[1], STRATA_HTTP_HEX) &&
         strata_http_is(bytes[2], STRATA_HTTP_HEX);
}

size_t strata_http_decode_byte(const char *bytes, size_t len, char *out_byte) {
  if (!is_escape(bytes, len)) {
    *out_byte = *bytes;
    return 1;
  }
  *out_byte = (char)(strata_http_hex_value(bytes[1]) << 4 | strata_http_hex_value(bytes[2]));
  return 3;
}

size_t strata_http_decode(const char *bytes, size_t len, enum strata_http_plus plus, char *out) {
  char *to = out;
  int decode_plus = plus == STRATA_HTTP_PLUS_IS_SPACE;
  while (len > 0) {
    char byte = *bytes;
    size_t taken = strata_http_decode_byte(bytes, len, to);
    if (byte == '?' && plus == STRATA_HTTP_PLUS_IN_QUERY) decode_plus = 1;
    if (byte == '+' && decode_plus) *to = ' ';
    ++to;
    bytes += taken;
    len -= taken;
  }
  *to = '\0';
  return (size_t)(to - out);
}

static char *decode(const char *uri, enum strata_http_plus plus, size_t *size_out) {
  size_t len = strlen(uri);
  char *out = strata_malloc(len + 1);
  if (!out) return NULL;
  len = strata_http_decode(uri, len, plus, out);
  if (size_out) *size_out = len;
  return out;
}

char *evhttp_uridecode(const char *uri, int decode_plus, size_t *size_out) {
  return decode(uri, decode_plus ? STRATA_HTTP_PLUS_IS_SPACE : STRATA_HTTP_PLUS_IS_PLUS, size_out);
}

char *evhttp_decode_uri(const char *uri) {
  return decode(uri, STRATA_HTTP_PLUS_IN_QUERY, NULL);
}

const char *strata_http_html_reference(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#039;";
    default:
      return NULL;
  }
}

/* Returns 0 when the size does not fit in a size_t. */
static size_t html_size(const char *html) {
  size_t total = 1;
  for (; *html; ++html) {
    const char *reference = strata_http_html_reference(*html);
    size_t len = reference ? strlen(reference) : 1;
    if (total > SIZE_MAX - len) return 0;
    total += len;
  }
  return total;
}

char *evhttp_htmlescape(const char *html) {
  size_t size;
  char *out, *to;
  if (!html || (size = html_size(html)) == 0) return NULL;
  to = out = strata_malloc(size);
  if (!out) return NULL;
  for (; *html; ++html) {
    const char *reference = strata_http_html_reference(*html);
    size_t len = reference ? strlen(reference) : 1;
    memcpy(to, reference ? reference : html, len);
    to += len;
  }
  *to = '\0';
  return out;
}
