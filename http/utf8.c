#include "http/utf8.h"

#include <string.h>

/* RFC 3629 4: only the second byte has a range narrower than 80 to BF. */
static int begin_character(struct strata_utf8 *utf8, uint8_t lead) {
  utf8->low = 0x80;
  utf8->high = 0xBF;
  if (lead < 0x80) {
    utf8->num_missing = 0;
  } else if (lead >= 0xC2 && lead <= 0xDF) {
    utf8->num_missing = 1;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    utf8->num_missing = 2;
    if (lead == 0xE0) utf8->low = 0xA0;
    if (lead == 0xED) utf8->high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    utf8->num_missing = 3;
    if (lead == 0xF0) utf8->low = 0x90;
    if (lead == 0xF4) utf8->high = 0x8F;
  } else {
    return -1;
  }
  return 0;
}

static int continue_character(struct strata_utf8 *utf8, uint8_t byte) {
  if (byte < utf8->low || byte > utf8->high) return -1;
  utf8->num_missing--;
  utf8->low = 0x80;
  utf8->high = 0xBF;
  return 0;
}

/* Text is mostly ASCII: eight bytes at a time. */
static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end) {
  while (end - at >= 8) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    if (word & UINT64_C(0x8080808080808080)) break;
    at += 8;
  }
  while (at < end && *at < 0x80) at++;
  return at;
}

int strata_utf8_check(struct strata_utf8 *utf8, const void *bytes, size_t len) {
  const uint8_t *at = bytes, *end = at + len;
  while (at < end) {
    if (utf8->num_missing) {
      if (continue_character(utf8, *at++) < 0) return -1;
    } else {
      at = skip_ascii(at, end);
      if (at < end && begin_character(utf8, *at++) < 0) return -1;
    }
  }
  return 0;
}

int strata_utf8_is_valid(const void *bytes, size_t len) {
  struct strata_utf8 utf8 = {0, 0, 0};
  return strata_utf8_check(&utf8, bytes, len) == 0 && strata_utf8_is_complete(&utf8);
}
