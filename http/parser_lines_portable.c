#include "http/parser_lines.h"
#include "http/scan.h"

#define LINES_FN static inline

struct ends {
  const char *data, *limit;
};

LINES_FN void ends_open(struct ends *ends, const char *data, size_t limit, size_t off, char *copy) {
  (void)off;
  (void)copy;
  ends->data = data;
  ends->limit = data + limit;
}

LINES_FN size_t off_unless_limit(const struct ends *ends, const char *end) {
  return end < ends->limit ? (size_t)(end - ends->data) : 0;
}

LINES_FN size_t ends_method(const struct ends *ends) {
  return off_unless_limit(ends, strata_http_scan_token(ends->data, ends->limit));
}

LINES_FN size_t ends_target(const struct ends *ends, size_t off) {
  return off_unless_limit(ends, strata_http_scan_target(ends->data + off, ends->limit));
}

LINES_FN size_t ends_text(const struct ends *ends, size_t off) {
  return off_unless_limit(ends, strata_http_scan_text(ends->data + off, ends->limit));
}

LINES_FN size_t ends_field(const struct ends *ends, size_t off, size_t *out_name_end) {
  if (ends->data + off >= ends->limit) return 0;
  *out_name_end = (size_t)(strata_http_scan_token(ends->data + off, ends->limit) - ends->data);
  return ends_text(ends, *out_name_end);
}

LINES_FN void ends_pass_line_end(struct ends *ends) {
  (void)ends;
}

#include "http/parser_lines_walk.h"

static int take(struct evhttp_head_parser *parser, const char *data, uint32_t end,
                enum strata_http_lines_from from) {
  return walk_lines(NULL, parser, data, end, from);
}

const struct strata_http_lines strata_http_lines_portable = {"portable", take};
