#include "backends/afd.h"

#include <errno.h>
#include <event2/callback_struct.h>
#include <string.h>

#include "backends/iocp_error.h"
#include "backends/iocp_state.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/winsock.h"

#include <winternl.h>

/* --- The driver's side. Microsoft documents neither the control code nor the structures; they are
 * those that Winsock's own select() uses. --- */

#define IOCTL_AFD_POLL 0x12024

#define AFD_POLL_RECEIVE 0x1
#define AFD_POLL_SEND 0x4
#define AFD_POLL_DISCONNECT 0x8
#define AFD_POLL_ABORT 0x10
#define AFD_POLL_LOCAL_CLOSE 0x20
#define AFD_POLL_ACCEPT 0x80
#define AFD_POLL_CONNECT_FAIL 0x100

struct afd_poll_info {
  LARGE_INTEGER timeout;
  ULONG num_sockets;
  ULONG is_exclusive;
  struct {
    HANDLE socket;
    ULONG events;
    NTSTATUS status;
  } sockets[1];
};

NTSTATUS NTAPI NtCancelIoFileEx(HANDLE file, PIO_STATUS_BLOCK request, PIO_STATUS_BLOCK result);

/* --- Ours --- */

#define NUM_PACKETS 128
/* How long to wait before a poll is asked for again that the system had no memory for. */
#define RETRY_NS (10 * STRATA_NS_PER_MS)

/* What the kernel is given, and writes to when it answers; also to what is cancelled. */
struct afd_poll {
  IO_STATUS_BLOCK status;
  struct afd_poll_info info;
  struct afd_watch *watch; /* NULL: nobody wants the answer */
};

/* A descriptor's registration, which its fd_state points to. It has one poll, with the kernel
 * (armed) or not; a poll that must not go on is cancelled and left to the port, which frees it. */
struct afd_watch {
  EVENT_LIST_ENTRY_(afd_watch) all;
  EVENT_LIST_ENTRY_(afd_watch) unarmed;
  evutil_socket_t fd, base_fd;
  uint32_t generation;
  short mask, armed_mask;
  bool is_armed, is_unarmed; /* with the kernel; in the list of those to be armed */
  bool has_changed;          /* since it was armed */
  bool is_refused;           /* by the driver, and told so */
  struct afd_poll *poll;
};

static HANDLE open_driver(void) {
  static const wchar_t *const names[] = {L"\\Device\\Afd\\Strata", L"\\Device\\Afd"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK status;
    HANDLE afd;
    RtlInitUnicodeString(&name, names[i]);
    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    if (NtCreateFile(&afd, SYNCHRONIZE, &attributes, &status, NULL, 0,
                     FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, NULL, 0) == 0)
      return afd;
  }
  return NULL;
}

static bool open_handles(struct iocp_state *state) {
  if (strata_winsock_start() < 0) return false;
  state->port = state->operations = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
  state->afd = open_driver();
  return state->port && state->afd &&
         CreateIoCompletionPort(state->afd, state->port, STRATA_IOCP_POLL, 0);
}

static void close_handles(struct iocp_state *state) {
  strata_iocp_port_destroy(state);
  if (state->afd) CloseHandle(state->afd);
  if (state->port) CloseHandle(state->port);
  strata_free(state);
}

static void *afd_init(int config_flags) {
  (void)config_flags; /* the system has nothing more precise */
  struct iocp_state *state = strata_calloc(1, sizeof(*state));
  if (!state) return NULL;
  strata_iocp_port_init(state);
  if (open_handles(state)) return state;
  close_handles(state);
  return NULL;
}

/* --- Polls --- */

static ULONG afd_events_of(short mask) {
  ULONG events = AFD_POLL_ABORT | AFD_POLL_LOCAL_CLOSE;
  if (mask & EV_READ)
    events |= AFD_POLL_RECEIVE | AFD_POLL_ACCEPT | AFD_POLL_DISCONNECT | AFD_POLL_CONNECT_FAIL;
  if (mask & EV_WRITE) events |= AFD_POLL_SEND | AFD_POLL_CONNECT_FAIL;
  if (mask & EV_CLOSED) events |= AFD_POLL_DISCONNECT;
  return events;
}

