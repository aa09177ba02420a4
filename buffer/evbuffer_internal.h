#ifndef STRATA_BUFFER_EVBUFFER_INTERNAL_H_
#define STRATA_BUFFER_EVBUFFER_INTERNAL_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <event2/buffer.h>

#include "buffer/chain.h"
#include "buffer/chain_pool.h"
#include "buffer/parent.h"
#include "util/lock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The buffer itself, for the packages that embed one. Fields are touched by buffer/ only.
 *
 * The list of chains: from `first` to `last_data` each chain has bytes; those after last_data
 * have none, only room (spares); a bare view comes behind those. Nothing but a PINNED_WRITE chain
 * has start > 0 with len 0. */
struct evbuffer {
  struct evbuffer_chain *first;
  struct evbuffer_chain *last_data; /* NULL exactly when total_len is 0 */
  size_t total_len;
  struct evbuffer_chain *dead;         /* waiting for strata_buffer_finish() to free them */
  struct evbuffer_cb_entry *callbacks; /* newest first */
  strata_lock lock;
  struct evbuffer_chain_pool *pool;
  struct evbuffer_parent *parent;
  struct evbuffer_deferred *deferred; /* NULL while callbacks are immediate */
  uint32_t max_read_len;
  int num_refs; /* of a buffer of its own: its maker's and those of running callbacks */
  uint32_t callback_depth;
  uint8_t flags; /* EVBUFFER_FLAG_* */
  uint8_t front_frozen : 1;
  uint8_t back_frozen : 1;
  uint8_t owns_lock : 1;
  uint8_t embedded : 1;
  uint8_t tells_parent : 1; /* of bytes that are added */
  uint8_t has_removed_callback : 1;
  uint8_t freed : 1; /* evbuffer_free() was called: no callback may run */
};

/* A flag of callbacks: run at once, even where the user's callbacks are deferred. For upper
 * layers, which may not free the buffer or its parent in such a callback. */
#define EVBUFFER_CB_NODEFER 2
/* Another one: evbuffer_setcb() leaves it alone. */
#define EVBUFFER_CB_STAYS 4

/* ---- For the layers above ---- */

/* Makes a buffer in memory of the parent's (which may be NULL). */
void evbuffer_init_embedded(struct evbuffer *buf, struct evbuffer_parent *parent);
/* Frees what such a buffer holds, not the memory. No callback of it may be running or queued,
 * which a parent that counts its references knows. */
void evbuffer_cleanup_embedded(struct evbuffer *buf);

/* Whether it is still as evbuffer_new() makes it, but for its bytes: no callbacks, no settings, no
 * holder but its maker. */
int evbuffer_is_plain(const struct evbuffer *buf);

/* Has the parent's added() called. */
void evbuffer_tell_parent(struct evbuffer *buf);

/* Makes the buffer use a lock of someone else's, who keeps it alive. */
void evbuffer_set_lock_(struct evbuffer *buf, strata_lock lock);

/* New chains come from the pool and old ones go there; takes a reference. NULL: no pool. */
void evbuffer_set_pool(struct evbuffer *buf, struct evbuffer_chain_pool *pool);

/* evbuffer_get_length(), without a call where the buffer has no lock. */
static inline size_t evbuffer_length(const struct evbuffer *buf) {
  return buf->lock ? evbuffer_get_length(buf) : buf->total_len;
}

/* The bytes at the front that lie together; none when the buffer is empty, or when they are a
 * file's that can't be read. */
static inline struct evbuffer_iovec evbuffer_first_bytes(struct evbuffer *buf) {
  struct evbuffer_iovec first = {NULL, 0};
  if (buf->lock || (buf->last_data && (buf->first->flags & CHAIN_SENDFILE))) {
    evbuffer_peek(buf, -1, NULL, &first, 1);
  } else if (buf->last_data) {
    first.iov_base = strata_chain_begin(buf->first);
    first.iov_len = buf->first->len;
  }
  return first;
}

/* One read(2) or readv(2) of at most max_len bytes (values above 128 KiB count as that) to the
 * end of the buffer, frozen or not. Returns bytes, 0 at the end of the stream, -1 with
 * the error in EVUTIL_SOCKET_ERROR().
 * *out_filled (out_filled may be NULL): all that was asked for was read, so there may be more. */
