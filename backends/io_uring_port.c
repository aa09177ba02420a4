#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "backends/io_uring_state.h"
#include "backends/received_pool.h"

_Static_assert(sizeof(struct event_span) == sizeof(struct iovec) &&
                   offsetof(struct event_span, data) == offsetof(struct iovec, iov_base) &&
                   offsetof(struct event_span, len) == offsetof(struct iovec, iov_len),
               "spans are given to the kernel as they are");

/* What the port keeps in an operation. */
struct operation_state {
  struct msghdr message;
  struct event_received *own_memory; /* instead of the pool's: none is left */
  bool is_cancelled;
  bool is_collected; /* among those that the next wait looks at */
  bool is_submitted; /* the kernel has it */
  bool waits_first;  /* until the socket is ready: the kernel let go of it */
  bool is_multishot; /* it was asked to go on receiving */
};

static struct operation_state *state_of(struct event_operation *operation) {
  _Static_assert(sizeof(struct operation_state) <= sizeof(operation->port_words), "it fits");
  return (struct operation_state *)(void *)operation->port_words;
}

static uint64_t user_data_of(struct event_operation *operation) {
  return (uint64_t)(uintptr_t)operation;
}

static bool takes_memory_of_port(const struct event_operation *operation) {
  return operation->kind == EVENT_OPERATION_RECV && !operation->num_spans;
}

/* --- Launching --- */

static void collect(struct io_uring_state *state, struct event_operation *operation) {
  state_of(operation)->is_collected = true;
  operation->next_waiting = NULL;
  *state->last_launched = operation;
  state->last_launched = &operation->next_waiting;
}

static void take_first(struct io_uring_state *state) {
  struct event_operation *operation = state->first_launched;
  state_of(operation)->is_collected = false;
  state->first_launched = operation->next_waiting;
  if (!state->first_launched) state->last_launched = &state->first_launched;
}

static void take_out(struct io_uring_state *state, struct event_operation *operation) {
  struct event_operation **link = &state->first_launched;
  while (*link != operation) link = &(*link)->next_waiting;
  *link = operation->next_waiting;
  if (!*link) state->last_launched = link;
  state_of(operation)->is_collected = false;
}

/* Also of one that the parent's port has: what it knows of it stays. */
static int port_launch(void *opaque, struct event_operation *operation) {
  struct io_uring_state *state = opaque;
  if (strata_uring_is_inherited(&state->ring)) return errno = EBADF, -1;
  state_of(operation)->is_submitted = false;
  collect(state, operation);
  return 0;
}

static void port_cancel(void *opaque, struct event_operation *operation) {
  struct io_uring_state *state = opaque;
  struct operation_state *own = state_of(operation);
  if (own->is_cancelled) return;
  own->is_cancelled = true;
  if (own->is_collected) return;                       /* the next wait ends it */
  if (strata_uring_is_inherited(&state->ring)) return; /* event_reinit() or the base's end does */
  if (strata_io_uring_cancel(state, user_data_of(operation)) < 0) collect(state, operation);
}

static void finish(struct event_operation *operation, ev_ssize_t result, int error,
                   struct event_readiness_sink *sink) {
  struct operation_state *own = state_of(operation);
  if (own->own_memory && own->own_memory != operation->received)
    own->own_memory->release(own->own_memory);
  memset(own, 0, sizeof(*own));
  event_operation_set_end(operation, result, error);
  sink->complete(sink, operation);
}

static void use_message(struct io_uring_sqe *sqe, struct event_operation *operation) {
  struct msghdr *message = &state_of(operation)->message;
  message->msg_iov = (struct iovec *)(uintptr_t)operation->spans;
  message->msg_iovlen = (size_t)operation->num_spans;
  sqe->opcode = operation->kind == EVENT_OPERATION_RECV ? IORING_OP_RECVMSG : IORING_OP_SENDMSG;
  sqe->addr = (uint64_t)(uintptr_t)message;
  sqe->len = 1;
}

static void use_span(struct io_uring_sqe *sqe, struct event_operation *operation) {
  sqe->opcode = operation->kind == EVENT_OPERATION_RECV ? IORING_OP_RECV : IORING_OP_SEND;
  sqe->addr = (uint64_t)(uintptr_t)operation->spans[0].data;
  size_t len = operation->spans[0].len;
  sqe->len = len > INT32_MAX ? INT32_MAX : (uint32_t)len;
}

/* Each time into a block of the pool's, until that has none left. */
static void use_multishot(struct io_uring_sqe *sqe, struct event_operation *operation) {
  state_of(operation)->is_multishot = true;
  sqe->opcode = IORING_OP_RECV;
  sqe->ioprio = IORING_RECV_MULTISHOT;
  sqe->flags = IOSQE_BUFFER_SELECT;
}

