#include "http/chunked.h"

#include <string.h>

#include "http/scan.h"

/* Of the size line, RFC 9112 7.1.1: size *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted ) ] ).
 *
 *   SIZE_FIRST SIZE [extension states] SIZE_LF -> DATA DATA_CR DATA_LF -> SIZE_FIRST ...
 *                                              -> TRAILER -> FINISHED     (size 0)
 */
enum state {
  SIZE_FIRST,
  SIZE,
  BEFORE_SEMICOLON, /* Whitespace after the size or a value. */
  NAME_FIRST,
  NAME,
  AFTER_NAME, /* Whitespace after a name. */
  VALUE_FIRST,
  VALUE,
  QUOTED,
  QUOTED_PAIR,
  AFTER_QUOTED,
  SIZE_LF,
  DATA,
  DATA_CR,
  DATA_LF,
  TRAILER,
  FINISHED,
  FAILED,
};

typedef enum evhttp_parse_result result;

const struct evhttp_chunk_limits evhttp_chunk_default_limits = {
    UINT64_MAX, 4096, 16384, {0, 8192, 64}};

void evhttp_chunk_decoder_init(struct evhttp_chunk_decoder *decoder,
                               struct evhttp_head_field *trailer_fields,
                               const struct evhttp_chunk_limits *limits) {
  const uint8_t no_overflow = 15; /* Below INT64_MAX whichever they are. */
  memset(decoder, 0, sizeof(*decoder));
  decoder->limits = limits ? *limits : evhttp_chunk_default_limits;
  decoder->max_digits = no_overflow;
  if (decoder->limits.line_len < no_overflow)
    decoder->max_digits = (uint8_t)decoder->limits.line_len;
  decoder->state = SIZE_FIRST;
  decoder->error = EVHTTP_PARSE_PARTIAL;
  evhttp_head_parser_init_trailer(&decoder->trailer, trailer_fields, &decoder->limits.trailer);
}

/* The steps below take one byte and return PARTIAL, in the state that they have set, or an
 * error. */

static result go(struct evhttp_chunk_decoder *decoder, enum state state) {
  decoder->state = (uint8_t)state;
  return EVHTTP_PARSE_PARTIAL;
}

static int is_space(char byte) {
  return byte == ' ' || byte == '\t';
}

static result misfit(char byte, result error) {
  return byte == '\n' ? EVHTTP_PARSE_BARE_LF : error;
}

static result add_size_digit(struct evhttp_chunk_decoder *decoder, char digit) {
  if (decoder->remaining > (uint64_t)INT64_MAX >> 4) return EVHTTP_PARSE_CHUNK_SIZE_OVERFLOW;
  decoder->remaining = decoder->remaining << 4 | strata_http_hex_value(digit);
  return go(decoder, SIZE);
}

static result step_size_first(struct evhttp_chunk_decoder *decoder, char byte) {
  decoder->remaining = 0;
  if (strata_http_is(byte, STRATA_HTTP_HEX)) return add_size_digit(decoder, byte);
  return misfit(byte, EVHTTP_PARSE_BAD_CHUNK_SIZE);
}

/* What may follow a complete size or extension: the next extension or the end of the line. */
static result step_after(struct evhttp_chunk_decoder *decoder, char byte, result error) {
  if (byte == '\r') return go(decoder, SIZE_LF);
  if (byte == ';') return go(decoder, NAME_FIRST);
  if (is_space(byte)) return go(decoder, BEFORE_SEMICOLON);
  return misfit(byte, error);
}

static result step_size(struct evhttp_chunk_decoder *decoder, char byte) {
  if (strata_http_is(byte, STRATA_HTTP_HEX)) return add_size_digit(decoder, byte);
  return step_after(decoder, byte, EVHTTP_PARSE_BAD_CHUNK_SIZE);
}

static result bad_extension(char byte) {
  return misfit(byte, EVHTTP_PARSE_BAD_CHUNK_EXTENSION);
}

static result step_before_semicolon(struct evhttp_chunk_decoder *decoder, char byte) {
  if (is_space(byte)) return EVHTTP_PARSE_PARTIAL;
  return byte == ';' ? go(decoder, NAME_FIRST) : bad_extension(byte);
}

static result step_name_first(struct evhttp_chunk_decoder *decoder, char byte) {
  if (is_space(byte)) return EVHTTP_PARSE_PARTIAL;
  return strata_http_is(byte, STRATA_HTTP_TOKEN) ? go(decoder, NAME) : bad_extension(byte);
}

