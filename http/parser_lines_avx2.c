#include "http/parser_lines.h"

#if defined(STRATA_HTTP_HAS_AVX2)

#include <immintrin.h>

#include "http/parser_lines_tables.h"

#define TARGET __attribute__((target("avx2,bmi,bmi2")))
#define LINES_FN static inline TARGET __attribute__((always_inline))

LINES_FN __m256i load(const char *bytes) {
  return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

/* 0xff where the byte is not of the class. */

LINES_FN __m256i not_token_32(__m256i bytes) {
  const __m256i low_table = _mm256_setr_epi8(TOKEN_LOW, TOKEN_LOW);
  const __m256i high_table = _mm256_setr_epi8(TOKEN_HIGH, TOKEN_HIGH);
  __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
  /* The shuffle makes 0 of a byte from 0x80 on, which is no token either. */
  __m256i common = _mm256_and_si256(_mm256_shuffle_epi8(low_table, bytes),
                                    _mm256_shuffle_epi8(high_table, high));
  return _mm256_cmpeq_epi8(common, _mm256_setzero_si256());
}

LINES_FN __m256i not_target_32(__m256i bytes) {
  /* Bytes from 0x80 on are negative. */
  __m256i visible = _mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(' '));
  __m256i except = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('#')),
                                   _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7f)));
  return _mm256_or_si256(except, _mm256_cmpeq_epi8(visible, _mm256_setzero_si256()));
}

LINES_FN __m256i not_text_32(__m256i bytes) {
  __m256i below_space = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
  __m256i tab = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\t'));
  __m256i del = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7f));
  return _mm256_or_si256(_mm256_xor_si256(below_space, tab), del);
}

LINES_FN uint64_t join_bits(__m256i first, __m256i second) {
  return (uint64_t)(uint32_t)_mm256_movemask_epi8(first) |
         (uint64_t)(uint32_t)_mm256_movemask_epi8(second) << 32;
}

LINES_FN uint64_t not_token(const char *bytes) {
  return join_bits(not_token_32(load(bytes)), not_token_32(load(bytes + 32)));
}

LINES_FN uint64_t not_target(const char *bytes) {
  return join_bits(not_target_32(load(bytes)), not_target_32(load(bytes + 32)));
}

LINES_FN uint64_t not_text(const char *bytes) {
  return join_bits(not_text_32(load(bytes)), not_text_32(load(bytes + 32)));
}

#include "http/parser_lines_blocks.h"

const struct strata_http_lines strata_http_lines_avx2 = {"avx2", take};

#else

typedef int strata_http_no_avx2;

#endif
