#ifndef STRATA_HTTP_WS_HANDSHAKE_H_
#define STRATA_HTTP_WS_HANDSHAKE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evhttp_request;
struct evkeyvalq;

/* The opening handshake (RFC 6455 4): what both sides check in the other's head. */

/* Lengths of a key and of the answer to it, both in base64, without the NUL. */
enum { STRATA_WS_KEY_LEN = 24, STRATA_WS_ACCEPT_LEN = 28 };

/* What a request is. Each but OK has one status to answer with. */
enum strata_ws_request_kind {
  STRATA_WS_REQUEST_OK,
  STRATA_WS_REQUEST_BAD,           /* 400 */
  STRATA_WS_REQUEST_NO_UPGRADE,    /* 426: does not ask for WebSocket. */
  STRATA_WS_REQUEST_OTHER_VERSION, /* 426: not version 13. */
};

/* Checks a request (4.2.1). On OK, out_key is its key, which belongs to the request. */
enum strata_ws_request_kind strata_ws_request_check(const struct evhttp_request *req,
                                                    const char **out_key);

/* The answer to a key: 28 characters and a NUL (4.2.2). */
void strata_ws_accept(const char *key, char out_accept[STRATA_WS_ACCEPT_LEN + 1]);

/* A key of 16 random bytes, and a NUL (4.1). */
void strata_ws_make_key(char out_key[STRATA_WS_KEY_LEN + 1]);

/* Whether a value is the base64 of 16 bytes. */
int strata_ws_is_key(const char *value);

/* Whether the fields agree to the handshake with `key` (4.1). `offered` is the value of the
 * client's Sec-WebSocket-Protocol, NULL for none: the answer must be among them, and there must be
 * no extension. On 1, out_protocol is the subprotocol in the fields, or NULL. */
int strata_ws_response_check(const struct evkeyvalq *headers, const char *key, const char *offered,
                             const char **out_protocol);

/* Whether a comma-separated value has the name, letter case included, as subprotocols are compared.
 */
int strata_ws_offers(const char *value, const char *name, size_t name_len);

#ifdef __cplusplus
}
#endif

#endif
