#include "samples/httpd/coding.h"

#include <stdbool.h>
#include <string.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>

/* Weights are in thousandths. Negative: not named. */
struct weights {
  int gzip, identity, other;
};

static const char *skip_blanks(const char *at) {
  return at + strspn(at, " \t");
}

/* Reads "q=0.123" at `at` (section 12.4.2). Returns the weight, or -1 when it is none. */
static int read_weight(const char *at, const char *end) {
  if ((*at != 'q' && *at != 'Q') || at[1] != '=' || at + 2 >= end) return -1;
  at += 2;
  if (*at != '0' && *at != '1') return -1;
  int weight = (*at++ - '0') * 1000;
  if (at < end && *at == '.') {
    at++;
    for (int unit = 100; at < end && *at >= '0' && *at <= '9'; unit /= 10) {
      if (unit == 0) return -1;
      weight += (*at++ - '0') * unit;
    }
  }
  return skip_blanks(at) >= end && weight <= 1000 ? weight : -1;
}

static bool is_name(const char *name, size_t len, const char *expected) {
  return strlen(expected) == len && evutil_ascii_strncasecmp(name, expected, len) == 0;
}

static void note(struct weights *weights, const char *name, size_t len, int weight) {
  if (is_name(name, len, "gzip") || is_name(name, len, "x-gzip")) {
    weights->gzip = weight;
  } else if (is_name(name, len, "identity")) {
    weights->identity = weight;
  } else if (is_name(name, len, "*")) {
    weights->other = weight;
  }
}

/* One member of the list: name [ OWS ";" OWS weight ]. */
static void read_member(struct weights *weights, const char *at, const char *end) {
  at = skip_blanks(at);
  size_t len = strcspn(at, " \t,;");
  const char *rest = skip_blanks(at + len);
  int weight = 1000;
  if (rest < end) weight = *rest == ';' ? read_weight(skip_blanks(rest + 1), end) : -1;
  if (weight >= 0) note(weights, at, len, weight);
}

static void read_list(struct weights *weights, const char *value) {
  for (;;) {
    const char *end = value + strcspn(value, ",");
    read_member(weights, value, end);
    if (*end == '\0') return;
    value = end + 1;
  }
}

enum coding coding_choose(const struct evkeyvalq *request_headers) {
  struct weights weights = {-1, -1, -1};
  for (const struct evkeyval *field = request_headers->tqh_first; field != NULL;
       field = field->next.tqe_next) {
    if (evutil_ascii_strcasecmp(field->key, "Accept-Encoding") == 0)
      read_list(&weights, field->value);
  }
  int gzip = weights.gzip >= 0 ? weights.gzip : weights.other;
  int identity = weights.identity;
  /* Identity is acceptable until it is said not to be; then, that it is liked is not said. */
  if (identity < 0) identity = weights.other >= 0 && weights.gzip >= 0 ? weights.other : 0;
  return gzip > 0 && gzip >= identity ? CODING_GZIP : CODING_IDENTITY;
}
