#ifndef STRATA_UTIL_TESTING_REAL_CALLS_H_
#define STRATA_UTIL_TESTING_REAL_CALLS_H_

/* The C library's functions, past the linker's --wrap (ld(1)). In a sanitizer's build they are its
 * interceptors. */

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t __real_read(int fd, void *data, size_t len);
ssize_t __real_readv(int fd, const struct iovec *vecs, int num_vecs);
ssize_t __real_recv(int fd, void *data, size_t len, int flags);
ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __real_writev(int fd, const struct iovec *vecs, int num_vecs);
ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __real_sendto(int fd, const void *data, size_t len, int flags,
                      const struct sockaddr *address, socklen_t address_len);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_sendfile64(int fd, int file_fd, off_t *position, size_t len);
int __real_accept(int fd, struct sockaddr *address, socklen_t *address_len);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *address_len, int flags);
int __real_connect(int fd, const struct sockaddr *address, socklen_t address_len);
int __real_socket(int domain, int type, int protocol);
int __real_eventfd(unsigned value, int flags);
int __real_epoll_create1(int flags);
int __real_pipe(int fds[2]);
int __real_pipe2(int fds[2], int flags);
int __real_close(int fd);
int __real_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __real_epoll_wait(int epoll_fd, struct epoll_event *events, int max_events, int timeout_ms);
int __real_poll(struct pollfd *polls, nfds_t num_polls, int timeout_ms);
int __real_ppoll(struct pollfd *polls, nfds_t num_polls, const struct timespec *timeout,
                 const sigset_t *mask);
long __real_syscall(long number, ...);
int __real_select(int num_fds, fd_set *read_fds, fd_set *write_fds, fd_set *except_fds,
                  struct timeval *timeout);

#endif
