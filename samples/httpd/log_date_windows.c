#include <stdio.h>
#include <stdlib.h>

#include "samples/httpd/log_date.h"

/* strftime() writes the zone's name for %z where the C runtime is msvcrt.dll. */
void log_date_format(time_t time, char out[LOG_DATE_LEN]) {
  struct tm tm;
  if (localtime_s(&tm, &time) != 0) {
    out[0] = '\0';
    return;
  }
  size_t len = strftime(out, LOG_DATE_LEN, "%d/%b/%Y:%H:%M:%S", &tm);
  int minutes = (int)((_mkgmtime(&tm) - time) / 60);
  snprintf(out + len, LOG_DATE_LEN - len, " %c%02d%02d", minutes < 0 ? '-' : '+', abs(minutes) / 60,
           abs(minutes) % 60);
}
