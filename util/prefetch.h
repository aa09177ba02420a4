#ifndef STRATA_UTIL_PREFETCH_H_
#define STRATA_UTIL_PREFETCH_H_

#include <stdint.h>

/* Asks for the cache line `offset` bytes into an object that will soon be used, so that it is there
 * by then. A hint: nothing is read, so a pointer that is NULL or out of date does no harm. A macro,
 * and to be used among other things: gcc removes the call of a function that does nothing else. */
#if defined(__GNUC__) && !defined(STRATA_PORTABLE)
#define STRATA_PREFETCH(object, offset) \
  __builtin_prefetch((const void *)((uintptr_t)(object) + (offset)))
#else
#define STRATA_PREFETCH(object, offset) ((void)(object))
#endif

#endif
