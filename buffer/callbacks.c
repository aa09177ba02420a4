#include <event2/buffer_compat.h>

#include "buffer/evbuffer_internal.h"
#include "util/executor.h"
#include "util/memory.h"

/* Flags of entries that the user cannot set. */
enum {
  CB_OBSOLETE = 0x00040000, /* registered by evbuffer_setcb() */
  CB_REMOVED = 0x00080000,  /* freed once no pass over the list is going on */
  CB_INTERNAL_FLAGS = 0x7fff0000,
};

struct evbuffer_cb_entry {
  struct evbuffer_cb_entry *next;
  union {
    evbuffer_cb_func current;
    evbuffer_cb obsolete;
  } function;
  void *arg;
  ev_uint32_t flags;
};

/* State of a buffer whose callbacks are deferred: what happened since they last ran. */
struct evbuffer_deferred {
  struct event_callback callback;
  struct event_executor *executor;
  size_t added_len;
  size_t removed_len;
};

/* ---- Registration ---- */

static struct evbuffer_cb_entry *add_entry(struct evbuffer *buf, void *arg, ev_uint32_t flags) {
  struct evbuffer_cb_entry *entry = strata_calloc(1, sizeof(*entry));
  if (!entry) return NULL;
  entry->arg = arg;
  entry->flags = flags;
  entry->next = buf->callbacks;
  buf->callbacks = entry;
  return entry;
}

struct evbuffer_cb_entry *evbuffer_add_cb(struct evbuffer *buffer, evbuffer_cb_func cb,
                                          void *cbarg) {
  struct evbuffer_cb_entry *entry;
  strata_buffer_lock(buffer);
  entry = add_entry(buffer, cbarg, EVBUFFER_CB_ENABLED);
  if (entry) entry->function.current = cb;
  strata_buffer_unlock(buffer);
  return entry;
}

/* Unlinks and frees what was removed, unless a pass over the list is going on. */
static void sweep(struct evbuffer *buf) {
  struct evbuffer_cb_entry **link = &buf->callbacks;
  if (buf->callback_depth > 0) return;
  buf->has_removed_callback = 0;
  while (*link) {
    struct evbuffer_cb_entry *entry = *link;
    if (entry->flags & CB_REMOVED) {
      *link = entry->next;
      strata_free(entry);
    } else {
      link = &entry->next;
    }
  }
}

static void mark_removed(struct evbuffer *buf, struct evbuffer_cb_entry *entry) {
  buf->has_removed_callback = 1;
  entry->flags = (entry->flags & ~(ev_uint32_t)EVBUFFER_CB_ENABLED) | CB_REMOVED;
}

int evbuffer_remove_cb_entry(struct evbuffer *buffer, struct evbuffer_cb_entry *ent) {
  strata_buffer_lock(buffer);
  mark_removed(buffer, ent);
  sweep(buffer);
  strata_buffer_unlock(buffer);
  return 0;
}

int evbuffer_remove_cb(struct evbuffer *buffer, evbuffer_cb_func cb, void *cbarg) {
  struct evbuffer_cb_entry *entry;
  int result = -1;
  strata_buffer_lock(buffer);
  for (entry = buffer->callbacks; entry; entry = entry->next) {
    if (entry->flags & (CB_REMOVED | CB_OBSOLETE)) continue;
    if (entry->function.current == cb && entry->arg == cbarg) {
      mark_removed(buffer, entry);
      sweep(buffer);
      result = 0;
      break;
    }
  }
  strata_buffer_unlock(buffer);
  return result;
}

/* Callbacks of upper layers stay: without them a bufferevent would no longer write. */
static void remove_user_callbacks(struct evbuffer *buf) {
  struct evbuffer_cb_entry *entry;
  for (entry = buf->callbacks; entry; entry = entry->next) {
    if (!(entry->flags & EVBUFFER_CB_STAYS)) mark_removed(buf, entry);
  }
  if (buf->has_removed_callback) sweep(buf);
}

