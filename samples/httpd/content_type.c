#include "samples/httpd/content_type.h"

#include <stddef.h>
#include <string.h>

#include <event2/util.h>

static const struct {
  const char *extension;
  const char *type;
} kTypes[] = {
    {"avif", "image/avif"},
    {"c", "text/plain; charset=utf-8"},
    {"cc", "text/plain; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"h", "text/plain; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"log", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"py", "text/plain; charset=utf-8"},
    {"sh", "text/plain; charset=utf-8"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
};

const char *content_type_of(const char *name) {
  const char *slash = strrchr(name, '/');
  const char *base = slash == NULL ? name : slash + 1;
  const char *dot = strrchr(base, '.');
  /* ".png" is a hidden file without an extension. */
  if (dot != NULL && dot != base) {
    for (size_t i = 0; i < sizeof(kTypes) / sizeof(kTypes[0]); i++)
      if (evutil_ascii_strcasecmp(dot + 1, kTypes[i].extension) == 0) return kTypes[i].type;
  }
  return "application/octet-stream";
}

bool content_type_compresses(const char *type) {
  static const char *const kTexts[] = {
      "text/",           "application/json", "application/wasm", "application/xhtml+xml",
      "application/xml", "image/svg+xml",    "image/x-icon",     "font/otf",
      "font/ttf"};
  for (size_t i = 0; i < sizeof(kTexts) / sizeof(kTexts[0]); i++)
    if (strncmp(type, kTexts[i], strlen(kTexts[i])) == 0) return true;
  return false;
}