ev_ssize_t evbuffer_recv(struct evbuffer *buf, evutil_socket_t fd, size_t max_len, int *out_filled);

/* Writes and drains at most max_len bytes, frozen or not: one send(2) or sendmsg(2), and one
 * sendfile(2), or what stands in for it, when a file follows. Returns bytes, or -1 with the error
 * in EVUTIL_SOCKET_ERROR() when nothing was written; 0 when there is nothing to write. */
ev_ssize_t evbuffer_send(struct evbuffer *buf, evutil_socket_t fd, size_t max_len);

/* What the kernel moves by itself (overlapped.c), frozen or not. */

/* Bytes have arrived: a copy of them. 0, or -1 without memory. */
int evbuffer_add_received(struct evbuffer *buf, const void *data, size_t len);
/* The same without copying: evbuffer_add_reference_with_offset(). */
int evbuffer_add_received_reference(struct evbuffer *buf, const void *data, size_t offset,
                                    size_t len, evbuffer_ref_cleanup_cb cleanup, void *arg);
/* Up to max_len bytes and num_max pieces at the front are going to be sent. They stay where they
 * are, whatever becomes of the buffer, until evbuffer_unpin_front() is given the chains. Returns
 * the number of pieces, or -1 with errno when the first are a file's that can't be read. */
int evbuffer_pin_front(struct evbuffer *buf, size_t max_len, struct evbuffer_iovec *out_vecs,
                       struct evbuffer_chain **out_chains, int num_max);
void evbuffer_unpin_front(struct evbuffer *buf, struct evbuffer_chain **chains, int num);
/* So many bytes at the front were sent. */
void evbuffer_drain_sent(struct evbuffer *buf, size_t len);

/* ---- Inside buffer/ ---- */

static inline void strata_buffer_lock(const struct evbuffer *buf) {
  strata_lock_acquire(buf->lock);
}
static inline void strata_buffer_unlock(const struct evbuffer *buf) {
  strata_lock_release(buf->lock);
}
/* Takes both locks in an order that all threads share. */
void strata_buffer_lock2_ordered(const struct evbuffer *a, const struct evbuffer *b);
static inline void strata_buffer_lock2(const struct evbuffer *a, const struct evbuffer *b) {
  if (a->lock || b->lock) strata_buffer_lock2_ordered(a, b);
}

void strata_buffer_finish_slow(struct evbuffer *buf, size_t added_len, size_t removed_len);

/* Ends an operation: tells the callbacks, unlocks, frees what discarded chains referred to. The
 * buffer may be gone afterwards. */
static inline void strata_buffer_finish(struct evbuffer *buf, size_t added_len,
                                        size_t removed_len) {
  if (buf->callbacks || buf->dead || buf->tells_parent) {
    strata_buffer_finish_slow(buf, added_len, removed_len);
  } else {
    strata_buffer_unlock(buf);
  }
}
/* The same after `len` bytes went from one buffer to another. */
void strata_buffer_finish_move_slow(struct evbuffer *from, struct evbuffer *to, size_t len);
static inline void strata_buffer_finish_move(struct evbuffer *from, struct evbuffer *to,
                                             size_t len) {
  if (from->callbacks || from->dead) {
    strata_buffer_finish_move_slow(from, to, len);
  } else {
    strata_buffer_unlock(from);
    strata_buffer_finish(to, len, 0);
  }
}

/* Frees callbacks and the deferred state of a buffer that goes away. */
void strata_buffer_free_callbacks(struct evbuffer *buf);
/* Frees a buffer that nothing refers to any more. */
void strata_buffer_destroy(struct evbuffer *buf);
/* Drops a reference, unlocks, and frees the buffer if it was the last. */
static inline void strata_buffer_unref_unlock(struct evbuffer *buf) {
  int is_last = --buf->num_refs == 0;
  strata_buffer_unlock(buf);
  if (is_last) strata_buffer_destroy(buf);
}

/* True when `len` more bytes may not be added. */
static inline int strata_buffer_would_overflow(const struct evbuffer *buf, size_t len) {
  return len > (size_t)EV_SSIZE_MAX - buf->total_len;
}

