#include "buffer/fd_io.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/platform.h"
#include "util/sigpipe.h"
#if STRATA_HAVE_SENDFILE
#include <sys/sendfile.h>
#endif

#if STRATA_HAVE_MSG_MORE
#define FLAG_MORE MSG_MORE
#else
#define FLAG_MORE 0
#endif

/* What one sendfile(2) or pread(2) moves at most on Linux. */
#define MAX_TRANSFER_LEN ((size_t)0x7ffff000)

ev_ssize_t strata_fd_readv(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs) {
  if (num_vecs == 1) return read(fd, vec[0].iov_base, vec[0].iov_len);
  return readv(fd, vec, num_vecs);
}

static ev_ssize_t send_raising(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs,
                               int flags) {
  struct msghdr message;
  if (num_vecs == 1) return send(fd, vec[0].iov_base, vec[0].iov_len, flags);
  memset(&message, 0, sizeof(message));
  message.msg_iov = vec;
  message.msg_iovlen = (size_t)num_vecs;
  return sendmsg(fd, &message, flags);
}

#if STRATA_HAVE_MSG_NOSIGNAL
static ev_ssize_t send_extents(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs,
                               int flags) {
  return send_raising(fd, vec, num_vecs, flags | MSG_NOSIGNAL);
}
#elif STRATA_HAVE_SO_NOSIGPIPE
/* The descriptor may be anybody's, so the option is set each time. */
static ev_ssize_t send_extents(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs,
                               int flags) {
  int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)) < 0) {
    if (errno == EINVAL) errno = EPIPE; /* what macOS says once both directions are shut down */
    return -1;
  }
  return send_raising(fd, vec, num_vecs, flags);
}
#else
static ev_ssize_t send_extents(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs,
                               int flags) {
  struct strata_sigpipe held;
  ev_ssize_t len;
  strata_sigpipe_hold(&held);
  len = send_raising(fd, vec, num_vecs, flags);
  strata_sigpipe_release(&held, len < 0 ? errno : 0);
  return len;
}
#endif

ev_ssize_t strata_fd_writev(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs,
                            int has_more) {
  ev_ssize_t len = send_extents(fd, vec, num_vecs, has_more ? FLAG_MORE : 0);
  if (len >= 0 || errno != ENOTSOCK) return len;
  if (num_vecs == 1) return write(fd, vec[0].iov_base, vec[0].iov_len);
  return writev(fd, vec, num_vecs);
}

#if STRATA_HAVE_SENDFILE
ev_ssize_t strata_fd_sendfile(evutil_socket_t fd, int file_fd, ev_off_t position, size_t len) {
  struct strata_sigpipe held;
  off_t at = position;
  ev_ssize_t sent;
  if (len > MAX_TRANSFER_LEN) len = MAX_TRANSFER_LEN;
  strata_sigpipe_hold(&held);
  sent = sendfile(fd, file_fd, &at, len);
  /* A connection that breaks after the first bytes raises the signal as well, and the call gives
   * their number. */
  strata_sigpipe_release(&held, sent < (ev_ssize_t)len ? EPIPE : 0);
  return sent;
}
#endif

ev_off_t strata_fd_file_len(int fd) {
  struct stat status;
  return fstat(fd, &status) < 0 ? -1 : (ev_off_t)status.st_size;
}

int strata_fd_read_at(int fd, ev_off_t position, void *out_data, size_t len) {
  unsigned char *out = out_data;
  while (len > 0) {
    ssize_t got = pread(fd, out, len < MAX_TRANSFER_LEN ? len : MAX_TRANSFER_LEN, position);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = EIO;
    if (got <= 0) return -1;
    out += got;
    len -= (size_t)got;
    position += got;
  }
  return 0;
}

unsigned char *strata_fd_map(int fd, ev_off_t position, size_t len,
                             struct strata_file_map *out_map) {
  size_t page_len = (size_t)sysconf(_SC_PAGESIZE);
  size_t lead_len = (size_t)((ev_uint64_t)position % page_len);
  void *address;
  out_map->address = NULL;
  /* A page after the file's end can be mapped, but not looked at. */
  if (strata_fd_file_len(fd) < position + (ev_off_t)len) return NULL;
  address = mmap(NULL, len + lead_len, PROT_READ, MAP_PRIVATE, fd, position - (ev_off_t)lead_len);
  if (address == MAP_FAILED) return NULL;
  out_map->address = address;
  out_map->len = len + lead_len;
  return (unsigned char *)address + lead_len;
}

void strata_fd_unmap(struct strata_file_map *map) {
  munmap(map->address, map->len);
  map->address = NULL;
}

void strata_fd_close(int fd) {
  close(fd);
}