static result step_name(struct evhttp_chunk_decoder *decoder, char byte) {
  if (strata_http_is(byte, STRATA_HTTP_TOKEN)) return EVHTTP_PARSE_PARTIAL;
  if (byte == '=') return go(decoder, VALUE_FIRST);
  if (is_space(byte)) return go(decoder, AFTER_NAME);
  return step_after(decoder, byte, EVHTTP_PARSE_BAD_CHUNK_EXTENSION);
}

static result step_after_name(struct evhttp_chunk_decoder *decoder, char byte) {
  if (byte == '=') return go(decoder, VALUE_FIRST);
  return step_before_semicolon(decoder, byte);
}

static result step_value_first(struct evhttp_chunk_decoder *decoder, char byte) {
  if (is_space(byte)) return EVHTTP_PARSE_PARTIAL;
  if (byte == '"') return go(decoder, QUOTED);
  return strata_http_is(byte, STRATA_HTTP_TOKEN) ? go(decoder, VALUE) : bad_extension(byte);
}

static result step_value(struct evhttp_chunk_decoder *decoder, char byte) {
  if (strata_http_is(byte, STRATA_HTTP_TOKEN)) return EVHTTP_PARSE_PARTIAL;
  return step_after(decoder, byte, EVHTTP_PARSE_BAD_CHUNK_EXTENSION);
}

static result step_quoted(struct evhttp_chunk_decoder *decoder, char byte) {
  if (byte == '"') return go(decoder, AFTER_QUOTED);
  if (byte == '\\') return go(decoder, QUOTED_PAIR);
  return strata_http_is(byte, STRATA_HTTP_TEXT) ? EVHTTP_PARSE_PARTIAL : bad_extension(byte);
}

static result step_quoted_pair(struct evhttp_chunk_decoder *decoder, char byte) {
  return strata_http_is(byte, STRATA_HTTP_TEXT) ? go(decoder, QUOTED) : bad_extension(byte);
}

static result step_size_lf(struct evhttp_chunk_decoder *decoder, char byte) {
  if (byte != '\n') return EVHTTP_PARSE_BARE_CR;
  decoder->line_len = 0;
  if (decoder->remaining > decoder->limits.body_len - decoder->body_len) {
    return EVHTTP_PARSE_BODY_TOO_LARGE;
  }
  decoder->body_len += decoder->remaining;
  return go(decoder, decoder->remaining > 0 ? DATA : TRAILER);
}

static result count_line_byte(struct evhttp_chunk_decoder *decoder, char byte) {
  if (byte == '\r' || byte == '\n') return EVHTTP_PARSE_PARTIAL;
  if (decoder->line_len++ >= decoder->limits.line_len) return EVHTTP_PARSE_CHUNK_LINE_TOO_LONG;
  if (decoder->state >= BEFORE_SEMICOLON || !strata_http_is(byte, STRATA_HTTP_HEX)) {
    if (decoder->extension_len++ >= decoder->limits.extension_len) {
      return EVHTTP_PARSE_CHUNK_EXTENSIONS_TOO_LARGE;
    }
  }
  return EVHTTP_PARSE_PARTIAL;
}

static result step_size_line(struct evhttp_chunk_decoder *decoder, char byte) {
  result outcome = count_line_byte(decoder, byte);
  if (outcome != EVHTTP_PARSE_PARTIAL) return outcome;
  switch ((enum state)decoder->state) {
    case SIZE_FIRST:
      return step_size_first(decoder, byte);
    case SIZE:
      return step_size(decoder, byte);
    case BEFORE_SEMICOLON:
      return step_before_semicolon(decoder, byte);
    case NAME_FIRST:
      return step_name_first(decoder, byte);
    case NAME:
      return step_name(decoder, byte);
    case AFTER_NAME:
      return step_after_name(decoder, byte);
    case VALUE_FIRST:
      return step_value_first(decoder, byte);
    case VALUE:
      return step_value(decoder, byte);
    case QUOTED:
      return step_quoted(decoder, byte);
    case QUOTED_PAIR:
      return step_quoted_pair(decoder, byte);
    default:
      return step_after(decoder, byte, EVHTTP_PARSE_BAD_CHUNK_EXTENSION);
  }
}

static result step_byte(struct evhttp_chunk_decoder *decoder, char byte) {
  if (decoder->state < SIZE_LF) return step_size_line(decoder, byte);
  if (decoder->state == SIZE_LF) return step_size_lf(decoder, byte);
  if (decoder->state == DATA_CR) {
    return byte == '\r' ? go(decoder, DATA_LF) : misfit(byte, EVHTTP_PARSE_BAD_CHUNK_END);
  }
  return byte == '\n' ? go(decoder, SIZE_FIRST) : EVHTTP_PARSE_BARE_CR;
}