int evbuffer_setcb(struct evbuffer *buffer, evbuffer_cb cb, void *cbarg) {
  struct evbuffer_cb_entry *entry = NULL;
  strata_buffer_lock(buffer);
  if (cb) {
    /* Disabled and first in the list until the old ones are gone. */
    entry = add_entry(buffer, cbarg, CB_OBSOLETE | EVBUFFER_CB_STAYS);
    if (!entry) {
      strata_buffer_unlock(buffer);
      return -1;
    }
    entry->function.obsolete = cb;
  }
  remove_user_callbacks(buffer);
  if (entry) entry->flags = CB_OBSOLETE | EVBUFFER_CB_ENABLED;
  strata_buffer_unlock(buffer);
  return 0;
}

int evbuffer_cb_set_flags(struct evbuffer *buffer, struct evbuffer_cb_entry *cb,
                          ev_uint32_t flags) {
  strata_buffer_lock(buffer);
  cb->flags |= flags & ~(ev_uint32_t)CB_INTERNAL_FLAGS;
  strata_buffer_unlock(buffer);
  return 0;
}

int evbuffer_cb_clear_flags(struct evbuffer *buffer, struct evbuffer_cb_entry *cb,
                            ev_uint32_t flags) {
  strata_buffer_lock(buffer);
  cb->flags &= ~(flags & ~(ev_uint32_t)CB_INTERNAL_FLAGS);
  strata_buffer_unlock(buffer);
  return 0;
}

void strata_buffer_free_callbacks(struct evbuffer *buf) {
  struct evbuffer_cb_entry *entry = buf->callbacks;
  while (entry) {
    struct evbuffer_cb_entry *next = entry->next;
    strata_free(entry);
    entry = next;
  }
  strata_free(buf->deferred);
}

/* ---- Running ---- */

/* Calls the entries whose flags, as far as `mask` goes, are `wanted`. The caller keeps the buffer
 * alive. */
static inline void run_entries(struct evbuffer *buf, ev_uint32_t mask, ev_uint32_t wanted,
                               size_t added_len, size_t removed_len) {
  struct evbuffer_cb_info info;
  struct evbuffer_cb_entry *entry;
  size_t new_len = buf->total_len;
  info.orig_size = new_len + removed_len - added_len;
  info.n_added = added_len;
  info.n_deleted = removed_len;
  buf->callback_depth++;
  for (entry = buf->callbacks; entry && !buf->freed; entry = entry->next) {
    if ((entry->flags & mask) != wanted) continue;
    if (entry->flags & CB_OBSOLETE) {
      entry->function.obsolete(buf, info.orig_size, new_len, entry->arg);
    } else {
      entry->function.current(buf, &info, entry->arg);
    }
  }
  buf->callback_depth--;
  if (buf->has_removed_callback) sweep(buf);
}

static inline void tell_parent(struct evbuffer *buf, size_t added_len) {
  if (added_len && buf->tells_parent) buf->parent->ops->added(buf->parent, buf);
}

/* Calls all of them. */
static void run_enabled(struct evbuffer *buf, size_t added_len, size_t removed_len) {
  if (buf->callbacks)
    run_entries(buf, EVBUFFER_CB_ENABLED, EVBUFFER_CB_ENABLED, added_len, removed_len);
  tell_parent(buf, added_len);
}

static inline int has_user_callback(const struct evbuffer *buf) {
  const struct evbuffer_cb_entry *entry;
  for (entry = buf->callbacks; entry; entry = entry->next) {
    if ((entry->flags & (EVBUFFER_CB_ENABLED | EVBUFFER_CB_NODEFER)) == EVBUFFER_CB_ENABLED) {
      return 1;
    }
  }
  return 0;
}

/* Keeps the buffer and what it is embedded in alive until release_unlock(). */
static inline void hold(struct evbuffer *buf) {
  buf->num_refs++;
  if (buf->parent) buf->parent->ops->hold(buf->parent);
}

static inline void release_unlock(struct evbuffer *buf) {
  struct evbuffer_parent *parent = buf->parent;
  strata_buffer_unref_unlock(buf);
  if (parent) parent->ops->release(parent);
}

static void schedule_deferred(struct evbuffer *buf, size_t added_len, size_t removed_len) {
  struct evbuffer_deferred *deferred = buf->deferred;
  deferred->added_len += added_len;
  deferred->removed_len += removed_len;
  if (event_executor_schedule(deferred->executor, &deferred->callback)) hold(buf);
}

