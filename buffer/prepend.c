#include <string.h>

#include "buffer/evbuffer_internal.h"

/* Bytes that fit into the gap before the first block's. */
static size_t front_gap(const struct evbuffer *buf) {
  const struct evbuffer_chain *chain = buf->first;
  if (!buf->last_data || (chain->flags & CHAIN_IMMUTABLE)) return 0;
  return chain->start;
}

static void fill_gap(struct evbuffer *buf, const unsigned char *data, size_t len) {
  struct evbuffer_chain *chain = buf->first;
  chain->start -= len;
  chain->len += len;
  buf->total_len += len;
  memcpy(strata_chain_begin(chain), data, len);
}

/* A block for what comes first: a spare if the buffer is empty and has a fitting one. The bytes
 * go to its end, so that the next to be prepended find a gap. */
static struct evbuffer_chain *take_block(struct evbuffer *buf, size_t len) {
  struct evbuffer_chain *chain = buf->first;
  if (!buf->last_data && chain && !(chain->flags & CHAIN_IMMUTABLE) && chain->capacity >= len) {
    buf->first = chain->next;
    return chain;
  }
  return strata_chain_new(buf->pool, strata_buffer_growth(buf, len));
}

static void link_front(struct evbuffer *buf, struct evbuffer_chain *chain) {
  chain->start = chain->capacity;
  chain->len = 0;
  chain->next = buf->first;
  buf->first = chain;
  if (!buf->last_data) buf->last_data = chain;
}

static int prepend(struct evbuffer *buf, const unsigned char *data, size_t len) {
  size_t gap_len = front_gap(buf);
  struct evbuffer_chain *chain;
  if (gap_len >= len) {
    fill_gap(buf, data, len);
    return 0;
  }
  chain = take_block(buf, len - gap_len);
  if (!chain) return -1;
  if (gap_len > 0) fill_gap(buf, data + len - gap_len, gap_len);
  link_front(buf, chain);
  fill_gap(buf, data, len - gap_len);
  return 0;
}

int evbuffer_prepend(struct evbuffer *buf, const void *data, size_t size) {
  strata_buffer_lock(buf);
  if (size == 0) {
    strata_buffer_unlock(buf);
    return 0;
  }
  if (buf->front_frozen || strata_buffer_would_overflow(buf, size) ||
      prepend(buf, data, size) < 0) {
    strata_buffer_unlock(buf);
    return -1;
  }
  strata_buffer_finish(buf, size, 0);
  return 0;
}
