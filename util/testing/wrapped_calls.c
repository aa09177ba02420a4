/* What `-Wl,--wrap` puts in place of the C library's functions: see faults.h. */

#include <errno.h>
#include <sys/stat.h>

#include "util/testing/fault_plan.h"
#include "util/testing/real_calls.h"
#include "util/testing/watched_fds.h"

#define BIT STRATA_FAULT_BIT

/* ---- which faults are legal ---- */

static int is_stream_socket(int fd) {
  int type = 0;
  socklen_t type_len = sizeof(type);
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM;
}

static int is_connected(int fd) {
  struct sockaddr_storage peer;
  socklen_t peer_len = sizeof(peer);
  return getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
}

/* For a transfer of len bytes. */
static unsigned legal_transfer(int fd, size_t len) {
  struct stat status;
  if (len == 0 || fstat(fd, &status) < 0 || S_ISREG(status.st_mode)) return 0;
  if (S_ISFIFO(status.st_mode))
    return BIT(STRATA_FAULT_EINTR) | BIT(STRATA_FAULT_EAGAIN) | BIT(STRATA_FAULT_SHORT);
  if (!S_ISSOCK(status.st_mode)) return BIT(STRATA_FAULT_EINTR);
  unsigned legal = BIT(STRATA_FAULT_EINTR) | BIT(STRATA_FAULT_EAGAIN) | BIT(STRATA_FAULT_ENOBUFS);
  if (!is_stream_socket(fd)) return legal;
  if (is_connected(fd)) legal |= BIT(STRATA_FAULT_RESET);
  return legal | BIT(STRATA_FAULT_SHORT);
}

/* ---- a fault in place of a transfer ---- */

static int fail(int error) {
  errno = error;
  return -1;
}

static void end_connection(int fd, int forgets_input) {
  char bytes[4096];
  shutdown(fd, SHUT_RDWR);
  while (forgets_input && __real_recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) continue;
}

static enum strata_fault draw_transfer(enum strata_faulted_call call, int fd, size_t len) {
  int error = errno;
  enum strata_fault fault = STRATA_NO_FAULT;
  if (strata_fault_is_planned(call) && strata_watched_has(fd)) {
    unsigned legal = legal_transfer(fd, len);
    if (call == STRATA_CALL_READ) legal &= ~BIT(STRATA_FAULT_ENOBUFS);
    fault = strata_fault_draw(call, legal);
  }
  errno = error;
  return fault;
}

/* What a call gives that moves nothing. */
static int refuse(enum strata_faulted_call call, int fd, enum strata_fault fault) {
  switch (fault) {
    case STRATA_FAULT_EAGAIN:
      strata_watched_rearm(fd);
      return fail(EAGAIN);
    case STRATA_FAULT_RESET:
      /* What had come before a reset can still be read, unless it is the read that fails. */
      end_connection(fd, call == STRATA_CALL_READ);
      return fail(ECONNRESET);
    case STRATA_FAULT_ENOBUFS:
      return fail(ENOBUFS);
    default:
      return fail(EINTR);
  }
}

static size_t len_of(const struct iovec *vecs, size_t num_vecs) {
  size_t len = 0;
  for (size_t i = 0; i < num_vecs; i++) len += vecs[i].iov_len;
  return len;
}

static struct iovec first_byte(const struct iovec *vecs) {
  while (vecs->iov_len == 0) vecs++;
  struct iovec byte = {vecs->iov_base, 1};
  return byte;
}

/* The rest was possible too, and will be reported. */
static ssize_t shortened(int fd, ssize_t result) {
  strata_watched_rearm(fd);
  return result;
}

/* ---- reading ---- */

ssize_t __wrap_readv(int fd, const struct iovec *vecs, int num_vecs) {
  size_t len = num_vecs > 0 ? len_of(vecs, (size_t)num_vecs) : 0;
  enum strata_fault fault = draw_transfer(STRATA_CALL_READ, fd, len);
  if (fault == STRATA_NO_FAULT) return __real_readv(fd, vecs, num_vecs);
  if (fault != STRATA_FAULT_SHORT) return refuse(STRATA_CALL_READ, fd, fault);
  struct iovec byte = first_byte(vecs);
  return shortened(fd, __real_readv(fd, &byte, 1));
}

ssize_t __wrap_read(int fd, void *data, size_t len) {
  enum strata_fault fault = draw_transfer(STRATA_CALL_READ, fd, len);
  if (fault == STRATA_NO_FAULT) return __real_read(fd, data, len);
  if (fault != STRATA_FAULT_SHORT) return refuse(STRATA_CALL_READ, fd, fault);
  return shortened(fd, __real_read(fd, data, 1));
}

