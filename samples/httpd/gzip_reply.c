#include "samples/httpd/gzip_reply.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "samples/httpd/transfers.h"

enum {
  kReadLen = 32 * 1024,
  kPieceLen = 32 * 1024, /* of compressed bytes, about */
  kMaxBlocks = 8,        /* read for one piece, so that the others have their turn */
  kLevel = 5,
  kGzipWindow = 15 + 16, /* zlib: with gzip's header and trailer */
  kMemLevel = 8,
};

struct gzip_reply {
  z_stream stream;
  struct evhttp_request *req;
  struct transfer *transfer;
  int fd; /* -1: its holder's */
  uint64_t left;
  bool ended;
};

bool gzip_is_available(void) {
  return true;
}

static int reply_init(struct gzip_reply *reply, int fd, uint64_t size) {
  memset(reply, 0, sizeof(*reply));
  reply->fd = fd;
  reply->left = size;
  int result =
      deflateInit2(&reply->stream, kLevel, Z_DEFLATED, kGzipWindow, kMemLevel, Z_DEFAULT_STRATEGY);
  return result == Z_OK ? 0 : -1;
}

/* Compresses what is in the stream's input to `output`; all of it, and the end if `flush` says so.
 */
static int deflate_to(struct gzip_reply *reply, int flush, struct evbuffer *output) {
  unsigned char bytes[16 * 1024];
  do {
    reply->stream.next_out = bytes;
    reply->stream.avail_out = sizeof(bytes);
    int result = deflate(&reply->stream, flush);
    if (result == Z_STREAM_ERROR) return -1;
    if (result == Z_STREAM_END) reply->ended = true;
    if (evbuffer_add(output, bytes, sizeof(bytes) - reply->stream.avail_out) != 0) return -1;
  } while (reply->stream.avail_out == 0);
  return 0;
}

/* Reads and compresses one block. The end of the file ends the body, whenever it comes. */
static int compress_block(struct gzip_reply *reply, struct evbuffer *output) {
  unsigned char bytes[kReadLen];
  size_t want = reply->left < sizeof(bytes) ? (size_t)reply->left : sizeof(bytes);
  long len = want == 0 ? 0 : (long)read(reply->fd, bytes, want);
  if (len < 0) return -1;
  reply->left = len == 0 ? 0 : reply->left - (uint64_t)len;
  reply->stream.next_in = bytes;
  reply->stream.avail_in = (uInt)len;
  return deflate_to(reply, reply->left == 0 ? Z_FINISH : Z_NO_FLUSH, output);
}

int gzip_file(int fd, uint64_t size, struct evbuffer *output) {
  struct gzip_reply reply;
  if (reply_init(&reply, fd, size) != 0) return -1;
  int result = 0;
  while (result == 0 && !reply.ended) result = compress_block(&reply, output);
  deflateEnd(&reply.stream);
  return result;
}

struct gzip_reply *gzip_reply_new(struct evhttp_request *req, int fd, uint64_t size) {
  struct gzip_reply *reply = malloc(sizeof(*reply));
  if (reply == NULL) return NULL;
  if (reply_init(reply, fd, size) != 0) {
    free(reply);
    return NULL;
  }
  reply->req = req;
  return reply;
}

void gzip_reply_free(struct gzip_reply *reply) {
  deflateEnd(&reply->stream);
  close(reply->fd);
  free(reply);
}

static void send_piece(struct gzip_reply *reply);

static void on_written(struct evhttp_connection *connection, void *arg) {
  (void)connection;
  send_piece(arg);
}

/* What cannot be gone on with ends here without zlib's end mark, which the client notices. */
static void send_piece(struct gzip_reply *reply) {
  struct evhttp_request *req = reply->req;
  struct evbuffer *piece = evbuffer_new();
  int result = piece == NULL ? -1 : 0;
  for (int i = 0; result == 0 && !reply->ended && i < kMaxBlocks; i++) {
    if (evbuffer_get_length(piece) >= kPieceLen) break;
    result = compress_block(reply, piece);
  }
  /* What compresses well may all be held back so far; of an empty piece nobody tells that it has
   * been written. */
  if (result == 0 && !reply->ended && evbuffer_get_length(piece) == 0)
    result = deflate_to(reply, Z_SYNC_FLUSH, piece);
  bool last = result != 0 || reply->ended;
  if (result == 0) {
    transfer_add(reply->transfer, (int64_t)evbuffer_get_length(piece));
    if (last) {
      evhttp_send_reply_chunk(req, piece);
    } else {
      evhttp_send_reply_chunk_with_cb(req, piece, on_written, reply);
    }
  }
  if (piece != NULL) evbuffer_free(piece);
  if (last) evhttp_send_reply_end(req);
}

void gzip_reply_send(struct gzip_reply *reply, int status, struct transfer *transfer) {
  reply->transfer = transfer;
  evhttp_send_reply_start(reply->req, status, NULL);
  if (evhttp_request_get_command(reply->req) == EVHTTP_REQ_HEAD) {
    evhttp_send_reply_end(reply->req);
  } else {
    send_piece(reply);
  }
}
