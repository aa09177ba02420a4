#ifndef STRATA_HTTP_ESCAPE_H_
#define STRATA_HTTP_ESCAPE_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What '+' stands for. */
enum strata_http_plus {
  STRATA_HTTP_PLUS_IS_PLUS,
  STRATA_HTTP_PLUS_IS_SPACE,
  STRATA_HTTP_PLUS_IN_QUERY, /* A space, but only behind the first '?'. */
};

/* Decodes percent escapes into `out`, which has room for len + 1 bytes and may be `bytes` itself,
 * and adds a NUL. A '%' that starts no escape stays. Returns the decoded length; the result may
 * contain NUL bytes. */
size_t strata_http_decode(const char *bytes, size_t len, enum strata_http_plus plus, char *out);

/* Decodes the byte that `bytes` start with, which is there; a '%' that starts no escape stands for
 * itself. Returns how many of the `len` bytes it takes: 1 or 3. */
size_t strata_http_decode_byte(const char *bytes, size_t len, char *out_byte);

/* The character reference that stands for a byte in HTML text and attributes; NULL when the byte
 * stands for itself. Static. */
const char *strata_http_html_reference(char c);

#ifdef __cplusplus
}
#endif

#endif
