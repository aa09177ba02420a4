#include "buffer/file_segment.h"

#include <errno.h>
#include <string.h>

#include "buffer/evbuffer_internal.h"
#include "buffer/fd_io.h"
#include "util/lock.h"
#include "util/memory.h"
#include "util/platform.h"

struct evbuffer_file_segment {
  strata_lock lock; /* guards the loading */
  int num_refs;     /* atomic: the maker's and one a chain */
  int fd;
  unsigned flags;
  ev_off_t file_offset;
  size_t len;
  unsigned char *content; /* NULL until loaded; constant then */
  struct strata_file_map map;
  evbuffer_file_segment_cleanup_cb cleanup;
  void *cleanup_arg;
};

/* What follows the header of a FILE chain. The chain's position in the segment is `offset` plus
 * its `start`. */
struct file_view {
  struct evbuffer_file_segment *segment;
  size_t offset;
};

_Static_assert(sizeof(struct file_view) <= CHAIN_MAX_EXT_LEN, "does not fit behind the header");

static const struct file_view *view_of(const struct evbuffer_chain *chain) {
  return (const struct file_view *)(const void *)(chain + 1);
}

/* ---- Segments ---- */

static unsigned char *read_content(const struct evbuffer_file_segment *segment) {
  unsigned char *content = strata_malloc(segment->len);
  if (!content) return NULL;
  if (strata_fd_read_at(segment->fd, segment->file_offset, content, segment->len) < 0) {
    int error = errno;
    strata_free(content);
    errno = error;
    return NULL;
  }
  return content;
}

/* 0, or -1 with errno. Does nothing the second time. */
static int load_locked(struct evbuffer_file_segment *segment) {
  if (segment->content || segment->len == 0) return 0;
  if (STRATA_HAVE_FILE_MAPS && !(segment->flags & EVBUF_FS_DISABLE_MMAP)) {
    segment->content =
        strata_fd_map(segment->fd, segment->file_offset, segment->len, &segment->map);
    if (segment->content) return 0;
  }
  segment->content = read_content(segment);
  return segment->content ? 0 : -1;
}

static int load(struct evbuffer_file_segment *segment) {
  int result;
  strata_lock_acquire(segment->lock);
  result = load_locked(segment);
  strata_lock_release(segment->lock);
  return result;
}

/* Turns -1 into what the file has after the offset; 0 when the range makes no sense. */
static int resolve_length(int fd, ev_off_t offset, ev_off_t *length) {
  if (offset < 0) return 0;
  if (*length == -1) {
    ev_off_t file_len = strata_fd_file_len(fd);
    if (file_len < offset) return 0;
    *length = file_len - offset;
  }
  return *length >= 0 && (ev_uint64_t)*length <= (ev_uint64_t)EV_SSIZE_MAX &&
         offset <= EV_INT64_MAX - *length;
}

struct evbuffer_file_segment *evbuffer_file_segment_new(int fd, ev_off_t offset, ev_off_t length,
                                                        unsigned flags) {
  struct evbuffer_file_segment *segment;
  if (!resolve_length(fd, offset, &length)) return NULL;
  segment = strata_calloc(1, sizeof(*segment));
  if (!segment) return NULL;
  segment->num_refs = 1;
  segment->fd = fd;
  segment->flags = flags;
  segment->file_offset = offset;
  segment->len = (size_t)length;
  if (!(flags & EVBUF_FS_DISABLE_LOCKING) && strata_lock_init(&segment->lock, 0) < 0) goto fail;
  if ((flags & EVBUF_FS_DISABLE_SENDFILE) && load_locked(segment) < 0) goto fail;
  return segment;
fail:
  strata_lock_destroy(&segment->lock, 0);
  strata_free(segment);
  return NULL;
}

static void segment_destroy(struct evbuffer_file_segment *segment) {
  if (segment->map.address) {
    strata_fd_unmap(&segment->map);
  } else {
    strata_free(segment->content);
  }
  if (segment->flags & EVBUF_FS_CLOSE_ON_FREE) strata_fd_close(segment->fd);
  if (segment->cleanup) segment->cleanup(segment, (int)segment->flags, segment->cleanup_arg);
  strata_lock_destroy(&segment->lock, 0);
  strata_free(segment);
}

void evbuffer_file_segment_free(struct evbuffer_file_segment *seg) {
  if (__atomic_sub_fetch(&seg->num_refs, 1, __ATOMIC_ACQ_REL) == 0) segment_destroy(seg);
}

