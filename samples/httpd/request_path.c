#include "samples/httpd/request_path.h"

#include <stdlib.h>
#include <string.h>

#include <event2/http.h>

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The next byte of a segment, its escape undone; -1 when no name may contain it. */
static int decode_byte(const char **cursor) {
  const char *at = *cursor;
  int byte = (unsigned char)*at;
  int escape_len = 1;
  if (byte == '%') {
    int high = hex_value(at[1]);
    int low = high < 0 ? -1 : hex_value(at[2]);
    if (low < 0) return -1;
    byte = high * 16 + low;
    escape_len = 3;
  }
  if (byte == '\0' || byte == '/' || byte == '\\') return -1;
  *cursor = at + escape_len;
  return byte;
}

/* Decodes up to the next slash; returns the end of what was written, or NULL. */
static char *decode_segment(const char **cursor, char *out) {
  while (**cursor != '\0' && **cursor != '/') {
    int byte = decode_byte(cursor);
    if (byte < 0) return NULL;
    *out++ = (char)byte;
  }
  return out;
}

/* Decodes segment by segment into `name`, which never outgrows `raw`. */
static int decode(const char *raw, char *name, bool *out_is_directory) {
  char *end = name;
  *out_is_directory = true;
  while (*raw != '\0') {
    if (*raw == '/') {
      *out_is_directory = true;
      raw++;
      continue;
    }
    char *segment = end == name ? end : end + 1;
    char *segment_end = decode_segment(&raw, segment);
    if (segment_end == NULL) return HTTP_BADREQUEST;
    size_t segment_len = (size_t)(segment_end - segment);
    if (segment_len == 1 && segment[0] == '.') {
      *out_is_directory = true;
      continue;
    }
    if (segment_len == 2 && segment[0] == '.' && segment[1] == '.') return HTTP_BADREQUEST;
    if (segment != end) *end = '/';
    end = segment_end;
    *out_is_directory = false;
  }
  *end = '\0';
  return 0;
}

int request_path_parse(const char *raw, struct request_path *out_path) {
  if (raw == NULL) raw = "";
  out_path->name = malloc(strlen(raw) + 1);
  if (out_path->name == NULL) return HTTP_INTERNAL;
  int status = decode(raw, out_path->name, &out_path->is_directory);
  if (status != 0) request_path_clear(out_path);
  return status;
}

void request_path_clear(struct request_path *path) {
  free(path->name);
  path->name = NULL;
}

char *request_path_encode(const char *name) {
  static const char kHex[] = "0123456789ABCDEF";
  static const char kPlain[] =
      "/-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  char *encoded = malloc(3 * strlen(name) + 2);
  if (encoded == NULL) return NULL;
  char *out = encoded;
  *out++ = '/';
  for (; *name != '\0'; name++) {
    unsigned char byte = (unsigned char)*name;
    if (strchr(kPlain, byte) != NULL) {
      *out++ = (char)byte;
    } else {
      *out++ = '%';
      *out++ = kHex[byte >> 4];
      *out++ = kHex[byte & 15];
    }
  }
  *out = '\0';
  return encoded;
}
