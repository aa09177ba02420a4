#include "http/parser_lines.h"

#if defined(STRATA_HTTP_HAS_SSE42)

#include <immintrin.h>

#include "http/parser_lines_tables.h"

#define TARGET __attribute__((target("sse4.2")))
#define LINES_FN static inline TARGET __attribute__((always_inline))

LINES_FN __m128i load(const char *bytes) {
  return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* 0xff where the byte is not of the class. */

LINES_FN __m128i not_token_16(__m128i bytes) {
  const __m128i low_table = _mm_setr_epi8(TOKEN_LOW), high_table = _mm_setr_epi8(TOKEN_HIGH);
  __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0f));
  /* The shuffle makes 0 of a byte from 0x80 on, which is no token either. */
  __m128i common =
      _mm_and_si128(_mm_shuffle_epi8(low_table, bytes), _mm_shuffle_epi8(high_table, high));
  return _mm_cmpeq_epi8(common, _mm_setzero_si128());
}

LINES_FN __m128i not_target_16(__m128i bytes) {
  /* Bytes from 0x80 on are negative. */
  __m128i visible = _mm_cmpgt_epi8(bytes, _mm_set1_epi8(' '));
  __m128i except = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('#')),
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
  return _mm_or_si128(except, _mm_cmpeq_epi8(visible, _mm_setzero_si128()));
}

LINES_FN __m128i not_text_16(__m128i bytes) {
  __m128i below_space = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
  __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
  return _mm_or_si128(_mm_xor_si128(below_space, tab), del);
}

LINES_FN uint64_t bits_of(__m128i mask, unsigned shift) {
  return (uint64_t)(uint32_t)_mm_movemask_epi8(mask) << shift;
}

LINES_FN uint64_t not_token(const char *bytes) {
  return bits_of(not_token_16(load(bytes)), 0) | bits_of(not_token_16(load(bytes + 16)), 16) |
         bits_of(not_token_16(load(bytes + 32)), 32) | bits_of(not_token_16(load(bytes + 48)), 48);
}

LINES_FN uint64_t not_target(const char *bytes) {
  return bits_of(not_target_16(load(bytes)), 0) | bits_of(not_target_16(load(bytes + 16)), 16) |
         bits_of(not_target_16(load(bytes + 32)), 32) |
         bits_of(not_target_16(load(bytes + 48)), 48);
}

LINES_FN uint64_t not_text(const char *bytes) {
  return bits_of(not_text_16(load(bytes)), 0) | bits_of(not_text_16(load(bytes + 16)), 16) |
         bits_of(not_text_16(load(bytes + 32)), 32) | bits_of(not_text_16(load(bytes + 48)), 48);
}

#include "http/parser_lines_blocks.h"

const struct strata_http_lines strata_http_lines_sse42 = {"sse4.2", take};

#else

typedef int strata_http_no_sse42;

#endif
