#ifndef STRATA_UTIL_SYSTEM_RANDOM_H_
#define STRATA_UTIL_SYSTEM_RANDOM_H_

#include <stddef.h>

/* The kernel's generator: system_random.c, or system_random_windows.c. */

/* 0, or -1 when it has nothing to give. */
int strata_system_random_fill(unsigned char *bytes, size_t len);
/* The file to read from where there is no call for it; not copied. Before the first use. */
void strata_system_random_set_device(const char *name);

#endif
