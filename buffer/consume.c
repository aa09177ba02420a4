#include <limits.h>
#include <string.h>

#include "buffer/evbuffer_internal.h"
#include "buffer/file_segment.h"

/* A buffer without a pool keeps one block up to this size when it becomes empty, so that filling
 * and emptying it again and again does not allocate. */
#define MAX_KEPT_ROOM ((size_t)8192)
/* While it has bytes, it keeps one up to this size behind them: a queue that never runs empty
 * does not allocate either. */
#define MAX_RECYCLED_ROOM ((size_t)16384)

/* One view is kept, too: evbuffer_add_reference() takes it again. */
static int can_keep_view(const struct evbuffer *buf, const struct evbuffer_chain *chain) {
  return EVBUFFER_KEEPS_STORAGE && !buf->pool &&
         (chain->flags & (CHAIN_IMMUTABLE | CHAIN_CLEANUP)) == CHAIN_REFERENCE;
}

static int can_keep(const struct evbuffer *buf, const struct evbuffer_chain *chain) {
  return EVBUFFER_KEEPS_STORAGE && !buf->pool && !(chain->flags & CHAIN_IMMUTABLE) &&
         chain->capacity <= MAX_KEPT_ROOM;
}

/* Frees a chain that is linked nowhere, later if that may call the user. */
static void release_chain(struct evbuffer *buf, struct evbuffer_chain *chain) {
  if (chain->flags & CHAIN_CLEANUP) {
    chain->next = buf->dead;
    buf->dead = chain;
  } else {
    strata_chain_free(chain, buf->pool);
  }
}

/* Makes a chain whose bytes are gone the spare, if there is none, or frees it. */
static void recycle_chain(struct evbuffer *buf, struct evbuffer_chain *chain) {
  if (EVBUFFER_KEEPS_STORAGE && !buf->pool && !buf->last_data->next &&
      !(chain->flags & CHAIN_IMMUTABLE) && chain->capacity <= MAX_RECYCLED_ROOM) {
    chain->start = 0;
    chain->len = 0;
    chain->next = NULL;
    buf->last_data->next = chain;
  } else {
    release_chain(buf, chain);
  }
}

/* Empties a list that is the buffer's no more, and links what stays as spares. */
static void discard_list(struct evbuffer *buf, struct evbuffer_chain *chain) {
  struct evbuffer_chain **link = &buf->first;
  struct evbuffer_chain *view = NULL;
  int has_kept = 0;
  while (chain) {
    struct evbuffer_chain *next = chain->next;
    int is_pinned = (chain->flags & CHAIN_PINNED_WRITE) != 0;
    if (is_pinned || (!has_kept && can_keep(buf, chain))) {
      /* The kernel's room begins after the bytes, and stays where it is. */
      chain->start = is_pinned ? chain->start + chain->len : 0;
      chain->len = 0;
      chain->next = NULL;
      *link = chain;
      link = &chain->next;
      has_kept = 1;
    } else if (!view && can_keep_view(buf, chain)) {
      strata_chain_make_bare(chain);
      view = chain;
    } else {
      release_chain(buf, chain);
    }
    chain = next;
  }
  /* Behind those that have room. */
  *link = view;
}

static void discard_all(struct evbuffer *buf) {
  struct evbuffer_chain *chain = buf->first;
  buf->last_data = NULL;
  buf->total_len = 0;
  if (!chain->next && can_keep(buf, chain)) {
    /* The common case, in short. */
    chain->start = 0;
    chain->len = 0;
  } else {
    discard_list(buf, chain);
  }
}

void strata_buffer_discard_chains(struct evbuffer *buf, size_t len) {
  struct evbuffer_chain *chain = buf->first;
  if (len == buf->total_len) {
    discard_all(buf);
    return;
  }
  buf->total_len -= len;
  while (len >= chain->len) {
    struct evbuffer_chain *next = chain->next;
    len -= chain->len;
    recycle_chain(buf, chain);
    chain = next;
  }
  chain->start += len;
  chain->len -= len;
  buf->first = chain;
}

int strata_buffer_copy_chains(struct evbuffer_chain *chain, size_t offset, void *out_data,
                              size_t len) {
  unsigned char *out = out_data;
  while (len > 0) {
    size_t run_len = chain->len - offset;
    if (run_len > len) run_len = len;
    if (strata_chain_load(chain) < 0) return -1;
    memcpy(out, strata_chain_begin(chain) + offset, run_len);
    out += run_len;
    len -= run_len;
    offset = 0;
    chain = chain->next;
  }
  return 0;
}

int evbuffer_drain(struct evbuffer *buf, size_t len) {
  strata_buffer_lock(buf);
  if (buf->total_len == 0 || len == 0) {
    strata_buffer_unlock(buf);
    return 0;
  }
  if (buf->front_frozen) {
    strata_buffer_unlock(buf);
    return -1;
  }
  if (len > buf->total_len) len = buf->total_len;
  strata_buffer_discard(buf, len);
  strata_buffer_finish(buf, 0, len);
  return 0;
}

/* Copies up to len bytes from the front; -1 when frozen or when loading fails. */
static ev_ssize_t copy_front(struct evbuffer *buf, void *out_data, size_t len) {
  if (len > buf->total_len) len = buf->total_len;
  if (len == 0) return 0;
  if (buf->front_frozen || strata_buffer_copy(buf->first, 0, out_data, len) < 0) return -1;
  return (ev_ssize_t)len;
}

int evbuffer_remove(struct evbuffer *buf, void *data, size_t datlen) {
  ev_ssize_t len;
  strata_buffer_lock(buf);
  len = copy_front(buf, data, datlen > INT_MAX ? INT_MAX : datlen);
  if (len <= 0) {
    strata_buffer_unlock(buf);
    return (int)len;
  }
  strata_buffer_discard(buf, (size_t)len);
  strata_buffer_finish(buf, 0, (size_t)len);
  return (int)len;
}

ev_ssize_t evbuffer_copyout(struct evbuffer *buf, void *data_out, size_t datlen) {
  ev_ssize_t len;
  strata_buffer_lock(buf);
  len = copy_front(buf, data_out, datlen);
  strata_buffer_unlock(buf);
  return len;
}

static ev_ssize_t copy_from(struct evbuffer *buf, const struct evbuffer_ptr *pos, void *out_data,
                            size_t len) {
  size_t available_len;
  if (pos->pos < 0 || (size_t)pos->pos > buf->total_len) return -1;
  available_len = buf->total_len - (size_t)pos->pos;
  if (len > available_len) len = available_len;
  if (len == 0) return 0;
  if (buf->front_frozen || !pos->internal_.chain) return -1;
  if (strata_buffer_copy(pos->internal_.chain, pos->internal_.pos_in_chain, out_data, len) < 0) {
    return -1;
  }
  return (ev_ssize_t)len;
}

ev_ssize_t evbuffer_copyout_from(struct evbuffer *buf, const struct evbuffer_ptr *pos,
                                 void *data_out, size_t datlen) {
  ev_ssize_t len;
  if (!pos) return evbuffer_copyout(buf, data_out, datlen);
  strata_buffer_lock(buf);
  len = copy_from(buf, pos, data_out, datlen);
  strata_buffer_unlock(buf);
  return len;
}
