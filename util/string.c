#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>

ev_int64_t evutil_strtoll(const char *s, char **endptr, int base) {
  return (ev_int64_t)strtoll(s, endptr, base);
}

int evutil_vsnprintf(char *buf, size_t buflen, const char *format, va_list ap) {
  if (buflen == 0) return 0;
  int len = vsnprintf(buf, buflen, format, ap);
  buf[buflen - 1] = '\0';
  return len;
}

int evutil_snprintf(char *buf, size_t buflen, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int len = evutil_vsnprintf(buf, buflen, format, ap);
  va_end(ap);
  return len;
}

static int fold(char c) {
  return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

int evutil_ascii_strncasecmp(const char *str1, const char *str2, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    int difference = fold(str1[i]) - fold(str2[i]);
    if (difference || !str1[i]) return difference;
  }
  return 0;
}

int evutil_ascii_strcasecmp(const char *str1, const char *str2) {
  return evutil_ascii_strncasecmp(str1, str2, (size_t)-1);
}
