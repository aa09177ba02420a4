#include "http/parser.h"

#include "http/parser_lines.h"
#include "http/scan.h"

/* Lines that are wholly in memory are read at once, by take_lines(). What it leaves is taken by
 * steps, each from the byte on where the one before it ended. One state a byte position that means
 * something of its own; a transition never goes back but for the loop over fields:
 *
 *   request   LEADING [LEADING_LF FIRST] METHOD TARGET VERSION LINE_CR LINE_LF
 *   response  RESPONSE_VERSION STATUS_SPACE STATUS REASON_SPACE REASON LINE_LF
 *   fields    FIELD_START NAME VALUE_START VALUE VALUE_LF (FIELD_START | END_LF)
 */
enum state {
  LEADING,
  LEADING_LF,
  FIRST,
  METHOD,
  TARGET,
  VERSION,
  LINE_CR,
  RESPONSE_VERSION,
  STATUS_SPACE,
  STATUS,
  REASON_SPACE,
  REASON,
  LINE_LF,
  /* From here on the start line is complete. */
  FIELD_START,
  NAME,
  VALUE_START,
  VALUE,
  VALUE_LF,
  END_LF,
};

typedef enum evhttp_parse_result result;

/* Member by member: of clearing the whole, compilers make a string instruction that takes longer
 * than a short head does. */
static void init(struct evhttp_head_parser *parser, struct evhttp_head_field *fields,
                 const struct evhttp_head_limits *limits, enum state state) {
  static const struct evhttp_span none = {0, 0};
  static const struct evhttp_head_field no_field = {0, 0, 0, 0};
  parser->consumed = parser->num_fields = 0;
  parser->method = parser->target = parser->reason = none;
  parser->status_code = 0;
  parser->version_major = parser->version_minor = parser->sent_minor = 0;
  parser->state = (uint8_t)state;
  parser->index = 0;
  parser->scan_off = 0;
  parser->line_end_max = limits->line_len;
  parser->field = no_field;
  parser->fields = fields;
  parser->limits = *limits;
  parser->error = EVHTTP_PARSE_PARTIAL;
}

void evhttp_head_parser_init_request(struct evhttp_head_parser *parser,
                                     struct evhttp_head_field *fields,
                                     const struct evhttp_head_limits *limits) {
  init(parser, fields, limits, LEADING);
}

void evhttp_head_parser_init_response(struct evhttp_head_parser *parser,
                                      struct evhttp_head_field *fields,
                                      const struct evhttp_head_limits *limits) {
  init(parser, fields, limits, RESPONSE_VERSION);
}

void evhttp_head_parser_init_trailer(struct evhttp_head_parser *parser,
                                     struct evhttp_head_field *fields,
                                     const struct evhttp_head_limits *limits) {
  init(parser, fields, limits, FIELD_START);
}

int evhttp_head_parser_begun(const struct evhttp_head_parser *parser) {
  return parser->state > FIRST && parser->scan_off > 0;
}

/* The steps below are entered with at least one byte at scan_off, take as many as belong to them,
 * and return PARTIAL to go on, in the state that they have set. */

static result go(struct evhttp_head_parser *parser, enum state state) {
  ++parser->scan_off;
  parser->state = (uint8_t)state;
  return EVHTTP_PARSE_PARTIAL;
}

/* A byte that does not fit: a line feed there means that the line ended without CR. */
static result misfit(char byte, result error) {
  return byte == '\n' ? EVHTTP_PARSE_BARE_LF : error;
}

static result expect_lf(struct evhttp_head_parser *parser, char byte, enum state next) {
  return byte == '\n' ? go(parser, next) : EVHTTP_PARSE_BARE_CR;
}

static result begin_method(struct evhttp_head_parser *parser) {
  parser->method.off = parser->scan_off;
  parser->state = METHOD;
  return EVHTTP_PARSE_PARTIAL;
}

static result step_leading(struct evhttp_head_parser *parser, char byte) {
  return byte == '\r' ? go(parser, LEADING_LF) : begin_method(parser);
}

static result step_leading_lf(struct evhttp_head_parser *parser, char byte) {
  uint32_t limit = parser->limits.line_len + 2;
  parser->line_end_max = limit;
  return expect_lf(parser, byte, FIRST);
}

