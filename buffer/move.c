#include <limits.h>
#include <string.h>

#include "buffer/evbuffer_internal.h"
#include "buffer/file_segment.h"

/* Moving this little is cheaper by copying into room that is there than by relinking, which
 * takes a block from one buffer and an entry of a system call's vector from the other. */
#define MAX_COPY_LEN ((size_t)512)

struct chain_list {
  struct evbuffer_chain *first;
  struct evbuffer_chain *last;
  size_t len;
};

/* The kernel is writing behind the last bytes: they leave their block, which stays. */
static struct evbuffer_chain *copy_pinned(struct evbuffer *buf, struct evbuffer_chain *pinned) {
  struct evbuffer_chain *copy = strata_chain_new(buf->pool, pinned->len);
  if (!copy) return NULL;
  memcpy(copy->base, strata_chain_begin(pinned), pinned->len);
  copy->len = pinned->len;
  return copy;
}

static void replace_last_data(struct evbuffer *buf, struct evbuffer_chain *copy) {
  struct evbuffer_chain *pinned = buf->last_data;
  struct evbuffer_chain **link = &buf->first;
  while (*link != pinned) link = &(*link)->next;
  *link = copy;
  copy->next = pinned;
  pinned->start += pinned->len;
  pinned->len = 0;
  buf->last_data = copy;
}

/* Takes all bytes out, which must be some, and leaves the spares. */
static inline int detach_all(struct evbuffer *buf, struct chain_list *out_list) {
  if (buf->last_data->flags & CHAIN_PINNED_WRITE) {
    struct evbuffer_chain *copy = copy_pinned(buf, buf->last_data);
    if (!copy) return -1;
    replace_last_data(buf, copy);
  }
  out_list->first = buf->first;
  out_list->last = buf->last_data;
  out_list->len = buf->total_len;
  buf->first = buf->last_data->next;
  buf->last_data->next = NULL;
  buf->last_data = NULL;
  buf->total_len = 0;
  return 0;
}

static void link_front(struct evbuffer *buf, const struct chain_list *list) {
  list->last->next = buf->first;
  buf->first = list->first;
  if (!buf->last_data) buf->last_data = list->last;
  buf->total_len += list->len;
}

/* An empty target's spare block goes to the source that has none: blocks then circulate between
 * two buffers instead of being freed on one side and made on the other. */
static inline void hand_over_spare(struct evbuffer *from, struct evbuffer *to) {
  if (from->first || to->total_len > 0 || from->pool || !to->first) return;
  if (to->first->flags & CHAIN_PINNED) return;
  from->first = to->first;
  to->first = to->first->next;
  from->first->next = NULL;
}

/* For little; true when the bytes were copied into the target's last block. */
static int move_by_copy(struct evbuffer *to, struct evbuffer *from) {
  struct evbuffer_chain *source = from->first;
  struct evbuffer_chain *target = to->last_data;
  if (source != from->last_data || !target) return 0;
  if ((source->flags & CHAIN_IMMUTABLE) || strata_chain_room(target) < source->len) return 0;
  memcpy(strata_chain_end(target), strata_chain_begin(source), source->len);
  strata_buffer_extend(to, target, source->len);
  strata_buffer_discard(from, source->len);
  return 1;
}

/* Moves all; the callers have checked that both ends may change. */
static int move_to_back(struct evbuffer *to, struct evbuffer *from) {
  struct chain_list list;
  if (from->total_len <= MAX_COPY_LEN && move_by_copy(to, from)) return 0;
  if (detach_all(from, &list) < 0) return -1;
  hand_over_spare(from, to);
  strata_buffer_link_back(to, list.first, list.last, list.len);
  return 0;
}

static int move_to_front(struct evbuffer *to, struct evbuffer *from) {
  struct chain_list list;
  if (detach_all(from, &list) < 0) return -1;
  hand_over_spare(from, to);
  link_front(to, &list);
  return 0;
}

static void unlock2(const struct evbuffer *a, const struct evbuffer *b) {
  strata_buffer_unlock(a);
  strata_buffer_unlock(b);
}

