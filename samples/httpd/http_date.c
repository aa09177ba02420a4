#include "samples/httpd/http_date.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <event2/util.h>

static const char *const kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                    "Thursday", "Friday", "Saturday"};
static const char *const kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Days from 1 January 1970 to the first of a month (0 to 11) of the Gregorian calendar. */
static int64_t days_to_month(int64_t year, int month) {
  static const int kDaysBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  int64_t past = year - 1; /* whole years since year 0 */
  bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  int64_t days = past * 365 + past / 4 - past / 100 + past / 400 - 719162;
  return days + kDaysBefore[month] + (is_leap && month > 1);
}

void http_date_format(time_t time, char out[HTTP_DATE_LEN]) {
  int64_t days = (int64_t)time / 86400 - ((int64_t)time % 86400 < 0);
  int seconds = (int)((int64_t)time - days * 86400), month = 11;
  int64_t year = 1970 + days / (days < 0 ? 366 : 365); /* or an earlier one */
  while (days_to_month(year, 0) > days) year--;
  while (days_to_month(year, month) > days) month--;
  const char *day_of_week = kDays[(days % 7 + 11) % 7]; /* the first day was a Thursday */
  snprintf(out, HTTP_DATE_LEN, "%.3s, %02d %s %04d %02d:%02d:%02d GMT", day_of_week,
           (int)(days - days_to_month(year, month)) + 1, kMonths[month], (int)year, seconds / 3600,
           seconds / 60 % 60, seconds % 60);
}

/* The end of `word` at the start of the text, or NULL. */
static const char *skip(const char *text, const char *word, size_t word_len) {
  if (text == NULL || evutil_ascii_strncasecmp(text, word, word_len) != 0) return NULL;
  return text + word_len;
}

static const char *read_name(const char *text, const char *const *names, int num_names,
                             size_t name_len, int *out_index) {
  for (int i = 0; i < num_names; i++) {
    const char *end = skip(text, names[i], name_len > 0 ? name_len : strlen(names[i]));
    if (end == NULL) continue;
    *out_index = i;
    return end;
  }
  return NULL;
}

/* Exactly that many digits; `may_be_padded`: the first may be a space. */
static const char *read_number(const char *text, int num_digits, bool may_be_padded,
                               int *out_number) {
  *out_number = 0;
  for (int i = 0; text != NULL && i < num_digits; i++) {
    char digit = may_be_padded && i == 0 && text[i] == ' ' ? '0' : text[i];
    if (digit < '0' || digit > '9') return NULL;
    *out_number = *out_number * 10 + (digit - '0');
  }
  return text == NULL ? NULL : text + num_digits;
}

struct fields {
  int day, month, year, hour, minute, second;
};

static const char *read_time(const char *text, struct fields *out) {
  text = skip(read_number(text, 2, false, &out->hour), ":", 1);
  text = skip(read_number(text, 2, false, &out->minute), ":", 1);
  return read_number(text, 2, false, &out->second);
}

static const char *read_month(const char *text, struct fields *out) {
  return read_name(text, kMonths, 12, 3, &out->month);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT": the one to send. */
static const char *read_imf_fixdate(const char *text, struct fields *out) {
  int day_of_week;
  text = skip(read_name(text, kDays, 7, 3, &day_of_week), ", ", 2);
  text = skip(read_number(text, 2, false, &out->day), " ", 1);
  text = skip(read_month(text, out), " ", 1);
  text = skip(read_number(text, 4, false, &out->year), " ", 1);
  return skip(read_time(text, out), " GMT", 4);
}

/* "Sunday, 06-Nov-94 08:49:37 GMT". A year of the last century from 69 on, as in POSIX's %y. */
static const char *read_rfc850_date(const char *text, struct fields *out) {
  int day_of_week;
  text = skip(read_name(text, kDays, 7, 0, &day_of_week), ", ", 2);
  text = skip(read_number(text, 2, false, &out->day), "-", 1);
  text = skip(read_month(text, out), "-", 1);
  text = skip(read_number(text, 2, false, &out->year), " ", 1);
  out->year += out->year < 69 ? 2000 : 1900;
  return skip(read_time(text, out), " GMT", 4);
}

/* "Sun Nov  6 08:49:37 1994". */
static const char *read_asctime_date(const char *text, struct fields *out) {
  int day_of_week;
  text = skip(read_name(text, kDays, 7, 3, &day_of_week), " ", 1);
  text = skip(read_month(text, out), " ", 1);
  text = skip(read_number(text, 2, true, &out->day), " ", 1);
  text = skip(read_time(text, out), " ", 1);
  return read_number(text, 4, false, &out->year);
}

static bool is_possible(const struct fields *fields) {
  return fields->day >= 1 && fields->day <= 31 && fields->hour < 24 && fields->minute < 60 &&
         fields->second <= 60 && fields->year >= 1970;
}

time_t http_date_parse(const char *text) {
  static const char *(*const kForms[])(const char *, struct fields *) = {
      read_imf_fixdate, read_rfc850_date, read_asctime_date};
  for (size_t i = 0; i < sizeof(kForms) / sizeof(kForms[0]); i++) {
    struct fields fields;
    const char *end = kForms[i](text, &fields);
    if (end == NULL || *end != '\0') continue;
    if (!is_possible(&fields)) return -1;
    int64_t days = days_to_month(fields.year, fields.month) + fields.day - 1;
    return (time_t)(days * 86400 + fields.hour * 3600 + fields.minute * 60 + fields.second);
  }
  return -1;
}
