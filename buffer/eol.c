#include <string.h>

#include <event2/buffer_compat.h>

#include "buffer/file_segment.h"
#include "buffer/pointer.h"
#include "util/memory.h"

/* Two byte values are looked for this many bytes at a time, so that one which is far away or
 * absent costs little for each line. */
#define SCAN_LEN ((size_t)256)

/* A place in the buffer on the way through it. */
struct cursor {
  const struct evbuffer *buf;
  struct evbuffer_chain *chain; /* NULL at the end */
  size_t offset;
  size_t chain_pos; /* of the chain's first byte */
};

static struct evbuffer_ptr cursor_pointer(const struct cursor *at) {
  return strata_pointer(at->chain_pos + at->offset, at->chain, at->offset);
}

static inline void cursor_next_chain(struct cursor *at) {
  at->chain_pos += at->chain->len;
  at->offset = 0;
  at->chain = strata_buffer_next_data(at->buf, at->chain);
}

static void cursor_next_byte(struct cursor *at) {
  if (++at->offset == at->chain->len) cursor_next_chain(at);
}

/* The byte there, or -1 at the end. */
static int cursor_byte(const struct cursor *at) {
  if (!at->chain || strata_chain_load(at->chain) < 0) return -1;
  return strata_chain_begin(at->chain)[at->offset];
}

static const unsigned char *find_either(const unsigned char *bytes, size_t len) {
  size_t done_len;
  for (done_len = 0; done_len < len; done_len += SCAN_LEN) {
    const unsigned char *begin = bytes + done_len;
    size_t run_len = len - done_len < SCAN_LEN ? len - done_len : SCAN_LEN;
    const unsigned char *lf = memchr(begin, '\n', run_len);
    const unsigned char *cr = memchr(begin, '\r', lf ? (size_t)(lf - begin) : run_len);
    if (cr) return cr;
    if (lf) return lf;
  }
  return NULL;
}

/* Moves to the next byte of that value (or CR or LF, for EITHER). *out_before, if not NULL, gets
 * the last chain that was passed on the way. Returns 0 when there is no such byte. */
#define EITHER (-1)
static inline int cursor_find(struct cursor *at, int value, struct evbuffer_chain **out_before) {
  while (at->chain) {
    const unsigned char *begin, *hit;
    size_t len = at->chain->len - at->offset;
    if (strata_chain_load(at->chain) < 0) return 0;
    begin = strata_chain_begin(at->chain) + at->offset;
    hit = value == EITHER ? find_either(begin, len) : memchr(begin, value, len);
    if (hit) {
      at->offset += (size_t)(hit - begin);
      return 1;
    }
    if (out_before) *out_before = at->chain;
    cursor_next_chain(at);
  }
  return 0;
}

/* LF, and a CR before it that is not before the start. */
static int find_crlf(struct cursor *at, size_t *out_eol_len) {
  size_t start_pos = at->chain_pos + at->offset;
  struct evbuffer_chain *before = NULL;
  if (!cursor_find(at, '\n', &before)) return 0;
  *out_eol_len = 1;
  if (at->offset > 0) {
    if (at->chain_pos + at->offset == start_pos) return 1;
    if (strata_chain_begin(at->chain)[at->offset - 1] != '\r') return 1;
    at->offset--;
  } else {
    if (!before || strata_chain_end(before)[-1] != '\r') return 1;
    at->chain = before;
    at->chain_pos -= before->len;
    at->offset = before->len - 1;
  }
  *out_eol_len = 2;
  return 1;
}

static int find_crlf_strict(struct cursor *at, size_t *out_eol_len) {
  while (cursor_find(at, '\r', NULL)) {
    struct cursor next = *at;
    cursor_next_byte(&next);
    if (cursor_byte(&next) == '\n') {
      *out_eol_len = 2;
      return 1;
    }
    *at = next;
  }
  return 0;
}

static int find_any(struct cursor *at, size_t *out_eol_len) {
  struct cursor end;
  int value;
  if (!cursor_find(at, EITHER, NULL)) return 0;
  end = *at;
  *out_eol_len = 0;
  while ((value = cursor_byte(&end)) == '\r' || value == '\n') {
    ++*out_eol_len;
    cursor_next_byte(&end);
  }
  return 1;
}

static inline int find_byte(struct cursor *at, int value, size_t *out_eol_len) {
  if (!cursor_find(at, value, NULL)) return 0;
  *out_eol_len = 1;
  return 1;
}

static inline int find_eol(struct cursor *at, enum evbuffer_eol_style style, size_t *out_eol_len) {
  *out_eol_len = 0;
  switch (style) {
    case EVBUFFER_EOL_ANY:
      return find_any(at, out_eol_len);
    case EVBUFFER_EOL_CRLF:
      return find_crlf(at, out_eol_len);
    case EVBUFFER_EOL_CRLF_STRICT:
      return find_crlf_strict(at, out_eol_len);
    case EVBUFFER_EOL_LF:
      return find_byte(at, '\n', out_eol_len);
    case EVBUFFER_EOL_NUL:
      return find_byte(at, '\0', out_eol_len);
  }
  return 0;
}

struct evbuffer_ptr evbuffer_search_eol(struct evbuffer *buffer, struct evbuffer_ptr *start,
                                        size_t *eol_len_out, enum evbuffer_eol_style eol_style) {
  struct cursor at;
  size_t eol_len;
  int is_found;
  strata_buffer_lock(buffer);
  at.buf = buffer;
  at.chain = start ? start->internal_.chain : strata_buffer_first_data(buffer);
  at.offset = start ? start->internal_.pos_in_chain : 0;
  at.chain_pos = start ? (size_t)start->pos - at.offset : 0;
  is_found = find_eol(&at, eol_style, &eol_len);
  if (eol_len_out) *eol_len_out = eol_len;
  strata_buffer_unlock(buffer);
  return is_found ? cursor_pointer(&at) : strata_pointer_none();
}

/* The first `len` bytes as a string of the caller's. */
static char *copy_line(struct evbuffer *buf, size_t len) {
  char *line = strata_malloc(len + 1);
  if (!line) return NULL;
  if (strata_buffer_copy(buf->first, 0, line, len) < 0) {
    strata_free(line);
    return NULL;
  }
  line[len] = '\0';
  return line;
}

char *evbuffer_readln(struct evbuffer *buffer, size_t *n_read_out,
                      enum evbuffer_eol_style eol_style) {
  struct cursor at = {buffer, NULL, 0, 0};
  size_t line_len, eol_len;
  char *line = NULL;
  if (n_read_out) *n_read_out = 0;
  strata_buffer_lock(buffer);
  at.chain = strata_buffer_first_data(buffer);
  if (!buffer->front_frozen && find_eol(&at, eol_style, &eol_len)) {
    line_len = at.chain_pos + at.offset;
    line = copy_line(buffer, line_len);
  }
  if (!line) {
    strata_buffer_unlock(buffer);
    return NULL;
  }
  if (n_read_out) *n_read_out = line_len;
  strata_buffer_discard(buffer, line_len + eol_len);
  strata_buffer_finish(buffer, 0, line_len + eol_len);
  return line;
}

char *evbuffer_readline(struct evbuffer *buffer) {
  return evbuffer_readln(buffer, NULL, EVBUFFER_EOL_ANY);
}
