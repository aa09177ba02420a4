#define _GNU_SOURCE 1 /* S_ISSOCK() under -std=c11 */
#include "samples/byte_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

/* -1 with errno when writing failed for good; what can't be written now stays. */
static int write_waiting(struct byte_sink *sink) {
  while (evbuffer_get_length(sink->waiting) > 0) {
    if (evbuffer_write(sink->waiting, sink->fd) >= 0 || errno == EINTR) continue;
    if (errno != EAGAIN || sink->writable == NULL) return -1;
    return event_add(sink->writable, NULL);
  }
  return 0;
}

static void on_writable(evutil_socket_t fd, short what, void *arg) {
  (void)fd, (void)what;
  struct byte_sink *sink = arg;
  int result = write_waiting(sink);
  if (result != 0 || evbuffer_get_length(sink->waiting) == 0) sink->on_drained(result, sink->arg);
}

/* A terminal is left as it is: standard error and the shell mostly share it. */
static bool may_be_made_nonblocking(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

int byte_sink_open(struct byte_sink *sink, struct event_base *base, int fd,
                   void (*on_drained)(int result, void *arg), void *arg) {
  sink->fd = fd;
  sink->old_flags = -1;
  sink->on_drained = on_drained;
  sink->arg = arg;
  sink->waiting = evbuffer_new();
  if (sink->waiting == NULL) return -1;
  if (fd < 0 || !may_be_made_nonblocking(fd)) return 0;
  sink->writable = event_new(base, fd, EV_WRITE, on_writable, sink);
  if (sink->writable == NULL) return -1;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return -1;
  sink->old_flags = flags;
  return 0;
}

int byte_sink_take(struct byte_sink *sink, struct evbuffer *input) {
  if (sink->fd < 0) return evbuffer_drain(input, evbuffer_get_length(input));
  if (evbuffer_add_buffer(sink->waiting, input) != 0) return -1;
  if (sink->writable != NULL && event_pending(sink->writable, EV_WRITE, NULL)) return 0;
  return write_waiting(sink);
}

size_t byte_sink_len(const struct byte_sink *sink) {
  return evbuffer_get_length(sink->waiting);
}

void byte_sink_close(struct byte_sink *sink) {
  if (sink->writable != NULL) event_free(sink->writable);
  if (sink->waiting != NULL) {
    evbuffer_free(sink->waiting);
    if (sink->old_flags >= 0) (void)fcntl(sink->fd, F_SETFL, sink->old_flags);
  }
  sink->writable = NULL;
  sink->waiting = NULL;
}
