#include <string.h>

#include <event2/buffer_compat.h>

#include "buffer/file_segment.h"
#include "buffer/pointer.h"

/* Bytes that are compared at once, and how many are so compared after a first byte in vain. */
#define PAIR_BLOCK_LEN 64
#define PAIR_STRETCH_LEN ((size_t)1024)

/* Whether the bytes from (chain, offset) on are `what`. */
static int matches_at(const struct evbuffer *buf, struct evbuffer_chain *chain, size_t offset,
                      const char *what, size_t len) {
  for (;;) {
    size_t run_len = chain->len - offset;
    if (run_len > len) run_len = len;
    if (strata_chain_load(chain) < 0) return 0;
    if (memcmp(strata_chain_begin(chain) + offset, what, run_len) != 0) return 0;
    what += run_len;
    len -= run_len;
    if (len == 0) return 1;
    offset = 0;
    chain = strata_buffer_next_data(buf, chain);
    if (!chain) return 0;
  }
}

/* The first offset from `from` on, but before `limit`, where the byte is `first` and the one
 * `distance` further is `last`; limit if there is none. */
static size_t find_pair(const unsigned char *bytes, size_t from, size_t limit, size_t distance,
                        unsigned char first, unsigned char last) {
  for (; limit - from >= PAIR_BLOCK_LEN; from += PAIR_BLOCK_LEN) {
    const unsigned char *block = bytes + from;
    unsigned char any = 0;
    int i;
    /* Without a branch and of a fixed length: compilers make it a few vector instructions. */
    for (i = 0; i < PAIR_BLOCK_LEN; i++) any |= (block[i] == first) & (block[i + distance] == last);
    if (any) break;
  }
  while (from < limit && (bytes[from] != first || bytes[from + distance] != last)) from++;
  return from;
}

/* Where the whole of `what` may begin, by its first and last byte: an offset from `from` on, or
 * limit. The bytes that it would have must be in the chain. memchr(3) passes long stretches
 * without the first byte, but stops at each one: after one in vain, the next stretch is passed
 * by pairs. */
static size_t find_candidate(const unsigned char *bytes, size_t from, size_t limit,
                             const char *what, size_t len) {
  const unsigned char first = (unsigned char)what[0];
  const unsigned char last = (unsigned char)what[len - 1];
  while (from < limit) {
    const unsigned char *hit = memchr(bytes + from, first, limit - from);
    size_t stretch_end, offset;
    if (!hit) return limit;
    from = (size_t)(hit - bytes);
    if (hit[len - 1] == last) return from;
    stretch_end = limit - from > PAIR_STRETCH_LEN ? from + PAIR_STRETCH_LEN : limit;
    offset = find_pair(bytes, from + 1, stretch_end, len - 1, first, last);
    if (offset < stretch_end) return offset;
    from = stretch_end;
  }
  return limit;
}

/* Finds what begins in this chain at or after `offset` and before `limit`; sets *out_offset. */
static int search_chain(const struct evbuffer *buf, struct evbuffer_chain *chain, size_t offset,
                        size_t limit, const char *what, size_t len, size_t *out_offset) {
  const unsigned char *begin;
  if (strata_chain_load(chain) < 0) return 0;
  begin = strata_chain_begin(chain);
  if (chain->len >= len) {
    size_t whole_limit = chain->len - len + 1 < limit ? chain->len - len + 1 : limit;
    while (offset < whole_limit) {
      offset = find_candidate(begin, offset, whole_limit, what, len);
      if (offset < whole_limit) {
        if (memcmp(begin + offset, what, len) == 0) {
          *out_offset = offset;
          return 1;
        }
        offset++;
      }
    }
  }
  while (offset < limit) {
    const unsigned char *hit = memchr(begin + offset, (unsigned char)what[0], limit - offset);
    if (!hit) return 0;
    offset = (size_t)(hit - begin);
    if (matches_at(buf, chain, offset, what, len)) {
      *out_offset = offset;
      return 1;
    }
    offset++;
  }
  return 0;
}

static struct evbuffer_ptr search(const struct evbuffer *buf, const char *what, size_t len,
                                  struct evbuffer_ptr start, size_t end_pos) {
  struct evbuffer_chain *chain = start.internal_.chain;
  size_t offset = start.internal_.pos_in_chain;
  size_t chain_pos = (size_t)start.pos - offset;
  if (len == 0) return start;
  if (len > end_pos) return strata_pointer_none();
  /* Matches begin before this position. */
  end_pos = end_pos - len + 1;
  while (chain && chain_pos + offset < end_pos) {
    size_t limit = end_pos - chain_pos < chain->len ? end_pos - chain_pos : chain->len;
    size_t found;
    if (search_chain(buf, chain, offset, limit, what, len, &found)) {
      return strata_pointer(chain_pos + found, chain, found);
    }
    chain_pos += chain->len;
    offset = 0;
    chain = strata_buffer_next_data(buf, chain);
  }
  return strata_pointer_none();
}

struct evbuffer_ptr evbuffer_search_range(struct evbuffer *buffer, const char *what, size_t len,
                                          const struct evbuffer_ptr *start,
                                          const struct evbuffer_ptr *end) {
  struct evbuffer_ptr from, result;
  size_t end_pos;
  strata_buffer_lock(buffer);
  from = start ? *start : strata_pointer(0, strata_buffer_first_data(buffer), 0);
  end_pos = buffer->total_len;
  if (end && end->pos >= 0 && (size_t)end->pos < end_pos) end_pos = (size_t)end->pos;
  result = from.pos < 0 ? strata_pointer_none() : search(buffer, what, len, from, end_pos);
  strata_buffer_unlock(buffer);
  return result;
}

struct evbuffer_ptr evbuffer_search(struct evbuffer *buffer, const char *what, size_t len,
                                    const struct evbuffer_ptr *start) {
  return evbuffer_search_range(buffer, what, len, start, NULL);
}

unsigned char *evbuffer_find(struct evbuffer *buffer, const unsigned char *what, size_t len) {
  unsigned char *front = NULL;
  struct evbuffer_ptr found;
  strata_buffer_lock(buffer);
  found = evbuffer_search(buffer, (const char *)what, len, NULL);
  if (found.pos >= 0) front = evbuffer_pullup(buffer, found.pos + (ev_ssize_t)len);
  strata_buffer_unlock(buffer);
  return front ? front + found.pos : NULL;
}
