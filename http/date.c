#include "http/date.h"

#include <string.h>

#include <event2/util.h>

#include "loop/base_clock.h"
#include "util/clock.h"

enum { NAME_LEN = sizeof("Date: ") - 1 };

static void format(struct strata_http_date *date, struct event_base *base, int64_t now_ns) {
  struct timeval now;
  event_base_gettimeofday_cached(base, &now);
  struct tm fields = strata_utc(now.tv_sec);
  date->end_ns = strata_ns_add(now_ns, STRATA_NS_PER_SECOND - (int64_t)now.tv_usec * 1000);
  memcpy(date->line, "Date: ", NAME_LEN);
  evutil_date_rfc1123(date->line + NAME_LEN, sizeof(date->line) - NAME_LEN, &fields);
  memcpy(date->line + STRATA_HTTP_DATE_LINE_LEN - 2, "\r\n", 2);
}

const char *strata_http_date_line(struct strata_http_date *date, struct event_base *base) {
  int64_t now_ns = event_base_loop_time_ns(base);
  if (now_ns >= date->end_ns || !date->line[0]) format(date, base, now_ns);
  return date->line;
}
