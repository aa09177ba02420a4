#ifndef SAMPLES_BYTE_SOURCE_H_
#define SAMPLES_BYTE_SOURCE_H_

#include <stdbool.h>
#include <stdint.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "samples/channel.h"

/* Bytes to send: a descriptor's, or made up. The descriptor may be a file, which can't be waited
 * for but never blocks, or what can be waited for (pipe, socket, terminal). */
struct byte_source {
  bool is_generated;
  struct channel channel;
  uint64_t generated_len; /* that are still to be made up */
  bool has_ended;
  bool has_news;          /* the descriptor is readable */
  struct event *readable; /* NULL: a file */
  void (*on_more)(void *arg);
  void *arg;
};

/* Before byte_source_open(): makes the bytes up, and leaves the descriptor alone. */
void byte_source_generate(struct byte_source *source, uint64_t len);

/* On a zeroed source. `on_more`, from the loop, says that there is more for byte_source_fill(). The
 * descriptor stays the caller's, see
 * channel_open(). 0, or -1 with errno. */
int byte_source_open(struct byte_source *source, struct event_base *base, int fd,
                     void (*on_more)(void *arg), void *arg);

/* Adds what there is until `output` holds `max_len` bytes, or a little more; sets `has_ended` when
 * there is no more to come. 0, or -1 with errno. */
int byte_source_fill(struct byte_source *source, struct evbuffer *output, size_t max_len);

/* May be called on zeros. */
void byte_source_close(struct byte_source *source);

#endif
