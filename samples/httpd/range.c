#include "samples/httpd/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <event2/util.h>

/* Reads digits, if there are any; what is too big becomes UINT64_MAX, past the end of any file. */
static bool parse_number(const char **cursor, uint64_t *out_number) {
  const char *start = *cursor;
  uint64_t number = 0;
  for (; **cursor >= '0' && **cursor <= '9'; (*cursor)++) {
    uint64_t digit = (uint64_t)(**cursor - '0');
    number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
  }
  *out_number = number;
  return *cursor != start;
}

/* The last `suffix_len` bytes, or all of a file that is shorter. */
static enum range_outcome suffix(uint64_t suffix_len, uint64_t size, struct range *out_range) {
  if (suffix_len == 0) return RANGE_UNSATISFIABLE;
  if (suffix_len > size) suffix_len = size;
  *out_range = (struct range){.offset = size - suffix_len, .length = suffix_len};
  return RANGE_PART;
}

enum range_outcome range_parse(const char *header, uint64_t size, struct range *out_range) {
  *out_range = (struct range){.offset = 0, .length = size};
  if (header == NULL || size == 0) return RANGE_WHOLE;
  if (evutil_ascii_strncasecmp(header, "bytes=", 6) != 0) return RANGE_WHOLE;
  const char *cursor = header + 6;
  cursor += strspn(cursor, " \t");
  uint64_t first, last;
  bool has_first = parse_number(&cursor, &first);
  if (*cursor++ != '-') return RANGE_WHOLE;
  bool has_last = parse_number(&cursor, &last);
  cursor += strspn(cursor, " \t");
  if (*cursor != '\0' || (!has_first && !has_last)) return RANGE_WHOLE;

  if (!has_first) return suffix(last, size, out_range);
  if (!has_last) last = UINT64_MAX;
  if (last < first) return RANGE_WHOLE;
  if (first >= size) return RANGE_UNSATISFIABLE;
  if (last >= size) last = size - 1;
  *out_range = (struct range){.offset = first, .length = last - first + 1};
  return RANGE_PART;
}
