#include "samples/byte_sink.h"

#include <errno.h>

/* -1 with errno when writing failed for good; what can't be written now stays. */
static int write_waiting(struct byte_sink *sink) {
  while (evbuffer_get_length(sink->waiting) > 0) {
    if (channel_write(&sink->channel, sink->waiting) >= 0 || errno == EINTR) continue;
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

int byte_sink_open(struct byte_sink *sink, struct event_base *base, int fd,
                   void (*on_drained)(int result, void *arg), void *arg) {
  sink->is_nowhere = fd < 0;
  sink->on_drained = on_drained;
  sink->arg = arg;
  sink->waiting = evbuffer_new();
  if (sink->waiting == NULL) return -1;
  if (sink->is_nowhere) return 0;
  if (channel_open(&sink->channel, fd, CHANNEL_WRITES) != 0) return -1;
  if (sink->channel.ready_fd < 0) return 0;
  sink->writable = event_new(base, sink->channel.ready_fd, EV_WRITE, on_writable, sink);
  return sink->writable == NULL ? -1 : 0;
}

int byte_sink_take(struct byte_sink *sink, struct evbuffer *input) {
  if (sink->is_nowhere) return evbuffer_drain(input, evbuffer_get_length(input));
  if (evbuffer_add_buffer(sink->waiting, input) != 0) return -1;
  if (sink->writable != NULL && event_pending(sink->writable, EV_WRITE, NULL)) return 0;
  return write_waiting(sink);
}

size_t byte_sink_len(const struct byte_sink *sink) {
  return evbuffer_get_length(sink->waiting);
}

void byte_sink_close(struct byte_sink *sink) {
  bool is_cut_short = sink->waiting != NULL && byte_sink_len(sink) > 0;
  if (sink->writable != NULL) event_free(sink->writable);
  if (sink->waiting != NULL) evbuffer_free(sink->waiting);
  channel_close(&sink->channel, is_cut_short);
  sink->writable = NULL;
  sink->waiting = NULL;
}
