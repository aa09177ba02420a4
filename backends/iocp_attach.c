#include <limits.h>
#include <string.h>

#include "backends/iocp_state.h"
#include "util/memory.h"
#include "util/socket.h"

#include <winternl.h>

/* A socket's completions go to one port for as long as it lives, and the system does not tell to
 * which. It is noted here, for the whole process, by the number of the socket, and forgotten when
 * the socket is closed by evutil_closesocket(), as all are that the library closes. A port that the
 * program itself has given a socket is none of those in the table: such a socket's completions come
 * by events.
 *
 * A program that closes by closesocket() leaves a note behind. If the next socket of that number
 * gets a port of the program's, the note is known to be of another one by the completion modes,
 * which a fresh socket does not have. Two kinds of program have to close their sockets by
 * evutil_closesocket(): one that sets the same modes itself, and one that closes a socket with
 * operations in flight of which an event tells. These look as if their thread had ended (but under
 * Wine, which has a status for it), and would be begun again on the next socket of that number. */
struct attachment {
  unsigned id; /* of the state; 0: none of ours */
  unsigned flags;
  unsigned num_closed; /* sockets of this number */
};

#define MIN_ATTACHMENTS 256

static SRWLOCK lock = SRWLOCK_INIT; /* also without threads of the library's */
static struct attachment *attachments;
static size_t num_attachments;
static struct iocp_state *states; /* without any, what was noted is of no use */

static bool is_alive(unsigned id) {
  const struct iocp_state *state = states;
  while (state && state->id != id) state = state->next;
  return state;
}

/* FILE_MODE_INFORMATION, and FileModeInformation. */
#define MODE_INFORMATION 16

/* One made without WSA_FLAG_OVERLAPPED: a call on it may block, whatever it is given
 * (WSASocketW, CreateIoCompletionPort, Remarks). */
static bool is_synchronous(evutil_socket_t fd) {
  ULONG mode = 0;
  IO_STATUS_BLOCK unused;
  return NtQueryInformationFile((HANDLE)fd, &unused, &mode, sizeof(mode), MODE_INFORMATION) == 0 &&
         mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT);
}

bool strata_iocp_is_stream(evutil_socket_t fd) {
  int type = 0, type_len = sizeof(type);
  return getsockopt((SOCKET)fd, SOL_SOCKET, SO_TYPE, (char *)&type, &type_len) != 0 ||
         type == SOCK_STREAM;
}

/* Handles are multiples of 4. */
static struct attachment *attachment_of(evutil_socket_t fd) {
  size_t place = (size_t)fd / 4, num = num_attachments ? num_attachments : MIN_ATTACHMENTS;
  if (place < num_attachments) return &attachments[place];
  if (fd < 0 || fd > INT_MAX) return NULL;
  while (num <= place) num *= 2;
  struct attachment *grown = strata_realloc(attachments, num * sizeof(*grown));
  if (!grown) return NULL;
  memset(grown + num_attachments, 0, (num - num_attachments) * sizeof(*grown));
  attachments = grown;
  num_attachments = num;
  return &attachments[place];
}

#define SKIPPING_MODES (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE)

/* Winsock's own sockets bring no packet for what ends at once; those of layered providers may
 * (SetFileCompletionNotificationModes, Remarks). */
static unsigned skip_packets(evutil_socket_t fd) {
  if (strata_iocp_base_socket(fd) != fd) return 0;
  return SetFileCompletionNotificationModes((HANDLE)fd, SKIPPING_MODES) ? STRATA_IOCP_SKIPS : 0;
}

/* FILE_IO_COMPLETION_NOTIFICATION_INFORMATION, and its class. */
#define MODES_INFORMATION 41

/* Whether the socket may be the one of which the note is. */
static bool is_noted(const struct attachment *attachment, evutil_socket_t fd) {
  ULONG modes = 0;
  IO_STATUS_BLOCK unused;
  if (!attachment->id) return false;
  if (!(attachment->flags & STRATA_IOCP_SKIPS)) return true;
  return NtQueryInformationFile((HANDLE)fd, &unused, &modes, sizeof(modes), MODES_INFORMATION) !=
             0 ||
         (modes & SKIPPING_MODES) == SKIPPING_MODES;
}

/* FILE_COMPLETION_INFORMATION, and FileReplaceCompletionInformation, known since Windows 8.1. */
struct completion_information {
  HANDLE port;
  void *key;
};
#define REPLACE_COMPLETION_INFORMATION 61