void evbuffer_file_segment_add_cleanup_cb(struct evbuffer_file_segment *seg,
                                          evbuffer_file_segment_cleanup_cb cb, void *arg) {
  seg->cleanup = cb;
  seg->cleanup_arg = arg;
}

/* ---- Chains ---- */

/* A chain that shows a part of a segment and has a reference to it. */
static struct evbuffer_chain *file_chain_new(struct evbuffer_file_segment *segment, size_t offset,
                                             size_t len, uint32_t flags,
                                             struct evbuffer_chain_pool *pool) {
  struct file_view *view;
  struct evbuffer_chain *chain = strata_chain_new_view(pool, CHAIN_FILE | CHAIN_CLEANUP | flags);
  if (!chain) return NULL;
  view = strata_chain_ext(chain);
  view->segment = segment;
  view->offset = offset;
  chain->len = len;
  chain->capacity = len;
  if (!(flags & CHAIN_SENDFILE)) chain->base = segment->content + offset;
  __atomic_add_fetch(&segment->num_refs, 1, __ATOMIC_RELAXED);
  return chain;
}

void strata_file_chain_release(struct evbuffer_chain *chain) {
  evbuffer_file_segment_free(view_of(chain)->segment);
}

struct evbuffer_chain *strata_file_chain_split(const struct evbuffer_chain *chain, size_t len,
                                               struct evbuffer_chain_pool *pool) {
  const struct file_view *view = view_of(chain);
  return file_chain_new(view->segment, view->offset + chain->start, len,
                        chain->flags & CHAIN_SENDFILE, pool);
}

int strata_file_chain_load(struct evbuffer_chain *chain) {
  const struct file_view *view = view_of(chain);
  if (load(view->segment) < 0) return -1;
  chain->base = view->segment->content + view->offset;
  chain->flags &= ~(uint32_t)CHAIN_SENDFILE;
  return 0;
}

int strata_file_chain_fd(const struct evbuffer_chain *chain) {
  return view_of(chain)->segment->fd;
}

ev_off_t strata_file_chain_position(const struct evbuffer_chain *chain) {
  const struct file_view *view = view_of(chain);
  return view->segment->file_offset + (ev_off_t)(view->offset + chain->start);
}

/* ---- Adding to a buffer ---- */

/* Turns -1 into what the segment has after the offset; 0 when it has no such part. */
static int resolve_part(const struct evbuffer_file_segment *segment, ev_off_t offset,
                        ev_off_t *length) {
  if (offset < 0 || (ev_uint64_t)offset > segment->len) return 0;
  if (*length < 0) *length = (ev_off_t)segment->len - offset;
  return (ev_uint64_t)*length <= segment->len - (ev_uint64_t)offset;
}

static int can_stay_in_file(const struct evbuffer *buf,
                            const struct evbuffer_file_segment *segment) {
  return (buf->flags & EVBUFFER_FLAG_DRAINS_TO_FD) && !(segment->flags & EVBUF_FS_DISABLE_SENDFILE);
}

static int add_part(struct evbuffer *buf, struct evbuffer_file_segment *segment, size_t offset,
                    size_t len) {
  struct evbuffer_chain *chain;
  uint32_t flags = CHAIN_SENDFILE;
  if (!can_stay_in_file(buf, segment)) {
    if (load(segment) < 0) return -1;
    flags = 0;
  }
  chain = file_chain_new(segment, offset, len, flags, buf->pool);
  if (!chain) return -1;
  strata_buffer_link_back(buf, chain, chain, len);
  return 0;
}

int evbuffer_add_file_segment(struct evbuffer *buf, struct evbuffer_file_segment *seg,
                              ev_off_t offset, ev_off_t length) {
  strata_buffer_lock(buf);
  if (buf->back_frozen || !resolve_part(seg, offset, &length) ||
      strata_buffer_would_overflow(buf, (size_t)length) ||
      (length > 0 && add_part(buf, seg, (size_t)offset, (size_t)length) < 0)) {
    strata_buffer_unlock(buf);
    return -1;
  }
  strata_buffer_finish(buf, (size_t)length, 0);
  return 0;
}

int evbuffer_add_file(struct evbuffer *outbuf, int fd, ev_off_t offset, ev_off_t length) {
  struct evbuffer_file_segment *segment =
      evbuffer_file_segment_new(fd, offset, length, EVBUF_FS_CLOSE_ON_FREE);
  int result;
  if (!segment) return -1;
  result = evbuffer_add_file_segment(outbuf, segment, 0, -1);
  if (result < 0) segment->flags &= ~(unsigned)EVBUF_FS_CLOSE_ON_FREE;
  evbuffer_file_segment_free(segment);
  return result;
}