ssize_t __wrap_recv(int fd, void *data, size_t len, int flags) {
  enum strata_fault fault = draw_transfer(STRATA_CALL_READ, fd, len);
  if (fault == STRATA_NO_FAULT) return __real_recv(fd, data, len, flags);
  if (fault != STRATA_FAULT_SHORT) return refuse(STRATA_CALL_READ, fd, fault);
  return shortened(fd, __real_recv(fd, data, 1, flags));
}

/* ---- writing ---- */

ssize_t __wrap_write(int fd, const void *data, size_t len) {
  enum strata_fault fault = draw_transfer(STRATA_CALL_WRITE, fd, len);
  if (fault == STRATA_NO_FAULT) return __real_write(fd, data, len);
  if (fault != STRATA_FAULT_SHORT) return refuse(STRATA_CALL_WRITE, fd, fault);
  return shortened(fd, __real_write(fd, data, 1));
}

ssize_t __wrap_writev(int fd, const struct iovec *vecs, int num_vecs) {
  size_t len = num_vecs > 0 ? len_of(vecs, (size_t)num_vecs) : 0;
  enum strata_fault fault = draw_transfer(STRATA_CALL_WRITE, fd, len);
  if (fault == STRATA_NO_FAULT) return __real_writev(fd, vecs, num_vecs);
  if (fault != STRATA_FAULT_SHORT) return refuse(STRATA_CALL_WRITE, fd, fault);
  struct iovec byte = first_byte(vecs);
  return shortened(fd, __real_writev(fd, &byte, 1));
}

/* Only what goes to a socket: elsewhere the kernel answers ENOTSOCK. */
static enum strata_fault draw_send(int fd, size_t len) {
  int type;
  socklen_t type_len = sizeof(type);
  int error = errno;
  int is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0;
  errno = error;
  return is_socket ? draw_transfer(STRATA_CALL_WRITE, fd, len) : STRATA_NO_FAULT;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags,
                      const struct sockaddr *address, socklen_t address_len) {
  enum strata_fault fault = draw_send(fd, len);
  if (fault == STRATA_NO_FAULT) return __real_sendto(fd, data, len, flags, address, address_len);
  if (fault != STRATA_FAULT_SHORT) return refuse(STRATA_CALL_WRITE, fd, fault);
  return shortened(fd, __real_sendto(fd, data, 1, flags, address, address_len));
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags) {
  enum strata_fault fault = draw_send(fd, len);
  if (fault == STRATA_NO_FAULT) return __real_send(fd, data, len, flags);
  if (fault != STRATA_FAULT_SHORT) return refuse(STRATA_CALL_WRITE, fd, fault);
  return shortened(fd, __real_send(fd, data, 1, flags));
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
  enum strata_fault fault = draw_send(fd, len_of(message->msg_iov, message->msg_iovlen));
  if (fault == STRATA_NO_FAULT) return __real_sendmsg(fd, message, flags);
  if (fault != STRATA_FAULT_SHORT) return refuse(STRATA_CALL_WRITE, fd, fault);
  struct iovec byte = first_byte(message->msg_iov);
  struct msghdr less = *message;
  less.msg_iov = &byte;
  less.msg_iovlen = 1;
  return shortened(fd, __real_sendmsg(fd, &less, flags));
}

ssize_t __wrap_sendfile64(int fd, int file_fd, off_t *position, size_t len) {
  enum strata_fault fault = draw_transfer(STRATA_CALL_WRITE, fd, len);
  if (fault == STRATA_NO_FAULT) return __real_sendfile64(fd, file_fd, position, len);
  if (fault != STRATA_FAULT_SHORT) return refuse(STRATA_CALL_WRITE, fd, fault);
  return shortened(fd, __real_sendfile64(fd, file_fd, position, 1));
}

/* ---- making descriptors and connections ---- */

static enum strata_fault draw_accept(int fd) {
  unsigned legal = BIT(STRATA_FAULT_EINTR) | BIT(STRATA_FAULT_EMFILE) | BIT(STRATA_FAULT_ENOBUFS) |
                   BIT(STRATA_FAULT_ABORTED);
  if (strata_watched_has(fd)) legal |= BIT(STRATA_FAULT_EAGAIN);
  return strata_fault_draw(STRATA_CALL_ACCEPT, legal);
}

