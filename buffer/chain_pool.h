#ifndef STRATA_BUFFER_CHAIN_POOL_H_
#define STRATA_BUFFER_CHAIN_POOL_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Freed storage of chains, kept for the next chain of the same size: a small bounded stock that
 * belongs to whoever makes it (net/ makes one a base) and is handed to buffers with
 * evbuffer_set_pool(). Counted: it lives until its maker and all its buffers have let go. Under
 * AddressSanitizer it keeps nothing, so that a use after free is seen.
 *
 * Every block of a class is a plain strata_malloc() block of exactly the class's size, so chains
 * that move between buffers of different pools need no bookkeeping. */

struct evbuffer_chain;
struct evbuffer_chain_pool;

enum {
  /* 64 bytes (chains that only point elsewhere), 1 KiB, 4 KiB, 16 KiB. */
  EVBUFFER_CHAIN_POOL_NUM_CLASSES = 4,
  EVBUFFER_CHAIN_POOL_VIEW_CLASS = 0,
  EVBUFFER_CHAIN_POOL_PAGE_CLASS = 2,
};

/* May be given to the compiler, to look for errors in the keeping itself. */
#if defined(EVBUFFER_KEEPS_STORAGE)
#elif defined(__SANITIZE_ADDRESS__)
#define EVBUFFER_KEEPS_STORAGE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EVBUFFER_KEEPS_STORAGE 0
#else
#define EVBUFFER_KEEPS_STORAGE 1
#endif
#else
#define EVBUFFER_KEEPS_STORAGE 1
#endif

/* An empty pool with one reference, and a lock of its own where threading is enabled. NULL when
 * out of memory. */
struct evbuffer_chain_pool *evbuffer_chain_pool_new(void);
void evbuffer_chain_pool_ref(struct evbuffer_chain_pool *pool);
void evbuffer_chain_pool_unref(struct evbuffer_chain_pool *pool);

/* Frees all that the pool keeps. */
void evbuffer_chain_pool_trim(struct evbuffer_chain_pool *pool);
/* The bytes that the pool keeps. */
size_t evbuffer_chain_pool_kept_len(struct evbuffer_chain_pool *pool);

static inline size_t evbuffer_chain_pool_class_len(int size_class) {
  return size_class == 0 ? (size_t)64 : (size_t)256 << (2 * size_class);
}

/* The smallest class whose blocks have at least block_len bytes; NUM_CLASSES when none has. */
static inline int evbuffer_chain_pool_class(size_t block_len) {
  int size_class = 0;
  while (size_class < EVBUFFER_CHAIN_POOL_NUM_CLASSES &&
         evbuffer_chain_pool_class_len(size_class) < block_len) {
    size_class++;
  }
  return size_class;
}

/* A block of the class with undefined content, or NULL when the pool has none. */
struct evbuffer_chain *evbuffer_chain_pool_get(struct evbuffer_chain_pool *pool, int size_class);
/* Returns 1 when the pool has taken the block, 0 when it is full and the caller frees it. */
int evbuffer_chain_pool_put(struct evbuffer_chain_pool *pool, struct evbuffer_chain *chain,
                            int size_class);

#ifdef __cplusplus
}
#endif
#endif
