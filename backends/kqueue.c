#include "backends/kqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
/* After sys/types.h, which older systems do not include themselves. */
#include <sys/event.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/memory.h"

#define MIN_REPORTS 64
#define MIN_INTERESTS 64
#define MAX_CHANGES 4 /* of one descriptor: two filters, each taken out and put in */
#define MAX_TIMEOUT_S 86400

/* What makes a regular file readable at its end too, as poll(2) has it. */
#if defined(NOTE_FILE_POLL)
#define READ_NOTES NOTE_FILE_POLL
#elif defined(__OpenBSD__) && defined(NOTE_EOF)
#define READ_NOTES NOTE_EOF
#else
#define READ_NOTES 0
#endif

struct interest {
  short mask;     /* as the last change asked; 0: none */
  bool is_broken; /* the kernel refuses EVFILT_WRITE, since the reader of the pipe is gone */
  uint32_t generation;
};

struct kqueue_state {
  int queue;
  pid_t owner;                /* a child does not inherit the queue */
  struct interest *interests; /* by descriptor */
  int num_interests;
  int num_broken;
  struct kevent *reports;
  int num_reports;
  struct kevent *late; /* changes that the next wait hands over; num_reports has room for all */
  int num_late, late_capacity;
};

struct change_list {
  struct kevent changes[MAX_CHANGES];
  int num;
};

static const struct timespec at_once = {0, 0};

/* capsicum(4): the number is that of a descriptor by now that may not be watched. */
#ifdef ENOTCAPABLE
#define NO_RIGHT ENOTCAPABLE
#else
#define NO_RIGHT EBADF
#endif

/* --- State --- */

/* 0, or -1 with EBADF in a child, where the number may be that of another base's queue. It costs a
 * getpid(2), beside a kevent(2) always: pthread_atfork(3), which would spare it, may be an empty
 * stub in programs without threads. */
static int check_owner(const struct kqueue_state *state) {
  if (state->owner == getpid()) return 0;
  errno = EBADF;
  return -1;
}

static void kqueue_destroy(void *opaque) {
  struct kqueue_state *state = opaque;
  /* In a child the number may be that of the queue which takes the place of this one. */
  if (state->queue >= 0 && state->owner == getpid()) close(state->queue);
  if (state->interests) strata_free(state->interests);
  if (state->reports) strata_free(state->reports);
  if (state->late) strata_free(state->late);
  strata_free(state);
}

static int ask_for_wakeups(struct kqueue_state *state) {
#ifdef EVFILT_USER
  struct kevent change;
  EV_SET(&change, 0, EVFILT_USER, EV_ADD | EV_CLEAR, NOTE_FFNOP, 0, 0);
  return kevent(state->queue, &change, 1, NULL, 0, NULL);
#else
  (void)state;
  return 0;
#endif
}

static void *kqueue_init(int config_flags) {
  (void)config_flags; /* it is precise as it is */
  struct kqueue_state *state = strata_calloc(1, sizeof(*state));
  if (!state) return NULL;
  state->owner = getpid();
  state->num_reports = MIN_REPORTS;
  state->num_interests = MIN_INTERESTS;
  state->reports = strata_malloc(MIN_REPORTS * sizeof(*state->reports));
  state->interests = strata_calloc(MIN_INTERESTS, sizeof(*state->interests));
  state->queue = kqueue();
  if (state->queue >= 0 && fcntl(state->queue, F_SETFD, FD_CLOEXEC) == 0 && state->reports &&
      state->interests && ask_for_wakeups(state) == 0)
    return state;
  kqueue_destroy(state);
  return NULL;
}

#ifdef EVFILT_USER
static int kqueue_wake(void *opaque) {
  struct kqueue_state *state = opaque;
  struct kevent change;
  if (check_owner(state) < 0) return -1;
  EV_SET(&change, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0);
  return kevent(state->queue, &change, 1, NULL, 0, NULL);
}
#endif

/* --- Changes --- */

