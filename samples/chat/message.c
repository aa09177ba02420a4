#include "samples/chat/message.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct input {
  const char *at, *end;
};

static void skip_space(struct input *in) {
  while (in->at < in->end && strchr(" \t\r\n", *in->at) != NULL && *in->at != '\0') in->at++;
}

static bool take(struct input *in, char c) {
  skip_space(in);
  if (in->at == in->end || *in->at != c) return false;
  in->at++;
  return true;
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int32_t take_unit(struct input *in) {
  int32_t unit = 0;
  if (in->end - in->at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = hex_value(*in->at++);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/* The character of \uXXXX, or of two of them that are a surrogate pair; 0 is none. */
static int32_t take_escaped_character(struct input *in) {
  int32_t high = take_unit(in), low;
  if (high < 0xD800 || high > 0xDFFF) return high > 0 ? high : -1;
  if (high > 0xDBFF || in->end - in->at < 6 || in->at[0] != '\\' || in->at[1] != 'u') return -1;
  in->at += 2;
  low = take_unit(in);
  if (low < 0xDC00 || low > 0xDFFF) return -1;
  return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static size_t encode_utf8(int32_t c, char out[4]) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const int kLeads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = len - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
  out[0] = (char)(kLeads[len] | c);
  return len;
}

/* What follows a backslash. Returns its length as text, 0 when it is no escape. */
static size_t take_escape(struct input *in, char out[4]) {
  static const char kLetters[] = "\"\\/bfnrt", kMeanings[] = "\"\\/\b\f\n\r\t";
  if (in->at == in->end) return 0;
  char c = *in->at++;
  const char *letter = c != '\0' ? strchr(kLetters, c) : NULL;
  if (letter != NULL) {
    out[0] = kMeanings[letter - kLetters];
    return 1;
  }
  int32_t character = c == 'u' ? take_escaped_character(in) : -1;
  return character > 0 ? encode_utf8(character, out) : 0;
}

/* A string, into `out` with a NUL; `out` NULL: nowhere. */
static bool take_string(struct input *in, char *out, size_t size) {
  size_t len = 0;
  if (!take(in, '"')) return false;
  while (in->at < in->end && *in->at != '"') {
    char piece[4] = {*in->at++};
    size_t piece_len = 1;
    if ((unsigned char)piece[0] < 0x20) return false;
    if (piece[0] == '\\') piece_len = take_escape(in, piece);
    if (piece_len == 0) return false;
    if (out == NULL) continue;
    if (len + piece_len >= size) return false;
    memcpy(out + len, piece, piece_len);
    len += piece_len;
  }
  if (out != NULL) out[len] = '\0';
  return take(in, '"');
}

static bool take_value(struct input *in, const char *key, struct message *message) {
  skip_space(in);
  if (in->at < in->end && *in->at != '"') {
    const char *begin = in->at;
    while (in->at < in->end && strchr("+-.0123456789eEaflnrstu", *in->at) != NULL && *in->at)
      in->at++;
    return in->at > begin;
  }
  if (strcmp(key, "type") == 0) return take_string(in, message->type, sizeof(message->type));
  if (strcmp(key, "name") == 0) return take_string(in, message->name, sizeof(message->name));
  if (strcmp(key, "text") == 0) return take_string(in, message->text, sizeof(message->text));
  return take_string(in, NULL, 0);
}

int message_parse(const char *json, size_t len, struct message *out_message) {
  struct input in = {json, json + len};
  char key[32];
  memset(out_message, 0, sizeof(*out_message));
  if (!take(&in, '{')) return -1;
  do {
    if (!take_string(&in, key, sizeof(key)) || !take(&in, ':') ||
        !take_value(&in, key, out_message))
      return -1;
  } while (take(&in, ','));
  if (!take(&in, '}')) return -1;
  skip_space(&in);
  return in.at == in.end ? 0 : -1;
}

void message_add_string(struct evbuffer *buffer, const char *text) {
  evbuffer_add(buffer, "\"", 1);
  for (; *text != '\0'; text++) {
    if ((unsigned char)*text < 0x20 || strchr("\"\\<>&", *text) != NULL)
      evbuffer_add_printf(buffer, "\\u%04x", (unsigned)*text);
    else
      evbuffer_add(buffer, text, 1);
  }
  evbuffer_add(buffer, "\"", 1);
}
