#include "http/date.h"

#include <event2/util.h>

const char *strata_http_date_now(struct strata_http_date *date, struct event_base *base) {
  struct timeval now;
  event_base_gettimeofday_cached(base, &now);
  if (date->second == now.tv_sec && date->text[0]) return date->text;
  evutil_date_rfc1123(date->text, sizeof(date->text), NULL);
  date->second = now.tv_sec;
  return date->text;
}
