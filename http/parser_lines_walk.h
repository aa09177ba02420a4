/* The walk over lines, for each way to find where a run of bytes ends. Included by the
 * parser_lines_*.c, which define before that
 *
 *   LINES_FN     what stands in front of each function (storage, inlining, target)
 *   struct ends  what is remembered between searches
 *   ends_open    starts at the line at `off`, to search in data[0, limit); `copy` is walk_lines()'s
 *   ends_method  the end of the run of token bytes at offset 0; 0 also if that is unusually long
 *   ends_target  the end of the run of target bytes that starts at `off`; see http/scan.h
 *   ends_text    the end of the run of text that starts at `off`, where nothing but text was passed
 *                since the line's start
 *   ends_field   the end of the run of text from `off`, where the line starts, and of the run of
 *                token bytes that this starts with
 *   ends_pass_line_end   the walk goes on behind the CRLF where the line's text ended
 *
 * Each is 0 where the run goes on to the limit. */
#include <stddef.h>
#include <string.h>

#include "http/parser_lines.h"

enum {
  /* So far ahead of the bytes' end is the limit, that where a run ended, and behind a CRLF there,
   * two bytes can be read unasked. No head is missed: its last four bytes are two line ends. */
  LIMIT_BEFORE_END = 3,
  MIN_LEN = LIMIT_BEFORE_END + 1,
};

/* Of text, which has nothing else that is not above it but HTAB. */
LINES_FN int is_space(char byte) {
  return (unsigned char)byte <= ' ';
}

LINES_FN int is_line_end(const char *bytes) {
  return memcmp(bytes, "\r\n", 2) == 0;
}

/* Everything else is for the state machine. */
LINES_FN int is_version(const char *bytes) {
  return memcmp(bytes, "HTTP/1.1", 8) == 0 || memcmp(bytes, "HTTP/1.0", 8) == 0;
}

LINES_FN void set_version(struct evhttp_head_parser *parser, char minor) {
  parser->version_major = 1;
  parser->sent_minor = parser->version_minor = (uint8_t)(minor - '0');
}

/* These three return where the next line starts, or 0. */

LINES_FN size_t walk_request_line(struct ends *ends, struct evhttp_head_parser *parser,
                                  const char *data, size_t end) {
  enum { BEHIND_TARGET = sizeof(" HTTP/1.1\r\n") - 1 };
  size_t method_end = ends_method(ends), target_off = method_end + 1, target_end, next;
  if (method_end == 0 || data[method_end] != ' ') return 0;
  target_end = ends_target(ends, target_off);
  next = target_end + BEHIND_TARGET;
  if (target_end <= target_off || next + 2 > end || next > parser->line_end_max) return 0;
  if (data[target_end] != ' ' || !is_version(data + target_end + 1)) return 0;
  if (ends_text(ends, target_end) != next - 2 || !is_line_end(data + next - 2)) return 0;
  parser->method.len = (uint32_t)method_end;
  parser->method.off = 0;
  parser->target.off = (uint32_t)target_off;
  parser->target.len = (uint32_t)(target_end - target_off);
  set_version(parser, data[target_end + 8]);
  return next;
}

/* 0 if it is none. */
LINES_FN unsigned status_of(const char *bytes) {
  unsigned hundreds = (unsigned char)bytes[0] - (unsigned)'0';
  unsigned tens = (unsigned char)bytes[1] - (unsigned)'0';
  unsigned ones = (unsigned char)bytes[2] - (unsigned)'0';
  if (hundreds - 1 > 8 || tens > 9 || ones > 9) return 0;
  return hundreds * 100 + tens * 10 + ones;
}

