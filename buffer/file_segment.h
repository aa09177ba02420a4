#ifndef STRATA_BUFFER_FILE_SEGMENT_H_
#define STRATA_BUFFER_FILE_SEGMENT_H_

#include <event2/buffer.h>

#include "buffer/chain.h"

/* Called when a FILE chain is freed. */
void strata_file_chain_release(struct evbuffer_chain *chain);

/* Another FILE chain that shows the first len bytes of this one. NULL when out of memory. */
struct evbuffer_chain *strata_file_chain_split(const struct evbuffer_chain *chain, size_t len,
                                               struct evbuffer_chain_pool *pool);

/* Brings the bytes of a SENDFILE chain into memory; 0, or -1 with errno. */
int strata_file_chain_load(struct evbuffer_chain *chain);
static inline int strata_chain_load(struct evbuffer_chain *chain) {
  return chain->flags & CHAIN_SENDFILE ? strata_file_chain_load(chain) : 0;
}

/* The descriptor, and the position in the file of a SENDFILE chain's first byte. */
int strata_file_chain_fd(const struct evbuffer_chain *chain);
ev_off_t strata_file_chain_position(const struct evbuffer_chain *chain);

#endif
