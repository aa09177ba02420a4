#include "samples/httpd/validators.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

void validators_init(struct validators *out_validators, uint64_t size, struct timespec modified) {
  time_t now = time(NULL);
  out_validators->modified = modified.tv_sec < now ? modified.tv_sec : now;
  snprintf(out_validators->etag, sizeof(out_validators->etag), "\"%" PRIx64 "-%" PRIx64 "%08lx\"",
           size, (uint64_t)modified.tv_sec, (unsigned long)modified.tv_nsec);
  http_date_format(out_validators->modified, out_validators->last_modified);
}

void validators_set_coding(struct validators *validators, const char *coding) {
  size_t len = strlen(validators->etag) - 1; /* up to the closing quote */
  snprintf(validators->etag + len, sizeof(validators->etag) - len, "-%s\"", coding);
}

/* Whether an If-Match or If-None-Match value names `etag`; "*" names any. */
static bool list_names(const char *list, const char *etag, bool weak_may_match) {
  size_t etag_len = strlen(etag);
  for (;;) {
    list += strspn(list, ", \t");
    if (*list == '*') return true;
    bool is_weak = strncmp(list, "W/", 2) == 0;
    if (is_weak) list += 2;
    const char *end = *list == '"' ? strchr(list + 1, '"') : NULL;
    if (end == NULL) return false;
    size_t item_len = (size_t)(end + 1 - list);
    if ((weak_may_match || !is_weak) && item_len == etag_len && memcmp(list, etag, etag_len) == 0)
      return true;
    list = end + 1;
  }
}

static bool changed_since(const struct validators *validators, const char *date,
                          bool if_unreadable) {
  time_t since = http_date_parse(date);
  return since == -1 ? if_unreadable : validators->modified > since;
}

enum precondition validators_check(const struct validators *validators,
                                   const struct evkeyvalq *request_headers) {
  const char *value;
  if ((value = evhttp_find_header(request_headers, "If-Match")) != NULL) {
    if (!list_names(value, validators->etag, false)) return PRECONDITION_FAILED;
  } else if ((value = evhttp_find_header(request_headers, "If-Unmodified-Since")) != NULL) {
    if (changed_since(validators, value, false)) return PRECONDITION_FAILED;
  }
  if ((value = evhttp_find_header(request_headers, "If-None-Match")) != NULL) {
    if (list_names(value, validators->etag, true)) return PRECONDITION_NOT_MODIFIED;
  } else if ((value = evhttp_find_header(request_headers, "If-Modified-Since")) != NULL) {
    if (!changed_since(validators, value, true)) return PRECONDITION_NOT_MODIFIED;
  }
  return PRECONDITION_HOLDS;
}

bool validators_allow_range(const struct validators *validators,
                            const struct evkeyvalq *request_headers) {
  const char *value = evhttp_find_header(request_headers, "If-Range");
  if (value == NULL) return true;
  if (*value == '"') return strcmp(value, validators->etag) == 0;
  /* Within the second that it names, a file may change again without its date saying so. */
  return strcmp(value, validators->last_modified) == 0 && validators->modified < time(NULL);
}
