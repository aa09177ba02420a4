#include "http/headers.h"

#include <string.h>

#include <event2/http.h>

#include "http/scan.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/queue.h"

enum field_owner {
  /* The element's own allocation. */
  FIELD_OWNED = 0x0e1d,
  /* Part of a request's block. */
  FIELD_PLACED = 0x0b10,
};

struct field {
  size_t owner;
  struct evkeyval pair;
  /* key, NUL, value, NUL */
};

static void field_fill(struct field *field, enum field_owner owner, const char *key, size_t key_len,
                       const char *value, size_t value_len) {
  char *text = (char *)(field + 1);
  field->owner = owner;
  field->pair.key = text;
  memcpy(text, key, key_len);
  text[key_len] = '\0';
  text += key_len + 1;
  field->pair.value = text;
  memcpy(text, value, value_len);
  text[value_len] = '\0';
}

int strata_http_headers_add(struct evkeyvalq *headers, const char *key, size_t key_len,
                            const char *value, size_t value_len) {
  struct field *field = strata_malloc(sizeof(*field) + key_len + value_len + 2);
  if (!field) return -1;
  field_fill(field, FIELD_OWNED, key, key_len, value, value_len);
  EV_TAILQ_PUSH_BACK(headers, &field->pair, next);
  return 0;
}

void strata_http_headers_remove(struct evkeyvalq *headers, struct evkeyval *header) {
  struct field *field = STRATA_CONTAINER_OF(header, struct field, pair);
  strata_assert(field->owner == FIELD_OWNED || field->owner == FIELD_PLACED);
  EV_TAILQ_REMOVE(headers, header, next);
  if (field->owner == FIELD_OWNED) strata_free(field);
}

size_t strata_http_headers_place_len(size_t key_len, size_t value_len) {
  size_t len = sizeof(struct field) + key_len + value_len + 2;
  return (len + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
}

void strata_http_headers_place(struct evkeyvalq *headers, void *block, const char *key,
                               size_t key_len, const char *value, size_t value_len) {
  struct field *field = block;
  field_fill(field, FIELD_PLACED, key, key_len, value, value_len);
  EV_TAILQ_PUSH_BACK(headers, &field->pair, next);
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
  while (!EV_TAILQ_EMPTY(headers)) strata_http_headers_remove(headers, EV_TAILQ_FIRST(headers));
}

/* A token (RFC 9110 5.6.2): anything else could end the name early or start another line. */
static int name_is_valid(const char *name) {
  const char *end = name + strlen(name);
  return name != end && strata_http_scan_token(name, end) == end;
}

int evhttp_add_header(struct evkeyvalq *headers, const char *key, const char *value) {
  if (!name_is_valid(key) || strpbrk(value, "\r\n")) return -1;
  return strata_http_headers_add(headers, key, strlen(key), value, strlen(value));
}
