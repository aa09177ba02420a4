#include "http/chunk_writer.h"

#include <stddef.h>

#include <event2/buffer.h>

static int write_size(struct evbuffer *output, size_t len) {
  char line[sizeof(len) * 2 + 2], *at = line + sizeof(line);
  *--at = '\n';
  *--at = '\r';
  do {
    *--at = "0123456789abcdef"[len % 16];
    len /= 16;
  } while (len);
  return evbuffer_add(output, at, (size_t)(line + sizeof(line) - at));
}

int strata_http_chunk_write(struct evbuffer *output, struct evbuffer *piece) {
  size_t len = evbuffer_get_length(piece);
  /* A chunk of no bytes would end the body. */
  if (!len) return 0;
  if (write_size(output, len) < 0) return -1;
  if (evbuffer_add_buffer(output, piece) < 0) return -1;
  return evbuffer_add(output, "\r\n", 2);
}

int strata_http_chunk_write_last(struct evbuffer *output) {
  return evbuffer_add(output, "0\r\n\r\n", 5);
}
