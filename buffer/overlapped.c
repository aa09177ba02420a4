#include "buffer/evbuffer_internal.h"
#include "buffer/file_segment.h"
#include "buffer/pointer.h"

int evbuffer_add_received(struct evbuffer *buf, const void *data, size_t len) {
  strata_buffer_lock(buf);
  if (strata_buffer_would_overflow(buf, len) || strata_buffer_append(buf, data, len) < 0) {
    strata_buffer_unlock(buf);
    return -1;
  }
  strata_buffer_finish(buf, len, 0);
  return 0;
}

int evbuffer_pin_front(struct evbuffer *buf, size_t max_len, struct evbuffer_iovec *out_vecs,
                       struct evbuffer_chain **out_chains, int num_max) {
  int num = 0;
  strata_buffer_lock(buf);
  struct evbuffer_chain *chain = strata_buffer_first_data(buf);
  for (; chain && max_len && num < num_max; chain = strata_buffer_next_data(buf, chain)) {
    if (strata_chain_load(chain) < 0) {
      if (!num) num = -1;
      break;
    }
    size_t len = chain->len < max_len ? chain->len : max_len;
    strata_chain_pin(chain, CHAIN_PINNED_READ);
    out_vecs[num].iov_base = strata_chain_begin(chain);
    out_vecs[num].iov_len = len;
    out_chains[num++] = chain;
    max_len -= len;
  }
  strata_buffer_unlock(buf);
  return num;
}

void evbuffer_unpin_front(struct evbuffer *buf, struct evbuffer_chain **chains, int num) {
  strata_buffer_lock(buf);
  for (int i = 0; i < num; i++) strata_chain_unpin(chains[i], CHAIN_PINNED_READ);
  strata_buffer_unlock(buf);
}

void evbuffer_drain_sent(struct evbuffer *buf, size_t len) {
  if (!len) return;
  strata_buffer_lock(buf);
  if (len > buf->total_len) len = buf->total_len; /* a program may have thawed and drained it */
  if (len) strata_buffer_discard(buf, len);
  strata_buffer_finish(buf, 0, len);
}
