#include <errno.h>
#include <string.h>

#include "backends/iocp_accept_room.h"
#include "backends/iocp_error.h"
#include "backends/iocp_received.h"
#include "backends/iocp_state.h"
#include "backends/iocp_workers.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/socket.h"

/* Operations by overlapped calls of Winsock. They begin in their launch, whatever thread that is:
 * the kernel does not end with a thread what it began if a packet will tell of its end. What an
 * event tells of ends with its thread (WSARecv, Remarks). Nothing is lost by that where it can be
 * begun again, in the thread that heard of it: receives, accepts, datagrams. A connection in the
 * making, or one of which it is not known how much was sent, is of no use then: WSAECONNABORTED.
 *
 * With workers (iocp_workers.c) a receive may repeat: whoever takes a result of it from the port
 * calls again at once. It pauses when the loop is behind, and goes on when a result was taken. */

#define MAX_LEN INT32_MAX /* of one call */

/* So many results of one operation wait for the loop. */
#define MAX_UNTAKEN 4

/* What the port keeps in an operation. */
struct operation_state {
  OVERLAPPED overlapped; /* first */
  struct event_received *received;
  struct accept_room *accept_room;
  HANDLE event_wait, port;   /* for a socket whose packets go to another port */
  unsigned num_closed;       /* sockets of this number, at its launch */
  DWORD thread;              /* that made the call */
  int error;                 /* with which the call ended */
  bool is_with_kernel;       /* a packet will come */
  bool was_left;             /* it came without a status: under Wine the thread ended before */
  bool is_cancelled;         /* that was asked for */
  bool is_paused;            /* one that repeats */
  unsigned char num_untaken; /* its results */
};

static struct operation_state *state_of(struct event_operation *operation) {
  _Static_assert(sizeof(struct operation_state) <= sizeof(operation->port_words), "it fits");
  return (struct operation_state *)(void *)operation->port_words;
}

static struct event_operation *operation_of(OVERLAPPED *overlapped) {
  return STRATA_CONTAINER_OF(overlapped, struct event_operation, port_words);
}

/* --- Beginning. Functions return 0 (it has ended well), WSA_IO_PENDING, or the error. --- */

static int result_of(bool is_success) {
  return is_success ? 0 : WSAGetLastError();
}

static DWORD fill_in(WSABUF *buffers, const struct event_operation *operation) {
  size_t room = MAX_LEN;
  int num = 0;
  for (; num < operation->num_spans && room; num++) {
    const struct event_span *span = &operation->spans[num];
    size_t len = span->len < room ? span->len : room;
    buffers[num].buf = span->data;
    buffers[num].len = (ULONG)len;
    room -= len;
  }
  return (DWORD)num;
}

/* Where bytes go for which the launcher has no memory. */
static int provide_memory(struct iocp_state *state, struct event_operation *operation,
                          WSABUF *out_buffer) {
  struct operation_state *own = state_of(operation);
  if (!state->pool) state->pool = strata_iocp_received_new();
  if (state->pool) own->received = strata_iocp_received_take(state->pool);
  if (!own->received) return WSA_NOT_ENOUGH_MEMORY;
  size_t len = own->received->len, max_len = operation->max_len;
  out_buffer->buf = (char *)(uintptr_t)own->received->data;
  out_buffer->len = (ULONG)(max_len && max_len < len ? max_len : len);
  return 0;
}

static int begin_recv(struct iocp_state *state, struct event_operation *operation) {
  WSABUF buffers[STRATA_MAX_SPANS];
  DWORD num_buffers = fill_in(buffers, operation), flags = 0;
  if (!num_buffers) {
    int error = provide_memory(state, operation, &buffers[num_buffers++]);
    if (error) return error;
  }
  return result_of(WSARecv((SOCKET)operation->fd, buffers, num_buffers, NULL, &flags,
                           &state_of(operation)->overlapped, NULL) == 0);
}

