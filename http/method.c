#include "http/method.h"

#include <string.h>

static const struct {
  const char *name;
  size_t len;
} known[] = {{"GET", 3},    {"POST", 4},     {"HEAD", 4},      {"PUT", 3},
             {"DELETE", 6}, {"OPTIONS", 7},  {"TRACE", 5},     {"CONNECT", 7},
             {"PATCH", 5},  {"PROPFIND", 8}, {"PROPPATCH", 9}, {"MKCOL", 5},
             {"LOCK", 4},   {"UNLOCK", 6},   {"COPY", 4},      {"MOVE", 4}};
enum { NUM_METHODS = sizeof(known) / sizeof(known[0]), MAX_NAME_LEN = 31 };

static ev_uint32_t method_ask(const char *name, size_t name_len,
                              int (*ext_cmp)(struct evhttp_ext_method *)) {
  char text[MAX_NAME_LEN + 1];
  struct evhttp_ext_method method = {text, 0, 0};
  if (name_len > MAX_NAME_LEN) return 0;
  memcpy(text, name, name_len);
  text[name_len] = '\0';
  return ext_cmp(&method) == 0 ? method.type : 0;
}

ev_uint32_t strata_http_method_parse(const char *name, size_t name_len,
                                     int (*ext_cmp)(struct evhttp_ext_method *)) {
  int i;
  for (i = 0; i < NUM_METHODS; i++) {
    if (known[i].len == name_len && !memcmp(known[i].name, name, name_len)) return 1u << i;
  }
  return ext_cmp ? method_ask(name, name_len, ext_cmp) : 0;
}

const char *strata_http_method_name(ev_uint32_t type, int (*ext_cmp)(struct evhttp_ext_method *)) {
  struct evhttp_ext_method method = {NULL, type, 0};
  int i;
  for (i = 0; i < NUM_METHODS; i++) {
    if (type == 1u << i) return known[i].name;
  }
  return ext_cmp && ext_cmp(&method) == 0 ? method.method : NULL;
}

void strata_http_methods_format(ev_uint32_t methods, int (*ext_cmp)(struct evhttp_ext_method *),
                                char *out_text) {
  size_t len = 0;
  int bit;
  for (bit = 0; bit < 32; bit++) {
    const char *name = methods & (1u << bit) ? strata_http_method_name(1u << bit, ext_cmp) : NULL;
    size_t name_len = name ? strlen(name) : 0;
    if (!name || len + name_len + 3 > STRATA_HTTP_METHODS_LEN) continue;
    if (len) {
      memcpy(out_text + len, ", ", 2);
      len += 2;
    }
    memcpy(out_text + len, name, name_len);
    len += name_len;
  }
  out_text[len] = '\0';
}