LINES_FN size_t walk_status_line(struct ends *ends, struct evhttp_head_parser *parser,
                                 const char *data, size_t end) {
  enum { REASON = sizeof("HTTP/1.1 200 ") - 1 };
  size_t reason_end;
  unsigned status;
  if (end < REASON + MIN_LEN) return 0;
  if (!is_version(data) || data[8] != ' ' || data[12] != ' ') return 0;
  status = status_of(data + 9);
  reason_end = ends_text(ends, REASON);
  if (!status || !reason_end || !is_line_end(data + reason_end)) return 0;
  if (reason_end + 2 > parser->line_end_max) return 0;
  set_version(parser, data[7]);
  parser->status_code = (uint16_t)status;
  parser->reason.off = REASON;
  parser->reason.len = (uint32_t)(reason_end - REASON);
  return reason_end + 2;
}

LINES_FN size_t behind_spaces(const char *data, size_t off, size_t end) {
  while (off < end && is_space(data[off])) ++off;
  return off;
}

LINES_FN size_t before_spaces(const char *data, size_t off, size_t end) {
  while (off < end && is_space(data[end - 1])) --end;
  return end;
}

LINES_FN size_t walk_field(struct ends *ends, const char *data, size_t name_off,
                           struct evhttp_head_field *out) {
  size_t name_end, line_end = ends_field(ends, name_off, &name_end), value_off, value_end;
  if (!line_end) return 0;
  if (name_end == name_off || data[name_end] != ':' || !is_line_end(data + line_end)) return 0;
  ends_pass_line_end(ends);
  out->name_off = (uint32_t)name_off;
  out->name_len = (uint32_t)(name_end - name_off);
  /* Nearly always there is one space before the value and none behind it. */
  value_off = name_end + 1;
  value_off += data[value_off] == ' ';
  value_end = line_end;
  if (is_space(data[value_off])) value_off = behind_spaces(data, value_off, line_end);
  if (is_space(data[value_end - 1])) value_end = before_spaces(data, value_off, line_end);
  out->value_off = (uint32_t)value_off;
  out->value_len = (uint32_t)(value_end - value_off);
  return line_end + 2;
}

/* Returns whether the head ends at *off, where the line after the last one taken starts. */
LINES_FN int walk_fields(struct ends *ends, struct evhttp_head_parser *parser, const char *data,
                         size_t *off) {
  struct evhttp_head_field dropped, *out = &dropped;
  const size_t num_kept = parser->fields != NULL; /* A field. */
  uint32_t max = parser->limits.num_fields;
  size_t next;
  if (num_kept) out = parser->fields + parser->num_fields;
  while (!is_line_end(data + *off)) {
    if (parser->num_fields == max) return 0;
    next = walk_field(ends, data, *off, out);
    if (!next) return 0;
    *off = next;
    out += num_kept;
    ++parser->num_fields;
  }
  return 1;
}

LINES_FN int end_head(struct evhttp_head_parser *parser, size_t off) {
  parser->consumed = parser->scan_off = (uint32_t)off + 2;
  return 1;
}

/* `copy` is room that is kept out of struct ends, so that this can live in registers. */
LINES_FN int walk_lines(char *copy, struct evhttp_head_parser *parser, const char *data, size_t end,
                        enum strata_http_lines_from from) {
  struct ends ends;
  size_t off = parser->scan_off, len = end - off;
  int is_end;
  if (from == STRATA_HTTP_FROM_FIELDS && len >= 2 && is_line_end(data + off)) {
    return end_head(parser, off);
  }
  if (len < MIN_LEN) return 0;
  ends_open(&ends, data, end - LIMIT_BEFORE_END, off, copy);
  if (from != STRATA_HTTP_FROM_FIELDS) {
    off = from == STRATA_HTTP_FROM_REQUEST_LINE ? walk_request_line(&ends, parser, data, end)
                                                : walk_status_line(&ends, parser, data, end);
    if (!off) return 0;
    ends_pass_line_end(&ends);
  }
  is_end = walk_fields(&ends, parser, data, &off);
  parser->scan_off = (uint32_t)off;
  return is_end && end_head(parser, off);
}