/* Only of a base that is gone: others still wait for packets, and a port of the program's is not
 * ours to take. */
static bool replace_port(evutil_socket_t fd, HANDLE port) {
  struct completion_information information = {port, (void *)STRATA_IOCP_OPERATION};
  IO_STATUS_BLOCK unused;
  return NtSetInformationFile((HANDLE)fd, &unused, &information, sizeof(information),
                              REPLACE_COMPLETION_INFORMATION) == 0;
}

static int attach(const struct iocp_state *state, evutil_socket_t fd, struct attachment *attachment,
                  unsigned *out_known_by) {
  *out_known_by = state->id | STRATA_IOCP_FOREIGN;
  if (!strata_iocp_is_stream(fd)) return is_synchronous(fd) ? WSAEOPNOTSUPP : 0;
  if (!CreateIoCompletionPort((HANDLE)fd, state->operations, STRATA_IOCP_OPERATION, 0)) {
    DWORD error = GetLastError();
    if (error != ERROR_INVALID_PARAMETER) return WSAENOTSOCK;
    if (is_synchronous(fd)) return WSAEOPNOTSUPP;
    /* It has a port. */
    if (!is_noted(attachment, fd)) {
      attachment->id = 0;
      return 0;
    }
    if (attachment->id == state->id) return *out_known_by = state->id | attachment->flags, 0;
    if (is_alive(attachment->id) || !replace_port(fd, state->operations)) return 0;
  }
  attachment->id = state->id;
  attachment->flags = skip_packets(fd);
  return *out_known_by = state->id | attachment->flags, 0;
}

int strata_iocp_attach(const struct iocp_state *state, evutil_socket_t fd, unsigned *out_known_by) {
  AcquireSRWLockExclusive(&lock);
  struct attachment *attachment = attachment_of(fd);
  int error = attachment ? attach(state, fd, attachment, out_known_by)
              : fd < 0   ? WSAENOTSOCK
                         : WSA_NOT_ENOUGH_MEMORY;
  ReleaseSRWLockExclusive(&lock);
  return error;
}

static int load(evutil_socket_t fd, GUID guid, void *out_function) {
  DWORD len;
  return WSAIoctl((SOCKET)fd, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof(guid), out_function,
                  sizeof(void *), &len, NULL, NULL);
}

/* All sockets with completion ports are Winsock's own, which have the same functions. */
int strata_iocp_load_functions(struct iocp_state *state, evutil_socket_t fd) {
  if (state->connect_ex) return 0;
  if (load(fd, (GUID)WSAID_ACCEPTEX, &state->accept_ex) != 0 ||
      load(fd, (GUID)WSAID_GETACCEPTEXSOCKADDRS, &state->get_addresses) != 0 ||
      load(fd, (GUID)WSAID_CONNECTEX, &state->connect_ex) != 0)
    return WSAGetLastError();
  return 0;
}

/* The socket is about to be closed. */
static void forget(evutil_socket_t fd) {
  AcquireSRWLockExclusive(&lock);
  if (fd >= 0 && (size_t)fd / 4 < num_attachments) {
    attachments[(size_t)fd / 4].id = 0;
    attachments[(size_t)fd / 4].num_closed++;
  }
  ReleaseSRWLockExclusive(&lock);
}

unsigned strata_iocp_num_closed(evutil_socket_t fd) {
  AcquireSRWLockShared(&lock);
  size_t place = (size_t)fd / 4;
  unsigned num_closed = place < num_attachments ? attachments[place].num_closed : 0;
  ReleaseSRWLockShared(&lock);
  return num_closed;
}

void strata_iocp_open_attachments(struct iocp_state *state) {
  static unsigned last_id;
  strata_socket_on_close(forget);
  AcquireSRWLockExclusive(&lock);
  state->next = states;
  states = state;
  state->id = last_id += STRATA_IOCP_FLAGS + 1;
  ReleaseSRWLockExclusive(&lock);
}

void strata_iocp_close_attachments(struct iocp_state *state) {
  AcquireSRWLockExclusive(&lock);
  struct iocp_state **link = &states;
  while (*link != state) link = &(*link)->next;
  *link = state->next;
  if (!states && attachments) {
    strata_free(attachments);
    attachments = NULL;
    num_attachments = 0;
  }
  ReleaseSRWLockExclusive(&lock);
}
