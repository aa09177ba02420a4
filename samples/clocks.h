#ifndef SAMPLES_CLOCKS_H_
#define SAMPLES_CLOCKS_H_

#include <stdint.h>

/* A clock that never goes back, from some fixed moment on. */
int64_t clocks_now_ns(void);

/* The CPU time that this process has taken so far, in user and kernel mode. */
double clocks_cpu_seconds(void);

#endif
