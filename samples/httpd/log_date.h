#ifndef SAMPLES_HTTPD_LOG_DATE_H_
#define SAMPLES_HTTPD_LOG_DATE_H_

#include <time.h>

#define LOG_DATE_LEN 64

#ifdef __cplusplus
extern "C" {
#endif

/* The local time as access logs have it: "01/Mar/2024:12:00:00 +0100". */
void log_date_format(time_t time, char out[LOG_DATE_LEN]);

#ifdef __cplusplus
}
#endif

#endif
