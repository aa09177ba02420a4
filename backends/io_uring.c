#include "backends/io_uring.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/io_uring_state.h"
#include "util/memory.h"

/* What a turn launches for some hundred connections goes with one system call. */
#define NUM_SUBMISSIONS 512
#define FEW_SUBMISSIONS 64 /* where the memory that rings may have is limited */
#define MIN_SLOTS 32

/* A descriptor's poll. One with EV_ET stays with the kernel; another one is made anew in each turn,
 * which makes it report by level. */
struct poll_slot {
  uint32_t sequence; /* of the poll; grows with each */
  uint32_t generation;
  int next_unarmed;
  short mask;
  bool is_armed;   /* the kernel has the poll of `sequence` */
  bool is_unarmed; /* in the list of those that the next wait looks at */
};

static void io_uring_destroy(void *opaque) {
  struct io_uring_state *state = opaque;
  strata_io_uring_port_destroy(state);
  strata_uring_close(&state->ring);
  if (state->slots) strata_free(state->slots);
  strata_free(state);
}

static void *io_uring_init(int config_flags) {
  (void)config_flags; /* it is precise as it is */
  struct io_uring_state *state = strata_calloc(1, sizeof(*state));
  if (!state) return NULL;
  state->first_unarmed = -1;
  strata_io_uring_port_init(state);
  if (strata_uring_open(&state->ring, NUM_SUBMISSIONS) == 0 ||
      (errno == ENOMEM && strata_uring_open(&state->ring, FEW_SUBMISSIONS) == 0))
    return state;
  strata_free(state);
  return NULL;
}

static int grow(struct io_uring_state *state, evutil_socket_t fd) {
  int num_slots = state->num_slots ? state->num_slots : MIN_SLOTS;
  while (num_slots <= fd) num_slots *= 2;
  struct poll_slot *slots = strata_realloc(state->slots, (size_t)num_slots * sizeof(*slots));
  if (!slots) return -1;
  memset(slots + state->num_slots, 0, (size_t)(num_slots - state->num_slots) * sizeof(*slots));
  state->slots = slots;
  state->num_slots = num_slots;
  return 0;
}

static void arm_later(struct io_uring_state *state, evutil_socket_t fd) {
  struct poll_slot *slot = &state->slots[fd];
  if (slot->is_unarmed) return;
  slot->is_unarmed = true;
  slot->next_unarmed = state->first_unarmed;
  state->first_unarmed = fd;
}

static uint64_t user_data_of(evutil_socket_t fd, const struct poll_slot *slot) {
  return STRATA_URING_POLL_TAG | (uint64_t)(uint32_t)fd << 32 | slot->sequence;
}

uint32_t strata_io_uring_poll_events(short mask) {
  uint32_t events = 0;
  if (mask & EV_READ) events |= POLLIN;
  if (mask & EV_WRITE) events |= POLLOUT;
  if (mask & EV_CLOSED) events |= POLLRDHUP;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  events = events << 16 | events >> 16; /* io_uring_enter(2) */
#endif
  return events;
}

static int arm(struct io_uring_state *state, evutil_socket_t fd) {
  struct io_uring_sqe *sqe = strata_uring_get_sqe(&state->ring);
  if (!sqe) return -1;
  struct poll_slot *slot = &state->slots[fd];
  slot->sequence++;
  slot->is_armed = true;
  sqe->opcode = IORING_OP_POLL_ADD;
  sqe->fd = fd;
  sqe->poll32_events = strata_io_uring_poll_events(slot->mask);
  sqe->len = slot->mask & EV_ET ? IORING_POLL_ADD_MULTI : 0;
  sqe->user_data = user_data_of(fd, slot);
  return 0;
}

/* At once, also beside a wait that has not got to the kernel yet: the descriptors of what it is
 * about to submit may have other owners when this returns.
 *
 * Not IORING_OP_POLL_REMOVE, which leaves a poll alone that is just reporting something. */
int strata_io_uring_cancel(struct io_uring_state *state, uint64_t user_data) {
  struct io_uring_sqe *sqe = strata_uring_get_sqe(&state->ring);
  if (!sqe) return -1;
  sqe->opcode = IORING_OP_ASYNC_CANCEL;
  sqe->fd = -1;
  sqe->addr = user_data;
  sqe->flags = state->ring.can_skip ? IOSQE_CQE_SKIP_SUCCESS : 0;
  sqe->user_data = STRATA_URING_IGNORED;
  strata_uring_publish(&state->ring);
  return strata_uring_enter(&state->ring, false, 0);
}

/* A pending poll keeps its file open. */
static int disarm(struct io_uring_state *state, evutil_socket_t fd) {
  struct poll_slot *slot = &state->slots[fd];
  if (!slot->is_armed) return 0;
  if (strata_io_uring_cancel(state, user_data_of(fd, slot)) < 0) return -1;
  slot->is_armed = false;
  slot->sequence++; /* what is on its way is for nobody */
  return 0;
}

