#include "http/sha1.h"

#include <string.h>

enum { BLOCK_LEN = 64, LENGTH_LEN = 8 };

static uint32_t rotate(uint32_t word, int by) {
  return word << by | word >> (32 - by);
}

static uint32_t load(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store(uint8_t *bytes, uint32_t word) {
  bytes[0] = (uint8_t)(word >> 24);
  bytes[1] = (uint8_t)(word >> 16);
  bytes[2] = (uint8_t)(word >> 8);
  bytes[3] = (uint8_t)word;
}

/* RFC 3174 5: the function and the constant of each of the four rounds of twenty steps. */
static uint32_t mix(int step, uint32_t b, uint32_t c, uint32_t d) {
  if (step < 20) return ((b & c) | (~b & d)) + 0x5A827999u;
  if (step < 40) return (b ^ c ^ d) + 0x6ED9EBA1u;
  if (step < 60) return ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDCu;
  return (b ^ c ^ d) + 0xCA62C1D6u;
}

static void add_block(uint32_t state[5], const uint8_t *block) {
  uint32_t words[80], v[5];
  for (int i = 0; i < 16; i++) words[i] = load(block + 4 * i);
  for (int i = 16; i < 80; i++)
    words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  memcpy(v, state, sizeof(v));
  for (int i = 0; i < 80; i++) {
    uint32_t next = rotate(v[0], 5) + mix(i, v[1], v[2], v[3]) + v[4] + words[i];
    v[4] = v[3];
    v[3] = v[2];
    v[2] = rotate(v[1], 30);
    v[1] = v[0];
    v[0] = next;
  }
  for (int i = 0; i < 5; i++) state[i] += v[i];
}

/* What is left of the message, a one bit, zeros, and the message's length in bits. */
static void add_end(uint32_t state[5], const uint8_t *rest, size_t rest_len, uint64_t num_bits) {
  uint8_t end[2 * BLOCK_LEN] = {0};
  size_t end_len = rest_len + 1 + LENGTH_LEN <= BLOCK_LEN ? BLOCK_LEN : 2 * BLOCK_LEN;
  if (rest_len) memcpy(end, rest, rest_len);
  end[rest_len] = 0x80;
  store(end + end_len - 8, (uint32_t)(num_bits >> 32));
  store(end + end_len - 4, (uint32_t)num_bits);
  for (size_t at = 0; at < end_len; at += BLOCK_LEN) add_block(state, end + at);
}

void strata_sha1(const void *bytes, size_t len, uint8_t out_digest[STRATA_SHA1_LEN]) {
  uint32_t state[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
  const uint8_t *at = bytes;
  size_t left = len;
  for (; left >= BLOCK_LEN; at += BLOCK_LEN, left -= BLOCK_LEN) add_block(state, at);
  add_end(state, at, left, (uint64_t)len * 8);
  for (int i = 0; i < 5; i++) store(out_digest + 4 * i, state[i]);
}
