#ifndef STRATA_HTTP_HEADERS_H_
#define STRATA_HTTP_HEADERS_H_

#include <stddef.h>

#include <event2/keyvalq_struct.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lists of fields (struct evkeyvalq): the implementation behind evhttp_add_header() and its
 * family, and behind the query functions. Every element of every list is made here. It is
 * preceded by a word that says who owns its memory, so that a list may mix elements of its own
 * with elements that lie in a request's block. */

/* Appends a pair, copying both strings; neither is checked. One allocation.
 * Returns 0, or -1 when out of memory. */
int strata_http_headers_add(struct evkeyvalq *headers, const char *key, size_t key_len,
                            const char *value, size_t value_len);

/* Unlinks one element and frees it where it owns its memory. */
void strata_http_headers_remove(struct evkeyvalq *headers, struct evkeyval *header);

/* Bytes that strata_http_headers_place() needs; a multiple of the element's alignment. */
size_t strata_http_headers_place_len(size_t key_len, size_t value_len);

/* Builds an element within `block`, which is aligned for a pointer, has place_len bytes and stays
 * the caller's, and appends it. The block must live until the element has left the list. */
void strata_http_headers_place(struct evkeyvalq *headers, void *block, const char *key,
                               size_t key_len, const char *value, size_t value_len);

/* Whether a comma-separated value (RFC 9110 5.6.1) lists `token`, letter case ignored. */
int strata_http_value_lists(const char *value, const char *token);

#ifdef __cplusplus
}
#endif

#endif