static result step_first(struct evhttp_head_parser *parser, char byte) {
  return byte == '\r' ? EVHTTP_PARSE_EXTRA_LINE : begin_method(parser);
}

static result step_method(struct evhttp_head_parser *parser, const char *data, uint32_t end) {
  const char *stop = strata_http_scan_token(data + parser->scan_off, data + end);
  parser->scan_off = (uint32_t)(stop - data);
  if (parser->scan_off == end) return EVHTTP_PARSE_PARTIAL;
  parser->method.len = parser->scan_off - parser->method.off;
  if (*stop != ' ' || parser->method.len == 0) return misfit(*stop, EVHTTP_PARSE_BAD_METHOD);
  parser->target.off = parser->scan_off + 1;
  return go(parser, TARGET);
}

static result step_target(struct evhttp_head_parser *parser, const char *data, uint32_t end) {
  const char *stop = strata_http_scan_target(data + parser->scan_off, data + end);
  parser->scan_off = (uint32_t)(stop - data);
  if (parser->scan_off == end) return EVHTTP_PARSE_PARTIAL;
  parser->target.len = parser->scan_off - parser->target.off;
  if (parser->target.len > 0) {
    if (*stop == ' ') return go(parser, VERSION);
    /* The simple request of HTTP/0.9. */
    if (*stop == '\r') return EVHTTP_PARSE_BAD_VERSION;
  }
  return misfit(*stop, EVHTTP_PARSE_BAD_TARGET);
}

static result step_version(struct evhttp_head_parser *parser, char byte, enum state next) {
  static const char form[] = "HTTP/d.d"; /* d: a digit. */
  char want = form[parser->index];
  if (want != 'd' ? byte != want : !strata_http_is(byte, STRATA_HTTP_DIGIT)) {
    return misfit(byte, EVHTTP_PARSE_BAD_VERSION);
  }
  if (parser->index == 5) parser->version_major = (uint8_t)(byte - '0');
  if (parser->index == 7) parser->sent_minor = (uint8_t)(byte - '0');
  if (++parser->index < sizeof(form) - 1) {
    ++parser->scan_off;
    return EVHTTP_PARSE_PARTIAL;
  }
  parser->index = 0;
  return go(parser, next);
}

static result step_status(struct evhttp_head_parser *parser, char byte) {
  if (!strata_http_is(byte, STRATA_HTTP_DIGIT) || (parser->index == 0 && byte == '0')) {
    return misfit(byte, EVHTTP_PARSE_BAD_STATUS);
  }
  parser->status_code = (uint16_t)(parser->status_code * 10 + (byte - '0'));
  if (++parser->index < 3) return go(parser, STATUS);
  parser->index = 0;
  return go(parser, REASON_SPACE);
}

/* Servers are known to leave out the space when there is no reason phrase: nothing can be
 * misunderstood by that. */
static result step_reason_space(struct evhttp_head_parser *parser, char byte) {
  parser->reason.off = parser->scan_off + (byte == ' ');
  if (byte == ' ') return go(parser, REASON);
  if (byte == '\r') return go(parser, LINE_LF);
  return misfit(byte, EVHTTP_PARSE_BAD_STATUS);
}

static result step_reason(struct evhttp_head_parser *parser, const char *data, uint32_t end) {
  const char *stop = strata_http_scan_text(data + parser->scan_off, data + end);
  parser->scan_off = (uint32_t)(stop - data);
  if (parser->scan_off == end) return EVHTTP_PARSE_PARTIAL;
  parser->reason.len = parser->scan_off - parser->reason.off;
  return *stop == '\r' ? go(parser, LINE_LF) : misfit(*stop, EVHTTP_PARSE_BAD_REASON);
}

static result step_line_lf(struct evhttp_head_parser *parser, char byte) {
  if (byte != '\n') return EVHTTP_PARSE_BARE_CR;
  if (parser->version_major != 1) return EVHTTP_PARSE_VERSION_UNSUPPORTED;
  parser->version_minor = parser->sent_minor > 0;
  return go(parser, FIELD_START);
}

