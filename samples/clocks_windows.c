#include <windows.h>

#include "samples/clocks.h"

int64_t clocks_now_ns(void) {
  LARGE_INTEGER now, frequency;
  QueryPerformanceFrequency(&frequency);
  QueryPerformanceCounter(&now);
  return now.QuadPart / frequency.QuadPart * 1000000000 +
         now.QuadPart % frequency.QuadPart * 1000000000 / frequency.QuadPart;
}

static double seconds_of(FILETIME time) {
  return 1e-7 * (4294967296.0 * time.dwHighDateTime + time.dwLowDateTime);
}

double clocks_cpu_seconds(void) {
  FILETIME start, exit, kernel, user;
  if (!GetProcessTimes(GetCurrentProcess(), &start, &exit, &kernel, &user)) return 0;
  return seconds_of(kernel) + seconds_of(user);
}
