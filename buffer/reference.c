#include "buffer/reference.h"

#include "buffer/evbuffer_internal.h"

/* What follows the header of a REFERENCE and of a MULTICAST chain. */
struct reference {
  evbuffer_ref_cleanup_cb cleanup;
  void *arg;
};
struct multicast {
  struct evbuffer_chain *source;
};

_Static_assert(sizeof(struct reference) <= CHAIN_MAX_EXT_LEN, "does not fit behind the header");

void strata_reference_release(struct evbuffer_chain *chain) {
  const struct reference *reference = strata_chain_ext(chain);
  reference->cleanup(chain->base, chain->capacity, reference->arg);
}

void strata_multicast_release(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool) {
  const struct multicast *multicast = strata_chain_ext(chain);
  strata_chain_unshare(multicast->source, pool);
}

/* The view that the buffer kept, if it did, or a new one. */
static inline struct evbuffer_chain *take_view(struct evbuffer *buf, uint32_t flags) {
  struct evbuffer_chain **link = strata_buffer_spares(buf);
  struct evbuffer_chain *chain;
  while (*link && !strata_chain_is_bare(*link)) link = &(*link)->next;
  chain = *link;
  if (!chain) return strata_chain_new_view(buf->pool, flags);
  *link = chain->next;
  chain->flags |= flags;
  return chain;
}

/* A chain for the bytes at data + offset. */
static inline struct evbuffer_chain *reference_new(struct evbuffer *buf, const void *data,
                                                   size_t offset, size_t len,
                                                   evbuffer_ref_cleanup_cb cleanup, void *arg) {
  struct reference *reference;
  struct evbuffer_chain *chain = take_view(buf, CHAIN_REFERENCE | (cleanup ? CHAIN_CLEANUP : 0));
  if (!chain) return NULL;
  reference = strata_chain_ext(chain);
  reference->cleanup = cleanup;
  reference->arg = arg;
  /* Never written to: the chain is immutable. */
  chain->base = (unsigned char *)(uintptr_t)data;
  chain->start = offset;
  chain->len = len;
  chain->capacity = offset + len;
  return chain;
}

/* The lock is held, and given up. */
static int add_reference_locked(struct evbuffer *buf, const void *data, size_t offset, size_t len,
                                evbuffer_ref_cleanup_cb cleanup, void *arg) {
  struct evbuffer_chain *chain = NULL;
  if (!strata_buffer_would_overflow(buf, len) && offset <= (size_t)EV_SSIZE_MAX - len) {
    chain = reference_new(buf, data, offset, len, cleanup, arg);
  }
  if (!chain) {
    strata_buffer_unlock(buf);
    return -1;
  }
  if (len > 0) {
    strata_buffer_link_back(buf, chain, chain, len);
  } else {
    /* Chains in the list have bytes: this one is done with at once. */
    chain->next = buf->dead;
    buf->dead = chain;
  }
  strata_buffer_finish(buf, len, 0);
  return 0;
}

static int add_reference(struct evbuffer *buf, const void *data, size_t offset, size_t len,
                         evbuffer_ref_cleanup_cb cleanup, void *arg) {
  strata_buffer_lock(buf);
  if (!buf->back_frozen) return add_reference_locked(buf, data, offset, len, cleanup, arg);
  strata_buffer_unlock(buf);
  return -1;
}

int evbuffer_add_received_reference(struct evbuffer *buf, const void *data, size_t offset,
                                    size_t len, evbuffer_ref_cleanup_cb cleanup, void *arg) {
  strata_buffer_lock(buf);
  return add_reference_locked(buf, data, offset, len, cleanup, arg);
}

int evbuffer_add_reference(struct evbuffer *outbuf, const void *data, size_t datlen,
                           evbuffer_ref_cleanup_cb cleanupfn, void *cleanupfn_arg) {
  return add_reference(outbuf, data, 0, datlen, cleanupfn, cleanupfn_arg);
}

int evbuffer_add_reference_with_offset(struct evbuffer *outbuf, const void *data, size_t offset,
                                       size_t datlen, evbuffer_ref_cleanup_cb cleanupfn,
                                       void *cleanupfn_arg) {
  return add_reference(outbuf, data, offset, datlen, cleanupfn, cleanupfn_arg);
}

/* A chain that shows the bytes of another one; does not yet count as its reference. */
static struct evbuffer_chain *multicast_new(struct evbuffer *buf, struct evbuffer_chain *source) {
  struct multicast *multicast;
  struct evbuffer_chain *chain =
      strata_chain_new_view(buf->pool, CHAIN_MULTICAST | (source->flags & CHAIN_CLEANUP));
  if (!chain) return NULL;
  multicast = strata_chain_ext(chain);
  multicast->source = source;
  chain->base = strata_chain_begin(source);
  chain->len = source->len;
  chain->capacity = source->len;
  return chain;
}

/* Frees chains that were made by multicast_new() and are shown to nobody. */
static void abandon(struct evbuffer_chain *chain, struct evbuffer_chain_pool *pool) {
  struct evbuffer_chain *link;
  for (link = chain; link; link = link->next) link->flags &= CHAIN_CLASS_MASK;
  strata_chain_free_list(chain, pool);
}

static int can_share(const struct evbuffer *buf) {
  const struct evbuffer_chain *chain;
  for (chain = buf->first; chain; chain = chain->next) {
    /* The room of a block that the kernel is writing to cannot be cut off. */
    if (chain->flags & (CHAIN_MULTICAST | CHAIN_FILE | CHAIN_PINNED_WRITE)) return 0;
    if (chain == buf->last_data) break;
  }
  return 1;
}

static int share_all(struct evbuffer *to, struct evbuffer *from) {
  struct evbuffer_chain *end = from->last_data->next;
  struct evbuffer_chain *first = NULL;
  struct evbuffer_chain *last = NULL;
  struct evbuffer_chain *source;
  for (source = from->first; source != end; source = source->next) {
    struct evbuffer_chain *chain = multicast_new(to, source);
    if (!chain) {
      abandon(first, to->pool);
      return -1;
    }
    if (last) {
      last->next = chain;
    } else {
      first = chain;
    }
    last = chain;
  }
  for (source = from->first; source != end; source = source->next) strata_chain_share(source);
  strata_buffer_link_back(to, first, last, from->total_len);
  return 0;
}

int evbuffer_add_buffer_reference(struct evbuffer *outbuf, struct evbuffer *inbuf) {
  size_t len;
  int result = 0;
  strata_buffer_lock2(inbuf, outbuf);
  len = inbuf->total_len;
  if (len > 0) {
    if (outbuf->back_frozen || outbuf == inbuf || strata_buffer_would_overflow(outbuf, len) ||
        !can_share(inbuf)) {
      result = -1;
    } else {
      result = share_all(outbuf, inbuf);
    }
  }
  strata_buffer_unlock(inbuf);
  if (result < 0) {
    strata_buffer_unlock(outbuf);
  } else {
    strata_buffer_finish(outbuf, len, 0);
  }
  return result;
}
