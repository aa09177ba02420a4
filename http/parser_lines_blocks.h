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
  const char *bytes; /* The data, or a copy that is longer. */
  size_t last_block; /* The offset of the last block that may be read. */
  /* The current block: its offset; a bit for each byte that is not of the class. Of the text's,
   * those before where the walk stands are cleared. */
  size_t block;
  uint64_t not_token_bits, not_text_bits;
};

/* What is less than a block: nothing behind it may be read. No run ends in the bytes added. */
static __attribute__((noinline)) const char *copy_short(char *copy, const char *data, size_t len) {
  memset(copy, 'x', BLOCK_LEN);
  memcpy(copy, data, len);
  return copy;
}

LINES_FN uint64_t find_not_token(const struct ends *ends) {
  return not_token(ends->bytes + ends->block);
}

LINES_FN uint64_t find_not_target(const struct ends *ends) {
  return not_target(ends->bytes + ends->block);
}

LINES_FN uint64_t find_not_text(const struct ends *ends) {
  return not_text(ends->bytes + ends->block);
}

LINES_FN size_t first_of(const struct ends *ends, uint64_t bits) {
  return ends->block + (size_t)__builtin_ctzll(bits);
}

/* The bits from `off` on. */
LINES_FN uint64_t bits_from(const struct ends *ends, uint64_t bits, size_t off) {
  if (off <= ends->block) return bits;
  return off - ends->block < BLOCK_LEN ? bits & UINT64_MAX << (off - ends->block) : 0;
}

/* The block at `off`, or the last one, which then starts with bytes that were searched already. */
LINES_FN void enter_block(struct ends *ends, size_t off) {
  ends->block = off < ends->last_block ? off : ends->last_block;
}

LINES_FN int next_block(struct ends *ends) {
  if (ends->block == ends->last_block) return 0;
  enter_block(ends, ends->block + BLOCK_LEN);
  return 1;
}

LINES_FN void ends_open(struct ends *ends, const char *data, size_t limit, size_t off, char *copy) {
  const int is_short = limit < BLOCK_LEN;
  ends->bytes = is_short ? copy_short(copy, data, limit) : data;
  ends->last_block = is_short ? 0 : limit - BLOCK_LEN;
  enter_block(ends, off);
  ends->not_token_bits = find_not_token(ends);
  ends->not_text_bits = bits_from(ends, find_not_text(ends), off);
}

LINES_FN size_t ends_method(const struct ends *ends) {
  uint64_t bits = ends->not_token_bits;
  return bits ? first_of(ends, bits) : 0;
}

LINES_FN size_t ends_target(struct ends *ends, size_t off) {
  uint64_t bits = bits_from(ends, find_not_target(ends), off);
  if (bits) return first_of(ends, bits);
  do {
    if (!next_block(ends)) return 0;
    bits = bits_from(ends, find_not_target(ends), off);
  } while (!bits);
  ends->not_token_bits = find_not_token(ends);
  ends->not_text_bits = bits_from(ends, find_not_text(ends), off);
  return first_of(ends, bits);
}

LINES_FN size_t ends_text(struct ends *ends, size_t off) {
  if (ends->not_text_bits) return first_of(ends, ends->not_text_bits);
  do {
    if (!next_block(ends)) return 0;
    ends->not_text_bits = bits_from(ends, find_not_text(ends), off);
  } while (!ends->not_text_bits);
  ends->not_token_bits = find_not_token(ends);
  return first_of(ends, ends->not_text_bits);
}

LINES_FN size_t field_across_blocks(struct ends *ends, size_t off, size_t *out_name_end) {
  uint64_t bits = bits_from(ends, ends->not_token_bits, off);
  while (!bits) {
    if (!next_block(ends)) return 0;
    ends->not_token_bits = find_not_token(ends);
    ends->not_text_bits = bits_from(ends, find_not_text(ends), off);
    bits = bits_from(ends, ends->not_token_bits, off);
  }
  *out_name_end = first_of(ends, bits);
  return ends_text(ends, off);
}

/* A line that ends in the block has its name there: what is no text is no token. */
LINES_FN size_t ends_field(struct ends *ends, size_t off, size_t *out_name_end) {
  if (!ends->not_text_bits) return field_across_blocks(ends, off, out_name_end);
  *out_name_end = first_of(ends, ends->not_token_bits & UINT64_MAX << (off - ends->block));
  return first_of(ends, ends->not_text_bits);
}

/* An LF in the next block is passed on entering that. */
LINES_FN void ends_pass_line_end(struct ends *ends) {
  ends->not_text_bits &= ends->not_text_bits - 1;
  ends->not_text_bits &= ends->not_text_bits - 1;
}

#include "http/parser_lines_walk.h"

static TARGET int take(struct evhttp_head_parser *parser, const char *data, uint32_t end,
                       enum strata_http_lines_from from) {
  char copy[BLOCK_LEN];
  return walk_lines(copy, parser, data, end, from);
}
