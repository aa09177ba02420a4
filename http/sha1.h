#ifndef STRATA_HTTP_SHA1_H_
#define STRATA_HTTP_SHA1_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { STRATA_SHA1_LEN = 20 };

/* The SHA-1 digest of len bytes (RFC 3174). For the WebSocket handshake, which names this function
 * and does not rely on its strength: nothing else should use it. */
void strata_sha1(const void *bytes, size_t len, uint8_t out_digest[STRATA_SHA1_LEN]);

#ifdef __cplusplus
}
#endif

#endif
