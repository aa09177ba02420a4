#ifndef STRATA_HTTP_PARSER_LINES_H_
#define STRATA_HTTP_PARSER_LINES_H_

#include <stdint.h>

#include "http/parser.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The head parser's fast path: whole lines that are in memory, in the form that nearly all have.
 * It never judges a line. In front of one that is cut off, malformed or merely unusual it stops,
 * and the parser's state machine takes that line from its first byte on: the outcome is that of
 * the state machine alone, whichever way the lines are read. */

enum strata_http_lines_from {
  STRATA_HTTP_FROM_REQUEST_LINE, /* scan_off is 0. */
  STRATA_HTTP_FROM_STATUS_LINE,  /* scan_off is 0. */
  STRATA_HTTP_FROM_FIELDS,       /* scan_off is where a field line or the end of the head starts. */
};

/* One way to do it. */
struct strata_http_lines {
  const char *name; /* "portable", "sse4.2", "avx2", "neon" */
  /* Reads lines of data[parser->scan_off, end), `end` being at most the head's limit. Moves
   * scan_off behind the last line read; where that is the start line, or fields, fills in what
   * they say. Returns whether the empty line at the end was read too (`consumed` is then set).
   * Reads no byte outside data[0, end). */
  int (*take)(struct evhttp_head_parser *parser, const char *data, uint32_t end,
              enum strata_http_lines_from from);
};

/* The fastest that this machine runs, or the one that strata_http_lines_use() has set. */
const struct strata_http_lines *strata_http_lines_current(void);

/* Its take(). */
int strata_http_lines_take(struct evhttp_head_parser *parser, const char *data, uint32_t end,
                           enum strata_http_lines_from from);

/* Each that this machine runs, the portable one first; NULL from the end of the list on. */
const struct strata_http_lines *strata_http_lines_get(unsigned index);

/* For tests and benchmarks: all parsers of the process from now on use this one; NULL: the
 * fastest again. */
void strata_http_lines_use(const struct strata_http_lines *lines);

/* The list's members, as far as the platform has them. */
extern const struct strata_http_lines strata_http_lines_portable;
extern const struct strata_http_lines strata_http_lines_sse42;
extern const struct strata_http_lines strata_http_lines_avx2;
extern const struct strata_http_lines strata_http_lines_neon;

/* Where which can be compiled. gcc for Windows does not keep the stack aligned for 32-byte
 * registers (GCC bug 54412), so that one which has to be spilled would crash. STRATA_PORTABLE: see
 * util/platform.h. */
#if defined(__x86_64__) && !defined(STRATA_PORTABLE)
#define STRATA_HTTP_HAS_SSE42 1
#if !defined(_WIN32) || defined(__clang__)
#define STRATA_HTTP_HAS_AVX2 1
#endif
#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__) && \
    !defined(STRATA_PORTABLE)
#define STRATA_HTTP_HAS_NEON 1
#endif

#ifdef __cplusplus
}
#endif

#endif
