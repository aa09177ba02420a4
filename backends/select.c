/* On macOS: descriptors past FD_SETSIZE. */
#define _DARWIN_UNLIMITED_SELECT 1

#include "backends/select.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>

#include "util/clock.h"
#include "util/memory.h"

/* Some systems refuse to wait for more than a hundred million seconds. */
#define MAX_WAIT_SECONDS 100000000

#define BITS_PER_WORD ((int)sizeof(fd_mask) * CHAR_BIT)
#define MIN_WORDS 2

/* Sets of descriptors as select(2) takes them, in one block: an fd_set is an array of fd_mask, and
 * the kernel looks at as much of it as there are descriptors. FD_SET() and its like may check
 * against FD_SETSIZE (glibc with _FORTIFY_SOURCE), so the bits are handled here. */
struct fd_sets {
  fd_mask *read, *write;             /* what is asked for */
  fd_mask *ready_read, *ready_write; /* what select(2) is given, and answers in */
  uint32_t *generations;             /* by descriptor */
  int num_words;
};

struct select_state {
  bool has_changed;       /* `asked` is not what `waited` was copied from */
  struct fd_sets asked;   /* as change() leaves it */
  struct fd_sets waited;  /* the copy that wait() works on while the lock is released */
  struct fd_sets roomier; /* takes the place of `waited` before the next wait; or empty */
  int num_fds;            /* the highest descriptor in `waited`, plus one */
};

static int sets_alloc(struct fd_sets *out_sets, int num_words) {
  size_t len = (size_t)num_words * sizeof(fd_mask);
  size_t num_fds = (size_t)num_words * (size_t)BITS_PER_WORD;
  fd_mask *words = strata_calloc(4 * len + num_fds * sizeof(uint32_t), 1);
  if (!words) return -1;
  out_sets->read = words;
  out_sets->write = words + num_words;
  out_sets->ready_read = words + 2 * num_words;
  out_sets->ready_write = words + 3 * num_words;
  out_sets->generations = (uint32_t *)(void *)(words + 4 * num_words);
  out_sets->num_words = num_words;
  return 0;
}

static void sets_free(struct fd_sets *sets) {
  if (sets->read) strata_free(sets->read);
  memset(sets, 0, sizeof(*sets));
}

static void sets_copy(struct fd_sets *to, const struct fd_sets *from) {
  size_t len = (size_t)from->num_words * sizeof(fd_mask);
  if (!len) return;
  memcpy(to->read, from->read, len);
  memcpy(to->write, from->write, len);
  memcpy(to->generations, from->generations,
         (size_t)from->num_words * (size_t)BITS_PER_WORD * sizeof(uint32_t));
}

static fd_mask bit_of(evutil_socket_t fd) {
  return (fd_mask)((uint64_t)1 << (fd % BITS_PER_WORD));
}

static bool has(const fd_mask *set, evutil_socket_t fd) {
  return set[fd / BITS_PER_WORD] & bit_of(fd);
}

static void put(fd_mask *set, evutil_socket_t fd, bool is_in) {
  if (is_in)
    set[fd / BITS_PER_WORD] |= bit_of(fd);
  else
    set[fd / BITS_PER_WORD] &= ~bit_of(fd);
}

static void select_destroy(void *opaque) {
  struct select_state *state = opaque;
  sets_free(&state->asked);
  sets_free(&state->waited);
  sets_free(&state->roomier);
  strata_free(state);
}

static void *select_init(int config_flags) {
  (void)config_flags; /* it is precise as it is */
  return strata_calloc(1, sizeof(struct select_state));
}

/* Makes the room for the copy here as well, so that wait() cannot fail for want of memory. The old
 * copy may be in the kernel's hands. */
static int grow(struct select_state *state, evutil_socket_t fd) {
  int num_words = state->asked.num_words ? state->asked.num_words : MIN_WORDS;
  while (num_words <= fd / BITS_PER_WORD) num_words *= 2;
  struct fd_sets asked, roomier;
  if (sets_alloc(&asked, num_words) < 0) return -1;
  if (sets_alloc(&roomier, num_words) < 0) {
    sets_free(&asked);
    return -1;
  }
  sets_copy(&asked, &state->asked);
  sets_free(&state->asked);
  sets_free(&state->roomier);
  state->asked = asked;
  state->roomier = roomier;
  return 0;
}

static bool has_room(const struct select_state *state, evutil_socket_t fd) {
  return fd / BITS_PER_WORD < state->asked.num_words;
}

static void forget(struct select_state *state, evutil_socket_t fd) {
  if (!has_room(state, fd)) return;
  put(state->asked.read, fd, false);
  put(state->asked.write, fd, false);
  state->has_changed = true;
}

