#ifndef SAMPLES_CHANNEL_H_
#define SAMPLES_CHANNEL_H_

#include <stdbool.h>
#include <stddef.h>

#include <event2/buffer.h>
#include <event2/util.h>

enum channel_direction { CHANNEL_READS, CHANNEL_WRITES };

/*
 * Standard input or output, as a loop can use it: either `ready_fd` becomes readable (writable)
 * when there is something to do, or it never has to be waited for, as with files.
 *
 * POSIX: the descriptor itself. Windows, where only sockets can be waited for: a socket, at whose
 * other end a thread moves the bytes from or to the pipe or the console.
 */
struct channel {
  evutil_socket_t ready_fd; /* -1: reads and writes are simply done */
  int fd;
  enum channel_direction direction;
  bool changed_flags; /* POSIX: `old_flags` are given back at the end */
  int old_flags;
  void *thread; /* Windows: the one at the other end */
};

/* Opens one on a zeroed channel; `fd` stays the caller's. A pipe or socket that is written to is
 * made non-blocking until channel_close(). On Windows the descriptor becomes a binary one. 0, or
 * -1 with errno. */
int channel_open(struct channel *channel, int fd, enum channel_direction direction);

/* read(2): the number of bytes, 0 at the end, -1 with errno (EAGAIN and EINTR: later). */
ev_ssize_t channel_read(struct channel *channel, void *room, size_t room_len);

/* Writes from the start of `bytes` what can be written. The number of bytes, or -1 with errno
 * (EAGAIN: once `ready_fd` is writable; EINTR: again). */
int channel_write(struct channel *channel, struct evbuffer *bytes);

/* Waits until what was written has arrived; not when it `gives_up`, as whoever should take it may
 * never do so. May be called on zeros, and again. */
void channel_close(struct channel *channel, bool gives_up);

#endif
