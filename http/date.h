#ifndef STRATA_HTTP_DATE_H_
#define STRATA_HTTP_DATE_H_

#include <stdint.h>

#include <event2/event.h>

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT" and the line's end (RFC 9110 5.6.7, 6.6.1). */
#define STRATA_HTTP_DATE_LINE_LEN 37

/* The line of the current second. Zero-initialised is empty. */
struct strata_http_date {
  int64_t end_ns; /* Of that second, by the loop's clock. */
  char line[STRATA_HTTP_DATE_LINE_LEN + 1];
};

/* The line by the clock that the loop has read for this turn, LINE_LEN bytes; formatted once a
 * second. */
const char *strata_http_date_line(struct strata_http_date *date, struct event_base *base);

#endif
