#include "buffer/evbuffer_internal.h"

static void set_extent(struct evbuffer_iovec *extent, struct evbuffer_chain *chain) {
  extent->iov_base = strata_chain_end(chain);
  extent->iov_len = strata_chain_room(chain);
}

/* What is left of the last block, and the rest in another one. */
static int reserve_two(struct evbuffer *buf, size_t len, struct evbuffer_iovec *vec) {
  struct evbuffer_chain *chain = buf->last_data;
  struct evbuffer_chain *rest;
  size_t head_len = chain ? strata_chain_room(chain) : 0;
  if (head_len == 0 || head_len >= len || strata_chain_can_realign(chain, len)) {
    rest = strata_buffer_expand(buf, len);
    if (!rest) return -1;
    set_extent(&vec[0], rest);
    return 1;
  }
  rest = strata_buffer_get_spare(buf, len - head_len);
  if (!rest) return -1;
  set_extent(&vec[0], chain);
  set_extent(&vec[1], rest);
  return 2;
}

int evbuffer_reserve_space(struct evbuffer *buf, ev_ssize_t size, struct evbuffer_iovec *vec,
                           int n_vec) {
  struct evbuffer_chain *chain;
  size_t len = size > 0 ? (size_t)size : 1;
  int result = -1;
  if (size < 0 || n_vec < 1) return -1;
  strata_buffer_lock(buf);
  if (buf->back_frozen || strata_buffer_would_overflow(buf, len)) goto done;
  if (n_vec > 1) {
    result = reserve_two(buf, len, vec);
    goto done;
  }
  chain = strata_buffer_expand(buf, len);
  if (!chain) goto done;
  set_extent(&vec[0], chain);
  result = 1;
done:
  strata_buffer_unlock(buf);
  return result;
}

/* The chain that the first extent must lie in: last_data if it has room there, else a spare. */
static struct evbuffer_chain *first_with_room(struct evbuffer *buf) {
  if (buf->last_data && strata_chain_room(buf->last_data) > 0) return buf->last_data;
  return *strata_buffer_spares(buf);
}

/* The bytes that the extents add, or -1 when one does not match the room at the end. */
static ev_ssize_t check_extents(const struct evbuffer *buf, const struct evbuffer_chain *chain,
                                const struct evbuffer_iovec *vec, int n_vecs) {
  size_t len = 0;
  int i;
  for (i = 0; i < n_vecs; i++, chain = chain->next) {
    if (!chain || vec[i].iov_base != (void *)strata_chain_end(chain) ||
        vec[i].iov_len > strata_chain_room(chain)) {
      return -1;
    }
    len += vec[i].iov_len;
  }
  return strata_buffer_would_overflow(buf, len) ? -1 : (ev_ssize_t)len;
}

/* A spare into which nothing was written goes behind those that got bytes. */
static void move_behind(struct evbuffer *buf, struct evbuffer_chain *empty,
                        struct evbuffer_chain *with_data) {
  struct evbuffer_chain **link = strata_buffer_spares(buf);
  while (*link != empty) link = &(*link)->next;
  *link = empty->next;
  empty->next = with_data->next;
  with_data->next = empty;
}

static void commit(struct evbuffer *buf, struct evbuffer_chain *chain,
                   const struct evbuffer_iovec *vec, int n_vecs) {
  struct evbuffer_chain *empty = NULL;
  int i;
  for (i = 0; i < n_vecs; i++) {
    struct evbuffer_chain *next = chain->next;
    if (vec[i].iov_len > 0) {
      if (empty) move_behind(buf, empty, chain);
      empty = NULL;
      strata_buffer_extend(buf, chain, vec[i].iov_len);
    } else if (chain != buf->last_data) {
      empty = chain;
    }
    chain = next;
  }
}

int evbuffer_commit_space(struct evbuffer *buf, struct evbuffer_iovec *vec, int n_vecs) {
  struct evbuffer_chain *chain;
  ev_ssize_t len = -1;
  strata_buffer_lock(buf);
  if (!buf->back_frozen) {
    chain = first_with_room(buf);
    /* Room in one piece may be the first spare although the last block has a little left. */
    if (n_vecs > 0 && chain && chain == buf->last_data &&
        vec[0].iov_base != (void *)strata_chain_end(chain)) {
      chain = chain->next;
    }
    len = check_extents(buf, chain, vec, n_vecs);
    if (len > 0) commit(buf, chain, vec, n_vecs);
  }
  if (len < 0) {
    strata_buffer_unlock(buf);
    return -1;
  }
  strata_buffer_finish(buf, (size_t)len, 0);
  return 0;
}
