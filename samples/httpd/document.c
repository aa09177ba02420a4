#define _GNU_SOURCE 1 /* syscall(), st_mtim */
#include "samples/httpd/document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/http.h>

#if defined(__linux__) && !defined(STRATA_PORTABLE)
#include <linux/openat2.h>
#include <sys/syscall.h>
#endif

/* O_NONBLOCK because opening a FIFO otherwise waits for its writer. */
enum { kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

int document_root_open(struct document_root *out_root, const char *path, bool follow_symlinks) {
  out_root->follow_symlinks = follow_symlinks;
  out_root->fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  return out_root->fd < 0 ? -1 : 0;
}

void document_root_close(struct document_root *root) {
  close(root->fd);
  root->fd = -1;
}

/* Walks the name a component at a time, for kernels that cannot do it in one call. */
static int open_by_component(int root_fd, const char *name) {
  char *copy = strdup(name);
  int fd = copy == NULL ? -1 : openat(root_fd, ".", kOpenFlags | O_NOFOLLOW);
  char *rest = copy;
  while (fd >= 0 && rest != NULL && *rest != '\0') {
    char *component = rest;
    rest = strchr(rest, '/');
    if (rest != NULL) *rest++ = '\0';
    int next = openat(fd, component, kOpenFlags | O_NOFOLLOW);
    int error = errno;
    close(fd);
    errno = error;
    fd = next;
  }
  free(copy);
  return fd;
}

static int open_without_links(int root_fd, const char *name) {
#if defined(SYS_openat2)
  struct open_how how;
  memset(&how, 0, sizeof(how));
  how.flags = (unsigned)kOpenFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long fd = syscall(SYS_openat2, root_fd, *name == '\0' ? "." : name, &how, sizeof(how));
  /* Linux before 5.6 does not know the call, and some seccomp filters answer EPERM to it. */
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)fd;
#endif
  return open_by_component(root_fd, name);
}

static int open_beneath(const struct document_root *root, const char *name) {
  if (!root->follow_symlinks) return open_without_links(root->fd, name);
  return openat(root->fd, *name == '\0' ? "." : name, kOpenFlags);
}

static int status_of_errno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      return HTTP_NOTFOUND;
    case ELOOP:
    case EMLINK: /* what FreeBSD says of a link under O_NOFOLLOW */
    case EXDEV:
    case EACCES:
    case EPERM:
    case ENXIO: /* a socket, or a device without a driver */
      return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
      return HTTP_SERVUNAVAIL;
    default:
      return HTTP_INTERNAL;
  }
}

int document_open(const struct document_root *root, const char *name,
                  struct document *out_document) {
  int fd = open_beneath(root, name);
  if (fd < 0) return status_of_errno(errno);
  struct stat st;
  int status = fstat(fd, &st) == 0 ? 0 : HTTP_INTERNAL;
  if (status == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) status = 403;
  if (status != 0) {
    close(fd);
    return status;
  }
  out_document->fd = fd;
  out_document->is_directory = S_ISDIR(st.st_mode);
  out_document->size = (uint64_t)st.st_size;
#ifdef __APPLE__
  out_document->modified = st.st_mtimespec;
#else
  out_document->modified = st.st_mtim;
#endif
  return 0;
}
