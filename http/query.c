#include <string.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "http/escape.h"
#include "http/headers.h"
#include "util/memory.h"
#include "util/queue.h"

/* One name=value of a query. */
struct argument {
  const char *key;
  size_t key_len;
  const char *value; /* NULL: no '='. */
  size_t value_len;
};

static struct argument split_argument(const char *bytes, size_t len) {
  struct argument argument = {bytes, len, NULL, 0};
  const char *equals = len > 0 ? memchr(bytes, '=', len) : NULL;
  if (equals) {
    argument.key_len = (size_t)(equals - bytes);
    argument.value = equals + 1;
    argument.value_len = len - argument.key_len - 1;
  }
  return argument;
}

static int has_key(const struct evkeyval *pair, const struct argument *argument) {
  return evutil_ascii_strncasecmp(pair->key, argument->key, argument->key_len) == 0 &&
         pair->key[argument->key_len] == '\0';
}

/* Letter case is ignored because evhttp_find_header(), which looks the result up, ignores it. */
static void remove_same(struct evkeyvalq *headers, const struct argument *argument) {
  struct evkeyval *pair = EV_TAILQ_FIRST(headers);
  while (pair) {
    struct evkeyval *next = EV_TAILQ_NEXT(pair, next);
    if (has_key(pair, argument)) strata_http_headers_remove(headers, pair);
    pair = next;
  }
}

/* `scratch` has room for the decoded value. A value ends at its first NUL: an evkeyval has no
 * length. */
static int add_argument(struct evkeyvalq *headers, const struct argument *argument, char *scratch,
                        unsigned flags) {
  if (flags & EVHTTP_URI_QUERY_LAST) remove_same(headers, argument);
  strata_http_decode(argument->value, argument->value_len, STRATA_HTTP_PLUS_IS_SPACE, scratch);
  return strata_http_headers_add(headers, argument->key, argument->key_len, scratch,
                                 strlen(scratch));
}

static int parse_argument(struct evkeyvalq *headers, const char *bytes, size_t len, char *scratch,
                          unsigned flags) {
  struct argument argument = split_argument(bytes, len);
  if (argument.key_len == 0 || !argument.value) {
    if (!(flags & EVHTTP_URI_QUERY_NONCONFORMANT)) return -1;
    if (argument.key_len == 0) return 0;
    if (!argument.value) argument.value = "";
  }
  return add_argument(headers, &argument, scratch, flags);
}

static int parse_arguments(struct evkeyvalq *headers, const char *query, char *scratch,
                           unsigned flags) {
  /* A last '&' with nothing behind it is no argument, as in libevent. */
  while (*query != '\0') {
    size_t len = strcspn(query, "&");
    if (parse_argument(headers, query, len, scratch, flags) < 0) return -1;
    query += len;
    if (*query == '&') ++query;
  }
  return 0;
}

int evhttp_parse_query_str_flags(const char *query, struct evkeyvalq *headers, unsigned flags) {
  char *scratch;
  int outcome;
  EV_TAILQ_INIT(headers);
  scratch = strata_malloc(strlen(query) + 1);
  if (!scratch) return -1;
  outcome = parse_arguments(headers, query, scratch, flags);
  strata_free(scratch);
  if (outcome < 0) evhttp_clear_headers(headers);
  return outcome;
}

int evhttp_parse_query_str(const char *query, struct evkeyvalq *headers) {
  return evhttp_parse_query_str_flags(query, headers, 0);
}

int evhttp_parse_query(const char *uri, struct evkeyvalq *headers) {
  struct evhttp_uri *parsed = evhttp_uri_parse(uri);
  const char *query;
  int outcome;
  EV_TAILQ_INIT(headers);
  if (!parsed) return -1;
  query = evhttp_uri_get_query(parsed);
  outcome = query ? evhttp_parse_query_str(query, headers) : 0;
  evhttp_uri_free(parsed);
  return outcome;
}
