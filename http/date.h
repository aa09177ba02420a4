#ifndef STRATA_HTTP_DATE_H_
#define STRATA_HTTP_DATE_H_

#include <time.h>

#include <event2/event.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), without a NUL. */
#define STRATA_HTTP_DATE_LEN 29

/* The text of the current second. Zero-initialised is empty. */
struct strata_http_date {
  time_t second;
  char text[STRATA_HTTP_DATE_LEN + 1];
};

/* The date by the clock that the loop has read for this turn; formatted once a second. */
const char *strata_http_date_now(struct strata_http_date *date, struct event_base *base);

#endif
