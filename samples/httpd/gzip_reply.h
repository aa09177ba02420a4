#ifndef SAMPLES_HTTPD_GZIP_REPLY_H_
#define SAMPLES_HTTPD_GZIP_REPLY_H_

#include <stdbool.h>
#include <stdint.h>

struct evbuffer;
struct evhttp_request;
struct transfer;

/* A body compressed as it leaves: the next piece when the last one has been written, so that a
 * large file takes as much memory as a small one, and holds up the others as little. */
struct gzip_reply;

/* False in a server that was built without zlib: then nothing below is called. */
bool gzip_is_available(void);

/* Files up to this size are compressed at once, and sent with their length. */
enum { kGzipAtOnce = 64 * 1024 };

/* Compresses the file's first `size` bytes (fewer where it has become shorter) to `output`. Returns
 * 0, or -1 when reading failed or memory ran out. */
int gzip_file(int fd, uint64_t size, struct evbuffer *output);

/* Begins a reply to `req`; `fd` is its own on success. Returns NULL when memory ran out. */
struct gzip_reply *gzip_reply_new(struct evhttp_request *req, int fd, uint64_t size);

/* Sends it: the head, then piece by piece the body, which is counted in `transfer`. Frees nothing:
 * a callback of the transfer's does, when it ends. */
void gzip_reply_send(struct gzip_reply *reply, int status, struct transfer *transfer);

void gzip_reply_free(struct gzip_reply *reply);

#endif
