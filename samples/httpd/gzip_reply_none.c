/* Where there is no zlib: files go out as they are. */
#include <stddef.h>

#include "samples/httpd/gzip_reply.h"

bool gzip_is_available(void) {
  return false;
}

int gzip_file(int fd, uint64_t size, struct evbuffer *output) {
  (void)fd, (void)size, (void)output;
  return -1;
}

struct gzip_reply *gzip_reply_new(struct evhttp_request *req, int fd, uint64_t size) {
  (void)req, (void)fd, (void)size;
  return NULL;
}

void gzip_reply_send(struct gzip_reply *reply, int status, struct transfer *transfer) {
  (void)reply, (void)status, (void)transfer;
}

void gzip_reply_free(struct gzip_reply *reply) {
  (void)reply;
}
