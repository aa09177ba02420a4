#include <errno.h>

#include "buffer/evbuffer_internal.h"
#include "buffer/fd_io.h"
#include "buffer/file_segment.h"
#include "buffer/pointer.h"
#include "util/platform.h"
#include "util/socket.h"

/* What evbuffer_write_atmost() can return, and what one sendfile(2) sends. */
#define MAX_SEND_LEN ((size_t)0x7ffff000)

/* What is read of a file at once where sendfile(2) does not serve: it lies on the stack. */
#define FILE_PIECE_LEN 32768

/* The run of chains in memory at the front. */
struct run {
  struct evbuffer_iovec vecs[STRATA_FD_MAX_WRITE_VECS];
  int num;
  size_t len;
  struct evbuffer_chain *next; /* the sendfile chain after it, if more may be sent */
};

static void gather_run(const struct evbuffer *buf, size_t max_len, struct run *run) {
  struct evbuffer_chain *chain = strata_buffer_first_data(buf);
  run->num = 0;
  run->len = 0;
  run->next = NULL;
  while (chain && run->len < max_len && run->num < STRATA_FD_MAX_WRITE_VECS) {
    size_t len = chain->len < max_len - run->len ? chain->len : max_len - run->len;
    if (chain->flags & CHAIN_SENDFILE) {
      run->next = chain;
      return;
    }
    run->vecs[run->num].iov_base = strata_chain_begin(chain);
    run->vecs[run->num].iov_len = len;
    run->num++;
    run->len += len;
    chain = strata_buffer_next_data(buf, chain);
  }
}

/* In place of sendfile(2), by copies of pieces, each of which the file has whole or not at all;
 * bytes, or -1 when it is none. */
static ev_ssize_t send_pieces(evutil_socket_t fd, int file_fd, ev_off_t position, size_t len) {
  unsigned char piece[FILE_PIECE_LEN];
  size_t sent_len = 0;
  while (sent_len < len) {
    struct evbuffer_iovec vec;
    ev_ssize_t now;
    vec.iov_base = piece;
    vec.iov_len = len - sent_len < sizeof(piece) ? len - sent_len : sizeof(piece);
    if (strata_fd_read_at(file_fd, position + (ev_off_t)sent_len, piece, vec.iov_len) < 0) {
      EVUTIL_SET_SOCKET_ERROR(strata_error_from_errno(errno));
      break;
    }
    now = strata_fd_writev(fd, &vec, 1, sent_len + vec.iov_len < len);
    if (now < 0) break;
    sent_len += (size_t)now;
    if ((size_t)now < vec.iov_len) break;
  }
  /* An error comes back with the next call, if it stays. */
  return sent_len > 0 ? (ev_ssize_t)sent_len : -1;
}

/* Sends from the file at the front; bytes, or -1. A file that has become shorter is an error (EIO):
 * what was promised will never come. */
static ev_ssize_t send_file(struct evbuffer_chain *chain, evutil_socket_t fd, size_t max_len) {
  int file_fd = strata_file_chain_fd(chain);
  ev_off_t position = strata_file_chain_position(chain);
  if (max_len > chain->len) max_len = chain->len;
#if STRATA_HAVE_SENDFILE
  ev_ssize_t len = strata_fd_sendfile(fd, file_fd, position, max_len);
  if (len == 0) {
    errno = EIO;
    return -1;
  }
  if (len > 0 || (errno != EINVAL && errno != ENOSYS)) return len;
#endif
  return send_pieces(fd, file_fd, position, max_len);
}

/* What one call sends, without draining; -1 with the socket's error when it is nothing. */
static ev_ssize_t send_front(struct evbuffer *buf, evutil_socket_t fd, size_t max_len) {
  struct run run;
  ev_ssize_t len = 0, file_len;
  gather_run(buf, max_len, &run);
  if (run.num > 0) {
    len = strata_fd_writev(fd, run.vecs, run.num, run.next != NULL);
    if (len < 0 || (size_t)len < run.len || !run.next) return len;
  }
  file_len = send_file(run.next, fd, max_len - run.len);
  if (file_len >= 0) return len + file_len;
  /* The error comes back with the next call, if it stays. */
  return len > 0 ? len : -1;
}

ev_ssize_t evbuffer_send(struct evbuffer *buf, evutil_socket_t fd, size_t max_len) {
  ev_ssize_t len = 0;
  int error;
  strata_buffer_lock(buf);
  if (max_len > buf->total_len) max_len = buf->total_len;
  if (max_len > MAX_SEND_LEN) max_len = MAX_SEND_LEN;
  if (max_len == 0) {
    strata_buffer_unlock(buf);
    return 0;
  }
  len = send_front(buf, fd, max_len);
  error = EVUTIL_SOCKET_ERROR();
  if (len > 0) strata_buffer_discard(buf, (size_t)len);
  strata_buffer_finish(buf, 0, len > 0 ? (size_t)len : 0);
  EVUTIL_SET_SOCKET_ERROR(error);
  return len;
}

int evbuffer_write_atmost(struct evbuffer *buffer, evutil_socket_t fd, ev_ssize_t howmuch) {
  int can_write;
  strata_buffer_lock(buffer);
  can_write = !buffer->front_frozen && buffer->total_len > 0 && howmuch != 0;
  strata_buffer_unlock(buffer);
  if (!can_write) return -1;
  return (int)evbuffer_send(buffer, fd, howmuch < 0 ? MAX_SEND_LEN : (size_t)howmuch);
}

int evbuffer_write(struct evbuffer *buffer, evutil_socket_t fd) {
  return evbuffer_write_atmost(buffer, fd, -1);
}
