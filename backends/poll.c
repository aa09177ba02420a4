#include "backends/poll.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "util/clock.h"
#include "util/memory.h"
#include "util/platform.h"

#define MIN_CAPACITY 32

/* Two arrays in one block: what poll(2) takes, and the generation of each descriptor in it. */
struct entries {
  struct pollfd *polls;
  uint32_t *generations;
};

struct poll_state {
  bool is_precise;
  bool has_changed;       /* `asked` is not what `waited` was copied from */
  struct entries asked;   /* as change() leaves it; compact */
  struct entries waited;  /* the copy that wait() works on while the lock is released */
  struct entries roomier; /* takes the place of `waited` before the next wait; or empty */
  int num_asked, num_waited, capacity;
  /* By descriptor: its place in `asked` plus one, or 0. Not in the base's words, since removing a
   * descriptor moves another. */
  int *places;
  int num_places;
};

static int entries_alloc(struct entries *out_entries, int capacity) {
  size_t entry_size = sizeof(struct pollfd) + sizeof(uint32_t);
  out_entries->polls = strata_calloc((size_t)capacity, entry_size);
  if (!out_entries->polls) return -1;
  out_entries->generations = (uint32_t *)(void *)(out_entries->polls + capacity);
  return 0;
}

static void entries_free(struct entries *entries) {
  if (entries->polls) strata_free(entries->polls);
  entries->polls = NULL;
}

static void entries_copy(struct entries *to, const struct entries *from, int num) {
  if (!num) return;
  memcpy(to->polls, from->polls, (size_t)num * sizeof(*to->polls));
  memcpy(to->generations, from->generations, (size_t)num * sizeof(*to->generations));
}

static void poll_destroy(void *opaque) {
  struct poll_state *state = opaque;
  entries_free(&state->asked);
  entries_free(&state->waited);
  entries_free(&state->roomier);
  if (state->places) strata_free(state->places);
  strata_free(state);
}

static void *poll_init(int config_flags) {
  struct poll_state *state = strata_calloc(1, sizeof(*state));
  if (!state) return NULL;
  state->is_precise = config_flags & EVENT_BASE_FLAG_PRECISE_TIMER;
  return state;
}

/* Makes the room for the copy here as well, so that wait() cannot fail for want of memory. The old
 * copy may be in the kernel's hands. */
static int grow(struct poll_state *state) {
  int capacity = state->capacity ? state->capacity * 2 : MIN_CAPACITY;
  struct entries asked, roomier;
  if (entries_alloc(&asked, capacity) < 0) return -1;
  if (entries_alloc(&roomier, capacity) < 0) {
    entries_free(&asked);
    return -1;
  }
  entries_copy(&asked, &state->asked, state->num_asked);
  entries_free(&state->asked);
  entries_free(&state->roomier);
  state->asked = asked;
  state->roomier = roomier;
  state->capacity = capacity;
  return 0;
}

static int grow_places(struct poll_state *state, evutil_socket_t fd) {
  int num_places = state->num_places ? state->num_places : MIN_CAPACITY;
  while (num_places <= fd) num_places *= 2;
  int *places = strata_realloc(state->places, (size_t)num_places * sizeof(*places));
  if (!places) return -1;
  memset(places + state->num_places, 0, (size_t)(num_places - state->num_places) * sizeof(*places));
  state->places = places;
  state->num_places = num_places;
  return 0;
}

static int add(struct poll_state *state, evutil_socket_t fd) {
  /* poll(2) would not refuse a closed descriptor, but report it for ever. */
  if (fd > INT_MAX / 4 || fcntl(fd, F_GETFD) < 0) {
    errno = EBADF;
    return -1;
  }
  if (fd >= state->num_places && grow_places(state, fd) < 0) return -1;
  if (state->num_asked == state->capacity && grow(state) < 0) return -1;
  state->asked.polls[state->num_asked].fd = fd;
  state->places[fd] = ++state->num_asked;
  return 0;
}