static void use_memory_of_port(struct io_uring_sqe *sqe, struct event_operation *operation) {
  struct event_received *own_memory = state_of(operation)->own_memory;
  size_t limit = operation->max_len && operation->max_len < STRATA_RECEIVED_LEN
                     ? operation->max_len
                     : STRATA_RECEIVED_LEN;
  sqe->opcode = IORING_OP_RECV;
  sqe->len = (uint32_t)limit;
  if (own_memory)
    sqe->addr = (uint64_t)(uintptr_t)own_memory->data;
  else
    sqe->flags = IOSQE_BUFFER_SELECT;
}

static void poll_for(struct io_uring_sqe *sqe, short what) {
  sqe->opcode = IORING_OP_POLL_ADD;
  sqe->poll32_events = strata_io_uring_poll_events(what);
}

static void accept_from(struct io_uring_sqe *sqe, struct event_operation *operation) {
  sqe->opcode = IORING_OP_ACCEPT;
  sqe->addr = (uint64_t)(uintptr_t)operation->address;
  sqe->addr2 = operation->address ? (uint64_t)(uintptr_t)&operation->address_len : 0;
  sqe->accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
}

static void connect_to(struct io_uring_sqe *sqe, const struct event_operation *operation) {
  sqe->opcode = IORING_OP_CONNECT;
  sqe->addr = (uint64_t)(uintptr_t)operation->address;
  sqe->off = operation->address_len;
}

static bool can_be_multishot(const struct io_uring_state *state,
                             struct event_operation *operation) {
  return operation->repeats && !state->has_no_multishot && !state_of(operation)->own_memory;
}

static void fill_in(struct io_uring_state *state, struct io_uring_sqe *sqe,
                    struct event_operation *operation) {
  sqe->fd = operation->fd;
  sqe->user_data = user_data_of(operation);
  switch (operation->kind) {
    case EVENT_OPERATION_RECV:
    case EVENT_OPERATION_SEND:
      if (takes_memory_of_port(operation) && can_be_multishot(state, operation))
        use_multishot(sqe, operation);
      else if (takes_memory_of_port(operation))
        use_memory_of_port(sqe, operation);
      else if (operation->num_spans == 1)
        use_span(sqe, operation);
      else
        use_message(sqe, operation);
      sqe->msg_flags = MSG_NOSIGNAL;
      break;
    case EVENT_OPERATION_ACCEPT:
      if (state_of(operation)->waits_first)
        poll_for(sqe, EV_READ);
      else
        accept_from(sqe, operation);
      break;
    case EVENT_OPERATION_CONNECT:
      if (state_of(operation)->waits_first)
        poll_for(sqe, EV_WRITE);
      else
        connect_to(sqe, operation);
      break;
  }
}

/* Makes sure that bytes have a place to go to. */
static int provide_memory(struct io_uring_state *state, struct event_operation *operation) {
  struct operation_state *own = state_of(operation);
  if (own->own_memory) return 0;
  if (!state->pool && !state->has_no_pool) {
    state->pool = strata_received_pool_new(&state->ring);
    state->has_no_pool = !state->pool && errno != ENOMEM;
  }
  if (state->pool) return 0;
  own->own_memory = strata_received_new(STRATA_RECEIVED_LEN);
  return own->own_memory ? 0 : -1;
}

/* Gives the kernel an operation, or the cancellation that it had no room for. 0, or -1 with errno:
 * EBUSY when it has no room now, else that of the operation. */
static int submit(struct io_uring_state *state, struct event_operation *operation) {
  struct operation_state *own = state_of(operation);
  if (own->is_submitted) return strata_io_uring_cancel(state, user_data_of(operation));
  if (own->is_cancelled) return errno = ECANCELED, -1;
  if (takes_memory_of_port(operation) && provide_memory(state, operation) < 0)
    return errno = ENOMEM, -1;
  struct io_uring_sqe *sqe = strata_uring_get_sqe(&state->ring);
  if (!sqe) return errno = EBUSY, -1;
  operation->received = NULL; /* what was told before */
  fill_in(state, sqe, operation);
  own->is_submitted = true;
  return 0;
}

bool strata_io_uring_port_prepare(struct io_uring_state *state, struct event_readiness_sink *sink) {
  bool may_block = true;
  struct event_operation *operation;
  while ((operation = state->first_launched) != NULL) {
    int error = submit(state, operation) < 0 ? errno : 0;
    if (error && (error == EBUSY || state_of(operation)->is_submitted)) return false;
    take_first(state);
    if (!error) continue;
    finish(operation, -1, error, sink);
    may_block = false;
  }
  return may_block;
}

/* --- Completing --- */

/* Ended by the kernel for no reason of the operation's. ECANCELED: the thread that submitted it has
 * ended. */
