#include "samples/channel.h"

#include <winsock2.h>

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <windows.h>

enum { kPumpLen = 64 * 1024 };

/* The thread's, which frees it. */
struct pump {
  int fd;
  evutil_socket_t socket;
};

static void pump_free(struct pump *pump) {
  evutil_closesocket(pump->socket);
  free(pump);
}

static bool send_all(evutil_socket_t fd, const char *bytes, int len) {
  while (len > 0) {
    int sent = send((SOCKET)fd, bytes, len, 0);
    if (sent <= 0) return false;
    bytes += sent;
    len -= sent;
  }
  return true;
}

static bool write_all(int fd, const char *bytes, int len) {
  while (len > 0) {
    int written = _write(fd, bytes, (unsigned)len);
    if (written <= 0) return false;
    bytes += written;
    len -= written;
  }
  return true;
}

static DWORD WINAPI pump_input(void *arg) {
  struct pump *pump = arg;
  char *bytes = malloc(kPumpLen);
  int len;
  while (bytes && (len = _read(pump->fd, bytes, kPumpLen)) > 0)
    if (!send_all(pump->socket, bytes, len)) break;
  free(bytes);
  pump_free(pump);
  return 0;
}

/* The other end learns of an error as of a peer that is gone. */
static DWORD WINAPI pump_output(void *arg) {
  struct pump *pump = arg;
  char *bytes = malloc(kPumpLen);
  int len;
  while (bytes && (len = recv((SOCKET)pump->socket, bytes, kPumpLen, 0)) > 0)
    if (!write_all(pump->fd, bytes, len)) break;
  free(bytes);
  pump_free(pump);
  return 0;
}

static int start_pump(struct channel *channel, evutil_socket_t socket, LPTHREAD_START_ROUTINE run) {
  struct pump *pump = malloc(sizeof(*pump));
  if (pump) *pump = (struct pump){.fd = channel->fd, .socket = socket};
  channel->thread = pump ? CreateThread(NULL, 0, run, pump, 0, NULL) : NULL;
  if (channel->thread) return 0;
  free(pump);
  errno = ENOMEM;
  return -1;
}

/* A pipe, not a file nor the null device; and not the console, to which writing may take its time.
 */
static bool has_to_be_waited_for(int fd, enum channel_direction direction) {
  DWORD mode;
  HANDLE handle = (HANDLE)_get_osfhandle(fd);
  switch (GetFileType(handle)) {
    case FILE_TYPE_PIPE:
      return true;
    case FILE_TYPE_CHAR:
      return direction == CHANNEL_READS && GetConsoleMode(handle, &mode);
    default:
      return false;
  }
}

int channel_open(struct channel *channel, int fd, enum channel_direction direction) {
  evutil_socket_t ends[2];
  channel->fd = fd;
  channel->direction = direction;
  channel->ready_fd = -1;
  if (_setmode(fd, _O_BINARY) < 0) return -1;
  if (!has_to_be_waited_for(fd, direction)) return 0;
  if (evutil_socketpair(AF_INET, SOCK_STREAM, 0, ends) != 0) {
    errno = EMFILE;
    return -1;
  }
  /* What the socket holds is out of sight: it counts as written. */
  int held_len = kPumpLen;
  (void)setsockopt((SOCKET)ends[0], SOL_SOCKET, SO_SNDBUF, (const char *)&held_len,
                   sizeof(held_len));
  if (evutil_make_socket_nonblocking(ends[0]) != 0 ||
      start_pump(channel, ends[1], direction == CHANNEL_READS ? pump_input : pump_output) != 0) {
    evutil_closesocket(ends[0]);
    evutil_closesocket(ends[1]);
    return -1;
  }
  channel->ready_fd = ends[0];
  return 0;
}

static int errno_of_socket(void) {
  return WSAGetLastError() == WSAEWOULDBLOCK ? EAGAIN : EPIPE;
}

ev_ssize_t channel_read(struct channel *channel, void *room, size_t room_len) {
  if (channel->ready_fd < 0) return _read(channel->fd, room, (unsigned)room_len);
  int len = recv((SOCKET)channel->ready_fd, room, (int)room_len, 0);
  if (len < 0) errno = errno_of_socket();
  return len;
}

static int write_to_file(int fd, struct evbuffer *bytes) {
  struct evbuffer_iovec first;
  if (evbuffer_peek(bytes, -1, NULL, &first, 1) < 1) return 0;
  int written =
      _write(fd, first.iov_base, first.iov_len < kPumpLen ? (unsigned)first.iov_len : kPumpLen);
  if (written > 0 && evbuffer_drain(bytes, (size_t)written) != 0) return -1;
  return written;
}

int channel_write(struct channel *channel, struct evbuffer *bytes) {
  if (channel->ready_fd < 0) return write_to_file(channel->fd, bytes);
  int written = evbuffer_write(bytes, channel->ready_fd);
  if (written < 0) errno = errno_of_socket();
  return written;
}

/* A thread that reads may do so for ever: it is left to the end of the process. One that writes
 * ends after the last byte, if someone takes it. */
void channel_close(struct channel *channel, bool gives_up) {
  if (!channel->thread) return;
  evutil_closesocket(channel->ready_fd);
  channel->ready_fd = -1;
  if (channel->direction == CHANNEL_WRITES && !gives_up)
    WaitForSingleObject(channel->thread, INFINITE);
  CloseHandle(channel->thread);
  channel->thread = NULL;
}
