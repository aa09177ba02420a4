#include "http/framing.h"

#include <string.h>

#include "http/authority.h"
#include "http/scan.h"

typedef enum evhttp_parse_result result;

/* A piece of the head, in memory. */
struct piece {
  const char *bytes;
  size_t len;
};

/* What the fields say, before it is held against each other. */
struct facts {
  unsigned num_host, num_length, num_coding;
  unsigned saw_chunked : 1, saw_unknown_coding : 1, bad_coding : 1;
  unsigned saw_close : 1, saw_keep_alive : 1, saw_upgrade_option : 1, saw_upgrade : 1;
  unsigned saw_continue : 1, saw_unknown_expectation : 1;
  uint64_t length;
  struct piece host;
};

static int piece_is(struct piece piece, const char *lower_case) {
  return strata_http_equal_nocase(piece.bytes, piece.len, lower_case);
}

static struct piece trim(struct piece piece) {
  while (piece.len > 0 && (piece.bytes[0] == ' ' || piece.bytes[0] == '\t')) {
    ++piece.bytes, --piece.len;
  }
  while (piece.len > 0 &&
         (piece.bytes[piece.len - 1] == ' ' || piece.bytes[piece.len - 1] == '\t')) {
    --piece.len;
  }
  return piece;
}

/* Cuts the part before the first `separator` off *rest. Returns 0 when there was no separator:
 * the part is then the last one and *rest is empty. */
static int cut(struct piece *rest, char separator, struct piece *out_part) {
  const char *found =
      rest->len > 0 ? (const char *)memchr(rest->bytes, separator, rest->len) : NULL;
  *out_part = *rest;
  if (!found) {
    rest->bytes += rest->len;
    rest->len = 0;
  } else {
    out_part->len = (size_t)(found - rest->bytes);
    rest->bytes = found + 1;
    rest->len -= out_part->len + 1;
  }
  *out_part = trim(*out_part);
  return found != NULL;
}

static result read_length(struct facts *facts, struct piece value) {
  size_t i;
  if (facts->num_length++ > 0) return EVHTTP_PARSE_REPEATED_CONTENT_LENGTH;
  if (value.len == 0) return EVHTTP_PARSE_BAD_CONTENT_LENGTH;
  if (memchr(value.bytes, ',', value.len)) return EVHTTP_PARSE_REPEATED_CONTENT_LENGTH;
  for (i = 0; i < value.len; ++i) {
    unsigned digit = (unsigned char)value.bytes[i] - (unsigned)'0';
    if (digit > 9) return EVHTTP_PARSE_BAD_CONTENT_LENGTH;
    if (facts->length > ((uint64_t)INT64_MAX - digit) / 10) return EVHTTP_PARSE_BAD_CONTENT_LENGTH;
    facts->length = facts->length * 10 + digit;
  }
  return EVHTTP_PARSE_DONE;
}

static int is_token(struct piece piece) {
  const char *end = piece.bytes + piece.len;
  return piece.len > 0 && strata_http_scan_token(piece.bytes, end) == end;
}

static void read_one_coding(struct facts *facts, struct piece coding) {
  struct piece name;
  int has_parameters = cut(&coding, ';', &name);
  if (!is_token(name) || facts->saw_chunked) {
    facts->bad_coding = 1;
  } else if (!piece_is(name, "chunked")) {
    facts->saw_unknown_coding = 1;
  } else if (has_parameters) {
    facts->bad_coding = 1;
  } else {
    facts->saw_chunked = 1;
  }
}

/* Empty list members, which RFC 9110 5.6.1.2 would have ignored, make the list malformed here: they
 * are how two recipients come to see different codings. */
static void read_codings(struct facts *facts, struct piece value) {
  struct piece member;
  int more;
  ++facts->num_coding;
  do {
    more = cut(&value, ',', &member);
    read_one_coding(facts, member);
  } while (more);
}

static void read_connection(struct facts *facts, struct piece value) {
  struct piece member;
  int more;
  do {
    more = cut(&value, ',', &member);
    if (piece_is(member, "close")) facts->saw_close = 1;
    if (piece_is(member, "keep-alive")) facts->saw_keep_alive = 1;
    if (piece_is(member, "upgrade")) facts->saw_upgrade_option = 1;
  } while (more);
}

static void read_expect(struct facts *facts, struct piece value) {
  struct piece member;
  int more;
  do {
    more = cut(&value, ',', &member);
    if (piece_is(member, "100-continue")) {
      facts->saw_continue = 1;
    } else if (member.len > 0) {
      facts->saw_unknown_expectation = 1;
    }
  } while (more);
}

static void read_host(struct facts *facts, struct piece value) {
  ++facts->num_host;
  facts->host = value;
}

