#include "backends/iocp_received.h"

#include "util/memory.h"

/* As many wait to be used again as may well be asked for at once. */
#define MAX_FREE 64

struct block {
  struct event_received received; /* first */
  struct iocp_received_pool *pool;
  struct block *next_free;
};

struct iocp_received_pool {
  SRWLOCK lock; /* blocks come back from any thread, with the library's threads set up or not */
  bool is_closed;
  size_t num_used;
  int num_free;
  struct block *free;
};

static void free_blocks(struct iocp_received_pool *pool) {
  while (pool->free) {
    struct block *block = pool->free;
    pool->free = block->next_free;
    strata_free(block);
  }
  pool->num_free = 0;
}

/* And ends a pool that nobody needs any more. */
static void unlock(struct iocp_received_pool *pool) {
  bool is_over = pool->is_closed && !pool->num_used;
  ReleaseSRWLockExclusive(&pool->lock);
  if (is_over) strata_free(pool);
}

static void release(struct event_received *received) {
  struct block *block = (struct block *)received;
  struct iocp_received_pool *pool = block->pool;
  AcquireSRWLockExclusive(&pool->lock);
  pool->num_used--;
  if (pool->is_closed || pool->num_free == MAX_FREE) {
    strata_free(block);
  } else {
    block->next_free = pool->free;
    pool->free = block;
    pool->num_free++;
  }
  unlock(pool);
}

struct iocp_received_pool *strata_iocp_received_new(void) {
  return strata_calloc(1, sizeof(struct iocp_received_pool));
}

void strata_iocp_received_close(struct iocp_received_pool *pool) {
  if (!pool) return;
  AcquireSRWLockExclusive(&pool->lock);
  pool->is_closed = true;
  free_blocks(pool);
  unlock(pool);
}

static struct block *take_free(struct iocp_received_pool *pool) {
  struct block *block = pool->free;
  if (!block) return strata_malloc(sizeof(*block) + STRATA_IOCP_RECEIVED_LEN);
  pool->free = block->next_free;
  pool->num_free--;
  return block;
}

struct event_received *strata_iocp_received_take(struct iocp_received_pool *pool) {
  AcquireSRWLockExclusive(&pool->lock);
  struct block *block = take_free(pool);
  if (block) pool->num_used++;
  ReleaseSRWLockExclusive(&pool->lock);
  if (!block) return NULL;
  block->pool = pool;
  block->received.data = block + 1;
  block->received.len = STRATA_IOCP_RECEIVED_LEN;
  block->received.release = release;
  block->received.is_scarce = false;
  return &block->received;
}
