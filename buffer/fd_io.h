#ifndef STRATA_BUFFER_FD_IO_H_
#define STRATA_BUFFER_FD_IO_H_

#include <event2/buffer.h>

/* The system calls of this layer, each made once. What reads and writes a descriptor leaves its
 * error in EVUTIL_SOCKET_ERROR(), the rest in errno. fd_io.c and fd_io_windows.c are the only files
 * that differ between systems. */

/* How many extents one call takes at most. */
#define STRATA_FD_MAX_WRITE_VECS 128

/* Works on any descriptor; on Windows, as the next two, on sockets alone. 0 at the stream's end. */
ev_ssize_t strata_fd_readv(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs);

/* Never raises SIGPIPE on a socket. has_more: the caller goes on at once, so a short last packet
 * may wait. */
ev_ssize_t strata_fd_writev(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs,
                            int has_more);

/* What has to do with files takes a descriptor of the C runtime on Windows. */

/* From a position in a file, whose own position does not move. 0 when the file ends before.
 * ENOSYS or EINVAL: this pair of descriptors cannot be served that way. Never raises SIGPIPE.
 * Not there without STRATA_HAVE_SENDFILE. */
ev_ssize_t strata_fd_sendfile(evutil_socket_t fd, int file_fd, ev_off_t position, size_t len);

/* The length of the file, or -1. */
ev_off_t strata_fd_file_len(int fd);

/* Reads exactly len bytes; a file that ends earlier is an error (EIO). 0 or -1. The file's own
 * position stays; on Windows not if threads read one descriptor at a time. */
int strata_fd_read_at(int fd, ev_off_t position, void *out_data, size_t len);

/* A mapping, which begins at a page's start. address is NULL when there is none. */
struct strata_file_map {
  void *address;
  size_t len;
};
/* Maps len > 0 bytes for reading; the address of the first, or NULL (also when the file does not
 * have that many). */
unsigned char *strata_fd_map(int fd, ev_off_t position, size_t len,
                             struct strata_file_map *out_map);
void strata_fd_unmap(struct strata_file_map *map);

void strata_fd_close(int fd);

#endif
