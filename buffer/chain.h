#ifndef STRATA_BUFFER_CHAIN_H_
#define STRATA_BUFFER_CHAIN_H_

#include <stddef.h>
#include <stdint.h>

#include "buffer/chain_pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One block of a buffer's bytes. The header and, for plain chains, the bytes are one
 * allocation:
 *
 *   base          base + start       base + start + len      base + capacity
 *    |  front gap  |      bytes       |        room           |
 *
 * Chains that show memory of someone else (references, parts of files, bytes shared with another
 * buffer) have no room, by capacity == start + len: an append needs no test of flags. A sendfile
 * chain has no base at all until strata_chain_load(). */
struct evbuffer_chain {
  struct evbuffer_chain *next;
  unsigned char *base;
  size_t capacity;
  size_t start;
  size_t len;
  uint32_t flags;
  int num_refs; /* counted once SHARED or a PINNED flag was set; atomic */
};

enum {
  /* The pool class of the allocation plus one; 0 for an allocation of no class's size. */
  CHAIN_CLASS_MASK = 0x7,
  /* Where the bytes come from; at most one, none for a plain chain. */
  CHAIN_REFERENCE = 0x8,
  CHAIN_MULTICAST = 0x10,
  CHAIN_FILE = 0x20,
  /* A FILE chain whose bytes are not in memory. */
  CHAIN_SENDFILE = 0x40,
  /* A multicast chain of another buffer shows these bytes. */
  CHAIN_SHARED = 0x80,
  /* The kernel reads the bytes (an overlapped send). */
  CHAIN_PINNED_READ = 0x100,
  /* The kernel writes into the room (an overlapped receive). */
  CHAIN_PINNED_WRITE = 0x200,
  /* Freeing it may call a function of the user's. */
  CHAIN_CLEANUP = 0x400,

  CHAIN_PINNED = CHAIN_PINNED_READ | CHAIN_PINNED_WRITE,
  /* Its bytes may neither move nor be overwritten, the front gap included. */
  CHAIN_IMMUTABLE = CHAIN_REFERENCE | CHAIN_MULTICAST | CHAIN_FILE | CHAIN_SHARED | CHAIN_PINNED,
};

/* The least room that a plain chain is made with. */
#define CHAIN_MIN_ROOM ((size_t)512)

/* A plain chain with room for at least `room` bytes, from the pool (which may be NULL) if it has
 * one. NULL when out of memory. */
struct evbuffer_chain *strata_chain_new(struct evbuffer_chain_pool *pool, size_t room);

/* A chain without room, followed by what its kind needs: up to CHAIN_MAX_EXT_LEN bytes at
 * strata_chain_ext(). */
#define CHAIN_MAX_EXT_LEN (64 - sizeof(struct evbuffer_chain))
struct evbuffer_chain *strata_chain_new_view(struct evbuffer_chain_pool *pool, uint32_t flags);

/* A view that shows nothing any more, kept as a spare for the next one: it has no room either. */
static inline void strata_chain_make_bare(struct evbuffer_chain *chain) {
  chain->next = NULL;
  chain->base = (unsigned char *)(chain + 1);
  chain->capacity = 0;
  chain->start = 0;
  chain->len = 0;
  chain->flags &= CHAIN_CLASS_MASK;
}
static inline int strata_chain_is_bare(const struct evbuffer_chain *chain) {
  return chain->flags == EVBUFFER_CHAIN_POOL_VIEW_CLASS + 1;
}

/* Gives up the owner's reference. The chain's memory goes back to the pool (which may be NULL)
 * once nothing else refers to it. */
void strata_chain_free(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool);
/* The same for a whole list. */
void strata_chain_free_list(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool);

/* Takes one more reference for another buffer: from now on the bytes do not change. */
void strata_chain_share(struct evbuffer_chain *chain);
/* Gives that reference back; from any thread. */
void strata_chain_unshare(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool);

/* Keeps the chain's memory alive and in place while the kernel uses it: one of CHAIN_PINNED_*.
 * A chain may be freed by its buffer meanwhile; its memory then goes at the unpinning. While
 * a chain is pinned for writing, the owner of the buffer keeps its back frozen. Both are called
 * with the lock of the buffer that the chain is (or was) in. */
void strata_chain_pin(struct evbuffer_chain *chain, uint32_t pin);
void strata_chain_unpin(struct evbuffer_chain *chain, uint32_t pin);

static inline void *strata_chain_ext(struct evbuffer_chain *chain) {
  return (void *)(chain + 1);
}

static inline unsigned char *strata_chain_begin(const struct evbuffer_chain *chain) {
  return chain->base + chain->start;
}

static inline unsigned char *strata_chain_end(const struct evbuffer_chain *chain) {
  return chain->base + chain->start + chain->len;
}

static inline size_t strata_chain_room(const struct evbuffer_chain *chain) {
  return chain->capacity - chain->start - chain->len;
}

/* Whether moving its bytes to the start of the block is possible, makes `need` bytes of room,
 * and is cheaper than another block. */
int strata_chain_can_realign(const struct evbuffer_chain *chain, size_t need);
void strata_chain_realign(struct evbuffer_chain *chain);

#ifdef __cplusplus
}
#endif
#endif