/* The flags that a filter is registered with for a mask; 0: it is not. */
static unsigned read_flags(short mask) {
  if (!(mask & (EV_READ | EV_CLOSED))) return 0;
  /* Who waits for the end alone is not to hear of the same unread data again and again. */
  bool is_edge = mask & EV_ET || !(mask & EV_READ);
  return is_edge ? EV_ADD | EV_CLEAR : EV_ADD;
}

static unsigned write_flags(short mask) {
  if (!(mask & EV_WRITE)) return 0;
  return mask & EV_ET ? EV_ADD | EV_CLEAR : EV_ADD;
}

static void push(struct change_list *list, evutil_socket_t fd, int filter, unsigned flags,
                 uint32_t generation) {
  unsigned notes = filter == EVFILT_READ && flags & EV_ADD ? READ_NOTES : 0;
  struct kevent *change = &list->changes[list->num++];
  EV_SET(change, (uintptr_t)fd, filter, flags, notes, 0, 0);
  change->udata = (__typeof__(change->udata))(uintptr_t)generation; /* a number on older NetBSD */
}

/* Adding what is there would not change its EV_CLEAR, and need not report its state anew. */
static void push_filter(struct change_list *list, evutil_socket_t fd, int filter,
                        unsigned old_flags, unsigned new_flags, uint32_t generation) {
  bool is_kept = old_flags == new_flags && !(old_flags & EV_CLEAR);
  if (old_flags && !is_kept) push(list, fd, filter, EV_DELETE, 0);
  if (new_flags) push(list, fd, filter, new_flags, generation);
}

static void make_list(struct change_list *out_list, evutil_socket_t fd, short old_mask,
                      short new_mask, uint32_t generation) {
  out_list->num = 0;
  push_filter(out_list, fd, EVFILT_READ, read_flags(old_mask), read_flags(new_mask), generation);
  push_filter(out_list, fd, EVFILT_WRITE, write_flags(old_mask), write_flags(new_mask), generation);
}

/* Makes all the changes, whatever becomes of each, and stores its error or 0. */
static int apply(struct kqueue_state *state, struct change_list *list, int *out_errors) {
#ifdef EV_RECEIPT
  struct kevent receipts[MAX_CHANGES];
  for (int i = 0; i < list->num; i++) list->changes[i].flags |= EV_RECEIPT;
  int num;
  do {
    num = kevent(state->queue, list->changes, list->num, receipts, list->num, &at_once);
  } while (num < 0 && errno == EINTR);
  for (int i = 0; i < num; i++) out_errors[i] = (int)receipts[i].data;
  return num < 0 ? -1 : 0;
#else
  for (int i = 0; i < list->num; i++) {
    int result;
    do {
      result = kevent(state->queue, &list->changes[i], 1, NULL, 0, &at_once);
    } while (result < 0 && errno == EINTR);
    out_errors[i] = result < 0 ? errno : 0;
  }
  return 0;
#endif
}

/* Closing a descriptor has made the kernel forget it; a number that was reused since then was never
 * there. */
static bool is_fine(const struct kevent *change, int error) {
  bool is_gone = error == ENOENT || error == EBADF || error == NO_RIGHT;
  return !error || (change->flags & EV_DELETE && is_gone);
}

/* Systems and devices have several ways to say that they cannot poll. */
static int errno_of(int error) {
  bool is_unpollable = error == EINVAL || error == ENODEV || error == ENXIO ||
                       error == EOPNOTSUPP || error == ENOTSUP;
  return is_unpollable ? EPERM : error;
}

/* Of a filter that is put in. NetBSD says EBADF. */
static bool is_broken_pipe(const struct kevent *change, int error) {
  if (change->filter != EVFILT_WRITE) return false;
  return error == EPIPE || (error == EBADF && fcntl((int)change->ident, F_GETFD) >= 0);
}

/* 0 or an error. */
static int apply_checked(struct kqueue_state *state, struct change_list *list,
                         bool *out_is_broken) {
  int errors[MAX_CHANGES] = {0};
  *out_is_broken = false;
  if (!list->num) return 0;
  if (apply(state, list, errors) < 0) return errno;
  for (int i = 0; i < list->num; i++) {
    if (list->changes[i].flags & EV_ADD && is_broken_pipe(&list->changes[i], errors[i]))
      *out_is_broken = true;
    else if (!is_fine(&list->changes[i], errors[i]))
      return errno_of(errors[i]);
  }
  return 0;
}

