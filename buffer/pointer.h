#ifndef STRATA_BUFFER_POINTER_H_
#define STRATA_BUFFER_POINTER_H_

#include "buffer/evbuffer_internal.h"

/* A position as the library's own functions use it. At the end of the buffer, chain is NULL. */
static inline struct evbuffer_ptr strata_pointer(size_t pos, struct evbuffer_chain *chain,
                                                 size_t pos_in_chain) {
  struct evbuffer_ptr pointer;
  pointer.pos = (ev_ssize_t)pos;
  pointer.internal_.chain = chain;
  pointer.internal_.pos_in_chain = pos_in_chain;
  return pointer;
}

static inline struct evbuffer_ptr strata_pointer_none(void) {
  struct evbuffer_ptr pointer = strata_pointer(0, NULL, 0);
  pointer.pos = -1;
  return pointer;
}

/* The first chain that has bytes, or NULL. */
static inline struct evbuffer_chain *strata_buffer_first_data(const struct evbuffer *buf) {
  return buf->last_data ? buf->first : NULL;
}

/* The chain with the bytes that follow this one's, or NULL. */
static inline struct evbuffer_chain *strata_buffer_next_data(const struct evbuffer *buf,
                                                             const struct evbuffer_chain *chain) {
  return chain == buf->last_data ? NULL : chain->next;
}

#endif
