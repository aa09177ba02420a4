#include "http/parser_lines.h"

#if defined(STRATA_HTTP_HAS_NEON)

#include <arm_neon.h>

#include "http/parser_lines_tables.h"

#define TARGET /* NEON is in every processor that this is for. */
#define LINES_FN static inline __attribute__((always_inline))

LINES_FN uint8x16_t load(const char *bytes) {
  return vld1q_u8((const uint8_t *)bytes);
}

/* 0xff where the byte is not of the class. */

LINES_FN uint8x16_t not_token_16(uint8x16_t bytes) {
  static const uint8_t low_bytes[16] = {TOKEN_LOW}, high_bytes[16] = {TOKEN_HIGH};
  uint8x16_t low = vqtbl1q_u8(vld1q_u8(low_bytes), vandq_u8(bytes, vdupq_n_u8(0x0f)));
  uint8x16_t high = vqtbl1q_u8(vld1q_u8(high_bytes), vshrq_n_u8(bytes, 4));
  return vceqzq_u8(vandq_u8(low, high));
}

LINES_FN uint8x16_t not_target_16(uint8x16_t bytes) {
  /* One below the least visible byte up to DEL, wrapping round. */
  uint8x16_t visible = vcltq_u8(vsubq_u8(bytes, vdupq_n_u8(0x21)), vdupq_n_u8(0x7f - 0x21));
  return vornq_u8(vceqq_u8(bytes, vdupq_n_u8('#')), visible);
}

LINES_FN uint8x16_t not_text_16(uint8x16_t bytes) {
  uint8x16_t below_space = vcltq_u8(bytes, vdupq_n_u8(' '));
  uint8x16_t tab = vceqq_u8(bytes, vdupq_n_u8('\t'));
  return vorrq_u8(veorq_u8(below_space, tab), vceqq_u8(bytes, vdupq_n_u8(0x7f)));
}

/* A bit a byte: NEON has no instruction for it, so each byte keeps the bit of its place among
 * eight, and neighbours are added until eight are one. */
LINES_FN uint64_t join_bits(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d) {
  static const uint8_t place_bytes[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  uint8x16_t place = vld1q_u8(place_bytes);
  uint8x16_t ab = vpaddq_u8(vandq_u8(a, place), vandq_u8(b, place));
  uint8x16_t cd = vpaddq_u8(vandq_u8(c, place), vandq_u8(d, place));
  uint8x16_t abcd = vpaddq_u8(ab, cd);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(abcd, abcd)), 0);
}

LINES_FN uint64_t not_token(const char *bytes) {
  return join_bits(not_token_16(load(bytes)), not_token_16(load(bytes + 16)),
                   not_token_16(load(bytes + 32)), not_token_16(load(bytes + 48)));
}

LINES_FN uint64_t not_target(const char *bytes) {
  return join_bits(not_target_16(load(bytes)), not_target_16(load(bytes + 16)),
                   not_target_16(load(bytes + 32)), not_target_16(load(bytes + 48)));
}

LINES_FN uint64_t not_text(const char *bytes) {
  return join_bits(not_text_16(load(bytes)), not_text_16(load(bytes + 16)),
                   not_text_16(load(bytes + 32)), not_text_16(load(bytes + 48)));
}

#include "http/parser_lines_blocks.h"

const struct strata_http_lines strata_http_lines_neon = {"neon", take};

#else

typedef int strata_http_no_neon;

#endif