static int begin_send(struct event_operation *operation) {
  WSABUF buffers[STRATA_MAX_SPANS];
  DWORD num_buffers = fill_in(buffers, operation);
  return result_of(WSASend((SOCKET)operation->fd, buffers, num_buffers, NULL, 0,
                           &state_of(operation)->overlapped, NULL) == 0);
}

static int begin_accept(struct iocp_state *state, struct event_operation *operation) {
  struct operation_state *own = state_of(operation);
  int error = strata_iocp_load_functions(state, operation->fd);
  if (!error) error = strata_iocp_accept_room_new(operation->fd, &own->accept_room);
  if (error) return error;
  DWORD len;
  return result_of(state->accept_ex((SOCKET)operation->fd, (SOCKET)own->accept_room->fd,
                                    own->accept_room->addresses, 0, STRATA_IOCP_ADDRESS_LEN,
                                    STRATA_IOCP_ADDRESS_LEN, &len, &own->overlapped));
}

/* ConnectEx asks for a socket that is bound. */
static int bind_to_any(const struct event_operation *operation) {
  struct sockaddr_storage any;
  memset(&any, 0, sizeof(any));
  any.ss_family = operation->address->sa_family;
  if (bind((SOCKET)operation->fd, (struct sockaddr *)&any, operation->address_len) == 0) return 0;
  int error = WSAGetLastError();
  return error == WSAEINVAL ? 0 : error; /* it was bound already */
}

static int begin_connect(struct iocp_state *state, struct event_operation *operation) {
  int error = strata_iocp_load_functions(state, operation->fd);
  if (!error) error = bind_to_any(operation);
  if (error) return error;
  return result_of(state->connect_ex((SOCKET)operation->fd, operation->address,
                                     operation->address_len, NULL, 0, NULL,
                                     &state_of(operation)->overlapped));
}

static int begin(struct iocp_state *state, struct event_operation *operation) {
  switch (operation->kind) {
    case EVENT_OPERATION_RECV:
      return begin_recv(state, operation);
    case EVENT_OPERATION_SEND:
      return begin_send(operation);
    case EVENT_OPERATION_ACCEPT:
      return begin_accept(state, operation);
    case EVENT_OPERATION_CONNECT:
      return begin_connect(state, operation);
  }
  return WSAEINVAL;
}

static int know_socket(const struct iocp_state *state, struct event_operation *operation) {
  if (operation->known_fd == operation->fd &&
      (operation->known_by & ~STRATA_IOCP_FLAGS) == state->id)
    return 0;
  int error = strata_iocp_attach(state, operation->fd, &operation->known_by);
  operation->known_fd = error ? -1 : operation->fd;
  return error;
}

/* --- Sockets whose packets go to another port: of another base, or of the program's; and those
 * that are no streams, of which it is not sure for what a packet comes. An event tells of the end,
 * and the lowest bit of its handle asks for no packet (GetQueuedCompletionStatus, Remarks). --- */

static bool is_foreign(const struct event_operation *operation) {
  return operation->known_by & STRATA_IOCP_FOREIGN;
}

static HANDLE event_of(const struct operation_state *own) {
  return (HANDLE)((uintptr_t)own->overlapped.hEvent & ~(uintptr_t)1);
}

static int make_event(struct iocp_state *state, struct event_operation *operation) {
  struct operation_state *own = state_of(operation);
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  own->port = state->operations;
  own->overlapped.hEvent = (HANDLE)((uintptr_t)event | 1);
  return event ? 0 : WSA_NOT_ENOUGH_MEMORY;
}

/* In a thread of the system's. */
static void CALLBACK on_event(void *arg, BOOLEAN has_timed_out) {
  struct operation_state *own = arg;
  (void)has_timed_out;
  strata_iocp_post(own->port, STRATA_IOCP_OPERATION, &own->overlapped);
}