static int grow_interests(struct kqueue_state *state, evutil_socket_t fd) {
  int num = state->num_interests;
  while (num <= fd) num *= 2;
  struct interest *interests = strata_realloc(state->interests, (size_t)num * sizeof(*interests));
  if (!interests) return -1;
  memset(interests + state->num_interests, 0,
         (size_t)(num - state->num_interests) * sizeof(*interests));
  state->interests = interests;
  state->num_interests = num;
  return 0;
}

static struct interest *find_or_make_interest(struct kqueue_state *state, evutil_socket_t fd) {
  if (fd < 0 || fd > INT_MAX / 4 || (fd >= state->num_interests && fcntl(fd, F_GETFD) < 0)) {
    errno = EBADF;
    return NULL;
  }
  if (fd >= state->num_interests && grow_interests(state, fd) < 0) return NULL;
  return &state->interests[fd];
}

static void set_broken(struct kqueue_state *state, struct interest *interest, bool is_broken) {
  state->num_broken += is_broken - interest->is_broken;
  interest->is_broken = is_broken;
}

static void set_interest(struct kqueue_state *state, struct interest *interest,
                         const struct event_readiness_change *change, bool is_broken) {
  interest->mask = change->new_mask;
  interest->generation = change->generation;
  set_broken(state, interest, is_broken);
}

static int kqueue_change(void *opaque, const struct event_readiness_change *change) {
  struct kqueue_state *state = opaque;
  evutil_socket_t fd = change->fd;
  if (!change->new_mask && fd >= state->num_interests) return 0;
  if (check_owner(state) < 0) return change->new_mask ? -1 : 0;
  struct interest *interest = find_or_make_interest(state, fd);
  if (!interest) return -1;
  struct change_list list;
  bool is_broken;
  make_list(&list, fd, interest->mask, change->new_mask, change->generation);
  int error = apply_checked(state, &list, &is_broken);
  if (error) {
    make_list(&list, fd, change->new_mask, interest->mask, interest->generation);
    bool ignored;
    (void)apply_checked(state, &list, &ignored);
    errno = error;
    return -1;
  }
  set_interest(state, interest, change, is_broken);
  return 0;
}

/* --- Changes that the next wait hands over --- */

static int reserve_reports(struct kqueue_state *state, int num_reports) {
  if (num_reports <= state->num_reports) return 0;
  void *reports = strata_realloc(state->reports, (size_t)num_reports * sizeof(*state->reports));
  if (!reports) return -1;
  state->reports = reports;
  state->num_reports = num_reports;
  return 0;
}

/* Room for each error as well: without it the kernel stops at the first. */
static int reserve_late(struct kqueue_state *state) {
  if (state->late_capacity - state->num_late >= MAX_CHANGES) return 0;
  int capacity = state->late_capacity ? state->late_capacity * 2 : MIN_REPORTS;
  if (reserve_reports(state, capacity) < 0) return -1;
  void *late = strata_realloc(state->late, (size_t)capacity * sizeof(*state->late));
  if (!late) return -1;
  state->late = late;
  state->late_capacity = capacity;
  return 0;
}

static int kqueue_change_late(void *opaque, const struct event_readiness_change *change) {
  struct kqueue_state *state = opaque;
  if (!change->may_be_late) return kqueue_change(opaque, change);
  if (!change->new_mask && change->fd >= state->num_interests) return 0;
  struct interest *interest = find_or_make_interest(state, change->fd);
  if (!interest) return -1;
  /* Without memory it is one system call more: the event has been added already. */
  if (reserve_late(state) < 0) return kqueue_change(opaque, change);
  struct change_list list;
  make_list(&list, change->fd, interest->mask, change->new_mask, change->generation);
  for (int i = 0; i < list.num; i++) state->late[state->num_late++] = list.changes[i];
  set_interest(state, interest, change, false);
  return 0;
}

