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

/* Fills in up to n_vec extents that show len bytes; *chain is the one after them. */
static int fill_extents(const struct evbuffer *buf, struct evbuffer_chain **chain, size_t offset,
                        size_t *len, struct evbuffer_iovec *out_vec, int n_vec) {
  const struct evbuffer_chain *end = buf->last_data ? buf->last_data->next : NULL;
  struct evbuffer_chain *at = *chain;
  size_t rest = *len;
  int num = 0;
  for (; at && at != end && rest > 0 && num < n_vec; at = at->next, num++) {
    size_t run_len = at->len - offset;
    if (strata_chain_load(at) < 0) return -1;
    out_vec[num].iov_base = strata_chain_begin(at) + offset;
    out_vec[num].iov_len = run_len;
    rest -= run_len < rest ? run_len : rest;
    offset = 0;
  }
  *chain = at == end ? NULL : at;
  *len = rest;
  return num;
}

/* How many extents show len bytes. */
static int count_extents(const struct evbuffer *buf, const struct evbuffer_chain *chain,
                         size_t offset, size_t len) {
  int num = 0;
  while (chain && len > 0) {
    size_t run_len = chain->len - offset;
    len -= run_len < len ? run_len : len;
    offset = 0;
    num++;
    chain = strata_buffer_next_data(buf, chain);
  }
  return num;
}

int evbuffer_peek(struct evbuffer *buffer, ev_ssize_t len, struct evbuffer_ptr *start_at,
                  struct evbuffer_iovec *vec_out, int n_vec) {
  struct evbuffer_chain *chain;
  size_t offset = start_at ? start_at->internal_.pos_in_chain : 0;
  size_t rest = len < 0 ? (size_t)EV_SSIZE_MAX : (size_t)len;
  int num;
  strata_buffer_lock(buffer);
  chain = start_at ? start_at->internal_.chain : strata_buffer_first_data(buffer);
  num = fill_extents(buffer, &chain, offset, &rest, vec_out, n_vec);
  if (num >= 0 && (len >= 0 || n_vec == 0)) {
    num += count_extents(buffer, chain, num > 0 ? 0 : offset, rest);
  }
  strata_buffer_unlock(buffer);
  return num;
}