static int arm_all(struct io_uring_state *state) {
  while (state->first_unarmed >= 0) {
    evutil_socket_t fd = state->first_unarmed;
    struct poll_slot *slot = &state->slots[fd];
    if (!slot->mask && disarm(state, fd) < 0) return -1;
    if (slot->mask && !slot->is_armed && arm(state, fd) < 0) return -1;
    state->first_unarmed = slot->next_unarmed;
    slot->is_unarmed = false;
  }
  return 0;
}

/* The kernel would tell only when it is asked to poll: event_add() owes it to its caller. */
static int check_pollable(evutil_socket_t fd) {
  /* Most are no files, and this tells so sooner. */
  if (lseek(fd, 0, SEEK_CUR) < 0 && errno == ESPIPE) return 0;
  struct stat status;
  if (fstat(fd, &status) < 0) return -1;
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return 0;
  errno = EPERM;
  return -1;
}

static int io_uring_change(void *opaque, const struct event_readiness_change *change) {
  struct io_uring_state *state = opaque;
  evutil_socket_t fd = change->fd;
  bool is_inherited = strata_uring_is_inherited(&state->ring);
  if (!change->new_mask) {
    if (fd >= state->num_slots) return 0;
    state->slots[fd].mask = 0;
    if (is_inherited) return 0;
    if (disarm(state, fd) < 0) arm_later(state, fd); /* the next wait does it */
    return 0;
  }
  if (is_inherited) return errno = EBADF, -1;
  if (!change->old_mask && check_pollable(fd) < 0) return -1;
  if (fd >= state->num_slots && grow(state, fd) < 0) return -1;
  if (disarm(state, fd) < 0) return -1;
  state->slots[fd].mask = change->new_mask;
  state->slots[fd].generation = change->generation;
  arm_later(state, fd);
  return 0;
}

static short what_of(int32_t result) {
  if (result < 0) return EV_READ | EV_WRITE | STRATA_EV_HANGUP;
  short what = 0;
  if (result & (POLLERR | POLLHUP | POLLNVAL)) what |= EV_READ | EV_WRITE | STRATA_EV_HANGUP;
  if (result & POLLIN) what |= EV_READ;
  if (result & POLLOUT) what |= EV_WRITE;
  if (result & (POLLRDHUP | POLLHUP)) what |= EV_CLOSED;
  return what;
}

static void report(struct io_uring_state *state, const struct io_uring_cqe *cqe,
                   struct event_readiness_sink *sink) {
  evutil_socket_t fd = (evutil_socket_t)(cqe->user_data >> 32 & INT_MAX);
  struct poll_slot *slot = &state->slots[fd];
  if (!slot->is_armed || (uint32_t)cqe->user_data != slot->sequence) return;
  if (!(cqe->flags & IORING_CQE_F_MORE)) {
    slot->is_armed = false;
    /* Cancelled: the thread that submitted it has ended. One that was refused would be refused
     * again, for ever. */
    if (cqe->res >= 0 || cqe->res == -ECANCELED) arm_later(state, fd);
    /* Closed by its owner, nothing more is heard of it, as with epoll. */
    if (cqe->res == -EBADF || cqe->res == -ECANCELED) return;
  }
  sink->ready(sink, fd, slot->generation, what_of(cqe->res));
}

static void report_all(struct io_uring_state *state, struct event_readiness_sink *sink) {
  struct io_uring_cqe *cqe;
  while ((cqe = strata_uring_peek(&state->ring)) != NULL) {
    if (cqe->user_data & STRATA_URING_POLL_TAG)
      report(state, cqe, sink);
    else if (cqe->user_data != STRATA_URING_IGNORED)
      strata_io_uring_port_report(state, cqe, sink);
    strata_uring_pop(&state->ring);
  }
}

static int io_uring_wait_for(void *opaque, int64_t now_ns, int64_t deadline_ns,
                             struct event_readiness_sink *sink) {
  struct io_uring_state *state = opaque;
  if (strata_uring_is_inherited(&state->ring)) return errno = EBADF, -1;
  int64_t timeout_ns = event_readiness_timeout_ns(now_ns, deadline_ns);
  /* Where the ring is full, completions are to be fetched before it takes more. */
  if (arm_all(state) < 0 || !strata_io_uring_port_prepare(state, sink)) timeout_ns = 0;
  strata_uring_publish(&state->ring);
  sink->unlock(sink);
  int result = strata_uring_enter(&state->ring, true, timeout_ns);
  int error = errno;
  sink->lock(sink);
  /* What others asked for meanwhile: there may be no next wait. */
  if (strata_uring_has_published(&state->ring)) (void)strata_uring_enter(&state->ring, false, 0);
  report_all(state, sink);
  errno = error;
  return result;
}

const struct event_readiness_ops event_io_uring_ops = {
    .name = "io_uring",
    .features = EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE,
    .fork_needs_reinit = 1,
    .init = io_uring_init,
    .change = io_uring_change,
    .wait = io_uring_wait_for,
    .destroy = io_uring_destroy,
    .port = &strata_io_uring_port_ops,
};