/* Returns what has become of it. */
static int watch_event(struct event_operation *operation) {
  struct operation_state *own = state_of(operation);
  if (RegisterWaitForSingleObject(&own->event_wait, event_of(own), on_event, own, INFINITE,
                                  WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE))
    return WSA_IO_PENDING;
  own->event_wait = NULL;
  own->is_cancelled = true;
  (void)CancelIoEx((HANDLE)operation->fd, &own->overlapped);
  WaitForSingleObject(event_of(own), INFINITE);
  return strata_iocp_error((int32_t)own->overlapped.Internal);
}

static void drop_event(struct operation_state *own) {
  if (own->event_wait) (void)UnregisterWaitEx(own->event_wait, INVALID_HANDLE_VALUE);
  if (event_of(own)) CloseHandle(event_of(own));
}

static int begin_foreign(struct iocp_state *state, struct event_operation *operation) {
  int error = make_event(state, operation);
  if (!error) error = begin(state, operation);
  return error == WSA_IO_PENDING ? watch_event(operation) : error;
}

/* Returns whether a packet will come; if not, how it has ended. */
static bool begin_call(struct iocp_state *state, struct event_operation *operation,
                       int *out_error) {
  state_of(operation)->thread = GetCurrentThreadId();
  int error = is_foreign(operation) ? begin_foreign(state, operation) : begin(state, operation);
  bool is_with_kernel =
      error == WSA_IO_PENDING || (!error && !(operation->known_by & STRATA_IOCP_FLAGS));
  state_of(operation)->is_with_kernel = is_with_kernel;
  *out_error = error;
  return is_with_kernel;
}

/* --- Ending --- */

static int take_connection(struct iocp_state *state, struct event_operation *operation) {
  struct accept_room *room = state_of(operation)->accept_room;
  SOCKET listener = (SOCKET)operation->fd;
  if (setsockopt((SOCKET)room->fd, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&listener,
                 sizeof(listener)) != 0)
    return WSAGetLastError();
  if (operation->address)
    operation->address_len =
        strata_iocp_accept_room_peer(state, room, operation->address, operation->address_len);
  operation->result = room->fd;
  room->fd = -1;
  return 0;
}

static int take_result(struct iocp_state *state, struct event_operation *operation) {
  struct operation_state *own = state_of(operation);
  operation->result = (ev_ssize_t)own->overlapped.InternalHigh;
  switch (operation->kind) {
    case EVENT_OPERATION_RECV:
      if (!own->received || operation->result == 0) return 0;
      operation->received = own->received;
      operation->received->len = (size_t)operation->result;
      own->received = NULL;
      return 0;
    case EVENT_OPERATION_SEND:
      return 0;
    case EVENT_OPERATION_ACCEPT:
      return take_connection(state, operation);
    case EVENT_OPERATION_CONNECT:
      operation->result = 0;
      return result_of(
          setsockopt((SOCKET)operation->fd, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0) == 0);
  }
  return WSAEINVAL;
}

/* What a call had for itself. */
static void clear_call(struct operation_state *own) {
  drop_event(own);
  if (own->received) own->received->release(own->received);
  if (own->accept_room) strata_iocp_accept_room_free(own->accept_room);
}

static void clear(struct event_operation *operation) {
  clear_call(state_of(operation));
  memset(operation->port_words, 0, sizeof(operation->port_words));
}

/* Cancelled, and some of it went. */
static bool has_moved_bytes(struct event_operation *operation, int error) {
  return error == STRATA_OPERATION_CANCELLED && operation->kind == EVENT_OPERATION_SEND &&
         state_of(operation)->overlapped.InternalHigh;
}

/* The kernel's part. The base's lock is not needed: nobody looks at the result before the operation
 * is reported. */
static void take(struct iocp_state *state, struct event_operation *operation, int error) {
  if (has_moved_bytes(operation, error)) error = 0;
  if (!error && !operation->repeats) error = take_result(state, operation);
  state_of(operation)->error = error;
}

static void end(struct event_operation *operation, int error, struct event_readiness_sink *sink) {
  clear(operation);
  event_operation_set_end(operation, operation->result, error);
  sink->complete(sink, operation);
}

