#include "backends/received_pool.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/memory.h"

/* A turn of the loop may bring bytes for each of a thousand connections, which all take a block. */
#define MAX_BLOCKS 1024 /* a power of two */
#define FIRST_SLAB_LEN 128
#define MAX_SLABS 4 /* 128, and what doubles it three times */
#define GROUP 0

struct block {
  struct event_received received; /* first */
  struct received_pool *pool;
  unsigned id;
};

struct slab {
  char *memory;
  size_t mapping_len;
};

struct received_pool {
  pthread_mutex_t lock; /* the system's: the library's threads may be set up later */
  int num_refs;         /* the ring's, and one for each block that is in use */
  bool is_closed;
  struct io_uring_buf_ring *ring;
  size_t ring_len;
  struct slab slabs[MAX_SLABS];
  unsigned num_slabs, num_blocks, num_free;
  struct block blocks[MAX_BLOCKS];
};

static void destroy(struct received_pool *pool) {
  for (unsigned i = 0; i < pool->num_slabs; i++)
    munmap(pool->slabs[i].memory, pool->slabs[i].mapping_len);
  if (pool->ring) munmap(pool->ring, pool->ring_len);
  pthread_mutex_destroy(&pool->lock);
  strata_free(pool);
}

/* Frees the pool with the last reference. Its lock is held, and released here. */
static void unref(struct received_pool *pool) {
  bool is_last = --pool->num_refs == 0;
  pthread_mutex_unlock(&pool->lock);
  if (is_last) destroy(pool);
}

static void give_to_kernel(struct received_pool *pool, const struct block *block) {
  struct io_uring_buf *buf = &pool->ring->bufs[pool->ring->tail & (MAX_BLOCKS - 1)];
  buf->addr = (uint64_t)(uintptr_t)block->received.data;
  buf->len = STRATA_RECEIVED_LEN;
  buf->bid = (uint16_t)block->id;
  __atomic_store_n(&pool->ring->tail, (uint16_t)(pool->ring->tail + 1), __ATOMIC_RELEASE);
  pool->num_free++;
}

static void release_block(struct event_received *received) {
  struct block *block = (struct block *)received;
  struct received_pool *pool = block->pool;
  pthread_mutex_lock(&pool->lock);
  if (!pool->is_closed) give_to_kernel(pool, block);
  unref(pool);
}

static void *map(size_t len) {
  void *mapping = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapping == MAP_FAILED ? NULL : mapping;
}

static int map_ring(struct received_pool *pool) {
  pool->ring_len = MAX_BLOCKS * sizeof(struct io_uring_buf);
  pool->ring = map(pool->ring_len);
  return pool->ring ? 0 : -1;
}

/* Twice as many blocks; their pages cost nothing until bytes arrive in them. */
static int grow(struct received_pool *pool) {
  unsigned num_more = pool->num_blocks ? pool->num_blocks : FIRST_SLAB_LEN;
  if (pool->num_blocks == MAX_BLOCKS) return -1;
  size_t len = (size_t)num_more * STRATA_RECEIVED_LEN;
  char *memory = map(len);
  if (!memory) return -1;
  pool->slabs[pool->num_slabs++] = (struct slab){memory, len};
  for (unsigned i = 0; i < num_more; i++) {
    struct block *block = &pool->blocks[pool->num_blocks];
    block->id = pool->num_blocks++;
    block->pool = pool;
    block->received.data = memory + (size_t)i * STRATA_RECEIVED_LEN;
    block->received.release = release_block;
    give_to_kernel(pool, block);
  }
  return 0;
}

static int register_ring(struct received_pool *pool, struct uring *ring) {
  struct io_uring_buf_reg reg;
  memset(&reg, 0, sizeof(reg));
  reg.ring_addr = (uint64_t)(uintptr_t)pool->ring;
  reg.ring_entries = MAX_BLOCKS;
  reg.bgid = GROUP;
  return (int)syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_PBUF_RING, &reg, 1);
}

struct received_pool *strata_received_pool_new(struct uring *ring) {
  struct received_pool *pool = strata_calloc(1, sizeof(*pool));
  if (!pool) return NULL;
  pool->num_refs = 1;
  pthread_mutex_init(&pool->lock, NULL);
  if (map_ring(pool) == 0 && grow(pool) == 0 && register_ring(pool, ring) == 0) return pool;
  int error = errno;
  destroy(pool);
  errno = error;
  return NULL;
}

void strata_received_pool_close(struct received_pool *pool) {
  pthread_mutex_lock(&pool->lock);
  pool->is_closed = true;
  unref(pool);
}

struct event_received *strata_received_pool_take(struct received_pool *pool, unsigned id,
                                                 size_t len) {
  struct event_received *received = &pool->blocks[id].received;
  pthread_mutex_lock(&pool->lock);
  pool->num_refs++;
  pool->num_free--;
  received->is_scarce = pool->num_free < MAX_BLOCKS / 4 && pool->num_blocks == MAX_BLOCKS;
  pthread_mutex_unlock(&pool->lock);
  received->len = len;
  return received;
}

bool strata_received_pool_has_more(struct received_pool *pool) {
  pthread_mutex_lock(&pool->lock);
  bool has_more = pool->num_free > 0 || grow(pool) == 0;
  pthread_mutex_unlock(&pool->lock);
  return has_more;
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
  received->is_scarce = false;
  return received;
}