static short what_of(ULONG events, short mask) {
  short what = 0;
  if (events & AFD_POLL_ABORT) what |= EV_READ | EV_WRITE | EV_CLOSED | STRATA_EV_HANGUP;
  if (events & AFD_POLL_CONNECT_FAIL) what |= EV_READ | EV_WRITE | STRATA_EV_HANGUP;
  if (events & (AFD_POLL_RECEIVE | AFD_POLL_ACCEPT)) what |= EV_READ;
  if (events & AFD_POLL_SEND) what |= EV_WRITE;
  if (events & AFD_POLL_DISCONNECT) what |= (EV_READ | EV_CLOSED) & mask;
  return what;
}

static void arm_later(struct iocp_state *state, struct afd_watch *watch) {
  if (watch->is_unarmed) return;
  watch->is_unarmed = true;
  EV_LIST_PUSH_FRONT(&state->unarmed, watch, unarmed);
}

static void take_out(struct afd_watch *watch) {
  if (!watch->is_unarmed) return;
  watch->is_unarmed = false;
  EV_LIST_REMOVE(watch, unarmed);
}

/* One that is no socket any more was closed by its owner: nothing is heard of it, as with epoll. */
static bool is_of_closed(NTSTATUS status) {
  return strata_iocp_error(status) == WSAENOTSOCK;
}

/* The answer comes as a packet, also when it is known at once. False, with what the system said: to
 * be tried again. */
static bool arm(struct iocp_state *state, struct afd_watch *watch, NTSTATUS *out_status) {
  struct afd_poll *poll = watch->poll;
  struct afd_poll_info *info = &poll->info;
  memset(poll, 0, sizeof(*poll));
  poll->watch = watch;
  info->timeout.QuadPart = INT64_MAX;
  info->num_sockets = 1;
  info->sockets[0].socket = (HANDLE)watch->base_fd;
  info->sockets[0].events = afd_events_of(watch->mask);
  NTSTATUS status = NtDeviceIoControlFile(state->afd, NULL, NULL, poll, &poll->status,
                                          IOCTL_AFD_POLL, info, sizeof(*info), info, sizeof(*info));
  watch->armed_mask = watch->mask;
  watch->has_changed = false;
  watch->is_armed = status >= 0;
  if (watch->is_armed) state->num_polls++;
  *out_status = status;
  return watch->is_armed || is_of_closed(status);
}

/* The kernel may have answered already; a packet comes in any case. */
static void give_up_poll(struct iocp_state *state, struct afd_watch *watch) {
  IO_STATUS_BLOCK unused;
  struct afd_poll *poll = watch->poll;
  poll->watch = NULL;
  watch->poll = NULL;
  watch->is_armed = false;
  (void)NtCancelIoFileEx(state->afd, &poll->status, &unused);
}

/* --- Registrations --- */

static int afd_wake(void *opaque) {
  struct iocp_state *state = opaque;
  if (PostQueuedCompletionStatus(state->port, 0, STRATA_IOCP_WAKE, NULL)) return 0;
  errno = ENOMEM;
  return -1;
}

evutil_socket_t strata_iocp_base_socket(evutil_socket_t fd) {
  SOCKET base_fd = (SOCKET)fd;
  DWORD len;
  int type, type_len = sizeof(type);
  if (fd < 0 || getsockopt((SOCKET)fd, SOL_SOCKET, SO_TYPE, (char *)&type, &type_len) != 0)
    return -1;
  if (WSAIoctl((SOCKET)fd, SIO_BASE_HANDLE, NULL, 0, &base_fd, sizeof(base_fd), &len, NULL, NULL) ==
      0)
    return (evutil_socket_t)base_fd;
  /* Some layered providers do not pass that on, and pass on this (SIO_BSP_HANDLE_POLL). */
  if (WSAIoctl((SOCKET)fd, SIO_BSP_HANDLE_POLL, NULL, 0, &base_fd, sizeof(base_fd), &len, NULL,
               NULL) == 0)
    return (evutil_socket_t)base_fd;
  return fd;
}

/* Makes a watch that is not armed have a poll. */
static int have_poll(struct afd_watch *watch) {
  if (!watch->poll) watch->poll = strata_malloc(sizeof(*watch->poll));
  return watch->poll ? 0 : -1;
}

static struct afd_watch *new_watch(struct iocp_state *state, evutil_socket_t fd) {
  struct afd_watch *watch = strata_calloc(1, sizeof(*watch));
  if (!watch) return NULL;
  watch->fd = fd;
  EV_LIST_PUSH_FRONT(&state->watches, watch, all);
  return watch;
}

static void free_watch(struct iocp_state *state, struct afd_watch *watch) {
  if (watch->is_armed) give_up_poll(state, watch);
  take_out(watch);
  EV_LIST_REMOVE(watch, all);
  if (watch->poll) strata_free(watch->poll);
  strata_free(watch);
}

