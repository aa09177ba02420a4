/* The walk over lines, for each way to find where a run of bytes ends. Included by the
 * parser_lines_*.c, which define before that
 *
 *   LINES_FN         what stands in front of each function (storage, inlining, target)
 *   struct ends      what is remembered between searches
 *   ends_open        starts at an offset of data[0, end)
 *   ends_token       the end of the run of token bytes that starts at `off`
 *   ends_target, ends_text   the same for those classes of bytes; see http/scan.h
 *
 * Searches go forward: `off` is never more than 15 bytes behind what the last one returned. They
 * return an offset of at most `end`. */
#include <string.h>

#include "http/parser_lines.h"

LINES_FN int is_space(char byte) {
  return byte == ' ' || byte == '\t';
}

LINES_FN int is_line_end(const char *bytes, uint32_t len) {
  return len >= 2 && memcmp(bytes, "\r\n", 2) == 0;
}

/* "HTTP/1.0" or "HTTP/1.1": everything else is for the state machine. */
LINES_FN int is_version(const char *bytes) {
  return memcmp(bytes, "HTTP/1.", 7) == 0 && (bytes[7] == '0' || bytes[7] == '1');
}

LINES_FN void set_version(struct evhttp_head_parser *parser, char minor) {
  parser->version_major = 1;
  parser->sent_minor = parser->version_minor = (uint8_t)(minor - '0');
}

LINES_FN int walk_request_line(struct ends *ends, struct evhttp_head_parser *parser,
                               const char *data, uint32_t end) {
  enum { BEHIND_TARGET = sizeof(" HTTP/1.1\r\n") - 1 };
  uint32_t method_end = ends_token(ends, 0), target_end;
  if (method_end == 0 || end - method_end < 2 + BEHIND_TARGET || data[method_end] != ' ') return 0;
  target_end = ends_target(ends, method_end + 1);
  if (target_end == method_end + 1 || end - target_end < BEHIND_TARGET) return 0;
  if (data[target_end] != ' ' || !is_version(data + target_end + 1)) return 0;
  if (!is_line_end(data + target_end + 9, 2)) return 0;
  if (target_end + BEHIND_TARGET > parser->line_end_max) return 0;
  parser->method.off = 0;
  parser->method.len = method_end;
  parser->target.off = method_end + 1;
  parser->target.len = target_end - parser->target.off;
  set_version(parser, data[target_end + 8]);
  parser->scan_off = target_end + BEHIND_TARGET;
  return 1;
}

/* 0 if it is none. */
LINES_FN unsigned status_of(const char *bytes) {
  unsigned hundreds = (unsigned char)bytes[0] - (unsigned)'0';
  unsigned tens = (unsigned char)bytes[1] - (unsigned)'0';
  unsigned ones = (unsigned char)bytes[2] - (unsigned)'0';
  if (hundreds - 1 > 8 || tens > 9 || ones > 9) return 0;
  return hundreds * 100 + tens * 10 + ones;
}

LINES_FN int walk_status_line(struct ends *ends, struct evhttp_head_parser *parser,
                              const char *data, uint32_t end) {
  enum { REASON = sizeof("HTTP/1.1 200 ") - 1 };
  uint32_t reason_end;
  unsigned status;
  if (end < REASON + 2 || !is_version(data) || data[8] != ' ' || data[12] != ' ') return 0;
  status = status_of(data + 9);
  reason_end = ends_text(ends, REASON);
  if (!status || !is_line_end(data + reason_end, end - reason_end)) return 0;
  if (reason_end + 2 > parser->line_end_max) return 0;
  set_version(parser, data[7]);
  parser->status_code = (uint16_t)status;
  parser->reason.off = REASON;
  parser->reason.len = reason_end - REASON;
  parser->scan_off = reason_end + 2;
  return 1;
}

/* Returns where the next line starts, or 0. */
LINES_FN uint32_t walk_field(struct ends *ends, const char *data, uint32_t end, uint32_t name_off,
                             struct evhttp_head_field *out) {
  uint32_t name_end = ends_token(ends, name_off), value_off, value_end, trimmed;
  if (end - name_end < sizeof(":\r\n") - 1 || data[name_end] != ':' || name_end == name_off) {
    return 0;
  }
  value_off = name_end + 1;
  /* Not behind the space: so the search does not wait for the byte. */
  trimmed = value_end = ends_text(ends, value_off);
  value_off += data[value_off] == ' ';
  if (is_space(data[value_off])) return 0;
  if (!is_line_end(data + value_end, end - value_end)) return 0;
  while (trimmed > value_off && is_space(data[trimmed - 1])) --trimmed;
  out->name_off = name_off;
  out->name_len = name_end - name_off;
  out->value_off = value_off;
  out->value_len = trimmed - value_off;
  return value_end + 2;
}

LINES_FN int walk_fields(struct ends *ends, struct evhttp_head_parser *parser, const char *data,
                         uint32_t end) {
  struct evhttp_head_field *fields = parser->fields, dropped;
  uint32_t off = parser->scan_off, num = parser->num_fields, max = parser->limits.num_fields;
  int is_end;
  while (num < max) {
    uint32_t next = walk_field(ends, data, end, off, fields ? &fields[num] : &dropped);
    if (!next) break;
    off = next;
    ++num;
  }
  is_end = is_line_end(data + off, end - off);
  if (is_end) parser->consumed = off += 2;
  parser->scan_off = off;
  parser->num_fields = num;
  return is_end;
}

LINES_FN int walk_lines(struct ends *ends, struct evhttp_head_parser *parser, const char *data,
                        uint32_t end, enum strata_http_lines_from from) {
  ends_open(ends, data, end, parser->scan_off);
  if (from == STRATA_HTTP_FROM_REQUEST_LINE && !walk_request_line(ends, parser, data, end)) {
    return 0;
  }
  if (from == STRATA_HTTP_FROM_STATUS_LINE && !walk_status_line(ends, parser, data, end)) return 0;
  return walk_fields(ends, parser, data, end);
}
