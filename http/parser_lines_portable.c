#include "http/parser_lines.h"
#include "http/scan.h"

#define LINES_FN static inline

struct ends {
  const char *data;
  uint32_t end;
};

LINES_FN void ends_open(struct ends *ends, const char *data, uint32_t end, uint32_t off) {
  (void)off;
  ends->data = data;
  ends->end = end;
}

LINES_FN uint32_t ends_token(struct ends *ends, uint32_t off) {
  return (uint32_t)(strata_http_scan_token(ends->data + off, ends->data + ends->end) - ends->data);
}

LINES_FN uint32_t ends_target(struct ends *ends, uint32_t off) {
  return (uint32_t)(strata_http_scan_target(ends->data + off, ends->data + ends->end) - ends->data);
}

LINES_FN uint32_t ends_text(struct ends *ends, uint32_t off) {
  return (uint32_t)(strata_http_scan_text(ends->data + off, ends->data + ends->end) - ends->data);
}

#include "http/parser_lines_walk.h"

static int take(struct evhttp_head_parser *parser, const char *data, uint32_t end,
                enum strata_http_lines_from from) {
  struct ends ends;
  return walk_lines(&ends, parser, data, end, from);
}

const struct strata_http_lines strata_http_lines_portable = {"portable", take};