/* Whether the kernel is not asked for all of this, or perhaps for another socket. */
static bool must_ask_anew(const struct afd_watch *watch, evutil_socket_t base_fd,
                          const struct event_readiness_change *change) {
  return watch->base_fd != base_fd || watch->generation != change->generation ||
         afd_events_of(change->new_mask) & ~afd_events_of(watch->armed_mask);
}

/* 0, or -1 with the old poll. */
static int renew_poll(struct iocp_state *state, struct afd_watch *watch) {
  struct afd_poll *fresh = strata_malloc(sizeof(*fresh));
  if (!fresh) return -1;
  give_up_poll(state, watch);
  watch->poll = fresh;
  return 0;
}

static void set_registration(struct afd_watch *watch, evutil_socket_t base_fd, short mask,
                             uint32_t generation) {
  watch->base_fd = base_fd;
  watch->mask = mask;
  watch->generation = generation;
}

static int ask(struct iocp_state *state, struct afd_watch *watch, evutil_socket_t base_fd,
               const struct event_readiness_change *change) {
  NTSTATUS unused;
  if (have_poll(watch) < 0) return -1;
  if (watch->is_armed && must_ask_anew(watch, base_fd, change) && renew_poll(state, watch) < 0)
    return -1;
  const struct afd_watch old = *watch;
  set_registration(watch, base_fd, change->new_mask, change->generation);
  watch->has_changed = true;
  watch->is_refused = false;
  if (watch->is_armed) return 0;
  if (state->is_waiting && arm(state, watch, &unused)) return 0;
  arm_later(state, watch);
  /* Nobody looks at the list before a wait that goes on has ended. */
  if (!state->is_waiting || afd_wake(state) == 0) return 0;
  set_registration(watch, old.base_fd, old.mask, old.generation);
  return -1;
}

static int afd_change(void *opaque, const struct event_readiness_change *change) {
  struct iocp_state *state = opaque;
  struct afd_watch *watch = (struct afd_watch *)*change->fd_state;
  if (!change->new_mask) {
    if (watch) free_watch(state, watch);
    *change->fd_state = 0;
    return 0;
  }
  evutil_socket_t base_fd = strata_iocp_base_socket(change->fd);
  if (base_fd < 0) return errno = EBADF, -1;
  bool is_new = !watch;
  if (is_new && !(watch = new_watch(state, change->fd))) return -1;
  if (ask(state, watch, base_fd, change) < 0) {
    if (is_new) free_watch(state, watch);
    return -1;
  }
  *change->fd_state = (intptr_t)watch;
  return 0;
}

/* --- Waiting --- */

/* Events of AFD, cut to what is watched. */
static void tell(const struct afd_watch *watch, ULONG events, struct event_readiness_sink *sink) {
  short what = what_of(events & afd_events_of(watch->mask), watch->mask);
  if (what) sink->ready(sink, watch->fd, watch->generation, what);
}

/* What can't be armed stays in the list, and keeps no other from it. For want of memory it is tried
 * again soon. What AFD refuses to poll is told like a connection that broke, now and as often: the
 * owner's own call may say why. Times as in afd_wait(). */
static void arm_all(struct iocp_state *state, int64_t *now_ns, int64_t *deadline_ns,
                    struct event_readiness_sink *sink) {
  struct afd_watch *next, *watch;
  bool has_told = false;
  if (!state->unarmed) return;
  *now_ns = strata_monotonic_ns();
  for (watch = state->unarmed; watch; watch = next) {
    NTSTATUS status;
    next = watch->unarmed.le_next;
    if (watch->is_refused && *now_ns < state->refused_ns + RETRY_NS) continue;
    watch->is_refused = false;
    if (arm(state, watch, &status)) {
      take_out(watch);
    } else if (strata_iocp_error(status) != WSAENOBUFS) {
      tell(watch, AFD_POLL_ABORT, sink);
      watch->is_refused = has_told = true;
    }
  }
  if (has_told) {
    state->refused_ns = *now_ns;
    *deadline_ns = *now_ns;
  } else if (state->unarmed && *deadline_ns > *now_ns + RETRY_NS) {
    *deadline_ns = *now_ns + RETRY_NS;
  }
}

/* ABORTED: the thread that armed it has ended. */
static bool is_asked_again(NTSTATUS status) {
  int error = strata_iocp_error(status);
  return error == WSA_OPERATION_ABORTED || error == WSAENOBUFS;
}

