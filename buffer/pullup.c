#include "buffer/evbuffer_internal.h"
#include "buffer/file_segment.h"

/* The first block, if the bytes can be gathered in it; NULL if that takes a new one. */
static struct evbuffer_chain *reuse_first(struct evbuffer *buf, size_t len) {
  struct evbuffer_chain *chain = buf->first;
  if ((chain->flags & CHAIN_IMMUTABLE) || chain->capacity < len) return NULL;
  if (chain->capacity - chain->start < len) strata_chain_realign(chain);
  return chain;
}

/* Gathers the first len bytes, which lie in several chains. */
static struct evbuffer_chain *gather(struct evbuffer *buf, size_t len) {
  struct evbuffer_chain *first = buf->first;
  struct evbuffer_chain *chain = reuse_first(buf, len);
  size_t have_len = chain ? chain->len : 0;
  size_t total_len = buf->total_len;
  if (!chain) chain = strata_chain_new(buf->pool, len);
  if (!chain) return NULL;
  if (strata_buffer_copy(chain == first ? first->next : first, 0, strata_chain_end(chain),
                         len - have_len) < 0) {
    if (chain != first) strata_chain_free(chain, buf->pool);
    return NULL;
  }
  if (chain == first) {
    buf->first = first->next;
    buf->total_len -= have_len;
  }
  strata_buffer_discard(buf, len - have_len);
  chain->len = len;
  chain->next = buf->first;
  buf->first = chain;
  if (!buf->last_data) buf->last_data = chain;
  buf->total_len = total_len;
  return chain;
}

unsigned char *evbuffer_pullup(struct evbuffer *buf, ev_ssize_t size) {
  struct evbuffer_chain *chain;
  unsigned char *result = NULL;
  size_t len;
  strata_buffer_lock(buf);
  len = size < 0 ? buf->total_len : (size_t)size;
  if (len > 0 && len <= buf->total_len) {
    chain = buf->first;
    if (chain->len < len) {
      chain = gather(buf, len);
    } else if (strata_chain_load(chain) < 0) {
      chain = NULL;
    }
    if (chain) result = strata_chain_begin(chain);
  }
  strata_buffer_finish(buf, 0, 0);
  return result;
}
