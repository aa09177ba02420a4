#include "http/headers.h"

#include <string.h>

#include <event2/http.h>

#include "http/scan.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"

int strata_http_headers_add(struct evkeyvalq *headers, const char *key, size_t key_len,
                            const char *value, size_t value_len) {
  struct strata_http_field *field;
  char *text;
  field = strata_malloc(sizeof(*field) + key_len + value_len + 2);
  if (!field) return -1;
  field->owner = STRATA_HTTP_FIELD_OWNED;
  field->pair.key = text = (char *)(field + 1);
  memcpy(text, key, key_len);
  text[key_len] = '\0';
  field->pair.value = text += key_len + 1;
  memcpy(text, value, value_len);
  text[value_len] = '\0';
  EV_TAILQ_PUSH_BACK(headers, &field->pair, next);
  return 0;
}

/* Of one that is in no list any more. */
static void field_release(struct evkeyval *pair) {
  struct strata_http_field *field = STRATA_CONTAINER_OF(pair, struct strata_http_field, pair);
  if (field->owner == STRATA_HTTP_FIELD_OWNED)
    strata_free(field);
  else
    strata_assert(field->owner == STRATA_HTTP_FIELD_PLACED);
}

void strata_http_headers_remove(struct evkeyvalq *headers, struct evkeyval *header) {
  EV_TAILQ_REMOVE(headers, header, next);
  field_release(header);
}

int strata_http_value_lists(const char *value, const char *token) {
  while (*value) {
    size_t len;
    value += strspn(value, " \t,");
    len = strcspn(value, " \t,");
    if (len && strata_http_equal_nocase(value, len, token)) return 1;
    value += len;
  }
  return 0;
}

static struct evkeyval *headers_find(const struct evkeyvalq *headers, const char *key) {
  struct evkeyval *header;
  EV_TAILQ_FOREACH(header, headers, next) {
    if (!evutil_ascii_strcasecmp(header->key, key)) return header;
  }
  return NULL;
}

const char *evhttp_find_header(const struct evkeyvalq *headers, const char *key) {
  struct evkeyval *header = headers_find(headers, key);
  return header ? header->value : NULL;
}

int evhttp_remove_header(struct evkeyvalq *headers, const char *key) {
  struct evkeyval *header = headers_find(headers, key);
  if (!header) return -1;
  strata_http_headers_remove(headers, header);
  return 0;
}

void evhttp_clear_headers(struct evkeyvalq *headers) {
  struct evkeyval *header = EV_TAILQ_FIRST(headers), *next;
  if (!header) return;
  EV_TAILQ_INIT(headers);
  for (; header; header = next) {
    next = EV_TAILQ_NEXT(header, next);
    field_release(header);
  }
}

/* A name is a token (RFC 9110 5.6.2): anything else could end it early or start another line. */
int evhttp_add_header(struct evkeyvalq *headers, const char *key, const char *value) {
  size_t key_len = strlen(key), value_len = strlen(value);
  if (!key_len || strata_http_scan_token(key, key + key_len) != key + key_len) return -1;
  if (memchr(value, '\r', value_len) || memchr(value, '\n', value_len)) return -1;
  return strata_http_headers_add(headers, key, key_len, value, value_len);
}