static bool is_interruption(int error) {
  return error == EINTR || error == EAGAIN || error == ECANCELED;
}

/* Before it is tried again. Once begun, connecting goes on without the kernel's request: connect(2)
 * is called again when it can tell how that ended, and would fail with EALREADY before. Before
 * Linux 5.18 accepting does not wait where the listening socket does not block. */
static bool must_wait_first(const struct event_operation *operation, int error) {
  if (operation->kind == EVENT_OPERATION_CONNECT) return is_interruption(error);
  return operation->kind == EVENT_OPERATION_ACCEPT && error == EAGAIN;
}

static bool must_begin_again(struct event_operation *operation, int error) {
  struct operation_state *own = state_of(operation);
  bool was_poll = own->waits_first;
  own->waits_first = must_wait_first(operation, error);
  return is_interruption(error) ? !own->is_cancelled : was_poll;
}

static bool all_memory_is_in_use(struct event_operation *operation, int error) {
  return error == ENOBUFS && takes_memory_of_port(operation) && !state_of(operation)->own_memory;
}

static void begin_again(struct io_uring_state *state, struct event_operation *operation) {
  state_of(operation)->is_submitted = false;
  state_of(operation)->is_multishot = false;
  collect(state, operation);
}

/* Whether there is a block again, or for this operation alone. */
static bool find_memory(struct io_uring_state *state, struct event_operation *operation) {
  if (strata_received_pool_has_more(state->pool)) return true;
  return (state_of(operation)->own_memory = strata_received_new(STRATA_RECEIVED_LEN)) != NULL;
}

static struct event_received *received_by(struct io_uring_state *state,
                                          struct event_operation *operation,
                                          const struct io_uring_cqe *cqe) {
  size_t len = cqe->res > 0 ? (size_t)cqe->res : 0;
  if (cqe->flags & IORING_CQE_F_BUFFER)
    return strata_received_pool_take(state->pool, cqe->flags >> IORING_CQE_BUFFER_SHIFT, len);
  struct event_received *own_memory = state_of(operation)->own_memory;
  if (own_memory) own_memory->len = len;
  return len ? own_memory : NULL;
}

/* One of several results. With the last that the kernel gives on its own it is to be asked anew. */
static void report_result(struct io_uring_state *state, struct event_operation *operation,
                          const struct io_uring_cqe *cqe, struct event_readiness_sink *sink) {
  struct operation_state *own = state_of(operation);
  if (operation->received == own->own_memory) own->own_memory = NULL;
  sink->add_result(sink, operation, operation->received);
  if (!(cqe->flags & IORING_CQE_F_MORE)) begin_again(state, operation);
}

/* An older kernel does not know the flag. */
static bool is_multishot_unknown(struct io_uring_state *state, struct event_operation *operation,
                                 int error) {
  if (error != EINVAL || !state_of(operation)->is_multishot) return false;
  state->has_no_multishot = true;
  return true;
}

void strata_io_uring_port_report(struct io_uring_state *state, const struct io_uring_cqe *cqe,
                                 struct event_readiness_sink *sink) {
  struct event_operation *operation = (struct event_operation *)(uintptr_t)cqe->user_data;
  int error = cqe->res < 0 ? -cqe->res : 0;
  if (!(cqe->flags & IORING_CQE_F_MORE) && state_of(operation)->is_collected)
    take_out(state, operation);
  operation->received = received_by(state, operation, cqe);
  if (operation->received && !operation->received->len) {
    operation->received->release(operation->received);
    operation->received = NULL;
  }
  if (operation->received && operation->repeats) {
    report_result(state, operation, cqe, sink);
    return;
  }
  if (is_multishot_unknown(state, operation, error)) {
    begin_again(state, operation);
    return;
  }
  if (all_memory_is_in_use(operation, error)) {
    if (find_memory(state, operation)) {
      begin_again(state, operation);
      return;
    }
    error = ENOMEM;
  }
  if (must_begin_again(operation, error)) {
    begin_again(state, operation);
    return;
  }
  if (is_interruption(error)) error = ECANCELED;
  finish(operation, error ? -1 : cqe->res, error, sink);
}

/* --- Beginning and end --- */

void strata_io_uring_port_init(struct io_uring_state *state) {
  state->last_launched = &state->first_launched;
}

void strata_io_uring_port_destroy(struct io_uring_state *state) {
  if (state->pool) strata_received_pool_close(state->pool);
}

static bool port_is_inherited(void *opaque) {
  struct io_uring_state *state = opaque;
  return strata_uring_is_inherited(&state->ring);
}

const struct event_port_ops strata_io_uring_port_ops = {
    .features = STRATA_PORT_PROVIDES_MEMORY | STRATA_PORT_REPEATS,
    .launch = port_launch,
    .cancel = port_cancel,
    .is_inherited = port_is_inherited,
};