static result read_field(struct facts *facts, struct piece name, struct piece value) {
  switch (name.len) {
    case 4:
      if (piece_is(name, "host")) read_host(facts, value);
      break;
    case 6:
      if (piece_is(name, "expect")) read_expect(facts, value);
      break;
    case 7:
      if (piece_is(name, "upgrade")) facts->saw_upgrade = value.len > 0;
      break;
    case 10:
      if (piece_is(name, "connection")) read_connection(facts, value);
      break;
    case 14:
      if (piece_is(name, "content-length")) return read_length(facts, value);
      break;
    case 17:
      if (piece_is(name, "transfer-encoding")) read_codings(facts, value);
      break;
    default:
      break;
  }
  return EVHTTP_PARSE_DONE;
}

static result read_fields(struct facts *facts, const struct evhttp_head_parser *parser,
                          const char *data) {
  uint32_t i;
  memset(facts, 0, sizeof(*facts));
  for (i = 0; i < parser->num_fields; ++i) {
    const struct evhttp_head_field *field = &parser->fields[i];
    struct piece name = {data + field->name_off, field->name_len};
    struct piece value = {data + field->value_off, field->value_len};
    result outcome = read_field(facts, name, value);
    if (outcome != EVHTTP_PARSE_DONE) return outcome;
  }
  return EVHTTP_PARSE_DONE;
}

static result check_codings(const struct facts *facts, int minor) {
  if (facts->num_coding == 0) return EVHTTP_PARSE_DONE;
  if (facts->num_length > 0) return EVHTTP_PARSE_LENGTH_AND_CODING;
  if (minor == 0) return EVHTTP_PARSE_CODING_IN_HTTP10;
  if (facts->bad_coding) return EVHTTP_PARSE_BAD_TRANSFER_CODING;
  if (facts->saw_unknown_coding) return EVHTTP_PARSE_UNKNOWN_TRANSFER_CODING;
  return EVHTTP_PARSE_DONE;
}

static uint8_t persists(const struct facts *facts, int minor) {
  if (facts->saw_close) return 0;
  return minor > 0 || facts->saw_keep_alive;
}

/* Splits the bytes into host and port and makes them the request's. */
static int take_authority(struct evhttp_framing *out, const char *data, struct piece text) {
  size_t host_len;
  uint32_t off = (uint32_t)(text.bytes - data);
  if (evhttp_authority_split(text.bytes, text.len, &host_len, &out->port) < 0) return -1;
  out->authority.off = out->host.off = off;
  out->authority.len = (uint32_t)text.len;
  out->host.len = (uint32_t)host_len;
  out->has_host = 1;
  return 0;
}

/* RFC 9112 3.2, RFC 9110 7.2. An absolute target, and that of CONNECT, replaces the host
 * afterwards, but does not excuse a missing or malformed field. */
static result check_host(const struct facts *facts, const char *data, int minor,
                         struct evhttp_framing *out) {
  if (facts->num_host > 1) return EVHTTP_PARSE_REPEATED_HOST;
  if (facts->num_host == 0) return minor > 0 ? EVHTTP_PARSE_MISSING_HOST : EVHTTP_PARSE_DONE;
  return take_authority(out, data, facts->host) < 0 ? EVHTTP_PARSE_BAD_HOST : EVHTTP_PARSE_DONE;
}

/* RFC 9110 9.3.6: the port is never left out. */
static result take_connect_target(struct evhttp_framing *out, const char *data,
                                  struct piece target) {
  out->target_form = EVHTTP_TARGET_AUTHORITY;
  if (take_authority(out, data, target) < 0 || out->host.len == 0 || out->port < 1) {
    return EVHTTP_PARSE_BAD_TARGET_FORM;
  }
  return EVHTTP_PARSE_DONE;
}

static size_t scheme_len(struct piece target) {
  size_t len = 0;
  if (target.len == 0 || !strata_http_is(target.bytes[0], STRATA_HTTP_ALPHA)) return 0;
  while (len < target.len && strata_http_is(target.bytes[len], STRATA_HTTP_SCHEME)) ++len;
  return len;
}

static size_t authority_len(struct piece text) {
  size_t len = 0;
  while (len < text.len && text.bytes[len] != '/' && text.bytes[len] != '?') ++len;
  return len;
}

/* A host is required and userinfo refused, as RFC 9110 4.2.1 and 4.2.4 have it for http. */
static result take_absolute_target(struct evhttp_framing *out, const char *data,
                                   struct piece target) {
  size_t scheme = scheme_len(target);
  struct piece rest = target;
  out->target_form = EVHTTP_TARGET_ABSOLUTE;
  if (scheme == 0 || target.len - scheme < 3 || memcmp(target.bytes + scheme, "://", 3) != 0) {
    return EVHTTP_PARSE_BAD_TARGET_FORM;
  }
  rest.bytes += scheme + 3;
  rest.len -= scheme + 3;
  target = rest;
  target.len = authority_len(rest);
  if (take_authority(out, data, target) < 0 || out->host.len == 0) {
    return EVHTTP_PARSE_BAD_TARGET_FORM;
  }
  out->path.off = (uint32_t)(target.bytes + target.len - data);
  out->path.len = (uint32_t)(rest.len - target.len);
  return EVHTTP_PARSE_DONE;
}

