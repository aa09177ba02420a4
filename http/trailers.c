#include "http/trailers.h"

#include <stddef.h>

#include "http/headers.h"
#include "http/scan.h"

/* Framing, routing, request modifiers, credentials, control data, and how to process the content.
 * Conditions are told by their prefix. */
static const struct {
  const char *name;
  size_t len;
} forbidden[] = {
#define NAME(literal) \
  { literal, sizeof(literal) - 1 }
    NAME("age"),
    NAME("authorization"),
    NAME("cache-control"),
    NAME("connection"),
    NAME("content-encoding"),
    NAME("content-length"),
    NAME("content-range"),
    NAME("content-type"),
    NAME("cookie"),
    NAME("date"),
    NAME("expect"),
    NAME("expires"),
    NAME("host"),
    NAME("keep-alive"),
    NAME("location"),
    NAME("max-forwards"),
    NAME("pragma"),
    NAME("proxy-authenticate"),
    NAME("proxy-authorization"),
    NAME("proxy-connection"),
    NAME("range"),
    NAME("retry-after"),
    NAME("set-cookie"),
    NAME("te"),
    NAME("trailer"),
    NAME("transfer-encoding"),
    NAME("upgrade"),
    NAME("vary"),
    NAME("warning"),
    NAME("www-authenticate"),
#undef NAME
};

static int is_forbidden(const char *name, size_t len) {
  size_t i;
  if (len > 3 && strata_http_equal_nocase(name, 3, "if-")) return 1;
  for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
    if (forbidden[i].len == len && strata_http_equal_nocase(name, len, forbidden[i].name)) return 1;
  }
  return 0;
}

int strata_http_trailers_take(struct evkeyvalq *trailers, const struct evhttp_head_parser *section,
                              const char *data) {
  uint32_t i;
  for (i = 0; i < section->num_fields; i++) {
    const struct evhttp_head_field *field = &section->fields[i];
    if (!is_forbidden(data + field->name_off, field->name_len) &&
        strata_http_headers_add(trailers, data + field->name_off, field->name_len,
                                data + field->value_off, field->value_len) < 0)
      return -1;
  }
  return 0;
}
