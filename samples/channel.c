#define _GNU_SOURCE 1 /* S_ISSOCK() under -std=c11 */
#include "samples/channel.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_pipe_or_socket(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* Reads are made only after a report, and need no change of the descriptor: standard error and the
 * shell mostly share a terminal. For that reason one is not waited for when writing. */
int channel_open(struct channel *channel, int fd, enum channel_direction direction) {
  channel->fd = fd;
  channel->direction = direction;
  channel->ready_fd = -1;
  channel->changed_flags = false;
  bool can_be_waited_for = is_pipe_or_socket(fd) || (direction == CHANNEL_READS && isatty(fd));
  if (!can_be_waited_for) return 0;
  channel->ready_fd = fd;
  if (direction == CHANNEL_READS) return 0;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return -1;
  channel->old_flags = flags;
  channel->changed_flags = true;
  return 0;
}

ev_ssize_t channel_read(struct channel *channel, void *room, size_t room_len) {
  return read(channel->fd, room, room_len);
}

int channel_write(struct channel *channel, struct evbuffer *bytes) {
  return evbuffer_write(bytes, channel->fd);
}

void channel_close(struct channel *channel, bool gives_up) {
  (void)gives_up; /* the system has what was written */
  if (channel->changed_flags) (void)fcntl(channel->fd, F_SETFL, channel->old_flags);
  channel->changed_flags = false;
  channel->ready_fd = -1;
}