/* Runs from the executor. */
static void run_deferred(struct event_callback *callback, void *arg) {
  struct evbuffer *buf = arg;
  struct evbuffer_deferred *deferred = buf->deferred;
  size_t added_len, removed_len;
  (void)callback;
  strata_buffer_lock(buf);
  added_len = deferred->added_len;
  removed_len = deferred->removed_len;
  deferred->added_len = 0;
  deferred->removed_len = 0;
  if (added_len || removed_len) {
    run_entries(buf, EVBUFFER_CB_ENABLED | EVBUFFER_CB_NODEFER, EVBUFFER_CB_ENABLED, added_len,
                removed_len);
  }
  release_unlock(buf);
}

int evbuffer_defer_callbacks(struct evbuffer *buffer, struct event_base *base) {
  struct event_executor *executor = (struct event_executor *)(void *)base;
  struct evbuffer_deferred *deferred = strata_calloc(1, sizeof(*deferred));
  if (!deferred) return -1;
  deferred->executor = executor;
  event_callback_init(&deferred->callback, executor->num_priorities / 2, run_deferred, buffer);
  strata_buffer_lock(buffer);
  if (buffer->deferred) {
    /* Deferred already: a call may be queued, so only what comes next goes to the new base. */
    buffer->deferred->executor = executor;
    strata_free(deferred);
  } else {
    buffer->deferred = deferred;
  }
  strata_buffer_unlock(buffer);
  return 0;
}

static void notify(struct evbuffer *buf, int has_user, size_t added_len, size_t removed_len) {
  if (!buf->deferred) {
    run_enabled(buf, added_len, removed_len);
    return;
  }
  if (has_user) schedule_deferred(buf, added_len, removed_len);
  run_entries(buf, EVBUFFER_CB_ENABLED | EVBUFFER_CB_NODEFER,
              EVBUFFER_CB_ENABLED | EVBUFFER_CB_NODEFER, added_len, removed_len);
  tell_parent(buf, added_len);
}

/* The dead list is newest first; clean-up functions run in the order of the bytes. */
static struct evbuffer_chain *take_dead(struct evbuffer *buf) {
  struct evbuffer_chain *chain = buf->dead;
  struct evbuffer_chain *reversed = NULL;
  buf->dead = NULL;
  while (chain) {
    struct evbuffer_chain *next = chain->next;
    chain->next = reversed;
    reversed = chain;
    chain = next;
  }
  return reversed;
}

/* Gives up the lock while clean-up functions run; it is held again afterwards. */
static void free_dead(struct evbuffer *buf) {
  struct evbuffer_chain *dead = take_dead(buf);
  strata_buffer_unlock(buf);
  strata_chain_free_list(dead, buf->pool);
  strata_buffer_lock(buf);
}

static void finish_deferred_or_dead(struct evbuffer *buf, size_t added_len, size_t removed_len) {
  int changed = added_len || removed_len;
  int has_user = changed && has_user_callback(buf);
  if (!buf->dead && (!has_user || buf->deferred)) {
    /* Nothing that runs now may free the buffer, so there is no need to hold it. */
    if (changed) notify(buf, has_user, added_len, removed_len);
    strata_buffer_unlock(buf);
    return;
  }
  hold(buf);
  if (changed) notify(buf, has_user, added_len, removed_len);
  if (buf->dead) free_dead(buf);
  release_unlock(buf);
}

void strata_buffer_finish_slow(struct evbuffer *buf, size_t added_len, size_t removed_len) {
  if (buf->dead || buf->deferred) {
    finish_deferred_or_dead(buf, added_len, removed_len);
  } else if (!added_len && !removed_len) {
    strata_buffer_unlock(buf);
  } else if (has_user_callback(buf)) {
    hold(buf);
    run_enabled(buf, added_len, removed_len);
    release_unlock(buf);
  } else {
    run_enabled(buf, added_len, removed_len);
    strata_buffer_unlock(buf);
  }
}

void strata_buffer_finish_move_slow(struct evbuffer *from, struct evbuffer *to, size_t len) {
  /* A callback of the first may free the second. */
  hold(to);
  strata_buffer_finish(from, 0, len);
  if (!to->freed) {
    strata_buffer_lock(to);
    strata_buffer_finish(to, len, 0);
  }
  release_unlock(to);
}
