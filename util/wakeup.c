#include "util/wakeup.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "util/platform.h"
#include "util/socket.h"

#if STRATA_HAVE_EVENTFD
#include <sys/eventfd.h>

int strata_wakeup_open(struct strata_wakeup *out_wakeup) {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  out_wakeup->read_fd = out_wakeup->write_fd = fd;
  return fd < 0 ? -1 : 0;
}
#else
int strata_wakeup_open(struct strata_wakeup *out_wakeup) {
  evutil_socket_t fds[2] = {-1, -1};
  int result = strata_pipe(fds);
  out_wakeup->read_fd = fds[0];
  out_wakeup->write_fd = fds[1];
  return result;
}
#endif

void strata_wakeup_close(struct strata_wakeup *wakeup) {
  if (wakeup->write_fd >= 0 && wakeup->write_fd != wakeup->read_fd) close(wakeup->write_fd);
  if (wakeup->read_fd >= 0) close(wakeup->read_fd);
  wakeup->read_fd = wakeup->write_fd = -1;
}

int strata_wakeup_signal(const struct strata_wakeup *wakeup) {
  const uint64_t one = 1; /* an eventfd takes eight bytes; in a pipe any will do */
  int saved_errno = errno;
  ssize_t num_written;
  do {
    num_written = write(wakeup->write_fd, &one, sizeof(one));
  } while (num_written < 0 && errno == EINTR);
  /* Full means that the reader has not yet seen an earlier one. */
  int failed = num_written < 0 && !strata_error_would_block(errno);
  errno = saved_errno;
  return failed ? -1 : 0;
}

void strata_wakeup_drain(const struct strata_wakeup *wakeup) {
  uint64_t bytes[32];
  ssize_t num_read;
  do {
    num_read = read(wakeup->read_fd, bytes, sizeof(bytes));
    /* One read empties an eventfd; a pipe is empty after a short read. */
  } while (num_read == (ssize_t)sizeof(bytes) || (num_read < 0 && errno == EINTR));
}
