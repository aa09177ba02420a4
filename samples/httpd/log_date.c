#define _GNU_SOURCE 1 /* localtime_r() under -std=c11 */
#include "samples/httpd/log_date.h"

void log_date_format(time_t time, char out[LOG_DATE_LEN]) {
  struct tm tm;
  localtime_r(&time, &tm);
  strftime(out, LOG_DATE_LEN, "%d/%b/%Y:%H:%M:%S %z", &tm);
}