int evbuffer_add_buffer(struct evbuffer *outbuf, struct evbuffer *inbuf) {
  size_t len;
  strata_buffer_lock2(inbuf, outbuf);
  len = inbuf->total_len;
  if (len == 0 || outbuf == inbuf) {
    unlock2(inbuf, outbuf);
    return 0;
  }
  if (outbuf->back_frozen || inbuf->front_frozen || strata_buffer_would_overflow(outbuf, len) ||
      move_to_back(outbuf, inbuf) < 0) {
    unlock2(inbuf, outbuf);
    return -1;
  }
  strata_buffer_finish_move(inbuf, outbuf, len);
  return 0;
}

int evbuffer_prepend_buffer(struct evbuffer *dst, struct evbuffer *src) {
  size_t len;
  strata_buffer_lock2(src, dst);
  len = src->total_len;
  if (len == 0 || dst == src) {
    unlock2(src, dst);
    return 0;
  }
  if (dst->front_frozen || src->front_frozen || strata_buffer_would_overflow(dst, len) ||
      move_to_front(dst, src) < 0) {
    unlock2(src, dst);
    return -1;
  }
  strata_buffer_finish_move(src, dst, len);
  return 0;
}

/* The whole chains among the first len bytes; their length is out_list->len. Leaves them in the
 * buffer. */
static void find_whole_chains(const struct evbuffer *buf, size_t len, struct chain_list *out_list) {
  struct evbuffer_chain *chain = buf->first;
  out_list->first = chain;
  out_list->last = NULL;
  out_list->len = 0;
  while (chain->len <= len - out_list->len) {
    out_list->len += chain->len;
    out_list->last = chain;
    chain = chain->next;
  }
}

/* A chain with a copy of the first len bytes of `chain`, or another view of a file. */
static struct evbuffer_chain *split_chain(struct evbuffer *to, const struct evbuffer_chain *chain,
                                          size_t len) {
  struct evbuffer_chain *part;
  if (chain->flags & CHAIN_SENDFILE) return strata_file_chain_split(chain, len, to->pool);
  part = strata_chain_new(to->pool, len);
  if (!part) return NULL;
  memcpy(part->base, strata_chain_begin(chain), len);
  part->len = len;
  return part;
}

/* Moves len bytes, fewer than there are. */
static int move_some(struct evbuffer *from, struct evbuffer *to, size_t len) {
  struct chain_list whole;
  struct evbuffer_chain *next;
  struct evbuffer_chain *part = NULL;
  size_t part_len;
  find_whole_chains(from, len, &whole);
  next = whole.last ? whole.last->next : from->first;
  part_len = len - whole.len;
  if (!whole.last && !(next->flags & CHAIN_SENDFILE)) {
    if (strata_buffer_append(to, strata_chain_begin(next), len) < 0) return -1;
    strata_buffer_discard(from, len);
    return 0;
  }
  if (part_len > 0) {
    part = split_chain(to, next, part_len);
    if (!part) return -1;
  }
  if (whole.last) {
    from->first = next;
    from->total_len -= whole.len;
    strata_buffer_link_back(to, whole.first, whole.last, whole.len);
  }
  if (part) {
    strata_buffer_link_back(to, part, part, part_len);
    strata_buffer_discard(from, part_len);
  }
  return 0;
}

int evbuffer_remove_buffer(struct evbuffer *src, struct evbuffer *dst, size_t datlen) {
  int result;
  strata_buffer_lock2(src, dst);
  if (datlen > src->total_len) datlen = src->total_len;
  if (datlen > INT_MAX && datlen < src->total_len) datlen = INT_MAX;
  if (datlen == 0 || src == dst) {
    unlock2(src, dst);
    return 0;
  }
  if (dst->back_frozen || src->front_frozen || strata_buffer_would_overflow(dst, datlen)) {
    result = -1;
  } else if (datlen == src->total_len) {
    result = move_to_back(dst, src);
  } else {
    result = move_some(src, dst, datlen);
  }
  if (result < 0) {
    unlock2(src, dst);
    return -1;
  }
  strata_buffer_finish_move(src, dst, datlen);
  return (int)datlen;
}
