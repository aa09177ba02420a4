#include "http/parser_lines.h"

#if defined(STRATA_HTTP_HAS_SSE42)

#include <immintrin.h>

#include "http/parser_lines_tables.h"

#define TARGET __attribute__((target("sse4.2")))
#define LINES_FN static inline TARGET __attribute__((always_inline))

LINES_FN __m128i load(const char *bytes) {
  return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* A bit where the tables of a class have no bit in common; see http/parser_lines_tables.h. */
LINES_FN uint64_t have_none_16(__m128i bytes, __m128i low_table, __m128i high_table) {
  __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0f));
  /* The shuffle makes 0 of a byte from 0x80 on, of which the tables say 0 as well. */
  __m128i common =
      _mm_and_si128(_mm_shuffle_epi8(low_table, bytes), _mm_shuffle_epi8(high_table, high));
  return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(common, _mm_setzero_si128()));
}

LINES_FN uint64_t have_none(const char *bytes, __m128i low_table, __m128i high_table) {
  return have_none_16(load(bytes), low_table, high_table) |
         have_none_16(load(bytes + 16), low_table, high_table) << 16 |
         have_none_16(load(bytes + 32), low_table, high_table) << 32 |
         have_none_16(load(bytes + 48), low_table, high_table) << 48;
}

LINES_FN uint64_t not_token(const char *bytes) {
  return have_none(bytes, _mm_setr_epi8(TOKEN_LOW), _mm_setr_epi8(TOKEN_HIGH));
}

LINES_FN uint64_t not_target(const char *bytes) {
  return have_none(bytes, _mm_setr_epi8(TARGET_LOW), _mm_setr_epi8(TARGET_HIGH));
}

LINES_FN uint64_t not_text(const char *bytes) {
  return ~have_none(bytes, _mm_setr_epi8(NOT_TEXT_LOW), _mm_setr_epi8(NOT_TEXT_HIGH));
}

#include "http/parser_lines_blocks.h"

const struct strata_http_lines strata_http_lines_sse42 = {"sse4.2", take};

#else

typedef int strata_http_no_sse42;

#endif
