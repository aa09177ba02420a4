#include <string.h>

#include "buffer/evbuffer_internal.h"

/* Blocks grow with what is added, from 1 KiB by fours up to this. */
#define MAX_GROWTH_BLOCK_LEN ((size_t)16384 - 16)
/* The same for a buffer that only collects: fewer blocks, and of a size that teaches malloc(3) not
 * to give their pages back each time. A pool's blocks, and those of a queue, are to be used
 * again, which these are not. */
#define MAX_COLLECTING_BLOCK_LEN (((size_t)1 << 20) - 16)

static size_t max_growth_len(const struct evbuffer *buf) {
  int is_collecting = !buf->pool && buf->first->start == 0;
  return is_collecting ? MAX_COLLECTING_BLOCK_LEN : MAX_GROWTH_BLOCK_LEN;
}

size_t strata_buffer_growth(const struct evbuffer *buf, size_t need) {
  const struct evbuffer_chain *chain = buf->last_data;
  size_t wanted = CHAIN_MIN_ROOM;
  if (chain && !(chain->flags & (CHAIN_REFERENCE | CHAIN_MULTICAST | CHAIN_FILE))) {
    size_t max_len = max_growth_len(buf);
    wanted = (chain->capacity + sizeof(*chain)) * 4;
    if (wanted > max_len) wanted = max_len;
    wanted -= sizeof(*chain);
  }
  return need > wanted ? need : wanted;
}

void strata_buffer_free_spares(struct evbuffer *buf) {
  struct evbuffer_chain **link = strata_buffer_spares(buf);
  while (*link) {
    struct evbuffer_chain *chain = *link;
    if (chain->flags & CHAIN_PINNED) {
      link = &chain->next;
    } else {
      *link = chain->next;
      strata_chain_free(chain, buf->pool);
    }
  }
}

struct evbuffer_chain *strata_buffer_get_spare(struct evbuffer *buf, size_t need) {
  struct evbuffer_chain **link = strata_buffer_spares(buf);
  struct evbuffer_chain *chain = *link;
  if (chain && strata_chain_room(chain) >= need) return chain;
  chain = strata_chain_new(buf->pool, strata_buffer_growth(buf, need));
  if (!chain) return NULL;
  if (*link) strata_buffer_free_spares(buf);
  chain->next = *link;
  *link = chain;
  return chain;
}

struct evbuffer_chain *strata_buffer_expand(struct evbuffer *buf, size_t len) {
  struct evbuffer_chain *chain = buf->last_data;
  if (chain) {
    if (strata_chain_room(chain) >= len) return chain;
    if (strata_chain_can_realign(chain, len)) {
      strata_chain_realign(chain);
      return chain;
    }
  }
  return strata_buffer_get_spare(buf, len);
}

/* Copies into a block with that room. */
static inline void fill(struct evbuffer *buf, struct evbuffer_chain *chain, const void *data,
                        size_t len) {
  memcpy(strata_chain_end(chain), data, len);
  strata_buffer_extend(buf, chain, len);
}

int strata_buffer_append(struct evbuffer *buf, const void *data, size_t len) {
  struct evbuffer_chain *chain = buf->last_data;
  struct evbuffer_chain *spare;
  size_t head_len = 0;
  if (chain) {
    head_len = strata_chain_room(chain);
    if (head_len < len && strata_chain_can_realign(chain, len)) {
      strata_chain_realign(chain);
      head_len = strata_chain_room(chain);
    }
    if (head_len >= len) {
      fill(buf, chain, data, len);
      return 0;
    }
  }
  spare = strata_buffer_get_spare(buf, len - head_len);
  if (!spare) return -1;
  if (head_len > 0) fill(buf, chain, data, head_len);
  fill(buf, spare, (const unsigned char *)data + head_len, len - head_len);
  return 0;
}

int evbuffer_add(struct evbuffer *buf, const void *data, size_t datlen) {
  struct evbuffer_chain *chain;
  strata_buffer_lock(buf);
  if (buf->back_frozen || strata_buffer_would_overflow(buf, datlen)) goto fail;
  if (datlen == 0) {
    strata_buffer_unlock(buf);
    return 0;
  }
  chain = buf->last_data ? buf->last_data : buf->first;
  if (!chain) {
    chain = strata_chain_new(buf->pool, datlen);
    if (!chain) goto fail;
    buf->first = chain;
  }
  if (strata_chain_room(chain) >= datlen) {
    fill(buf, chain, data, datlen);
  } else if (strata_buffer_append(buf, data, datlen) < 0) {
    goto fail;
  }
  strata_buffer_finish(buf, datlen, 0);
  return 0;
fail:
  strata_buffer_unlock(buf);
  return -1;
}

int evbuffer_expand(struct evbuffer *buf, size_t datlen) {
  int result = -1;
  strata_buffer_lock(buf);
  if (!strata_buffer_would_overflow(buf, datlen) && strata_buffer_expand(buf, datlen)) result = 0;
  strata_buffer_unlock(buf);
  return result;
}

/* The length of all extents; -1 when they do not fit into the buffer. */
static ev_ssize_t sum_extents(const struct evbuffer *buf, const struct evbuffer_iovec *vec,
                              int n_vec) {
  size_t total_len = 0;
  int i;
  for (i = 0; i < n_vec; i++) {
    if (strata_buffer_would_overflow(buf, vec[i].iov_len) ||
        strata_buffer_would_overflow(buf, total_len + vec[i].iov_len)) {
      return -1;
    }
    total_len += vec[i].iov_len;
  }
  return (ev_ssize_t)total_len;
}

static void copy_extents(struct evbuffer_chain *chain, const struct evbuffer_iovec *vec,
                         int n_vec) {
  unsigned char *out = strata_chain_end(chain);
  int i;
  for (i = 0; i < n_vec; i++) {
    if (vec[i].iov_len == 0) continue;
    memcpy(out, vec[i].iov_base, vec[i].iov_len);
    out += vec[i].iov_len;
  }
}

size_t evbuffer_add_iovec(struct evbuffer *buffer, struct evbuffer_iovec *vec, int n_vec) {
  struct evbuffer_chain *chain;
  ev_ssize_t len;
  strata_buffer_lock(buffer);
  len = buffer->back_frozen ? -1 : sum_extents(buffer, vec, n_vec);
  chain = len > 0 ? strata_buffer_expand(buffer, (size_t)len) : NULL;
  if (!chain) {
    strata_buffer_unlock(buffer);
    return 0;
  }
  copy_extents(chain, vec, n_vec);
  strata_buffer_extend(buffer, chain, (size_t)len);
  strata_buffer_finish(buffer, (size_t)len, 0);
  return (size_t)len;
}
