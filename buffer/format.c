#include "buffer/format.h"

#include <limits.h>
#include <string.h>

/* Digits of the largest number, in base 10. */
#define MAX_NUM_DIGITS 20

struct output {
  char *at;
  char *end;
};

/* One conversion after its '%'. */
struct conversion {
  enum { SIZE_INT, SIZE_LONG, SIZE_LONG_LONG, SIZE_SIZE } size;
  char type;
};

static int put_bytes(struct output *out, const char *bytes, size_t len) {
  if (len > (size_t)(out->end - out->at)) return -1;
  memcpy(out->at, bytes, len);
  out->at += len;
  return 0;
}

static int put_char(struct output *out, char value) {
  if (out->at == out->end) return -1;
  *out->at++ = value;
  return 0;
}

static int put_decimal(struct output *out, unsigned long long value, int is_negative) {
  char digits[MAX_NUM_DIGITS + 1];
  char *first = digits + sizeof(digits);
  do {
    *--first = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  if (is_negative) *--first = '-';
  return put_bytes(out, first, (size_t)(digits + sizeof(digits) - first));
}

static int put_hex(struct output *out, unsigned long long value) {
  char digits[MAX_NUM_DIGITS];
  char *first = digits + sizeof(digits);
  do {
    *--first = "0123456789abcdef"[value & 15];
    value >>= 4;
  } while (value);
  return put_bytes(out, first, (size_t)(digits + sizeof(digits) - first));
}

static int put_signed(struct output *out, long long value) {
  /* Negated as unsigned: the least number has no positive counterpart. */
  return value < 0 ? put_decimal(out, 0 - (unsigned long long)value, 1)
                   : put_decimal(out, (unsigned long long)value, 0);
}

static unsigned long long take_unsigned(const struct conversion *conversion, va_list *args) {
  switch (conversion->size) {
    case SIZE_LONG:
      return va_arg(*args, unsigned long);
    case SIZE_LONG_LONG:
      return va_arg(*args, unsigned long long);
    case SIZE_SIZE:
      return va_arg(*args, size_t);
    default:
      return va_arg(*args, unsigned);
  }
}

static long long take_signed(const struct conversion *conversion, va_list *args) {
  switch (conversion->size) {
    case SIZE_LONG:
      return va_arg(*args, long);
    case SIZE_LONG_LONG:
      return va_arg(*args, long long);
    case SIZE_SIZE:
      return va_arg(*args, ptrdiff_t);
    default:
      return va_arg(*args, int);
  }
}

/* Parses what follows a '%'; returns what comes after it. */
static const char *parse(const char *fmt, struct conversion *out_conversion) {
  out_conversion->size = SIZE_INT;
  if (*fmt == 'z') {
    out_conversion->size = SIZE_SIZE;
    fmt++;
  } else if (*fmt == 'l') {
    fmt++;
    out_conversion->size = *fmt == 'l' ? SIZE_LONG_LONG : SIZE_LONG;
    if (*fmt == 'l') fmt++;
  }
  out_conversion->type = *fmt;
  return *fmt ? fmt + 1 : fmt;
}

static int put_text(struct output *out, char type, va_list *args) {
  const char *string;
  switch (type) {
    case 's':
      string = va_arg(*args, const char *);
      return string ? put_bytes(out, string, strlen(string)) : -1;
    case 'c':
      return put_char(out, (char)va_arg(*args, int));
    case '%':
      return put_char(out, '%');
    default:
      return -1;
  }
}

static int put_conversion(struct output *out, const struct conversion *conversion, va_list *args) {
  switch (conversion->type) {
    case 'd':
    case 'i':
      return put_signed(out, take_signed(conversion, args));
    case 'u':
      return put_decimal(out, take_unsigned(conversion, args), 0);
    case 'x':
      return put_hex(out, take_unsigned(conversion, args));
    default:
      return conversion->size == SIZE_INT ? put_text(out, conversion->type, args) : -1;
  }
}

int strata_format(char *out, size_t room, const char *fmt, va_list ap) {
  struct output output = {out, out + (room < INT_MAX ? room : INT_MAX)};
  va_list args;
  int result = 0;
  va_copy(args, ap);
  while (*fmt && result == 0) {
    if (*fmt != '%') {
      result = put_char(&output, *fmt++);
    } else {
      struct conversion conversion;
      fmt = parse(fmt + 1, &conversion);
      result = put_conversion(&output, &conversion, &args);
    }
  }
  va_end(args);
  return result < 0 ? -1 : (int)(output.at - out);
}
