#ifndef STRATA_BACKENDS_RECEIVED_POOL_H_
#define STRATA_BACKENDS_RECEIVED_POOL_H_

#include "backends/uring.h"
#include "loop/completion.h"

/* Memory for bytes that arrive, given to the kernel as a ring of provided buffers (group 0): a
 * receive takes a block of it when there are bytes, not before. It grows while all blocks are in
 * use, to a limit. Counted: blocks that are in use outlive the ring. */
struct received_pool;

/* NULL with errno when the kernel knows no such rings (before Linux 5.19) or memory is short. */
struct received_pool *strata_received_pool_new(struct uring *ring);
/* The ring is about to be closed: blocks that come back stay away from it. */
void strata_received_pool_close(struct received_pool *pool);
/* The block that the kernel chose, with len bytes. */
struct event_received *strata_received_pool_take(struct received_pool *pool, unsigned id,
                                                 size_t len);
/* The kernel found none: whether there are some now, because they came back or the pool grew. */
bool strata_received_pool_has_more(struct received_pool *pool);
/* A block from the allocator, for when all others are in use. NULL when memory is short. */
struct event_received *strata_received_new(size_t capacity);

#define STRATA_RECEIVED_LEN 16384

#endif