static ULONG events_of(const struct afd_poll *poll) {
  NTSTATUS status = poll->status.Status;
  if (status < 0) return is_asked_again(status) ? 0 : AFD_POLL_ABORT;
  return poll->info.num_sockets ? poll->info.sockets[0].events : 0;
}

static void report_poll(struct iocp_state *state, struct afd_poll *poll,
                        struct event_readiness_sink *sink) {
  struct afd_watch *watch = poll->watch;
  state->num_polls--;
  if (!watch) {
    strata_free(poll);
    return;
  }
  ULONG events = events_of(poll);
  bool is_closed = events & AFD_POLL_LOCAL_CLOSE || is_of_closed(poll->status.Status);
  watch->is_armed = false;
  /* Unless the number was reused, and the new socket asked for, nothing more is heard of it. */
  if (is_closed && !watch->has_changed) return;
  arm_later(state, watch);
  if (!is_closed) tell(watch, events, sink);
}

static void report_operation(struct iocp_state *state, OVERLAPPED *overlapped,
                             struct event_readiness_sink *sink) {
  strata_iocp_port_take(state, overlapped);
  strata_iocp_port_report(state, overlapped, sink);
}

static void report_packet(struct iocp_state *state, const OVERLAPPED_ENTRY *packet,
                          struct event_readiness_sink *sink) {
  void *request = packet->lpOverlapped;
  if (packet->lpCompletionKey == STRATA_IOCP_POLL)
    report_poll(state, request, sink);
  else if (packet->lpCompletionKey == STRATA_IOCP_OPERATION)
    report_operation(state, request, sink);
}

static DWORD milliseconds(int64_t timeout_ns) {
  if (timeout_ns < 0) return INFINITE;
  int64_t ms = timeout_ns / STRATA_NS_PER_MS + (timeout_ns % STRATA_NS_PER_MS != 0);
  return ms < INT32_MAX ? (DWORD)ms : INT32_MAX;
}

/* The system counts in ticks of its clock, and may be early by a part of one. Returns how many
 * packets there are, or -1 with errno. */
static int fetch(HANDLE port, OVERLAPPED_ENTRY *packets, int64_t now_ns, int64_t deadline_ns) {
  for (;;) {
    int64_t timeout_ns = event_readiness_timeout_ns(now_ns, deadline_ns);
    ULONG num_packets = 0;
    if (GetQueuedCompletionStatusEx(port, packets, NUM_PACKETS, &num_packets,
                                    milliseconds(timeout_ns), FALSE))
      return (int)num_packets;
    if (GetLastError() != WAIT_TIMEOUT) return errno = EBADF, -1;
    if (!timeout_ns) return 0;
    now_ns = strata_monotonic_ns();
  }
}

static int afd_wait(void *opaque, int64_t now_ns, int64_t deadline_ns,
                    struct event_readiness_sink *sink) {
  struct iocp_state *state = opaque;
  OVERLAPPED_ENTRY packets[NUM_PACKETS];
  arm_all(state, &now_ns, &deadline_ns, sink);
  if (state->first_ended) deadline_ns = now_ns = 0;
  state->is_waiting = true;
  sink->unlock(sink);
  int num_packets = fetch(state->port, packets, now_ns, deadline_ns);
  int error = errno;
  sink->lock(sink);
  state->is_waiting = false;
  for (int i = 0; i < num_packets; i++) report_packet(state, &packets[i], sink);
  strata_iocp_port_report_ended(state, sink);
  errno = error;
  return num_packets < 0 ? -1 : 0;
}

/* --- The end --- */

/* The kernel writes to polls until it has answered them. */
static void await_polls(struct iocp_state *state) {
  OVERLAPPED_ENTRY packets[NUM_PACKETS];
  while (state->num_polls) {
    int num_packets = fetch(state->port, packets, 0, INT64_MAX);
    if (num_packets < 0) return;
    for (int i = 0; i < num_packets; i++)
      if (packets[i].lpCompletionKey == STRATA_IOCP_POLL) report_packet(state, &packets[i], NULL);
  }
}

static void afd_destroy(void *opaque) {
  struct iocp_state *state = opaque;
  while (state->watches) free_watch(state, state->watches);
  await_polls(state);
  close_handles(state);
}

const struct event_readiness_ops event_afd_ops = {
    .name = "afd",
    .features = EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE | STRATA_READINESS_LIVE_CHANGES,
    .init = afd_init,
    .change = afd_change,
    .wait = afd_wait,
    .wake = afd_wake,
    .destroy = afd_destroy,
    .port = &strata_iocp_port_ops,
};
