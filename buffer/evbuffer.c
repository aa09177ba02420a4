#include <limits.h>

#include "buffer/evbuffer_internal.h"
#include "util/log.h"
#include "util/memory.h"

#define DEFAULT_MAX_READ_LEN 4096

void evbuffer_init_embedded(struct evbuffer *buf, struct evbuffer_parent *parent) {
  /* Field by field: for this size, compilers turn memset into a slow instruction. */
  buf->first = NULL;
  buf->last_data = NULL;
  buf->total_len = 0;
  buf->dead = NULL;
  buf->callbacks = NULL;
  buf->lock = NULL;
  buf->pool = NULL;
  buf->parent = parent;
  buf->deferred = NULL;
  buf->flags = 0;
  buf->max_read_len = DEFAULT_MAX_READ_LEN;
  buf->num_refs = 1;
  buf->callback_depth = 0;
  buf->front_frozen = 0;
  buf->back_frozen = 0;
  buf->owns_lock = 0;
  buf->embedded = 1;
  buf->has_removed_callback = 0;
  buf->tells_parent = 0;
  buf->freed = 0;
}

struct evbuffer *evbuffer_new(void) {
  struct evbuffer *buf = strata_malloc(sizeof(*buf));
  if (!buf) return NULL;
  evbuffer_init_embedded(buf, NULL);
  buf->embedded = 0;
  return buf;
}

/* Frees everything that the buffer has but its own memory. */
static void destroy_content(struct evbuffer *buf) {
  if (buf->dead) strata_chain_free_list(buf->dead, buf->pool);
  if (buf->first) strata_chain_free_list(buf->first, buf->pool);
  if (buf->callbacks || buf->deferred) strata_buffer_free_callbacks(buf);
  if (buf->pool) evbuffer_chain_pool_unref(buf->pool);
  if (buf->owns_lock) strata_lock_destroy(&buf->lock, EVTHREAD_LOCKTYPE_RECURSIVE);
}

void evbuffer_cleanup_embedded(struct evbuffer *buf) {
  destroy_content(buf);
}

void strata_buffer_destroy(struct evbuffer *buf) {
  destroy_content(buf);
  strata_free(buf);
}

void evbuffer_free(struct evbuffer *buf) {
  /* Embedded buffers go with their parent. */
  strata_assert(!buf->embedded);
  strata_buffer_lock(buf);
  buf->freed = 1;
  strata_buffer_unref_unlock(buf);
}

void evbuffer_set_lock_(struct evbuffer *buf, strata_lock lock) {
  strata_assert(!buf->owns_lock);
  buf->lock = lock;
}

int evbuffer_enable_locking(struct evbuffer *buf, void *lock) {
  if (buf->lock) return -1;
  if (lock) {
    buf->lock = lock;
    return 0;
  }
  if (strata_lock_init(&buf->lock, EVTHREAD_LOCKTYPE_RECURSIVE) < 0 || !buf->lock) return -1;
  buf->owns_lock = 1;
  return 0;
}

void evbuffer_lock(struct evbuffer *buf) {
  strata_buffer_lock(buf);
}

void evbuffer_unlock(struct evbuffer *buf) {
  strata_buffer_unlock(buf);
}

void strata_buffer_lock2_ordered(const struct evbuffer *a, const struct evbuffer *b) {
  if ((uintptr_t)a->lock > (uintptr_t)b->lock) {
    const struct evbuffer *swap = a;
    a = b;
    b = swap;
  }
  strata_buffer_lock(a);
  strata_buffer_lock(b);
}

void evbuffer_set_pool(struct evbuffer *buf, struct evbuffer_chain_pool *pool) {
  if (pool) evbuffer_chain_pool_ref(pool);
  strata_buffer_lock(buf);
  if (buf->pool) evbuffer_chain_pool_unref(buf->pool);
  buf->pool = pool;
  strata_buffer_unlock(buf);
}

int evbuffer_is_plain(const struct evbuffer *buf) {
  return !buf->callbacks && !buf->deferred && !buf->lock && !buf->flags && !buf->front_frozen &&
         !buf->back_frozen && buf->num_refs == 1 && buf->max_read_len == DEFAULT_MAX_READ_LEN;
}

void evbuffer_tell_parent(struct evbuffer *buf) {
  buf->tells_parent = 1;
}

int evbuffer_set_flags(struct evbuffer *buf, ev_uint64_t flags) {
  strata_buffer_lock(buf);
  buf->flags |= (uint8_t)flags;
  strata_buffer_unlock(buf);
  return 0;
}

int evbuffer_clear_flags(struct evbuffer *buf, ev_uint64_t flags) {
  strata_buffer_lock(buf);
  buf->flags &= (uint8_t)~flags;
  strata_buffer_unlock(buf);
  return 0;
}

static void set_frozen(struct evbuffer *buf, int at_front, unsigned char frozen) {
  strata_buffer_lock(buf);
  if (at_front) {
    buf->front_frozen = frozen;
  } else {
    buf->back_frozen = frozen;
  }
  strata_buffer_unlock(buf);
}

int evbuffer_freeze(struct evbuffer *buf, int at_front) {
  set_frozen(buf, at_front, 1);
  return 0;
}

int evbuffer_unfreeze(struct evbuffer *buf, int at_front) {
  set_frozen(buf, at_front, 0);
  return 0;
}

size_t evbuffer_get_length(const struct evbuffer *buf) {
  size_t len;
  if (!buf->lock) return buf->total_len;
  strata_buffer_lock(buf);
  len = buf->total_len;
  strata_buffer_unlock(buf);
  return len;
}

size_t evbuffer_get_contiguous_space(const struct evbuffer *buf) {
  size_t len;
  strata_buffer_lock(buf);
  len = buf->total_len ? buf->first->len : 0;
  strata_buffer_unlock(buf);
  return len;
}

int evbuffer_set_max_read(struct evbuffer *buf, size_t max) {
  if (max > INT_MAX) return -1;
  strata_buffer_lock(buf);
  buf->max_read_len = (uint32_t)max;
  strata_buffer_unlock(buf);
  return 0;
}

size_t evbuffer_get_max_read(struct evbuffer *buf) {
  size_t max_len;
  strata_buffer_lock(buf);
  max_len = buf->max_read_len;
  strata_buffer_unlock(buf);
  return max_len;
}