/* The link that leads to the first spare. */
static inline struct evbuffer_chain **strata_buffer_spares(struct evbuffer *buf) {
  return buf->last_data ? &buf->last_data->next : &buf->first;
}

/* Room for len more bytes in one piece: in last_data or the first spare, which is returned. NULL
 * when out of memory. */
struct evbuffer_chain *strata_buffer_expand(struct evbuffer *buf, size_t len);
/* A spare with that room: the first one, or a new one in the place of those that are there. */
struct evbuffer_chain *strata_buffer_get_spare(struct evbuffer *buf, size_t need);
/* Makes bytes that were written into that chain part of the buffer. */
static inline void strata_buffer_extend(struct evbuffer *buf, struct evbuffer_chain *chain,
                                        size_t len) {
  if (len == 0) return;
  chain->len += len;
  buf->total_len += len;
  buf->last_data = chain;
}
/* Appends a copy; does not look at freezing or overflow. -1 when out of memory. */
int strata_buffer_append(struct evbuffer *buf, const void *data, size_t len);
/* Links a list of chains with bytes (len in all) after last_data. */
static inline void strata_buffer_link_back(struct evbuffer *buf, struct evbuffer_chain *first,
                                           struct evbuffer_chain *last, size_t len) {
  struct evbuffer_chain **link = strata_buffer_spares(buf);
  last->next = *link;
  *link = first;
  buf->last_data = last;
  buf->total_len += len;
}
/* Frees the spares, pinned ones excepted. */
void strata_buffer_free_spares(struct evbuffer *buf);
/* How much room a new chain at either end should have when `need` bytes are needed. */
size_t strata_buffer_growth(const struct evbuffer *buf, size_t need);

/* Throws away len > 0 bytes, which the buffer must have, at the front. */
void strata_buffer_discard_chains(struct evbuffer *buf, size_t len);
static inline void strata_buffer_discard(struct evbuffer *buf, size_t len) {
  struct evbuffer_chain *chain = buf->first;
  if (len >= chain->len) {
    strata_buffer_discard_chains(buf, len);
    return;
  }
  chain->start += len;
  chain->len -= len;
  buf->total_len -= len;
}

/* Bytes that the layers above write into the buffer itself. begin() locks it and makes room for
 * `len` in one piece, at the end of the chain that it returns; NULL, with nothing locked, when they
 * cannot be added. end() makes so many of them part of the buffer. */
static inline struct evbuffer_chain *evbuffer_begin_add(struct evbuffer *buf, size_t len) {
  struct evbuffer_chain *chain = NULL;
  strata_buffer_lock(buf);
  if (!buf->back_frozen && !strata_buffer_would_overflow(buf, len))
    chain = strata_buffer_expand(buf, len);
  if (!chain) strata_buffer_unlock(buf);
  return chain;
}
static inline void evbuffer_end_add(struct evbuffer *buf, struct evbuffer_chain *chain,
                                    size_t len) {
  strata_buffer_extend(buf, chain, len);
  strata_buffer_finish(buf, len, 0);
}

/* Whether a file's bytes are in it. To touch them may raise SIGBUS, should somebody truncate that
 * file (mmap(2)), where a system call that does gets an error. */
static inline int evbuffer_has_file(const struct evbuffer *buf) {
  int found = 0;
  strata_buffer_lock(buf);
  for (struct evbuffer_chain *chain = buf->first; chain && !found; chain = chain->next)
    found = (chain->flags & CHAIN_FILE) != 0;
  strata_buffer_unlock(buf);
  return found;
}

/* Copies len bytes, which must be there, from (chain, offset) on. -1 when bytes of a file could
 * not be loaded. */
int strata_buffer_copy_chains(struct evbuffer_chain *chain, size_t offset, void *out_data,
                              size_t len);
static inline int strata_buffer_copy(struct evbuffer_chain *chain, size_t offset, void *out_data,
                                     size_t len) {
  if (len > chain->len - offset || (chain->flags & CHAIN_SENDFILE)) {
    return strata_buffer_copy_chains(chain, offset, out_data, len);
  }
  memcpy(out_data, strata_chain_begin(chain) + offset, len);
  return 0;
}

#ifdef __cplusplus
}
#endif
#endif
