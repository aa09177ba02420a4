#include "samples/byte_source.h"

#include <errno.h>

#define READ_LEN (64 * 1024)

static const char kBlock[READ_LEN];

void byte_source_generate(struct byte_source *source, uint64_t len) {
  source->is_generated = true;
  source->generated_len = len;
  source->has_ended = len == 0;
  source->has_news = true;
}

/* The event is not persistent: it is added again when the source is asked for more. */
static void on_readable(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  struct byte_source *source = arg;
  source->has_news = true;
  source->on_more(source->arg);
}

int byte_source_open(struct byte_source *source, struct event_base *base, int fd,
                     void (*on_more)(void *arg), void *arg) {
  source->on_more = on_more;
  source->arg = arg;
  if (source->is_generated) return 0;
  if (channel_open(&source->channel, fd, CHANNEL_READS) != 0) return -1;
  if (source->channel.ready_fd < 0) return 0;
  source->readable = event_new(base, source->channel.ready_fd, EV_READ, on_readable, source);
  return source->readable == NULL ? -1 : 0;
}

static int fill_generated(struct byte_source *source, struct evbuffer *output, size_t max_len) {
  while (source->generated_len > 0 && evbuffer_get_length(output) < max_len) {
    size_t len = source->generated_len < READ_LEN ? (size_t)source->generated_len : READ_LEN;
    if (evbuffer_add_reference(output, kBlock, len, NULL, NULL) != 0) return -1;
    source->generated_len -= len;
  }
  source->has_ended = source->generated_len == 0;
  return 0;
}

/* 1: there may be more; 0: not now, or never; -1: failed. */
static int read_once(struct byte_source *source, struct evbuffer *output) {
  struct evbuffer_iovec room;
  if (evbuffer_reserve_space(output, READ_LEN, &room, 1) != 1) return -1;
  size_t room_len = room.iov_len < READ_LEN ? room.iov_len : READ_LEN;
  ev_ssize_t len = channel_read(&source->channel, room.iov_base, room_len);
  int error = errno;
  room.iov_len = len > 0 ? (size_t)len : 0;
  if (evbuffer_commit_space(output, &room, 1) != 0) return -1;
  if (len < 0 && error != EINTR && error != EAGAIN) {
    errno = error;
    return -1;
  }
  source->has_ended = len == 0;
  return len > 0 ? 1 : 0;
}

int byte_source_fill(struct byte_source *source, struct evbuffer *output, size_t max_len) {
  if (source->has_ended) return 0;
  if (source->is_generated) return fill_generated(source, output, max_len);
  if (source->readable == NULL) {
    int more = 1;
    while (more > 0 && evbuffer_get_length(output) < max_len) more = read_once(source, output);
    return more < 0 ? -1 : 0;
  }
  if (evbuffer_get_length(output) >= max_len) return 0;
  /* One read for each report: another could block. */
  if (source->has_news && read_once(source, output) < 0) return -1;
  source->has_news = false;
  if (source->has_ended || evbuffer_get_length(output) >= max_len) return 0;
  return event_add(source->readable, NULL);
}

void byte_source_close(struct byte_source *source) {
  if (source->readable != NULL) event_free(source->readable);
  source->readable = NULL;
  channel_close(&source->channel, true);
}
