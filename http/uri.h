#ifndef STRATA_HTTP_URI_H_
#define STRATA_HTTP_URI_H_

#include "http/framing.h"

#ifdef __cplusplus
extern "C" {
#endif

struct evhttp_uri;

/* Takes apart a request target of a known form (RFC 9112 3.2), as evhttp_request_framing() found
 * it, with EVHTTP_URI_NONCONFORMANT. Unlike evhttp_uri_parse() it never takes the path of an
 * origin-form target such as "//a/b" for an authority, nor the host of "a:443" for a scheme; the
 * path of "*" is "*". The caller frees the result with evhttp_uri_free(). NULL when the target
 * does not have that form or when out of memory. */
struct evhttp_uri *strata_http_uri_parse_target(const char *target, enum evhttp_target_form form);

#ifdef __cplusplus
}
#endif

#endif
