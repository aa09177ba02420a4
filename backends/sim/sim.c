#include "backends/sim/sim.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "backends/sim/script.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/memory.h"

#define IO_EVENTS (EV_READ | EV_WRITE | EV_CLOSED)
#define START_NS (1000 * 3600 * STRATA_NS_PER_SECOND)

/* A descriptor: what it is ready for, and how it is registered. */
struct sim_fd {
  uint32_t generation;
  short ready;
  short interest;
  short edges;   /* not reported yet */
  bool is_known; /* in the list of those that may have something to report */
  int refusal;   /* errno of a registration; 0: none */
};

struct strata_sim {
  int64_t now_ns;
  struct sim_script script;
  struct sim_fd *fds;
  int num_fds;
  evutil_socket_t *known; /* num_known of them; room for num_fds */
  int num_known;
  int wait_error;
  long num_waits, num_changes;
};

/* What init() makes; a base has another one after event_reinit(). */
struct sim_state {
  struct strata_sim *sim;
};

static _Thread_local struct strata_sim *current_sim;

/* --- The world --- */

struct strata_sim *strata_sim_new(void) {
  struct strata_sim *sim = strata_calloc(1, sizeof(*sim));
  if (!sim) return NULL;
  sim->now_ns = START_NS;
  current_sim = sim;
  return sim;
}

void strata_sim_make_current(struct strata_sim *sim) {
  current_sim = sim;
}

void strata_sim_free(struct strata_sim *sim) {
  if (current_sim == sim) current_sim = NULL;
  strata_sim_script_clear(&sim->script);
  if (sim->fds) strata_free(sim->fds);
  if (sim->known) strata_free(sim->known);
  strata_free(sim);
}

int64_t strata_sim_now_ns(const struct strata_sim *sim) {
  return sim->now_ns;
}

void strata_sim_advance(struct strata_sim *sim, int64_t by_ns) {
  sim->now_ns = strata_ns_add(sim->now_ns, by_ns);
}

static int grow(struct strata_sim *sim, evutil_socket_t fd) {
  int num_fds = sim->num_fds ? sim->num_fds : 64;
  while (num_fds <= fd) num_fds *= 2;
  struct sim_fd *fds = strata_realloc(sim->fds, (size_t)num_fds * sizeof(*fds));
  if (!fds) return -1;
  memset(fds + sim->num_fds, 0, (size_t)(num_fds - sim->num_fds) * sizeof(*fds));
  sim->fds = fds;
  evutil_socket_t *known = strata_realloc(sim->known, (size_t)num_fds * sizeof(*known));
  if (!known) return -1; /* a part of the larger array goes unused */
  sim->known = known;
  sim->num_fds = num_fds;
  return 0;
}

/* NULL with errno. */
static struct sim_fd *find_or_make(struct strata_sim *sim, evutil_socket_t fd) {
  if (fd < 0 || fd > INT32_MAX / 4) {
    errno = EBADF;
    return NULL;
  }
  if (fd >= sim->num_fds && grow(sim, fd) < 0) {
    errno = ENOMEM;
    return NULL;
  }
  return &sim->fds[fd];
}

static void make_known(struct strata_sim *sim, struct sim_fd *slot) {
  if (slot->is_known) return;
  slot->is_known = true;
  sim->known[sim->num_known++] = (evutil_socket_t)(slot - sim->fds);
}

/* What of `what` this interest is about. */
static short reported(short what, short interest) {
  if (!interest) return 0;
  if (what & STRATA_EV_HANGUP) return what | EV_READ | EV_WRITE;
  return what & interest & IO_EVENTS;
}

int strata_sim_raise(struct strata_sim *sim, evutil_socket_t fd, short what) {
  struct sim_fd *slot = find_or_make(sim, fd);
  if (!slot) return -1;
  slot->ready |= what;
  slot->edges |= reported(what, slot->interest);
  if (reported(slot->ready, slot->interest)) make_known(sim, slot);
  return 0;
}

int strata_sim_lower(struct strata_sim *sim, evutil_socket_t fd, short what) {
  struct sim_fd *slot = find_or_make(sim, fd);
  if (!slot) return -1;
  slot->ready &= (short)~what;
  slot->edges = reported(slot->ready & slot->edges, slot->interest);
  return 0;
}

static int write_step(struct strata_sim *sim, struct sim_step step) {
  if (!find_or_make(sim, step.fd)) return -1;
  if (strata_sim_script_add(&sim->script, step) == 0) return 0;
  errno = ENOMEM;
  return -1;
}

int strata_sim_raise_at(struct strata_sim *sim, int64_t when_ns, evutil_socket_t fd, short what) {
  struct sim_step step = {when_ns, 0, fd, what, true};
  return write_step(sim, step);
}

int strata_sim_lower_at(struct strata_sim *sim, int64_t when_ns, evutil_socket_t fd, short what) {
  struct sim_step step = {when_ns, 0, fd, what, false};
  return write_step(sim, step);
}

int strata_sim_refuse(struct strata_sim *sim, evutil_socket_t fd, int error) {
  struct sim_fd *slot = find_or_make(sim, fd);
  if (!slot) return -1;
  slot->refusal = error;
  return 0;
}