static int fail_accept(int fd, enum strata_fault fault) {
  if (fault == STRATA_FAULT_EINTR) return fail(EINTR);
  if (fault == STRATA_FAULT_EMFILE) return fail(EMFILE);
  if (fault == STRATA_FAULT_ENOBUFS) return fail(ENOBUFS);
  if (fault == STRATA_FAULT_EAGAIN) {
    strata_watched_rearm(fd);
    return fail(EAGAIN);
  }
  int accepted = __real_accept(fd, NULL, NULL);
  if (accepted < 0) return -1;
  struct linger with_reset = {1, 0};
  setsockopt(accepted, SOL_SOCKET, SO_LINGER, &with_reset, sizeof(with_reset));
  __real_close(accepted);
  return fail(ECONNABORTED);
}

int __wrap_accept(int fd, struct sockaddr *address, socklen_t *address_len) {
  enum strata_fault fault = draw_accept(fd);
  if (fault == STRATA_NO_FAULT) return __real_accept(fd, address, address_len);
  return fail_accept(fd, fault);
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *address_len, int flags) {
  enum strata_fault fault = draw_accept(fd);
  if (fault == STRATA_NO_FAULT) return __real_accept4(fd, address, address_len, flags);
  return fail_accept(fd, fault);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t address_len) {
  int result = __real_connect(fd, address, address_len);
  if (result < 0 && errno != EINPROGRESS) return result;
  int error = errno;
  /* It goes on, or is done: its end is told as that of any connect in progress. */
  if (strata_fault_draw(STRATA_CALL_CONNECT, BIT(STRATA_FAULT_EINTR)) != STRATA_NO_FAULT)
    return fail(EINTR);
  errno = error;
  return result;
}

static int is_out_of_fds(void) {
  return strata_fault_draw(STRATA_CALL_OPEN, BIT(STRATA_FAULT_EMFILE)) != STRATA_NO_FAULT;
}

int __wrap_socket(int domain, int type, int protocol) {
  return is_out_of_fds() ? fail(EMFILE) : __real_socket(domain, type, protocol);
}

int __wrap_eventfd(unsigned value, int flags) {
  return is_out_of_fds() ? fail(EMFILE) : __real_eventfd(value, flags);
}

int __wrap_epoll_create1(int flags) {
  return is_out_of_fds() ? fail(EMFILE) : __real_epoll_create1(flags);
}

int __wrap_pipe(int fds[2]) {
  return is_out_of_fds() ? fail(EMFILE) : __real_pipe(fds);
}

int __wrap_pipe2(int fds[2], int flags) {
  return is_out_of_fds() ? fail(EMFILE) : __real_pipe2(fds, flags);
}

/* ---- what has to be known ---- */

int __wrap_close(int fd) {
  strata_watched_forget(fd);
  return __real_close(fd);
}

int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event) {
  return strata_watched_epoll_ctl(epoll_fd, op, fd, event);
}

/* ---- waiting ---- */

static int is_interrupted(int may_sleep) {
  return may_sleep &&
         strata_fault_draw(STRATA_CALL_WAIT, BIT(STRATA_FAULT_EINTR)) != STRATA_NO_FAULT;
}

int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int max_events, int timeout_ms) {
  if (is_interrupted(timeout_ms != 0)) return fail(EINTR);
  return __real_epoll_wait(epoll_fd, events, max_events, timeout_ms);
}

static void note_polls(const struct pollfd *polls, nfds_t num_polls) {
  for (nfds_t i = 0; i < num_polls; i++) strata_watched_note_polled(polls[i].fd);
}

int __wrap_poll(struct pollfd *polls, nfds_t num_polls, int timeout_ms) {
  note_polls(polls, num_polls);
  if (is_interrupted(timeout_ms != 0)) return fail(EINTR);
  return __real_poll(polls, num_polls, timeout_ms);
}

int __wrap_ppoll(struct pollfd *polls, nfds_t num_polls, const struct timespec *timeout,
                 const sigset_t *mask) {
  note_polls(polls, num_polls);
  if (is_interrupted(!timeout || timeout->tv_sec || timeout->tv_nsec)) return fail(EINTR);
  return __real_ppoll(polls, num_polls, timeout, mask);
}

/* strata's sets may be larger than an fd_set (select_tut(2) calls that unportable; Linux does it).
 */
static int is_in(const fd_set *set, int fd) {
  const fd_mask *words = (const fd_mask *)(const void *)set;
  return words && words[fd / NFDBITS] >> fd % NFDBITS & 1;
}

int __wrap_select(int num_fds, fd_set *read_fds, fd_set *write_fds, fd_set *except_fds,
                  struct timeval *timeout) {
  for (int fd = 0; fd < num_fds; fd++)
    if (is_in(read_fds, fd) || is_in(write_fds, fd)) strata_watched_note_polled(fd);
  if (is_interrupted(!timeout || timeout->tv_sec || timeout->tv_usec)) return fail(EINTR);
  return __real_select(num_fds, read_fds, write_fds, except_fds, timeout);
}