static int span_is(const char *data, struct evhttp_span span, const char *text) {
  return span.len == strlen(text) && memcmp(data + span.off, text, span.len) == 0;
}

static result take_target(const struct evhttp_head_parser *parser, const char *data,
                          struct evhttp_framing *out) {
  struct piece target = {data + parser->target.off, parser->target.len};
  out->path = parser->target;
  if (span_is(data, parser->method, "CONNECT")) return take_connect_target(out, data, target);
  if (target.bytes[0] == '/') {
    out->target_form = EVHTTP_TARGET_ORIGIN;
    return EVHTTP_PARSE_DONE;
  }
  if (target.len == 1 && target.bytes[0] == '*') {
    out->target_form = EVHTTP_TARGET_ASTERISK;
    return span_is(data, parser->method, "OPTIONS") ? EVHTTP_PARSE_DONE
                                                    : EVHTTP_PARSE_BAD_TARGET_FORM;
  }
  return take_absolute_target(out, data, target);
}

static void set_body(const struct facts *facts, struct evhttp_framing *out) {
  if (facts->saw_chunked) {
    out->body = EVHTTP_BODY_CHUNKED;
  } else if (facts->num_length > 0) {
    out->body = EVHTTP_BODY_LENGTH;
    out->content_length = facts->length;
  }
}

/* RFC 9110 10.1.1: ignored from HTTP/1.0 clients, and pointless without a body. */
static result check_expect(const struct facts *facts, int minor, struct evhttp_framing *out) {
  if (minor == 0) return EVHTTP_PARSE_DONE;
  if (facts->saw_unknown_expectation) return EVHTTP_PARSE_UNKNOWN_EXPECTATION;
  out->expect_continue =
      facts->saw_continue && (out->body == EVHTTP_BODY_CHUNKED || out->content_length > 0);
  return EVHTTP_PARSE_DONE;
}

static void clear(struct evhttp_framing *out) {
  memset(out, 0, sizeof(*out));
  out->port = -1;
}

enum evhttp_parse_result evhttp_request_framing(const struct evhttp_head_parser *parser,
                                                const char *data, struct evhttp_framing *out) {
  struct facts facts;
  int minor = parser->version_minor;
  result outcome;
  clear(out);
  if ((outcome = read_fields(&facts, parser, data)) != EVHTTP_PARSE_DONE) return outcome;
  if ((outcome = check_host(&facts, data, minor, out)) != EVHTTP_PARSE_DONE) return outcome;
  if ((outcome = take_target(parser, data, out)) != EVHTTP_PARSE_DONE) return outcome;
  if ((outcome = check_codings(&facts, minor)) != EVHTTP_PARSE_DONE) return outcome;
  set_body(&facts, out);
  out->keep_alive = persists(&facts, minor);
  out->upgrade = minor > 0 && facts.saw_upgrade && facts.saw_upgrade_option;
  return check_expect(&facts, minor, out);
}

static int has_no_body(const struct evhttp_head_parser *parser, enum evhttp_response_to to) {
  return to == EVHTTP_RESPONSE_TO_HEAD || parser->status_code < 200 || parser->status_code == 204 ||
         parser->status_code == 304;
}

static void set_response_body(const struct evhttp_head_parser *parser, const struct facts *facts,
                              enum evhttp_response_to to, struct evhttp_framing *out) {
  /* Any 2xx, 204 too (RFC 9110 9.3.6). */
  if (to == EVHTTP_RESPONSE_TO_CONNECT && parser->status_code / 100 == 2) {
    out->body = EVHTTP_BODY_TUNNEL;
    return;
  }
  if (has_no_body(parser, to)) return;
  out->body = EVHTTP_BODY_UNTIL_CLOSE;
  set_body(facts, out);
  if (out->body == EVHTTP_BODY_UNTIL_CLOSE) out->keep_alive = 0;
}

enum evhttp_parse_result evhttp_response_framing(const struct evhttp_head_parser *parser,
                                                 const char *data, enum evhttp_response_to to,
                                                 struct evhttp_framing *out) {
  struct facts facts;
  int minor = parser->version_minor;
  result outcome;
  clear(out);
  if ((outcome = read_fields(&facts, parser, data)) != EVHTTP_PARSE_DONE) return outcome;
  if ((outcome = check_codings(&facts, minor)) != EVHTTP_PARSE_DONE) return outcome;
  out->keep_alive = persists(&facts, minor);
  out->upgrade = minor > 0 && facts.saw_upgrade && facts.saw_upgrade_option;
  set_response_body(parser, &facts, to, out);
  return EVHTTP_PARSE_DONE;
}
