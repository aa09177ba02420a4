#ifndef SAMPLES_HTTPD_HTTP_DATE_H_
#define SAMPLES_HTTPD_HTTP_DATE_H_

#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Room for any, and more than those of this age need. */
#define HTTP_DATE_LEN 64

/* Writes the date as HTTP wants it (RFC 9110 section 5.6.7). */
void http_date_format(time_t time, char out[HTTP_DATE_LEN]);

/* Reads an HTTP date in any of its three forms, whatever the locale; -1 if it is none. */
time_t http_date_parse(const char *text);

#ifdef __cplusplus
}
#endif

#endif
