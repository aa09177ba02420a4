#include <event2/util.h>

#include "util/clock.h"

/* strftime(3) would follow the locale. */
static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* A caller's struct tm is not trusted as an index. */
static const char *name_at(const char (*names)[4], int num_names, int index) {
  return index >= 0 && index < num_names ? names[index] : "???";
}

int evutil_date_rfc1123(char *date, const size_t datelen, const struct tm *tm) {
  struct tm now;
  if (!tm) {
    now = strata_utc(time(NULL));
    tm = &now;
  }
  return evutil_snprintf(date, datelen, "%s, %02d %s %4d %02d:%02d:%02d GMT",
                         name_at(day_names, 7, tm->tm_wday), tm->tm_mday,
                         name_at(month_names, 12, tm->tm_mon), 1900 + tm->tm_year, tm->tm_hour,
                         tm->tm_min, tm->tm_sec);
}
