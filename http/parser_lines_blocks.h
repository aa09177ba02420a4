/* Ends of runs found by blocks of 64 bytes: a block is classified once, into a bit a byte, and what
 * follows are shifts and counts. Searches that lie in one block then wait for each other only
 * through a register, not through memory. Included by the parser_lines_*.c with vector
 * instructions, which get take() and define LINES_FN, TARGET (the attribute of functions with such
 * instructions) and
 *
 *   not_token, not_target, not_text   of 64 readable bytes, a bit for each that is not of the class
 */
#include <stdint.h>
#include <string.h>

#define BLOCK_LEN 64

struct ends {
  const char *data;
  uint32_t end;
  /* The current block: its offset; 64 bytes that may be read and hold it from `skip` on; a bit for
   * each byte that would lie behind `end`, so that each search ends there. */
  uint32_t block;
  unsigned skip;
  const char *bytes;
  uint64_t behind;
  uint64_t not_token_bits, not_text_bits;
  char *copy; /* BLOCK_LEN bytes, apart so that the rest can live in registers. */
};

/* Nothing behind `end` may be read. The last block is read from further ahead and shifted; a
 * message that is shorter than a block is copied. */
LINES_FN void enter_last_block(struct ends *ends, uint32_t len) {
  ends->behind = UINT64_MAX << len;
  if (ends->end >= BLOCK_LEN) {
    ends->bytes = ends->data + ends->end - BLOCK_LEN;
    ends->skip = (BLOCK_LEN - len) % BLOCK_LEN; /* With no byte in it, `behind` has all bits. */
  } else {
    memset(ends->copy, 0, BLOCK_LEN);
    memcpy(ends->copy, ends->data + ends->block, len);
    ends->bytes = ends->copy;
    ends->skip = 0;
  }
}

LINES_FN void enter_block(struct ends *ends, uint32_t block) {
  uint32_t len = ends->end - block;
  ends->block = block;
  if (len < BLOCK_LEN) {
    enter_last_block(ends, len);
  } else {
    ends->bytes = ends->data + block;
    ends->skip = 0;
    ends->behind = 0;
  }
}

LINES_FN uint64_t find_not_token(const struct ends *ends) {
  return not_token(ends->bytes) >> ends->skip | ends->behind;
}

LINES_FN uint64_t find_not_target(const struct ends *ends) {
  return not_target(ends->bytes) >> ends->skip | ends->behind;
}

LINES_FN uint64_t find_not_text(const struct ends *ends) {
  return not_text(ends->bytes) >> ends->skip | ends->behind;
}

LINES_FN void ends_open(struct ends *ends, const char *data, uint32_t end, uint32_t off) {
  ends->data = data;
  ends->end = end;
  enter_block(ends, off);
  ends->not_token_bits = find_not_token(ends);
  ends->not_text_bits = find_not_text(ends);
}

/* The bits from `off` on, of those of a block; `off` may lie behind it. */
LINES_FN uint64_t bits_from(const struct ends *ends, uint64_t bits, uint32_t off) {
  uint32_t shift = off - ends->block;
  return shift < BLOCK_LEN ? bits >> shift << shift : 0;
}

/* As bits_from(), for the block that was just entered: `off` may lie before it. */
LINES_FN uint64_t entered_bits_from(const struct ends *ends, uint64_t bits, uint32_t off) {
  return off > ends->block ? bits & UINT64_MAX << (off - ends->block) : bits;
}

LINES_FN uint32_t first_of(const struct ends *ends, uint64_t bits) {
  return ends->block + (uint32_t)__builtin_ctzll(bits);
}

LINES_FN uint32_t ends_token(struct ends *ends, uint32_t off) {
  uint64_t bits = bits_from(ends, ends->not_token_bits, off);
  while (!bits) {
    enter_block(ends, ends->block + BLOCK_LEN);
    ends->not_text_bits = find_not_text(ends);
    ends->not_token_bits = find_not_token(ends);
    bits = entered_bits_from(ends, ends->not_token_bits, off);
  }
  return first_of(ends, bits);
}

LINES_FN uint32_t ends_text(struct ends *ends, uint32_t off) {
  uint64_t bits = bits_from(ends, ends->not_text_bits, off);
  if (bits) return first_of(ends, bits);
  do {
    enter_block(ends, ends->block + BLOCK_LEN);
    ends->not_text_bits = find_not_text(ends);
    bits = entered_bits_from(ends, ends->not_text_bits, off);
  } while (!bits);
  ends->not_token_bits = find_not_token(ends);
  return first_of(ends, bits);
}

LINES_FN uint32_t ends_target(struct ends *ends, uint32_t off) {
  uint64_t bits = bits_from(ends, find_not_target(ends), off);
  if (bits) return first_of(ends, bits);
  do {
    enter_block(ends, ends->block + BLOCK_LEN);
    bits = entered_bits_from(ends, find_not_target(ends), off);
  } while (!bits);
  ends->not_text_bits = find_not_text(ends);
  ends->not_token_bits = find_not_token(ends);
  return first_of(ends, bits);
}

#include "http/parser_lines_walk.h"

static TARGET int take(struct evhttp_head_parser *parser, const char *data, uint32_t end,
                       enum strata_http_lines_from from) {
  char copy[BLOCK_LEN];
  struct ends ends;
  ends.copy = copy;
  return walk_lines(&ends, parser, data, end, from);
}