void strata_sim_fail_wait(struct strata_sim *sim, int error) {
  sim->wait_error = error;
}

short strata_sim_interest(const struct strata_sim *sim, evutil_socket_t fd) {
  return fd >= 0 && fd < sim->num_fds ? sim->fds[fd].interest : 0;
}

long strata_sim_num_waits(const struct strata_sim *sim) {
  return sim->num_waits;
}

long strata_sim_num_changes(const struct strata_sim *sim) {
  return sim->num_changes;
}

/* --- The backend --- */

/* A fresh backend knows of no registration. */
static void forget_all(struct strata_sim *sim) {
  for (int fd = 0; fd < sim->num_fds; fd++) {
    struct sim_fd *slot = &sim->fds[fd];
    slot->interest = slot->edges = 0;
    slot->is_known = false;
  }
  sim->num_known = 0;
}

static void *sim_init(int config_flags) {
  (void)config_flags;
  if (!current_sim) return NULL;
  struct sim_state *state = strata_malloc(sizeof(*state));
  if (!state) return NULL;
  state->sim = current_sim;
  forget_all(current_sim);
  return state;
}

static void sim_destroy(void *opaque) {
  strata_free(opaque);
}

static int64_t sim_now(void *opaque) {
  return ((struct sim_state *)opaque)->sim->now_ns;
}

static int sim_change(void *opaque, const struct event_readiness_change *change) {
  struct strata_sim *sim = ((struct sim_state *)opaque)->sim;
  struct sim_fd *slot = find_or_make(sim, change->fd);
  if (!slot) return -1;
  strata_assert(slot->interest == change->old_mask);
  strata_assert(change->old_mask || !*change->fd_state);
  if (slot->refusal && change->new_mask) {
    errno = slot->refusal;
    return -1;
  }
  sim->num_changes++;
  *change->fd_state = change->new_mask != 0;
  slot->interest = change->new_mask;
  slot->generation = change->generation;
  slot->edges = reported(slot->ready, slot->interest);
  if (slot->edges) make_known(sim, slot);
  return 0;
}

static void do_due_steps(struct strata_sim *sim) {
  while (strata_sim_script_next_ns(&sim->script) <= sim->now_ns) {
    struct sim_step step = strata_sim_script_take(&sim->script);
    /* There is room for the descriptor since the step was written. */
    if (step.is_raise)
      (void)strata_sim_raise(sim, step.fd, step.what);
    else
      (void)strata_sim_lower(sim, step.fd, step.what);
  }
}

/* Reports what there is and keeps the descriptors that will be reported again. How many it was. */
static int report(struct strata_sim *sim, struct event_readiness_sink *sink) {
  int num_reported = 0, num_kept = 0;
  for (int i = 0; i < sim->num_known; i++) {
    evutil_socket_t fd = sim->known[i];
    struct sim_fd *slot = &sim->fds[fd];
    bool by_edge = slot->interest & EV_ET;
    short what = by_edge ? slot->edges : reported(slot->ready, slot->interest);
    slot->edges = 0;
    slot->is_known = what && !by_edge;
    if (slot->is_known) sim->known[num_kept++] = fd;
    if (!what) continue;
    sink->ready(sink, fd, slot->generation, what);
    num_reported++;
  }
  sim->num_known = num_kept;
  return num_reported;
}

/* Moves the clock to what happens next, but not beyond the deadline. False when it is there. */
static bool pass_time(struct strata_sim *sim, int64_t deadline_ns) {
  int64_t next = strata_sim_script_next_ns(&sim->script);
  if (next > deadline_ns) next = deadline_ns;
  if (sim->now_ns >= deadline_ns || next == INT64_MAX) return false;
  if (next > sim->now_ns) sim->now_ns = next;
  return true;
}

static int sim_wait(void *opaque, int64_t now_ns, int64_t deadline_ns,
                    struct event_readiness_sink *sink) {
  struct strata_sim *sim = ((struct sim_state *)opaque)->sim;
  sim->num_waits++;
  if (sim->wait_error) {
    errno = sim->wait_error;
    sim->wait_error = 0;
    return -1;
  }
  sink->unlock(sink);
  sink->lock(sink);
  if (deadline_ns <= now_ns) deadline_ns = sim->now_ns;
  do {
    do_due_steps(sim);
    if (report(sim, sink)) return 0;
  } while (pass_time(sim, deadline_ns));
  if (deadline_ns != INT64_MAX) return 0;
  errno = EDEADLK;
  return -1;
}

const struct event_readiness_ops event_sim_ops = {
    .name = "sim",
    .features = EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_FDS | EV_FEATURE_EARLY_CLOSE |
                STRATA_READINESS_LIVE_CHANGES,
    .fork_needs_reinit = 1,
    .init = sim_init,
    .change = sim_change,
    .wait = sim_wait,
    .destroy = sim_destroy,
    .now = sim_now,
};

struct event_base *strata_sim_base_new(struct strata_sim *sim, const struct event_config *config) {
  static const struct event_readiness_ops *const backends[] = {&event_sim_ops, NULL};
  strata_sim_make_current(sim);
  return event_base_new_with_backends(config, backends);
}