/* --- Receives that go on --- */

static struct event_received *take_bytes(struct operation_state *own) {
  struct event_received *received = own->received;
  own->received = NULL;
  received->len = own->overlapped.InternalHigh;
  return received;
}

/* The number may be another socket's by now. */
static bool is_closed(struct event_operation *operation) {
  return state_of(operation)->num_closed != strata_iocp_num_closed(operation->fd);
}

/* As begin_call(), but for a want of memory, which is told as the system would. */
static bool call_again(struct iocp_state *state, struct event_operation *operation,
                       int *out_error) {
  struct operation_state *own = state_of(operation);
  struct operation_state fresh = {.num_untaken = own->num_untaken, .num_closed = own->num_closed};
  clear_call(own);
  *own = fresh;
  *out_error = STRATA_OPERATION_CANCELLED;
  if (!is_closed(operation) && begin_call(state, operation, out_error)) return true;
  if (*out_error == WSA_NOT_ENOUGH_MEMORY) *out_error = WSAENOBUFS;
  return false;
}

/* A call of one that repeats has ended. */
static void go_on(struct iocp_state *state, struct event_operation *operation, int error,
                  struct event_readiness_sink *sink) {
  struct operation_state *own = state_of(operation);
  do {
    own->is_with_kernel = false;
    if (error || !own->overlapped.InternalHigh) {
      end(operation, error, sink);
      return;
    }
    sink->add_result(sink, operation, take_bytes(own));
    if (own->is_cancelled) {
      end(operation, STRATA_OPERATION_CANCELLED, sink);
      return;
    }
    own->is_paused = ++own->num_untaken == MAX_UNTAKEN;
    if (own->is_paused) return;
  } while (!call_again(state, operation, &error));
}

/* --- Reporting --- */

/* Also an error, which is told as any other end. */
static void end_soon(struct iocp_state *state, struct event_operation *operation, int error) {
  state_of(operation)->error = error;
  operation->next_waiting = NULL;
  *state->last_ended = operation;
  state->last_ended = &operation->next_waiting;
}

/* The thread that began it has ended: nobody asked for the cancellation, nor closed the socket. */
static bool ended_with_thread(struct event_operation *operation, int error) {
  const struct operation_state *own = state_of(operation);
  return error == STRATA_OPERATION_CANCELLED && (is_foreign(operation) || own->was_left) &&
         !own->is_cancelled && !strata_iocp_tells_of_a_close((int32_t)own->overlapped.Internal) &&
         !is_closed(operation);
}

static bool may_begin_again(const struct event_operation *operation) {
  return operation->kind == EVENT_OPERATION_RECV || operation->kind == EVENT_OPERATION_ACCEPT ||
         (operation->kind == EVENT_OPERATION_SEND && !strata_iocp_is_stream(operation->fd));
}

static void begin_again(struct iocp_state *state, struct event_operation *operation) {
  int error = WSAECONNABORTED;
  state_of(operation)->is_with_kernel = false;
  if (may_begin_again(operation) && call_again(state, operation, &error)) return;
  end_soon(state, operation, error);
}

static void report(struct iocp_state *state, struct event_operation *operation,
                   struct event_readiness_sink *sink) {
  int error = state_of(operation)->error;
  if (ended_with_thread(operation, error))
    begin_again(state, operation);
  else if (operation->repeats)
    go_on(state, operation, error, sink);
  else
    end(operation, error, sink);
}

void strata_iocp_port_take(struct iocp_state *state, OVERLAPPED *overlapped) {
  struct event_operation *operation = operation_of(overlapped);
  int32_t status = (int32_t)overlapped->Internal;
  bool was_left = status == (int32_t)STATUS_PENDING;
  state_of(operation)->was_left = was_left;
  take(state, operation, was_left ? STRATA_OPERATION_CANCELLED : strata_iocp_error(status));
}

void strata_iocp_port_report(struct iocp_state *state, OVERLAPPED *overlapped,
                             struct event_readiness_sink *sink) {
  report(state, operation_of(overlapped), sink);
}

