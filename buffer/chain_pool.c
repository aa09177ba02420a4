#include "buffer/chain_pool.h"

#include "buffer/chain.h"
#include "util/lock.h"
#include "util/memory.h"

/* Together at most about 650 KiB. */
static const unsigned class_max[EVBUFFER_CHAIN_POOL_NUM_CLASSES] = {256, 64, 64, 20};

struct free_list {
  struct evbuffer_chain *first;
  unsigned num;
};

struct evbuffer_chain_pool {
  strata_lock lock;
  int num_refs; /* atomic */
  struct free_list lists[EVBUFFER_CHAIN_POOL_NUM_CLASSES];
};

struct evbuffer_chain_pool *evbuffer_chain_pool_new(void) {
  struct evbuffer_chain_pool *pool = strata_calloc(1, sizeof(*pool));
  if (!pool) return NULL;
  if (strata_lock_init(&pool->lock, 0) < 0) {
    strata_free(pool);
    return NULL;
  }
  pool->num_refs = 1;
  return pool;
}

void evbuffer_chain_pool_ref(struct evbuffer_chain_pool *pool) {
  __atomic_add_fetch(&pool->num_refs, 1, __ATOMIC_RELAXED);
}

void evbuffer_chain_pool_unref(struct evbuffer_chain_pool *pool) {
  if (__atomic_sub_fetch(&pool->num_refs, 1, __ATOMIC_ACQ_REL) > 0) return;
  evbuffer_chain_pool_trim(pool);
  strata_lock_destroy(&pool->lock, 0);
  strata_free(pool);
}

static struct evbuffer_chain *take_list(struct evbuffer_chain_pool *pool, int size_class) {
  struct evbuffer_chain *first;
  strata_lock_acquire(pool->lock);
  first = pool->lists[size_class].first;
  pool->lists[size_class].first = NULL;
  pool->lists[size_class].num = 0;
  strata_lock_release(pool->lock);
  return first;
}

void evbuffer_chain_pool_trim(struct evbuffer_chain_pool *pool) {
  int i;
  for (i = 0; i < EVBUFFER_CHAIN_POOL_NUM_CLASSES; i++) {
    struct evbuffer_chain *chain = take_list(pool, i);
    while (chain) {
      struct evbuffer_chain *next = chain->next;
      strata_free(chain);
      chain = next;
    }
  }
}

size_t evbuffer_chain_pool_kept_len(struct evbuffer_chain_pool *pool) {
  size_t kept_len = 0;
  int i;
  strata_lock_acquire(pool->lock);
  for (i = 0; i < EVBUFFER_CHAIN_POOL_NUM_CLASSES; i++) {
    kept_len += pool->lists[i].num * evbuffer_chain_pool_class_len(i);
  }
  strata_lock_release(pool->lock);
  return kept_len;
}

struct evbuffer_chain *evbuffer_chain_pool_get(struct evbuffer_chain_pool *pool, int size_class) {
  struct free_list *list = &pool->lists[size_class];
  struct evbuffer_chain *chain;
  strata_lock_acquire(pool->lock);
  chain = list->first;
  if (chain) {
    list->first = chain->next;
    list->num--;
  }
  strata_lock_release(pool->lock);
  return chain;
}

int evbuffer_chain_pool_put(struct evbuffer_chain_pool *pool, struct evbuffer_chain *chain,
                            int size_class) {
  struct free_list *list = &pool->lists[size_class];
  int taken = 0;
  if (!EVBUFFER_KEEPS_STORAGE) return 0;
  strata_lock_acquire(pool->lock);
  if (list->num < class_max[size_class]) {
    chain->next = list->first;
    list->first = chain;
    list->num++;
    taken = 1;
  }
  strata_lock_release(pool->lock);
  return taken;
}
