#include "backends/received_pool.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/lock.h"
#include "util/memory.h"

#define NUM_BLOCKS 128 /* a power of two */
#define GROUP 0

struct block {
  struct event_received received; /* first */
  struct received_pool *pool;
};

struct received_pool {
  strata_lock lock;
  int num_refs; /* the ring's, and one for each block that is in use */
  bool is_closed;
  struct io_uring_buf_ring *ring; /* followed by the blocks' memory */
  char *memory;
  size_t mapping_len;
  struct block blocks[NUM_BLOCKS];
};

static void destroy(struct received_pool *pool) {
  if (pool->ring) munmap(pool->ring, pool->mapping_len);
  strata_lock_destroy(&pool->lock, 0);
  strata_free(pool);
}

/* Frees the pool with the last reference. Its lock is held, and released here. */
static void unref(struct received_pool *pool) {
  bool is_last = --pool->num_refs == 0;
  strata_lock_release(pool->lock);
  if (is_last) destroy(pool);
}

static void give_to_kernel(struct received_pool *pool, unsigned id) {
  struct io_uring_buf *buf = &pool->ring->bufs[pool->ring->tail & (NUM_BLOCKS - 1)];
  buf->addr = (uint64_t)(uintptr_t)(pool->memory + (size_t)id * STRATA_RECEIVED_LEN);
  buf->len = STRATA_RECEIVED_LEN;
  buf->bid = (uint16_t)id;
  __atomic_store_n(&pool->ring->tail, (uint16_t)(pool->ring->tail + 1), __ATOMIC_RELEASE);
}

static void release_block(struct event_received *received) {
  struct block *block = (struct block *)received;
  struct received_pool *pool = block->pool;
  strata_lock_acquire(pool->lock);
  if (!pool->is_closed) give_to_kernel(pool, (unsigned)(block - pool->blocks));
  unref(pool);
}

static int map(struct received_pool *pool) {
  size_t ring_len = NUM_BLOCKS * sizeof(struct io_uring_buf);
  long page_len = sysconf(_SC_PAGESIZE);
  ring_len = (ring_len + (size_t)page_len - 1) / (size_t)page_len * (size_t)page_len;
  pool->mapping_len = ring_len + (size_t)NUM_BLOCKS * STRATA_RECEIVED_LEN;
  void *mapping =
      mmap(NULL, pool->mapping_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return -1;
  pool->ring = mapping;
  pool->memory = (char *)mapping + ring_len;
  return 0;
}

static int register_ring(struct received_pool *pool, struct uring *ring) {
  struct io_uring_buf_reg reg;
  memset(&reg, 0, sizeof(reg));
  reg.ring_addr = (uint64_t)(uintptr_t)pool->ring;
  reg.ring_entries = NUM_BLOCKS;
  reg.bgid = GROUP;
  return (int)syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_PBUF_RING, &reg, 1);
}

struct received_pool *strata_received_pool_new(struct uring *ring) {
  struct received_pool *pool = strata_calloc(1, sizeof(*pool));
  if (!pool) return NULL;
  pool->num_refs = 1;
  if (strata_lock_init(&pool->lock, 0) < 0 || map(pool) < 0 || register_ring(pool, ring) < 0) {
    destroy(pool);
    return NULL;
  }
  for (unsigned id = 0; id < NUM_BLOCKS; id++) {
    pool->blocks[id].pool = pool;
    pool->blocks[id].received.release = release_block;
    give_to_kernel(pool, id);
  }
  return pool;
}

void strata_received_pool_close(struct received_pool *pool) {
  strata_lock_acquire(pool->lock);
  pool->is_closed = true;
  unref(pool);
}

struct event_received *strata_received_pool_take(struct received_pool *pool, unsigned id,
                                                 size_t len) {
  struct event_received *received = &pool->blocks[id].received;
  strata_lock_acquire(pool->lock);
  pool->num_refs++;
  strata_lock_release(pool->lock);
  received->data = pool->memory + (size_t)id * STRATA_RECEIVED_LEN;
  received->len = len;
  return received;
}

static void release_alone(struct event_received *received) {
  strata_free(received);
}

struct event_received *strata_received_new(size_t capacity) {
  struct event_received *received = strata_malloc(sizeof(*received) + capacity);
  if (!received) return NULL;
  received->data = received + 1;
  received->len = capacity;
  received->release = release_alone;
  return received;
}
