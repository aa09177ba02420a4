#ifndef STRATA_HTTP_HEADERS_H_
#define STRATA_HTTP_HEADERS_H_

#include <stddef.h>
#include <stdint.h>

#include <event2/keyvalq_struct.h>

#include "util/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Lists of fields (struct evkeyvalq): the implementation behind evhttp_add_header() and its
 * family, and behind the query functions. Every element of every list is a field as below. */

enum strata_http_field_owner {
  STRATA_HTTP_FIELD_OWNED = 0x0e1d,  /* An allocation of its own, followed by its strings. */
  STRATA_HTTP_FIELD_PLACED = 0x0b10, /* Part of a request's block, as its strings are. */
};

struct strata_http_field {
  enum strata_http_field_owner owner;
  struct evkeyval pair;
};

/* Appends a pair, copying both strings; neither is checked. One allocation.
 * Returns 0, or -1 when out of memory. */
int strata_http_headers_add(struct evkeyvalq *headers, const char *key, size_t key_len,
                            const char *value, size_t value_len);

/* Unlinks one element and frees it where it owns its memory. */
void strata_http_headers_remove(struct evkeyvalq *headers, struct evkeyval *header);

/* Appends a field that lies in memory of the caller's, as do its strings, which get their NULs
 * here; all of it has to live until the field has left the list. */
static inline void strata_http_headers_place(struct evkeyvalq *headers,
                                             struct strata_http_field *field, char *key,
                                             uint32_t key_len, char *value, uint32_t value_len) {
  field->owner = STRATA_HTTP_FIELD_PLACED;
  key[key_len] = '\0';
  value[value_len] = '\0';
  field->pair.key = key;
  field->pair.value = value;
  EV_TAILQ_PUSH_BACK(headers, &field->pair, next);
}

/* Whether a comma-separated value (RFC 9110 5.6.1) lists `token`, letter case ignored. */
int strata_http_value_lists(const char *value, const char *token);

#ifdef __cplusplus
}
#endif

#endif
