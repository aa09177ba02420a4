#include "http/parser_lines.h"

#if defined(STRATA_HTTP_HAS_AVX2)

#include <immintrin.h>

#include "http/parser_lines_tables.h"

#define TARGET __attribute__((target("avx2,bmi,bmi2")))
#define LINES_FN static inline TARGET __attribute__((always_inline))

LINES_FN __m256i load(const char *bytes) {
  return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

/* 0xff where the tables of a class have no bit in common; see http/parser_lines_tables.h. */
LINES_FN __m256i have_none_32(__m256i bytes, __m256i low_table, __m256i high_table) {
  __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
  /* The shuffle makes 0 of a byte from 0x80 on, of which the tables say 0 as well. */
  __m256i common = _mm256_and_si256(_mm256_shuffle_epi8(low_table, bytes),
                                    _mm256_shuffle_epi8(high_table, high));
  return _mm256_cmpeq_epi8(common, _mm256_setzero_si256());
}

LINES_FN uint64_t have_none(const char *bytes, __m256i low_table, __m256i high_table) {
  __m256i first = have_none_32(load(bytes), low_table, high_table);
  __m256i second = have_none_32(load(bytes + 32), low_table, high_table);
  return (uint64_t)(uint32_t)_mm256_movemask_epi8(first) |
         (uint64_t)(uint32_t)_mm256_movemask_epi8(second) << 32;
}

LINES_FN uint64_t not_token(const char *bytes) {
  return have_none(bytes, _mm256_setr_epi8(TOKEN_LOW, TOKEN_LOW),
                   _mm256_setr_epi8(TOKEN_HIGH, TOKEN_HIGH));
}

LINES_FN uint64_t not_target(const char *bytes) {
  return have_none(bytes, _mm256_setr_epi8(TARGET_LOW, TARGET_LOW),
                   _mm256_setr_epi8(TARGET_HIGH, TARGET_HIGH));
}

LINES_FN uint64_t not_text(const char *bytes) {
  return ~have_none(bytes, _mm256_setr_epi8(NOT_TEXT_LOW, NOT_TEXT_LOW),
                    _mm256_setr_epi8(NOT_TEXT_HIGH, NOT_TEXT_HIGH));
}

#include "http/parser_lines_blocks.h"

const struct strata_http_lines strata_http_lines_avx2 = {"avx2", take};

#else

typedef int strata_http_no_avx2;

#endif
