#include <stdio.h>

#include "buffer/evbuffer_internal.h"
#include "buffer/format.h"

/* Room that most lines fit into: with less at hand, formatting twice is likelier than not. */
#define FIRST_TRY_ROOM ((size_t)128)

/* vsnprintf(3), less the NUL where none is needed. */
static int format(char *out, size_t room, const char *fmt, va_list ap) {
  va_list args;
  int len = strata_format(out, room - 1, fmt, ap);
  if (len >= 0) return len;
  va_copy(args, ap);
  len = vsnprintf(out, room, fmt, args);
  va_end(args);
  return len;
}

int evbuffer_add_vprintf(struct evbuffer *buf, const char *fmt, va_list ap) {
  size_t need = FIRST_TRY_ROOM;
  strata_buffer_lock(buf);
  if (buf->back_frozen) goto fail;
  for (;;) {
    struct evbuffer_chain *chain = strata_buffer_expand(buf, need);
    size_t room;
    int len;
    if (!chain) goto fail;
    room = strata_chain_room(chain);
    len = format((char *)strata_chain_end(chain), room, fmt, ap);
    if (len < 0 || strata_buffer_would_overflow(buf, (size_t)len)) goto fail;
    if ((size_t)len < room) {
      strata_buffer_extend(buf, chain, (size_t)len);
      strata_buffer_finish(buf, (size_t)len, 0);
      return len;
    }
    need = (size_t)len + 1;
  }
fail:
  strata_buffer_unlock(buf);
  return -1;
}

int evbuffer_add_printf(struct evbuffer *buf, const char *fmt, ...) {
  va_list ap;
  int len;
  va_start(ap, fmt);
  len = evbuffer_add_vprintf(buf, fmt, ap);
  va_end(ap);
  return len;
}
