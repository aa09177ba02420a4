#ifndef STRATA_BUFFER_FORMAT_H_
#define STRATA_BUFFER_FORMAT_H_

#include <stdarg.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What most lines are made of, formatted as vsnprintf(3) does, but without its cost: %s, %c, %%,
 * and %d %i %u %x with l, ll, z or nothing, all without flags, width and precision. Writes no NUL.
 * Returns the length, or -1 when the format has anything else or room bytes do not suffice: then
 * `out` is undefined, and the caller asks vsnprintf(3). */
int strata_format(char *out, size_t room, const char *fmt, va_list ap);

#ifdef __cplusplus
}
#endif
#endif
