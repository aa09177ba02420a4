#include "http/parser_lines.h"

#include <stdatomic.h>
#include <stddef.h>

#define MAX_LINES 3

static unsigned list_runnable(const struct strata_http_lines *out_list[MAX_LINES]) {
  unsigned num = 0;
  out_list[num++] = &strata_http_lines_portable;
#if defined(STRATA_HTTP_HAS_SSE42)
  if (__builtin_cpu_supports("sse4.2")) out_list[num++] = &strata_http_lines_sse42;
#endif
#if defined(STRATA_HTTP_HAS_AVX2)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
      __builtin_cpu_supports("bmi2")) {
    out_list[num++] = &strata_http_lines_avx2;
  }
#endif
#if defined(STRATA_HTTP_HAS_NEON)
  out_list[num++] = &strata_http_lines_neon;
#endif
  return num;
}

const struct strata_http_lines *strata_http_lines_get(unsigned index) {
  const struct strata_http_lines *list[MAX_LINES];
  return index < list_runnable(list) ? list[index] : NULL;
}

/* NULL until the first head. Threads that come at the same time all store the same. */
static const struct strata_http_lines *_Atomic in_use;

static const struct strata_http_lines *use_fastest(void) {
  const struct strata_http_lines *list[MAX_LINES];
  const struct strata_http_lines *fastest = list[list_runnable(list) - 1];
  atomic_store_explicit(&in_use, fastest, memory_order_relaxed);
  return fastest;
}

const struct strata_http_lines *strata_http_lines_current(void) {
  const struct strata_http_lines *lines = atomic_load_explicit(&in_use, memory_order_relaxed);
  return lines ? lines : use_fastest();
}

void strata_http_lines_use(const struct strata_http_lines *lines) {
  if (lines) {
    atomic_store_explicit(&in_use, lines, memory_order_relaxed);
  } else {
    use_fastest();
  }
}