static void forget(struct poll_state *state, evutil_socket_t fd) {
  if (fd >= state->num_places || !state->places[fd]) return;
  int place = state->places[fd] - 1;
  int last = --state->num_asked;
  state->asked.polls[place] = state->asked.polls[last];
  state->asked.generations[place] = state->asked.generations[last];
  state->places[state->asked.polls[place].fd] = place + 1;
  state->places[fd] = 0;
  state->has_changed = true;
}

static int poll_change(void *opaque, const struct event_readiness_change *change) {
  struct poll_state *state = opaque;
  evutil_socket_t fd = change->fd;
  short events = 0;
  if (change->new_mask & EV_READ) events |= POLLIN;
  if (change->new_mask & EV_WRITE) events |= POLLOUT;
  if (!events) {
    forget(state, fd);
    return 0;
  }
  bool is_known = fd < state->num_places && state->places[fd];
  if (!is_known && add(state, fd) < 0) return -1;
  int place = state->places[fd] - 1;
  state->asked.polls[place].events = events;
  state->asked.generations[place] = change->generation;
  state->has_changed = true;
  return 0;
}

static void copy_asked(struct poll_state *state) {
  if (!state->has_changed) return;
  if (state->roomier.polls) {
    entries_free(&state->waited);
    state->waited = state->roomier;
    state->roomier.polls = NULL;
  }
  entries_copy(&state->waited, &state->asked, state->num_asked);
  state->num_waited = state->num_asked;
  state->has_changed = false;
}

static int wait_ms(struct poll_state *state, int64_t timeout_ns) {
  int timeout_ms = -1;
  if (timeout_ns >= 0) {
    int64_t rounded_up = timeout_ns / STRATA_NS_PER_MS + (timeout_ns % STRATA_NS_PER_MS != 0);
    timeout_ms = rounded_up > INT_MAX ? INT_MAX : (int)rounded_up;
  }
  return poll(state->waited.polls, (nfds_t)state->num_waited, timeout_ms);
}

/* A timeout below 0 is none. */
static int wait_ns(struct poll_state *state, int64_t timeout_ns) {
#if STRATA_HAVE_PPOLL
  if (state->is_precise && timeout_ns > 0) {
    struct timespec timeout;
    int64_t seconds = timeout_ns / STRATA_NS_PER_SECOND;
    timeout.tv_sec = seconds > INT_MAX ? INT_MAX : (time_t)seconds;
    timeout.tv_nsec = (long)(timeout_ns % STRATA_NS_PER_SECOND);
    return ppoll(state->waited.polls, (nfds_t)state->num_waited, &timeout, NULL);
  }
#endif
  return wait_ms(state, timeout_ns);
}

static short what_of(short revents) {
  short what = 0;
  if (revents & (POLLERR | POLLHUP | POLLNVAL)) what |= EV_READ | EV_WRITE | STRATA_EV_HANGUP;
  if (revents & POLLIN) what |= EV_READ;
  if (revents & POLLOUT) what |= EV_WRITE;
  return what;
}

static int poll_wait_for(void *opaque, int64_t now_ns, int64_t deadline_ns,
                         struct event_readiness_sink *sink) {
  struct poll_state *state = opaque;
  int64_t timeout_ns = event_readiness_timeout_ns(now_ns, deadline_ns);
  copy_asked(state);
  sink->unlock(sink);
  int num_ready = wait_ns(state, timeout_ns);
  int error = errno;
  sink->lock(sink);
  if (num_ready < 0) {
    errno = error;
    return error == EINTR ? 0 : -1;
  }
  const struct entries *waited = &state->waited;
  for (int i = 0; num_ready > 0 && i < state->num_waited; i++) {
    if (!waited->polls[i].revents) continue;
    num_ready--;
    sink->ready(sink, waited->polls[i].fd, waited->generations[i],
                what_of(waited->polls[i].revents));
  }
  return 0;
}

const struct event_readiness_ops event_poll_ops = {
    .name = "poll",
    .features = EV_FEATURE_FDS,
    .fork_needs_reinit = 0,
    .init = poll_init,
    .change = poll_change,
    .wait = poll_wait_for,
    .destroy = poll_destroy,
};
