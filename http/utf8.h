#ifndef STRATA_HTTP_UTF8_H_
#define STRATA_HTTP_UTF8_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* UTF-8 (RFC 3629) that comes in pieces, checked as it comes: no overlong forms, no surrogates,
 * nothing above U+10FFFF. All zeros is the state before the first byte. */
struct strata_utf8 {
  uint8_t num_missing; /* Bytes that the character begun still needs. */
  uint8_t low, high;   /* Range of the next one. */
};

/* Goes on with len bytes. 0; or -1 at the first byte that cannot be part of valid text, after which
 * the state is of no use. */
int strata_utf8_check(struct strata_utf8 *utf8, const void *bytes, size_t len);

/* Whether the text may end here, between two characters. */
static inline int strata_utf8_is_complete(const struct strata_utf8 *utf8) {
  return utf8->num_missing == 0;
}

/* Whether len bytes are valid text. */
int strata_utf8_is_valid(const void *bytes, size_t len);

#ifdef __cplusplus
}
#endif

#endif
