#include "backends/epoll.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/memory.h"
#include "util/platform.h"

#define MIN_REPORTS 64
#define MAX_REPORTS 4096

struct epoll_state {
  int epoll_fd;
  bool is_precise; /* epoll_pwait2(2) is wanted, and has not turned out to be missing */
  struct epoll_event *reports;
  int num_reports;
};

static void epoll_destroy(void *opaque) {
  struct epoll_state *state = opaque;
  if (state->epoll_fd >= 0) close(state->epoll_fd);
  if (state->reports) strata_free(state->reports);
  strata_free(state);
}

static void *epoll_init(int config_flags) {
  struct epoll_state *state = strata_calloc(1, sizeof(*state));
  if (!state) return NULL;
  state->is_precise = config_flags & EVENT_BASE_FLAG_PRECISE_TIMER;
  state->num_reports = MIN_REPORTS;
  state->reports = strata_malloc(MIN_REPORTS * sizeof(*state->reports));
  state->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (state->epoll_fd < 0 || !state->reports) {
    epoll_destroy(state);
    return NULL;
  }
  return state;
}

static uint32_t epoll_events_of(short mask) {
  uint32_t events = 0;
  if (mask & EV_READ) events |= EPOLLIN;
  if (mask & EV_WRITE) events |= EPOLLOUT;
  if (mask & EV_CLOSED) events |= EPOLLRDHUP;
  if (mask & EV_ET) events |= EPOLLET;
  return events;
}

static int forget(struct epoll_state *state, evutil_socket_t fd) {
  struct epoll_event unused = {0, {0}};
  if (epoll_ctl(state->epoll_fd, EPOLL_CTL_DEL, fd, &unused) == 0) return 0;
  /* Closing the last copy of a descriptor has made the kernel forget it already. */
  return errno == ENOENT || errno == EBADF || errno == EPERM ? 0 : -1;
}

static int epoll_change(void *opaque, const struct event_readiness_change *change) {
  struct epoll_state *state = opaque;
  if (!change->new_mask) return forget(state, change->fd);
  struct epoll_event event;
  event.events = epoll_events_of(change->new_mask);
  event.data.u64 = (uint64_t)change->generation << 32 | (uint32_t)change->fd;
  int op = change->old_mask ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(state->epoll_fd, op, change->fd, &event) == 0) return 0;
  /* The number was closed and reused since it was registered, */
  if (op == EPOLL_CTL_MOD && errno == ENOENT)
    return epoll_ctl(state->epoll_fd, EPOLL_CTL_ADD, change->fd, &event);
  /* or it names, by dup2(2), a file that is registered under it still. */
  if (op == EPOLL_CTL_ADD && errno == EEXIST)
    return epoll_ctl(state->epoll_fd, EPOLL_CTL_MOD, change->fd, &event);
  return -1;
}

static short what_of(uint32_t events) {
  int what = (events & EPOLLIN ? EV_READ : 0) | (events & EPOLLOUT ? EV_WRITE : 0);
  if (events & (EPOLLERR | EPOLLHUP)) what |= EV_READ | EV_WRITE | STRATA_EV_HANGUP;
  if (events & (EPOLLRDHUP | EPOLLHUP)) what |= EV_CLOSED;
  return (short)what;
}

/* For both: -1 waits without limit, 0 not at all. */
static int wait_ms(struct epoll_state *state, int64_t timeout_ns) {
  int timeout_ms = (int)timeout_ns;
  if (timeout_ns > 0) {
    int64_t rounded_up = timeout_ns / STRATA_NS_PER_MS + (timeout_ns % STRATA_NS_PER_MS != 0);
    timeout_ms = rounded_up > INT_MAX ? INT_MAX : (int)rounded_up;
  }
  return epoll_wait(state->epoll_fd, state->reports, state->num_reports, timeout_ms);
}

static int wait_ns(struct epoll_state *state, int64_t timeout_ns) {
#if STRATA_HAVE_EPOLL_PWAIT2 && defined(SYS_epoll_pwait2)
  if (state->is_precise && timeout_ns > 0) {
    struct {
      int64_t seconds, nanoseconds; /* the kernel's timespec, on 32-bit systems too */
    } timeout = {timeout_ns / STRATA_NS_PER_SECOND, timeout_ns % STRATA_NS_PER_SECOND};
    long result = syscall(SYS_epoll_pwait2, state->epoll_fd, state->reports, state->num_reports,
                          &timeout, NULL, 0);
    /* A sandbox may answer EPERM to a system call that it does not know. */
    if (result >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)result;
    state->is_precise = false;
  }
#endif
  return wait_ms(state, timeout_ns);
}

/* A full array tells that more was ready: look at more at once next time. */
static void grow_reports(struct epoll_state *state) {
  if (state->num_reports >= MAX_REPORTS) return;
  size_t num_reports = (size_t)state->num_reports * 2;
  void *reports = strata_realloc(state->reports, num_reports * sizeof(*state->reports));
  if (!reports) return;
  state->reports = reports;
  state->num_reports = (int)num_reports;
}

static int epoll_wait_for(void *opaque, int64_t now_ns, int64_t deadline_ns,
                          struct event_readiness_sink *sink) {
  struct epoll_state *state = opaque;
  int64_t timeout_ns = event_readiness_timeout_ns(now_ns, deadline_ns);
  sink->unlock(sink);
  int num_ready = wait_ns(state, timeout_ns);
  int error = errno;
  sink->lock(sink);
  if (num_ready < 0) {
    errno = error;
    return error == EINTR ? 0 : -1;
  }
  for (int i = 0; i < num_ready; i++) {
    uint64_t data = state->reports[i].data.u64;
    sink->ready(sink, (evutil_socket_t)(uint32_t)data, (uint32_t)(data >> 32),
                what_of(state->reports[i].events));
  }
  if (num_ready == state->num_reports) grow_reports(state);
  return 0;
}

#define EPOLL_FEATURES (EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE)

static const struct event_readiness_ops batching_ops = {
    .name = "epoll (with changelist)",
    .features = EPOLL_FEATURES | STRATA_READINESS_BATCHES,
    .fork_needs_reinit = 1,
    .init = epoll_init,
    .change = epoll_change,
    .wait = epoll_wait_for,
    .destroy = epoll_destroy,
};

const struct event_readiness_ops event_epoll_ops = {
    .name = "epoll",
    .features = EPOLL_FEATURES | STRATA_READINESS_LIVE_CHANGES,
    .batching = &batching_ops,
    .fork_needs_reinit = 1,
    .init = epoll_init,
    .change = epoll_change,
    .wait = epoll_wait_for,
    .destroy = epoll_destroy,
};