static result step_start_line(struct evhttp_head_parser *parser, const char *data, uint32_t end) {
  char byte = data[parser->scan_off];
  switch ((enum state)parser->state) {
    case LEADING:
      return step_leading(parser, byte);
    case LEADING_LF:
      return step_leading_lf(parser, byte);
    case FIRST:
      return step_first(parser, byte);
    case METHOD:
      return step_method(parser, data, end);
    case TARGET:
      return step_target(parser, data, end);
    case VERSION:
      return step_version(parser, byte, LINE_CR);
    case LINE_CR:
      return byte == '\r' ? go(parser, LINE_LF) : misfit(byte, EVHTTP_PARSE_BAD_VERSION);
    case RESPONSE_VERSION:
      return step_version(parser, byte, STATUS_SPACE);
    case STATUS_SPACE:
      return byte == ' ' ? go(parser, STATUS) : misfit(byte, EVHTTP_PARSE_BAD_STATUS);
    case STATUS:
      return step_status(parser, byte);
    case REASON_SPACE:
      return step_reason_space(parser, byte);
    case REASON:
      return step_reason(parser, data, end);
    default:
      return step_line_lf(parser, byte);
  }
}

static result step_field_start(struct evhttp_head_parser *parser, char byte) {
  if (byte == '\r') return go(parser, END_LF);
  if (byte == ' ' || byte == '\t') return EVHTTP_PARSE_FOLDED_LINE;
  if (byte == '\n') return EVHTTP_PARSE_BARE_LF;
  if (parser->num_fields == parser->limits.num_fields) return EVHTTP_PARSE_TOO_MANY_FIELDS;
  parser->field.name_off = parser->scan_off;
  parser->state = NAME;
  return EVHTTP_PARSE_PARTIAL;
}

static result bad_name(char byte, uint32_t name_len) {
  if (byte == ':') return EVHTTP_PARSE_EMPTY_FIELD_NAME;
  if (name_len > 0 && (byte == ' ' || byte == '\t')) return EVHTTP_PARSE_SPACE_BEFORE_COLON;
  return misfit(byte, EVHTTP_PARSE_BAD_FIELD_NAME);
}

static result step_name(struct evhttp_head_parser *parser, const char *data, uint32_t end) {
  const char *stop = strata_http_scan_token(data + parser->scan_off, data + end);
  parser->scan_off = (uint32_t)(stop - data);
  if (parser->scan_off == end) return EVHTTP_PARSE_PARTIAL;
  parser->field.name_len = parser->scan_off - parser->field.name_off;
  if (*stop != ':' || parser->field.name_len == 0) {
    return bad_name(*stop, parser->field.name_len);
  }
  return go(parser, VALUE_START);
}

static result step_value_start(struct evhttp_head_parser *parser, char byte) {
  if (byte == ' ' || byte == '\t') return go(parser, VALUE_START);
  parser->field.value_off = parser->scan_off;
  parser->state = VALUE;
  return EVHTTP_PARSE_PARTIAL;
}

static uint32_t trimmed_len(const char *value, uint32_t len) {
  while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) --len;
  return len;
}

static result step_value(struct evhttp_head_parser *parser, const char *data, uint32_t end) {
  const char *stop = strata_http_scan_text(data + parser->scan_off, data + end);
  uint32_t value_off = parser->field.value_off;
  parser->scan_off = (uint32_t)(stop - data);
  if (parser->scan_off == end) return EVHTTP_PARSE_PARTIAL;
  if (*stop != '\r') return misfit(*stop, EVHTTP_PARSE_BAD_FIELD_VALUE);
  parser->field.value_len = trimmed_len(data + value_off, parser->scan_off - value_off);
  return go(parser, VALUE_LF);
}

static result step_value_lf(struct evhttp_head_parser *parser, char byte) {
  if (byte != '\n') return EVHTTP_PARSE_BARE_CR;
  if (parser->fields) parser->fields[parser->num_fields] = parser->field;
  ++parser->num_fields;
  return go(parser, FIELD_START);
}

static result step_end_lf(struct evhttp_head_parser *parser, char byte) {
  if (byte != '\n') return EVHTTP_PARSE_BARE_CR;
  parser->consumed = ++parser->scan_off;
  return EVHTTP_PARSE_DONE;
}

static result step_fields(struct evhttp_head_parser *parser, const char *data, uint32_t end) {
  char byte = data[parser->scan_off];
  switch ((enum state)parser->state) {
    case FIELD_START:
      return step_field_start(parser, byte);
    case NAME:
      return step_name(parser, data, end);
    case VALUE_START:
      return step_value_start(parser, byte);
    case VALUE:
      return step_value(parser, data, end);
    case VALUE_LF:
      return step_value_lf(parser, byte);
    default:
      return step_end_lf(parser, byte);
  }
}

