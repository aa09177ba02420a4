#include "buffer/fd_io.h"

#include <errno.h>
#include <io.h>
#include <windows.h>

#include "util/log.h"

/* What one ReadFile is asked for at most: its length is a DWORD. */
#define MAX_TRANSFER_LEN ((size_t)0x7ffff000)

/* Fills bufs, which has STRATA_FD_MAX_WRITE_VECS elements. */
static void set_bufs(WSABUF *bufs, const struct evbuffer_iovec *vec, int num_vecs) {
  int i;
  strata_assert(num_vecs <= STRATA_FD_MAX_WRITE_VECS);
  for (i = 0; i < num_vecs; i++) {
    bufs[i].buf = vec[i].iov_base;
    bufs[i].len = (ULONG)vec[i].iov_len;
  }
}

ev_ssize_t strata_fd_readv(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs) {
  WSABUF bufs[STRATA_FD_MAX_WRITE_VECS];
  DWORD len = 0, flags = 0;
  set_bufs(bufs, vec, num_vecs);
  if (WSARecv((SOCKET)fd, bufs, (DWORD)num_vecs, &len, &flags, NULL, NULL) != 0) return -1;
  return (ev_ssize_t)len;
}

ev_ssize_t strata_fd_writev(evutil_socket_t fd, struct evbuffer_iovec *vec, int num_vecs,
                            int has_more) {
  WSABUF bufs[STRATA_FD_MAX_WRITE_VECS];
  DWORD len = 0;
  (void)has_more;
  set_bufs(bufs, vec, num_vecs);
  if (WSASend((SOCKET)fd, bufs, (DWORD)num_vecs, &len, 0, NULL, NULL) != 0) return -1;
  return (ev_ssize_t)len;
}

/* The file of a descriptor of the C runtime. -1 is not given to the runtime, which may end the
 * program for it ("Parameter Validation" in its reference). */
static HANDLE file_of(int fd) {
  if (fd >= 0) return (HANDLE)_get_osfhandle(fd);
  errno = EBADF;
  return INVALID_HANDLE_VALUE;
}

static ev_off_t file_len(HANDLE file) {
  LARGE_INTEGER len;
  if (file == INVALID_HANDLE_VALUE) return -1;
  if (GetFileSizeEx(file, &len)) return len.QuadPart;
  errno = EINVAL;
  return -1;
}

ev_off_t strata_fd_file_len(int fd) {
  return file_len(file_of(fd));
}

/* What ReadFile gives for a position, or 0. */
static DWORD read_part(HANDLE file, ev_off_t position, void *out_data, size_t len) {
  OVERLAPPED at = {0};
  DWORD got = 0;
  at.Offset = (DWORD)position;
  at.OffsetHigh = (DWORD)((ev_uint64_t)position >> 32);
  if (len > MAX_TRANSFER_LEN) len = MAX_TRANSFER_LEN;
  return ReadFile(file, out_data, (DWORD)len, &got, &at) ? got : 0;
}

static int read_all(HANDLE file, ev_off_t position, unsigned char *out, size_t len) {
  while (len > 0) {
    DWORD got = read_part(file, position, out, len);
    if (got == 0) {
      errno = EIO;
      return -1;
    }
    out += got;
    len -= got;
    position += got;
  }
  return 0;
}

int strata_fd_read_at(int fd, ev_off_t position, void *out_data, size_t len) {
  const LARGE_INTEGER here = {0};
  LARGE_INTEGER old_position;
  HANDLE file = file_of(fd);
  int result;
  if (file == INVALID_HANDLE_VALUE) return -1;
  /* ReadFile moves the file's position, unlike pread(2). */
  if (!SetFilePointerEx(file, here, &old_position, FILE_CURRENT)) {
    errno = ESPIPE;
    return -1;
  }
  result = read_all(file, position, out_data, len);
  SetFilePointerEx(file, old_position, NULL, FILE_BEGIN);
  return result;
}

static void *map_view(HANDLE file, ev_uint64_t position, size_t len) {
  void *address;
  HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
  if (!mapping) return NULL;
  address = MapViewOfFile(mapping, FILE_MAP_READ, (DWORD)(position >> 32), (DWORD)position, len);
  /* The view keeps the mapping. */
  CloseHandle(mapping);
  return address;
}

unsigned char *strata_fd_map(int fd, ev_off_t position, size_t len,
                             struct strata_file_map *out_map) {
  SYSTEM_INFO info;
  HANDLE file = file_of(fd);
  size_t lead_len;
  out_map->address = NULL;
  GetSystemInfo(&info);
  lead_len = (size_t)((ev_uint64_t)position % info.dwAllocationGranularity);
  if (file_len(file) < position + (ev_off_t)len) return NULL;
  out_map->address = map_view(file, (ev_uint64_t)position - lead_len, len + lead_len);
  if (!out_map->address) return NULL;
  out_map->len = len + lead_len;
  return (unsigned char *)out_map->address + lead_len;
}

void strata_fd_unmap(struct strata_file_map *map) {
  UnmapViewOfFile(map->address);
  map->address = NULL;
}

void strata_fd_close(int fd) {
  _close(fd);
}