/* Still with the lock: no change of another thread may come before these. */
static int hand_over_late(struct kqueue_state *state) {
  int num;
  do {
    num = kevent(state->queue, state->late, state->num_late, state->reports, state->num_reports,
                 &at_once);
  } while (num < 0 && errno == EINTR);
  /* After an error of the system the changes are made again: repeating one does no harm. */
  if (num >= 0) state->num_late = 0;
  return num;
}

static void report_refusal(struct kqueue_state *state, const struct kevent *report) {
  struct interest *interest = &state->interests[report->ident];
  bool was_added = report->filter == EVFILT_WRITE ? write_flags(interest->mask) != 0
                                                  : read_flags(interest->mask) != 0;
  int error = (int)report->data;
  if (was_added && is_broken_pipe(report, error)) {
    set_broken(state, interest, true);
  } else if (error && error != ENOENT && was_added) {
    errno = errno_of(error);
    strata_log_errno(STRATA_LOG_WARN, "kqueue: watching descriptor %llu",
                     (unsigned long long)report->ident);
  }
}

/* --- Signals --- */

static int kqueue_watch_signal(void *opaque, int signal, int is_watched) {
  struct kqueue_state *state = opaque;
  if (check_owner(state) < 0) return -1;
  struct kevent change;
  EV_SET(&change, (uintptr_t)signal, EVFILT_SIGNAL, is_watched ? EV_ADD : EV_DELETE, 0, 0, 0);
  int result;
  do {
    result = kevent(state->queue, &change, 1, NULL, 0, &at_once);
  } while (result < 0 && errno == EINTR);
  return result;
}

/* --- Waiting --- */

static int wait_for(struct kqueue_state *state, int64_t timeout_ns) {
  struct timespec timeout = {0, 0};
  if (timeout_ns > 0) {
    int64_t seconds = timeout_ns / STRATA_NS_PER_SECOND;
    timeout.tv_sec = seconds > MAX_TIMEOUT_S ? MAX_TIMEOUT_S : (time_t)seconds;
    timeout.tv_nsec = (long)(timeout_ns % STRATA_NS_PER_SECOND);
  }
  return kevent(state->queue, NULL, 0, state->reports, state->num_reports,
                timeout_ns < 0 ? NULL : &timeout);
}

/* The end is a level, but its filter reports edges: put in anew, it reports what is. */
static void report_end_again(struct kqueue_state *state, evutil_socket_t fd,
                             const struct interest *interest) {
  struct change_list list;
  bool ignored;
  make_list(&list, fd, interest->mask, interest->mask, interest->generation);
  (void)apply_checked(state, &list, &ignored);
}

static void report(struct kqueue_state *state, const struct kevent *report,
                   struct event_readiness_sink *sink) {
  evutil_socket_t fd = (evutil_socket_t)report->ident;
  const struct interest *interest = &state->interests[fd];
  uint32_t generation = (uint32_t)(uintptr_t)report->udata;
  /* Changed while the lock was released: what is true of it now comes with the next wait. */
  if (!interest->mask || interest->generation != generation) return;
  int what = report->filter == EVFILT_WRITE ? EV_WRITE : interest->mask & EV_READ;
  if (report->flags & EV_EOF)
    what |= report->filter == EVFILT_WRITE ? STRATA_EV_HANGUP : EV_CLOSED | STRATA_EV_HANGUP;
  if (!what) return;
  if (report->filter == EVFILT_READ && !(interest->mask & (EV_READ | EV_ET)))
    report_end_again(state, fd, interest);
  sink->ready(sink, fd, generation, (short)what);
}

/* Some systems tell how often, and some only that it came. */
static void report_signal(const struct kevent *report, struct event_readiness_sink *sink) {
  int64_t num = (int64_t)report->data;
  sink->signal(sink, (int)report->ident, num < 1 ? 1 : num > INT_MAX ? INT_MAX : (int)num);
}