/* Whether the number names a file at all. */
static bool is_open(evutil_socket_t fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

static int select_change(void *opaque, const struct event_readiness_change *change) {
  struct select_state *state = opaque;
  evutil_socket_t fd = change->fd;
  if (!(change->new_mask & (EV_READ | EV_WRITE))) {
    forget(state, fd);
    return 0;
  }
  if (!change->old_mask && (fd > INT_MAX / 4 || !is_open(fd))) {
    errno = EBADF;
    return -1;
  }
  if (!has_room(state, fd) && grow(state, fd) < 0) return -1;
  put(state->asked.read, fd, change->new_mask & EV_READ);
  put(state->asked.write, fd, change->new_mask & EV_WRITE);
  state->asked.generations[fd] = change->generation;
  state->has_changed = true;
  return 0;
}

static int count_fds(const struct fd_sets *sets) {
  int word = sets->num_words;
  while (word > 0 && !(sets->read[word - 1] | sets->write[word - 1])) word--;
  int num_fds = word * BITS_PER_WORD;
  while (num_fds > 0 && !has(sets->read, num_fds - 1) && !has(sets->write, num_fds - 1)) num_fds--;
  return num_fds;
}

static void copy_asked(struct select_state *state) {
  if (!state->has_changed) return;
  if (state->roomier.num_words) {
    sets_free(&state->waited);
    state->waited = state->roomier;
    memset(&state->roomier, 0, sizeof(state->roomier));
  }
  sets_copy(&state->waited, &state->asked);
  state->num_fds = count_fds(&state->waited);
  state->has_changed = false;
}

/* A timeout below 0 is none. */
static int wait_us(struct select_state *state, int64_t timeout_ns) {
  struct fd_sets *waited = &state->waited;
  struct timeval timeout = {MAX_WAIT_SECONDS, 0};
  int64_t us = timeout_ns / STRATA_NS_PER_US + (timeout_ns % STRATA_NS_PER_US != 0);
  if (us / 1000000 < MAX_WAIT_SECONDS) {
    timeout.tv_sec = (time_t)(us / 1000000);
    timeout.tv_usec = (suseconds_t)(us % 1000000);
  }
  return select(state->num_fds, (fd_set *)(void *)waited->ready_read,
                (fd_set *)(void *)waited->ready_write, NULL, timeout_ns < 0 ? NULL : &timeout);
}

/* select(2) answers in the sets that it is asked with. */
static void fill_ready(struct fd_sets *sets) {
  size_t len = (size_t)sets->num_words * sizeof(fd_mask);
  if (!len) return;
  memcpy(sets->ready_read, sets->read, len);
  memcpy(sets->ready_write, sets->write, len);
}

static void report_word(const struct fd_sets *sets, int word, struct event_readiness_sink *sink) {
  for (int fd = word * BITS_PER_WORD; fd < (word + 1) * BITS_PER_WORD; fd++) {
    short what = 0;
    if (has(sets->ready_read, fd)) what |= EV_READ;
    if (has(sets->ready_write, fd)) what |= EV_WRITE;
    if (what) sink->ready(sink, fd, sets->generations[fd], what);
  }
}

static void report_ready(const struct select_state *state, struct event_readiness_sink *sink) {
  const struct fd_sets *sets = &state->waited;
  for (int word = 0; word * BITS_PER_WORD < state->num_fds; word++)
    if (sets->ready_read[word] | sets->ready_write[word]) report_word(sets, word, sink);
}

/* select(2) refuses to look at any descriptor when one is closed. Reports the closed ones, whose
 * owners find the error when they use them, and looks at the others. */
static int report_with_closed(struct select_state *state, struct event_readiness_sink *sink) {
  struct fd_sets *sets = &state->waited;
  fill_ready(sets);
  for (int fd = 0; fd < state->num_fds; fd++) {
    if ((!has(sets->read, fd) && !has(sets->write, fd)) || is_open(fd)) continue;
    put(sets->ready_read, fd, false);
    put(sets->ready_write, fd, false);
    sink->ready(sink, fd, sets->generations[fd], EV_READ | EV_WRITE | STRATA_EV_HANGUP);
  }
  int num_ready = wait_us(state, 0);
  if (num_ready > 0) report_ready(state, sink);
  /* Closed since, by another thread: seen in the next wait. */
  return num_ready >= 0 || errno == EBADF || errno == EINTR ? 0 : -1;
}

static int select_wait_for(void *opaque, int64_t now_ns, int64_t deadline_ns,
                           struct event_readiness_sink *sink) {
  struct select_state *state = opaque;
  int64_t timeout_ns = event_readiness_timeout_ns(now_ns, deadline_ns);
  copy_asked(state);
  fill_ready(&state->waited);
  sink->unlock(sink);
  int num_ready = wait_us(state, timeout_ns);
  int error = errno;
  sink->lock(sink);
  if (num_ready > 0) report_ready(state, sink);
  if (num_ready >= 0 || error == EINTR) return 0;
  if (error == EBADF) return report_with_closed(state, sink);
  errno = error;
  return -1;
}

const struct event_readiness_ops event_select_ops = {
    .name = "select",
    .features = EV_FEATURE_FDS,
    .fork_needs_reinit = 0,
    .init = select_init,
    .change = select_change,
    .wait = select_wait_for,
    .destroy = select_destroy,
};
