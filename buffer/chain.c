#include "buffer/chain.h"

#include <errno.h>
#include <string.h>

#include <event2/util.h>

#include "buffer/chain_pool.h"
#include "buffer/file_segment.h"
#include "buffer/reference.h"
#include "util/memory.h"

/* Beyond the pool's classes, allocations are whole pages, less what malloc(3) puts before a
 * block, so that the page's end is not wasted. */
#define PAGE_LEN ((size_t)4096)
#define MALLOC_HEADER_LEN ((size_t)16)
/* More than this is not worth moving to save an allocation. */
#define MAX_REALIGN_LEN ((size_t)2048)

static size_t round_up(size_t block_len) {
  return (block_len + MALLOC_HEADER_LEN + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN - MALLOC_HEADER_LEN;
}

/* The class whose blocks hold block_len bytes; NUM_CLASSES when none does. Without a pool only a
 * class that fits closely is used, since nobody else will fill the rest. */
static int choose_class(const struct evbuffer_chain_pool *pool, size_t block_len) {
  int size_class = evbuffer_chain_pool_class(block_len);
  if (!pool && size_class > EVBUFFER_CHAIN_POOL_PAGE_CLASS) return EVBUFFER_CHAIN_POOL_NUM_CLASSES;
  return size_class;
}

static struct evbuffer_chain *class_block_new(struct evbuffer_chain_pool *pool, int size_class) {
  if (pool) {
    struct evbuffer_chain *chain = evbuffer_chain_pool_get(pool, size_class);
    if (chain) return chain;
  }
  return strata_malloc(evbuffer_chain_pool_class_len(size_class));
}

struct evbuffer_chain *strata_chain_new(struct evbuffer_chain_pool *pool, size_t room) {
  struct evbuffer_chain *chain;
  size_t block_len;
  int size_class;
  if (room > (size_t)EV_SSIZE_MAX - sizeof(*chain) - 2 * PAGE_LEN) {
    errno = ENOMEM;
    return NULL;
  }
  /* The smallest class is for views: bytes come in at least a kibibyte. */
  if (room < CHAIN_MIN_ROOM) room = CHAIN_MIN_ROOM;
  size_class = choose_class(pool, sizeof(*chain) + room);
  if (size_class < EVBUFFER_CHAIN_POOL_NUM_CLASSES) {
    block_len = evbuffer_chain_pool_class_len(size_class);
    chain = class_block_new(pool, size_class);
  } else {
    block_len = round_up(sizeof(*chain) + room);
    chain = strata_malloc(block_len);
    size_class = -1;
  }
  if (!chain) return NULL;
  chain->next = NULL;
  chain->base = (unsigned char *)(chain + 1);
  chain->capacity = block_len - sizeof(*chain);
  chain->start = 0;
  chain->len = 0;
  chain->flags = (uint32_t)(size_class + 1);
  chain->num_refs = 1;
  return chain;
}

struct evbuffer_chain *strata_chain_new_view(struct evbuffer_chain_pool *pool, uint32_t flags) {
  struct evbuffer_chain *chain = class_block_new(pool, EVBUFFER_CHAIN_POOL_VIEW_CLASS);
  if (!chain) return NULL;
  chain->next = NULL;
  chain->base = NULL;
  chain->capacity = 0;
  chain->start = 0;
  chain->len = 0;
  chain->flags = flags | (EVBUFFER_CHAIN_POOL_VIEW_CLASS + 1);
  chain->num_refs = 1;
  return chain;
}

static void block_free(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool) {
  uint32_t size_class = chain->flags & CHAIN_CLASS_MASK;
  if (pool && size_class && evbuffer_chain_pool_put(pool, chain, (int)size_class - 1)) return;
  strata_free(chain);
}

static void chain_destroy(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool) {
  uint32_t flags = chain->flags;
  if ((flags & CHAIN_REFERENCE) && (flags & CHAIN_CLEANUP)) strata_reference_release(chain);
  if (flags & CHAIN_MULTICAST) strata_multicast_release(chain, pool);
  if (flags & CHAIN_FILE) strata_file_chain_release(chain);
  block_free(chain, pool);
}

/* Reads no flags while others have a reference: they may be setting them. */
static void chain_unref(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool) {
  if (__atomic_sub_fetch(&chain->num_refs, 1, __ATOMIC_ACQ_REL) == 0) chain_destroy(chain, pool);
}

void strata_chain_free(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool) {
  uint32_t flags = chain->flags;
  if (flags & (CHAIN_SHARED | CHAIN_PINNED)) {
    chain_unref(chain, pool);
  } else if (flags & (CHAIN_CLEANUP | CHAIN_MULTICAST | CHAIN_FILE)) {
    chain_destroy(chain, pool);
  } else {
    block_free(chain, pool);
  }
}

void strata_chain_free_list(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool) {
  while (chain) {
    struct evbuffer_chain *next = chain->next;
    strata_chain_free(chain, pool);
    chain = next;
  }
}

void strata_chain_share(struct evbuffer_chain *chain) {
  chain->flags |= CHAIN_SHARED;
  chain->capacity = chain->start + chain->len;
  __atomic_add_fetch(&chain->num_refs, 1, __ATOMIC_RELAXED);
}

void strata_chain_unshare(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool) {
  chain_unref(chain, pool);
}

void strata_chain_pin(struct evbuffer_chain *chain, uint32_t pin) {
  chain->flags |= pin;
  __atomic_add_fetch(&chain->num_refs, 1, __ATOMIC_RELAXED);
}

void strata_chain_unpin(struct evbuffer_chain *chain, uint32_t pin) {
  chain->flags &= ~pin;
  chain_unref(chain, NULL);
}

int strata_chain_can_realign(const struct evbuffer_chain *chain, size_t need) {
  if (chain->flags & CHAIN_IMMUTABLE) return 0;
  return chain->capacity - chain->len >= need && chain->len < chain->capacity / 2 &&
         chain->len <= MAX_REALIGN_LEN;
}

void strata_chain_realign(struct evbuffer_chain *chain) {
  memmove(chain->base, strata_chain_begin(chain), chain->len);
  chain->start = 0;
}
