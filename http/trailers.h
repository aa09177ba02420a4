#ifndef STRATA_HTTP_TRAILERS_H_
#define STRATA_HTTP_TRAILERS_H_

#include "http/parser.h"

struct evkeyvalq;

/* Trailer fields: those that follow a chunked body (RFC 9110 6.5). */

/* Appends the fields of a complete trailer section that begins at `data`, but for those that may
 * not be sent there (RFC 9110 6.5.1): what they say would have been needed before the body. Returns
 * 0; or -1 when out of memory, with some of them appended. */
int strata_http_trailers_take(struct evkeyvalq *trailers, const struct evhttp_head_parser *section,
                              const char *data);

#endif