static void report(struct evhttp_chunk_event *out, enum evhttp_chunk_event_kind kind, result error,
                   const char *data, size_t data_len) {
  out->kind = kind;
  out->error = error;
  out->data = data;
  out->data_len = data_len;
}

static size_t take_data(struct evhttp_chunk_decoder *decoder, const char *data, size_t len,
                        struct evhttp_chunk_event *out) {
  size_t take = decoder->remaining < len ? (size_t)decoder->remaining : len;
  decoder->remaining -= take;
  if (decoder->remaining == 0) decoder->state = DATA_CR;
  report(out, EVHTTP_CHUNK_DATA, EVHTTP_PARSE_PARTIAL, data, take);
  return take;
}

static void fail(struct evhttp_chunk_decoder *decoder, result error,
                 struct evhttp_chunk_event *out) {
  decoder->state = FAILED;
  decoder->error = error;
  report(out, EVHTTP_CHUNK_ERROR, error, NULL, 0);
}

/* Consumes the trailer section only as a whole, since its fields are handed out as offsets. */
static size_t take_trailer(struct evhttp_chunk_decoder *decoder, const char *data, size_t len,
                           struct evhttp_chunk_event *out) {
  result outcome = evhttp_head_parse(&decoder->trailer, data, len);
  if (outcome == EVHTTP_PARSE_PARTIAL) {
    report(out, EVHTTP_CHUNK_MORE, outcome, NULL, 0);
    return 0;
  }
  if (outcome != EVHTTP_PARSE_DONE) {
    fail(decoder, outcome, out);
    return 0;
  }
  decoder->state = FINISHED;
  decoder->error = EVHTTP_PARSE_DONE;
  report(out, EVHTTP_CHUNK_DONE, outcome, data, decoder->trailer.consumed);
  return decoder->trailer.consumed;
}

/* Behind the first `used` bytes, whatever the state. */
#ifdef __GNUC__
__attribute__((noinline)) /* or the short path below saves registers that only this one needs */
#endif
static size_t
go_on(struct evhttp_chunk_decoder *decoder, const char *data, size_t len, size_t used,
      struct evhttp_chunk_event *out) {
  if (decoder->state >= FINISHED) {
    report(out, decoder->state == FINISHED ? EVHTTP_CHUNK_DONE : EVHTTP_CHUNK_ERROR, decoder->error,
           NULL, 0);
    return 0;
  }
  for (; used < len; ++used) {
    result outcome;
    if (decoder->state == DATA) return used + take_data(decoder, data + used, len - used, out);
    if (decoder->state == TRAILER) {
      return used + take_trailer(decoder, data + used, len - used, out);
    }
    outcome = step_byte(decoder, data[used]);
    if (outcome != EVHTTP_PARSE_PARTIAL) {
      fail(decoder, outcome, out);
      return used;
    }
  }
  report(out, EVHTTP_CHUNK_MORE, EVHTTP_PARSE_PARTIAL, NULL, 0);
  return used;
}

static int is_crlf(const char *bytes) {
  return memcmp(bytes, "\r\n", 2) == 0;
}

/* The framing from the end of the data before to the data, where it is wholly there and in its
 * usual form. Returns its length; 0 leaves it, good or bad, to the steps. */
static size_t take_framing(struct evhttp_chunk_decoder *decoder, const char *data, size_t len) {
  size_t size_off = decoder->state == DATA_CR ? 2 : 0, off = size_off, end = len - 2;
  uint64_t size = 0;
  unsigned digit;
  if (!size_off && decoder->state != SIZE_FIRST) return 0;
  if (len < size_off + sizeof("0\r\n") - 1 || (size_off && !is_crlf(data))) return 0;
  if (end > size_off + decoder->max_digits) end = size_off + decoder->max_digits;
  for (; off < end && (digit = strata_http_hex_digit[(unsigned char)data[off]]) != 0; ++off) {
    size = size * 16 + (digit - 16);
  }
  if (off == size_off || !is_crlf(data + off)) return 0;
  if (size > decoder->limits.body_len - decoder->body_len) return 0;
  decoder->body_len += size;
  decoder->remaining = size;
  decoder->state = size > 0 ? DATA : TRAILER;
  return off + 2;
}

size_t evhttp_chunk_step(struct evhttp_chunk_decoder *decoder, const char *data, size_t len,
                         struct evhttp_chunk_event *out) {
  size_t used = take_framing(decoder, data, len);
  if (decoder->state == DATA && used < len) {
    return used + take_data(decoder, data + used, len - used, out);
  }
  return go_on(decoder, data, len, used, out);
}