void strata_iocp_port_report_ended(struct iocp_state *state, struct event_readiness_sink *sink) {
  struct event_operation *operation;
  while ((operation = state->first_ended) != NULL) {
    state->first_ended = operation->next_waiting;
    if (!state->first_ended) state->last_ended = &state->first_ended;
    take(state, operation, state_of(operation)->error);
    report(state, operation, sink);
  }
}

/* --- What the base calls --- */

static int port_launch(void *opaque, struct event_operation *operation) {
  struct iocp_state *state = opaque;
  int error = know_socket(state, operation);
  state_of(operation)->num_closed = strata_iocp_num_closed(operation->fd);
  if (!error && begin_call(state, operation, &error)) return 0;
  if (error == WSA_NOT_ENOUGH_MEMORY) {
    clear(operation);
    WSASetLastError(WSA_NOT_ENOUGH_MEMORY);
    errno = ENOMEM;
    return -1;
  }
  end_soon(state, operation, error);
  return 0;
}

static bool has_ended(DWORD thread) {
  HANDLE handle = OpenThread(SYNCHRONIZE, FALSE, thread);
  if (!handle) return true;
  bool result = WaitForSingleObject(handle, 0) == WAIT_OBJECT_0;
  CloseHandle(handle);
  return result;
}

/* What is not found has ended, and its packet is on its way; so has what a closed socket left.
 * Under Wine the thread that launched it may also still have to read or write, by the number of a
 * socket that the caller may be about to close; it does not once it has ended. */
static void cancel_call(struct event_operation *operation) {
  OVERLAPPED *overlapped = &state_of(operation)->overlapped;
  while (!CancelIoEx((HANDLE)operation->fd, overlapped) && GetLastError() == ERROR_NOT_FOUND &&
         __atomic_load_n(&overlapped->Internal, __ATOMIC_ACQUIRE) == (ULONG_PTR)STATUS_PENDING &&
         !is_closed(operation) && !has_ended(state_of(operation)->thread))
    SwitchToThread();
}

static void port_cancel(void *opaque, struct event_operation *operation) {
  struct operation_state *own = state_of(operation);
  own->is_cancelled = true;
  if (own->is_with_kernel) cancel_call(operation);
  if (!own->is_paused) return;
  own->is_paused = false;
  end_soon(opaque, operation, STRATA_OPERATION_CANCELLED);
}

static void port_taken(void *opaque, struct event_operation *operation) {
  struct operation_state *own = state_of(operation);
  int error;
  own->num_untaken--;
  if (!own->is_paused) return;
  if (!call_again(opaque, operation, &error)) end_soon(opaque, operation, error);
}

static const struct event_port_ops *port_start_workers(void *opaque,
                                                       struct event_readiness_sink *sink,
                                                       int num_workers) {
  static const struct event_port_ops with_workers = {
      .features = STRATA_PORT_PROVIDES_MEMORY | STRATA_PORT_SENDS_AT_ONCE | STRATA_PORT_REPEATS,
      .launch = port_launch,
      .cancel = port_cancel,
      .taken = port_taken,
  };
  struct iocp_state *state = opaque;
  state->workers = strata_iocp_workers_start(state, sink, num_workers);
  return state->workers ? &with_workers : NULL;
}

void strata_iocp_port_init(struct iocp_state *state) {
  strata_iocp_open_attachments(state);
  state->last_ended = &state->first_ended;
}

void strata_iocp_port_destroy(struct iocp_state *state) {
  if (state->workers) strata_iocp_workers_stop(state->workers);
  strata_iocp_received_close(state->pool);
  strata_iocp_close_attachments(state);
}

const struct event_port_ops strata_iocp_port_ops = {
    .features = STRATA_PORT_PROVIDES_MEMORY | STRATA_PORT_SENDS_AT_ONCE,
    .launch = port_launch,
    .cancel = port_cancel,
    .start_workers = port_start_workers,
};
