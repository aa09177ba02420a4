#ifndef SAMPLES_BYTE_SINK_H_
#define SAMPLES_BYTE_SINK_H_

#include <stdbool.h>
#include <stddef.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "samples/channel.h"

/* Where received bytes go: a descriptor, or nowhere. */
struct byte_sink {
  bool is_nowhere;
  struct channel channel;
  struct evbuffer *waiting;
  struct event *writable; /* NULL: writes wait, for example for a disk */
  void (*on_drained)(int result, void *arg);
  void *arg;
};

/* On a zeroed sink; `fd` -1 is nowhere. `on_drained`, from the loop, says that nothing waits any
 * more (0), or that writing failed (-1, with errno). The descriptor stays the caller's, see
 * channel_open(). 0, or -1 with errno. */
int byte_sink_open(struct byte_sink *sink, struct event_base *base, int fd,
                   void (*on_drained)(int result, void *arg), void *arg);

/* Takes all of `input` and writes what can be written now. 0, or -1 with errno. */
int byte_sink_take(struct byte_sink *sink, struct evbuffer *input);

/* The bytes that wait to be written. */
size_t byte_sink_len(const struct byte_sink *sink);

/* May be called on zeros. */
void byte_sink_close(struct byte_sink *sink);

#endif
