#ifndef STRATA_HTTP_METHOD_H_
#define STRATA_HTTP_METHOD_H_

#include <stddef.h>

#include <event2/http.h>

/* The bit of a method name as on the wire (case matters, RFC 9110 9.1), asking `ext_cmp`, which
 * may be NULL, for names that are not built in. 0 when unknown. */
ev_uint32_t strata_http_method_parse(const char *name, size_t name_len,
                                     int (*ext_cmp)(struct evhttp_ext_method *));

/* The name of the method with this bit, as strata_http_method_parse() knows it. NULL when unknown.
 */
const char *strata_http_method_name(ev_uint32_t type, int (*ext_cmp)(struct evhttp_ext_method *));

/* Longest text that strata_http_methods_format() writes, NUL included. */
#define STRATA_HTTP_METHODS_LEN 256

/* Writes the names of all methods in the set, as an Allow field has them (RFC 9110 10.2.1). */
void strata_http_methods_format(ev_uint32_t methods, int (*ext_cmp)(struct evhttp_ext_method *),
                                char *out_text);

#endif
