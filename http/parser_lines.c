#include "http/parser_lines.h"

#include <stdatomic.h>
#include <stddef.h>

#if defined(STRATA_HTTP_HAS_SSE42)
#include <cpuid.h>
#endif

#define MAX_LINES 3

/* What the processor has, asked of itself: the compiler's own way, __builtin_cpu_supports(), needs
 * a run-time library that not every system has. Bits as in Intel's manual, volume 2, CPUID. */
#if defined(STRATA_HTTP_HAS_SSE42)
static int has_sse42(void) {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & bit_SSE4_2;
}
#endif

#if defined(STRATA_HTTP_HAS_AVX2)
/* Whether the system keeps the wide registers of each thread (volume 1, 13.3). */
static int system_keeps_ymm(void) {
  const unsigned sse_and_avx_state = 6;
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE)) return 0;
  __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (eax & sse_and_avx_state) == sse_and_avx_state;
}

static int has_avx2(void) {
  const unsigned wanted = bit_AVX2 | bit_BMI | bit_BMI2;
  unsigned eax, ebx, ecx, edx;
  if (!system_keeps_ymm() || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return 0;
  return (ebx & wanted) == wanted;
}
#endif

static unsigned list_runnable(const struct strata_http_lines *out_list[MAX_LINES]) {
  unsigned num = 0;
  out_list[num++] = &strata_http_lines_portable;
#if defined(STRATA_HTTP_HAS_SSE42)
  if (has_sse42()) out_list[num++] = &strata_http_lines_sse42;
#endif
#if defined(STRATA_HTTP_HAS_AVX2)
  if (has_avx2()) out_list[num++] = &strata_http_lines_avx2;
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

int strata_http_lines_take(struct evhttp_head_parser *parser, const char *data, uint32_t end,
                           enum strata_http_lines_from from) {
  return strata_http_lines_current()->take(parser, data, end, from);
}

void strata_http_lines_use(const struct strata_http_lines *lines) {
  if (lines) {
    atomic_store_explicit(&in_use, lines, memory_order_relaxed);
  } else {
    use_fastest();
  }
}
