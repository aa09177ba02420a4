#define _GNU_SOURCE 1        /* open()'s flags under -std=c11 */
#define _FILE_OFFSET_BITS 64 /* st_size of large files */
#include "samples/fetch/upload.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "samples/byte_source.h"

/* Lives until on_room() is called for the last time. */
struct upload {
  struct evhttp_request *req;
  struct byte_source source;
  int fd;
  uint64_t *inout_len;
};

static void free_upload(struct upload *upload) {
  byte_source_close(&upload->source);
  if (upload->fd > STDIN_FILENO) close(upload->fd);
  free(upload);
}

static void on_more(void *arg) {
  struct upload *upload = arg;
  evhttp_request_body_ready(upload->req);
}

/* An evhttp_body_cb. */
static int on_room(struct evhttp_request *req, struct evbuffer *out, size_t room, void *arg) {
  struct upload *upload = arg;
  (void)req;
  if (out == NULL) {
    free_upload(upload);
    return EVHTTP_BODY_LAST;
  }
  size_t old_len = evbuffer_get_length(out);
  if (byte_source_fill(&upload->source, out, old_len + room) != 0) {
    perror("fetch: cannot read what is to be sent");
    return EVHTTP_BODY_ABORT;
  }
  *upload->inout_len += evbuffer_get_length(out) - old_len;
  return upload->source.has_ended ? EVHTTP_BODY_LAST : EVHTTP_BODY_MORE;
}

/* -1: not known. */
static ev_int64_t len_of(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

int upload_attach(struct evhttp_request *req, struct event_base *base, const char *path,
                  uint64_t *inout_len) {
  struct upload *upload = calloc(1, sizeof(*upload));
  if (upload == NULL) return -1;
  bool is_standard_input = strcmp(path, "-") == 0;
  upload->req = req;
  upload->inout_len = inout_len;
  upload->fd = is_standard_input ? STDIN_FILENO : open(path, O_RDONLY);
  if (upload->fd < 0 || byte_source_open(&upload->source, base, upload->fd, on_more, upload) != 0) {
    free_upload(upload);
    return -1;
  }
  /* Of standard input a part may have been read already. */
  ev_int64_t len = is_standard_input ? -1 : len_of(upload->fd);
  evhttp_request_set_body_provider(req, len, on_room, upload);
  return 0;
}