static result line_too_long(const struct evhttp_head_parser *parser) {
  if (parser->state <= METHOD) return EVHTTP_PARSE_METHOD_TOO_LONG;
  if (parser->state <= LINE_CR) return EVHTTP_PARSE_TARGET_TOO_LONG;
  /* LINE_LF belongs to both kinds of start line; only a request has a target. */
  return parser->target.len > 0 ? EVHTTP_PARSE_TARGET_TOO_LONG : EVHTTP_PARSE_HEAD_TOO_LARGE;
}

static uint32_t start_line_max(const struct evhttp_head_parser *parser) {
  uint32_t head_len = parser->limits.head_len;
  return parser->line_end_max < head_len ? parser->line_end_max : head_len;
}

static uint32_t least(size_t len, uint32_t max) {
  return len < max ? (uint32_t)len : max;
}

/* Whole lines from the start of one on. Returns PARTIAL in front of what it leaves to the steps. */
static result take_lines(struct evhttp_head_parser *parser, const char *data, size_t len,
                         enum strata_http_lines_from from) {
  uint32_t start = parser->scan_off;
  if (strata_http_lines_take(parser, data, least(len, parser->limits.head_len), from)) {
    parser->state = END_LF;
    return EVHTTP_PARSE_DONE;
  }
  if (parser->scan_off != start) parser->state = FIELD_START;
  return EVHTTP_PARSE_PARTIAL;
}

/* Scanning stops at the limit even if more bytes are there, so that the outcome does not depend
 * on how many there are. */
static result step_through_start_line(struct evhttp_head_parser *parser, const char *data,
                                      size_t len) {
  while (parser->state < FIELD_START) {
    uint32_t max = start_line_max(parser), end = least(len, max);
    result outcome;
    if (parser->scan_off >= max) return line_too_long(parser);
    if (parser->scan_off >= end) return EVHTTP_PARSE_PARTIAL;
    outcome = step_start_line(parser, data, end);
    if (outcome != EVHTTP_PARSE_PARTIAL) return outcome;
  }
  return EVHTTP_PARSE_PARTIAL;
}

static result parse_fields(struct evhttp_head_parser *parser, const char *data, size_t len) {
  uint32_t max = parser->limits.head_len, end = least(len, max);
  while (parser->scan_off < end) {
    result outcome = EVHTTP_PARSE_PARTIAL;
    if (parser->state == FIELD_START) {
      outcome = take_lines(parser, data, len, STRATA_HTTP_FROM_FIELDS);
      if (outcome == EVHTTP_PARSE_PARTIAL && parser->scan_off >= end) break;
    }
    if (outcome == EVHTTP_PARSE_PARTIAL) outcome = step_fields(parser, data, end);
    if (outcome != EVHTTP_PARSE_PARTIAL) return outcome;
  }
  return parser->scan_off >= max ? EVHTTP_PARSE_HEAD_TOO_LARGE : EVHTTP_PARSE_PARTIAL;
}

#ifdef __GNUC__
__attribute__((noinline)) /* or the short path below saves registers that only this one needs */
#endif
static result
parse_by_steps(struct evhttp_head_parser *parser, const char *data, size_t len) {
  result outcome = step_through_start_line(parser, data, len);
  if (outcome == EVHTTP_PARSE_PARTIAL && parser->state >= FIELD_START) {
    outcome = parse_fields(parser, data, len);
  }
  return outcome;
}

static enum strata_http_lines_from first_line(enum state state) {
  if (state == LEADING) return STRATA_HTTP_FROM_REQUEST_LINE;
  return state == RESPONSE_VERSION ? STRATA_HTTP_FROM_STATUS_LINE : STRATA_HTTP_FROM_FIELDS;
}

enum evhttp_parse_result evhttp_head_parse(struct evhttp_head_parser *parser, const char *data,
                                           size_t len) {
  result outcome = parser->error;
  if (outcome != EVHTTP_PARSE_PARTIAL) return outcome;
  if (parser->scan_off == 0) {
    outcome = take_lines(parser, data, len, first_line((enum state)parser->state));
  }
  if (outcome == EVHTTP_PARSE_PARTIAL) outcome = parse_by_steps(parser, data, len);
  return parser->error = outcome;
}