static void report_all(struct kqueue_state *state, int num_ready,
                       struct event_readiness_sink *sink) {
  for (int i = 0; i < num_ready; i++) {
    const struct kevent *ready = &state->reports[i];
    if (ready->flags & EV_ERROR)
      report_refusal(state, ready);
    else if (ready->filter == EVFILT_READ || ready->filter == EVFILT_WRITE)
      report(state, ready, sink);
    else if (ready->filter == EVFILT_SIGNAL)
      report_signal(ready, sink);
  }
  /* A full array tells that more was ready: look at more at once next time. */
  if (num_ready == state->num_reports && num_ready <= INT_MAX / 2)
    (void)reserve_reports(state, num_ready * 2);
}

/* Not once it is closed, or the number is another file's: that one is watched then. */
static bool is_still_broken(struct kqueue_state *state, evutil_socket_t fd,
                            const struct interest *interest) {
  struct change_list list = {.num = 0};
  bool is_broken;
  push(&list, fd, EVFILT_WRITE, write_flags(interest->mask), interest->generation);
  int error = apply_checked(state, &list, &is_broken);
  /* What could not be asked, for want of memory, is asked again. */
  return is_broken || (error && error != EBADF);
}

/* There is no filter for them, but whoever writes shall learn of it. */
static void report_broken(struct kqueue_state *state, struct event_readiness_sink *sink) {
  for (int fd = 0; state->num_broken && fd < state->num_interests; fd++) {
    struct interest *interest = &state->interests[fd];
    if (!interest->is_broken) continue;
    bool is_broken = is_still_broken(state, fd, interest);
    if (!is_broken || interest->mask & EV_ET) set_broken(state, interest, false);
    if (is_broken) sink->ready(sink, fd, interest->generation, EV_WRITE | STRATA_EV_HANGUP);
  }
}

/* Beside an error the kernel reports nothing that is ready. */
static int look_after_late(struct kqueue_state *state, struct event_readiness_sink *sink) {
  int num = hand_over_late(state);
  if (num <= 0 || !(state->reports[0].flags & EV_ERROR)) return num;
  report_all(state, num, sink);
  return wait_for(state, 0);
}

static int kqueue_wait(void *opaque, int64_t now_ns, int64_t deadline_ns,
                       struct event_readiness_sink *sink) {
  struct kqueue_state *state = opaque;
  if (check_owner(state) < 0) return -1;
  int num_ready = 0, error = 0;
  bool has_looked = state->num_late > 0;
  if (has_looked) {
    num_ready = look_after_late(state, sink);
    error = errno;
  }
  int64_t timeout_ns = state->num_broken ? 0 : event_readiness_timeout_ns(now_ns, deadline_ns);
  if (!num_ready && (timeout_ns || !has_looked)) {
    sink->unlock(sink);
    num_ready = wait_for(state, timeout_ns);
    error = errno;
    sink->lock(sink);
  }
  if (num_ready >= 0) report_all(state, num_ready, sink);
  if (state->num_broken) report_broken(state, sink);
  if (num_ready >= 0 || error == EINTR) return 0;
  errno = error;
  return -1;
}

#define KQUEUE_FEATURES (EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_FDS | EV_FEATURE_EARLY_CLOSE)

static const struct event_readiness_ops batching_ops = {
    .name = "kqueue (with changelist)",
    .features = KQUEUE_FEATURES | STRATA_READINESS_BATCHES,
    .fork_needs_reinit = 1,
    .init = kqueue_init,
    .change = kqueue_change_late,
    .wait = kqueue_wait,
#ifdef EVFILT_USER
    .wake = kqueue_wake,
#endif
    .watch_signal = kqueue_watch_signal,
    .signal_method = "kqueue_signal",
    .destroy = kqueue_destroy,
};

const struct event_readiness_ops event_kqueue_ops = {
    .name = "kqueue",
    .features = KQUEUE_FEATURES | STRATA_READINESS_LIVE_CHANGES,
    .batching = &batching_ops,
    .fork_needs_reinit = 1,
    .init = kqueue_init,
    .change = kqueue_change,
    .wait = kqueue_wait,
#ifdef EVFILT_USER
    .wake = kqueue_wake,
#endif
    .watch_signal = kqueue_watch_signal,
    .signal_method = "kqueue_signal",
    .destroy = kqueue_destroy,
};
