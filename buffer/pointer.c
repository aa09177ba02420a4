#include "buffer/pointer.h"

#include "buffer/file_segment.h"

int evbuffer_ptr_set(struct evbuffer *buffer, struct evbuffer_ptr *ptr, size_t position,
                     enum evbuffer_ptr_how how) {
  struct evbuffer_chain *chain;
  size_t pos = 0, offset = position;
  int result = -1;
  strata_buffer_lock(buffer);
  chain = strata_buffer_first_data(buffer);
  if (how == EVBUFFER_PTR_ADD && ptr->pos >= 0) {
    pos = (size_t)ptr->pos;
    chain = ptr->internal_.chain;
    offset = ptr->internal_.pos_in_chain + position;
  }
  if ((how == EVBUFFER_PTR_ADD && ptr->pos < 0) || pos > buffer->total_len ||
      position > buffer->total_len - pos) {
    *ptr = strata_pointer_none();
    goto done;
  }
  while (chain && offset >= chain->len) {
    offset -= chain->len;
    chain = strata_buffer_next_data(buffer, chain);
  }
  *ptr = strata_pointer(pos + position, chain, chain ? offset : 0);
  result = 0;
done:
  strata_buffer_unlock(buffer);
  return result;
}

/* Fills extents (n_vec > 0) from whole chains until they show len bytes; *chain is the one after
 * them, NULL if that was all. Returns their number, or -1. */
static int fill_extents(const struct evbuffer *buf, struct evbuffer_chain **chain, size_t *len,
                        struct evbuffer_iovec *out_vec, int n_vec) {
  struct evbuffer_chain *at = *chain;
  struct evbuffer_chain *const last = buf->last_data;
  size_t rest = *len;
  struct evbuffer_iovec *extent = out_vec;
  struct evbuffer_iovec *const end = out_vec + n_vec;
  for (;;) {
    size_t run_len = at->len;
    if (strata_chain_load(at) < 0) return -1;
    extent->iov_base = strata_chain_begin(at);
    extent->iov_len = run_len;
    extent++;
    if (run_len >= rest || at == last) {
      at = NULL;
      break;
    }
    rest -= run_len;
    at = at->next;
    if (extent == end) break;
  }
  *chain = at;
  *len = rest;
  return (int)(extent - out_vec);
}

/* How many extents show len bytes. */
static int count_extents(const struct evbuffer *buf, const struct evbuffer_chain *chain,
                         size_t len) {
  int num = 0;
  while (chain) {
    num++;
    if (chain->len >= len) break;
    len -= chain->len;
    chain = strata_buffer_next_data(buf, chain);
  }
  return num;
}

/* The same as evbuffer_peek(), from (chain, offset) on; len > 0. */
static int peek_from(const struct evbuffer *buf, struct evbuffer_chain *chain, size_t offset,
                     ev_ssize_t len, struct evbuffer_iovec *out_vec, int n_vec) {
  /* As if from the chain's first byte. */
  size_t rest = (len < 0 ? (size_t)EV_SSIZE_MAX : (size_t)len) + offset;
  int num = 0;
  if (n_vec > 0) {
    num = fill_extents(buf, &chain, &rest, out_vec, n_vec);
    if (num < 0) return -1;
    out_vec[0].iov_base = (unsigned char *)out_vec[0].iov_base + offset;
    out_vec[0].iov_len -= offset;
    /* Without a length, what the extents hold is all that was asked for. */
    if (len < 0) return num;
  }
  return num + count_extents(buf, chain, rest);
}

int evbuffer_peek(struct evbuffer *buffer, ev_ssize_t len, struct evbuffer_ptr *start_at,
                  struct evbuffer_iovec *vec_out, int n_vec) {
  struct evbuffer_chain *chain;
  size_t offset = start_at ? start_at->internal_.pos_in_chain : 0;
  int num = 0;
  strata_buffer_lock(buffer);
  chain = start_at ? start_at->internal_.chain : strata_buffer_first_data(buffer);
  if (chain && len != 0) num = peek_from(buffer, chain, offset, len, vec_out, n_vec);
  strata_buffer_unlock(buffer);
  return num;
}
