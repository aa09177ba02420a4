#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>

#include "backends/testing/kqueue_emulation/queue.h"

#define USER_CONTROL 0xc0000000u
#define USER_AND 0x40000000u
#define USER_OR 0x80000000u
#define USER_NOTES 0x00ffffffu
#define USER_TRIGGER 0x01000000u

int strata_emulated_broken_pipe_error = EPIPE;

/* --- Knotes --- */

static struct knote **bucket_of(struct queue *queue, uintptr_t ident) {
  return &queue->buckets[ident % NUM_BUCKETS];
}

struct knote *strata_emulated_queue_find(struct queue *queue, uintptr_t ident, short filter) {
  struct knote *knote = *bucket_of(queue, ident);
  while (knote && (knote->ident != ident || knote->filter != filter)) knote = knote->next;
  return knote;
}

void strata_emulated_knote_close(const struct knote *knote) {
  if (knote->source < 0) return;
  if (knote->kind == KNOTE_SIGNAL)
    strata_emulated_signal_forget(knote->ident, knote->source);
  else
    close(knote->source);
}

void strata_emulated_queue_drop(struct queue *queue, struct knote *knote) {
  struct knote **link = bucket_of(queue, knote->ident);
  while (*link != knote) link = &(*link)->next;
  *link = knote->next;
  if (knote->kind != KNOTE_POLLED) queue->num_special--;
  strata_emulated_knote_close(knote);
  free(knote);
}

static struct knote *make_knote(struct queue *queue, const struct kevent *change,
                                enum knote_kind kind) {
  struct knote *knote = calloc(1, sizeof(*knote));
  if (!knote) return NULL;
  knote->ident = change->ident;
  knote->filter = change->filter;
  knote->flags = change->flags & (EV_CLEAR | EV_ONESHOT);
  knote->kind = kind;
  knote->serial = ++queue->last_serial;
  knote->source = -1;
  struct knote **bucket = bucket_of(queue, change->ident);
  knote->next = *bucket;
  *bucket = knote;
  if (kind != KNOTE_POLLED) queue->num_special++;
  return knote;
}

/* --- EVFILT_READ and EVFILT_WRITE --- */

int strata_emulated_polled_index(short filter) {
  return filter == EVFILT_WRITE;
}

/* A disabled one reports hang-ups once, which nobody looks at. */
uint32_t strata_emulated_polled_events(const struct knote *knote) {
  if (knote->is_disabled) return EPOLLET;
  uint32_t events = knote->filter == EVFILT_READ ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;
  return knote->flags & EV_CLEAR ? events | EPOLLET : events;
}

uint64_t strata_emulated_polled_tag(const struct knote *knote) {
  return (uint64_t)knote->serial << 32 | (uint32_t)knote->ident;
}

static int tell_epoll(struct queue *queue, int operation, const struct knote *knote) {
  struct epoll_event event;
  event.events = strata_emulated_polled_events(knote);
  event.data.u64 = strata_emulated_polled_tag(knote);
  int epoll = queue->polled[strata_emulated_polled_index(knote->filter)];
  return epoll_ctl(epoll, operation, (int)knote->ident, &event) < 0 ? errno : 0;
}

/* FreeBSD watches one that has a name, whose reader may come back. */
static bool is_broken_pipe(int fd) {
  struct pollfd pollfd = {fd, POLLOUT, 0};
  struct statfs status;
  return fstatfs(fd, &status) == 0 && status.f_type == PIPEFS_MAGIC && poll(&pollfd, 1, 0) == 1 &&
         pollfd.revents & POLLERR;
}

static bool is_same_file(const struct knote *knote) {
  struct stat status;
  return fstat((int)knote->ident, &status) == 0 && status.st_dev == knote->device &&
         status.st_ino == knote->inode;
}

/* Closing a descriptor removes what refers to it. Here that shows when it is looked at next. */
static struct knote *find_live(struct queue *queue, const struct kevent *change) {
  struct knote *knote = strata_emulated_queue_find(queue, change->ident, change->filter);
  if (!knote) return NULL;
  bool is_live;
  if (knote->kind == KNOTE_FILE)
    is_live = is_same_file(knote);
  else
    is_live = tell_epoll(queue, EPOLL_CTL_MOD, knote) == 0;
  if (is_live) return knote;
  strata_emulated_queue_drop(queue, knote);
  return NULL;
}

static int add_polled(struct queue *queue, const struct kevent *change, const struct stat *status) {
  struct knote *knote = make_knote(queue, change, KNOTE_POLLED);
  if (!knote) return ENOMEM;
  knote->is_fifo = S_ISFIFO(status->st_mode);
  knote->is_disabled = change->flags & EV_DISABLE;
  int error = tell_epoll(queue, EPOLL_CTL_ADD, knote);
  /* The number was closed, and names the same file again. */
  if (error == EEXIST) error = tell_epoll(queue, EPOLL_CTL_MOD, knote);
  if (error) strata_emulated_queue_drop(queue, knote);
  return error;
}

static int add_file(struct queue *queue, const struct kevent *change, const struct stat *status) {
  struct knote *knote = make_knote(queue, change, KNOTE_FILE);
  if (!knote) return ENOMEM;
  knote->device = status->st_dev;
  knote->inode = status->st_ino;
  knote->is_triggered = true;
  return 0;
}

static int add_descriptor(struct queue *queue, const struct kevent *change) {
  int fd = (int)change->ident;
  struct stat status;
  if (change->ident > INT32_MAX || fstat(fd, &status) < 0) return EBADF;
  if (S_ISREG(status.st_mode)) return add_file(queue, change, &status);
  if (change->filter == EVFILT_WRITE && is_broken_pipe(fd))
    return strata_emulated_broken_pipe_error;
  int error = add_polled(queue, change, &status);
  return error == EPERM ? EINVAL : error;
}

static int delete_descriptor(struct queue *queue, struct knote *knote) {
  struct epoll_event unused = {0, {0}};
  if (knote->kind == KNOTE_POLLED)
    epoll_ctl(queue->polled[strata_emulated_polled_index(knote->filter)], EPOLL_CTL_DEL,
              (int)knote->ident, &unused);
  strata_emulated_queue_drop(queue, knote);
  return 0;
}

/* --- EVFILT_USER, EVFILT_TIMER, EVFILT_SIGNAL --- */

static int watch_source(struct queue *queue, struct knote *knote) {
  struct epoll_event event;
  event.events = EPOLLIN;
  event.data.u64 = knote->serial;
  return epoll_ctl(queue->fd, EPOLL_CTL_ADD, knote->source, &event) < 0 ? errno : 0;
}

static int64_t timer_unit_ns(unsigned notes) {
  if (notes & NOTE_SECONDS) return 1000000000;
  if (notes & NOTE_USECONDS) return 1000;
  if (notes & NOTE_NSECONDS) return 1;
  return 1000000;
}

static int set_timer(const struct knote *knote) {
  int64_t unit_ns = timer_unit_ns(knote->notes);
  if (knote->data < 0 || knote->data > INT64_MAX / unit_ns) return EINVAL;
  int64_t period_ns = knote->data * unit_ns;
  if (!period_ns) period_ns = 1; /* 0 would stop it */
  struct itimerspec spec;
  spec.it_value.tv_sec = period_ns / 1000000000;
  spec.it_value.tv_nsec = period_ns % 1000000000;
  spec.it_interval = spec.it_value;
  if (knote->flags & EV_ONESHOT) spec.it_interval.tv_sec = spec.it_interval.tv_nsec = 0;
  return timerfd_settime(knote->source, 0, &spec, NULL) < 0 ? errno : 0;
}

static int open_source(struct knote *knote) {
  if (knote->kind == KNOTE_USER) return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  knote->flags |= EV_CLEAR; /* of itself */
  if (knote->kind == KNOTE_SIGNAL) return strata_emulated_signal_watch(knote->ident);
  return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

static int add_special(struct queue *queue, const struct kevent *change, enum knote_kind kind) {
  struct knote *knote = make_knote(queue, change, kind);
  if (!knote) return ENOMEM;
  knote->notes = change->fflags;
  knote->data = change->data;
  knote->source = open_source(knote);
  int error = knote->source < 0 ? errno : 0;
  if (!error && kind == KNOTE_TIMER) error = set_timer(knote);
  if (!error) error = watch_source(queue, knote);
  if (error) strata_emulated_queue_drop(queue, knote);
  return error;
}

static void update_user(struct knote *knote, unsigned notes) {
  unsigned control = notes & USER_CONTROL, user = notes & USER_NOTES;
  if (control == USER_AND)
    knote->notes &= user;
  else if (control == USER_OR)
    knote->notes |= user;
  else if (control == USER_CONTROL)
    knote->notes = user;
  if (!(notes & USER_TRIGGER)) return;
  knote->is_triggered = true;
  uint64_t one = 1;
  ssize_t ignored = write(knote->source, &one, sizeof(one));
  (void)ignored;
}

static int delete_special(struct queue *queue, struct knote *knote) {
  struct epoll_event unused = {0, {0}};
  epoll_ctl(queue->fd, EPOLL_CTL_DEL, knote->source, &unused);
  strata_emulated_queue_drop(queue, knote);
  return 0;
}

static void disable(struct queue *queue, struct knote *knote, bool is_disabled) {
  if (knote->is_disabled == is_disabled) return;
  knote->is_disabled = is_disabled;
  if (knote->kind == KNOTE_POLLED) {
    (void)tell_epoll(queue, EPOLL_CTL_MOD, knote);
  } else if (knote->source >= 0) {
    struct epoll_event unused = {0, {0}};
    if (is_disabled)
      epoll_ctl(queue->fd, EPOLL_CTL_DEL, knote->source, &unused);
    else
      (void)watch_source(queue, knote);
  }
}

/* --- All filters --- */

static bool is_of_descriptor(short filter) {
  return filter == EVFILT_READ || filter == EVFILT_WRITE;
}

static int add_new(struct queue *queue, const struct kevent *change) {
  switch (change->filter) {
    case EVFILT_READ:
    case EVFILT_WRITE:
      return add_descriptor(queue, change);
    case EVFILT_TIMER:
      return add_special(queue, change, KNOTE_TIMER);
    case EVFILT_SIGNAL:
      return add_special(queue, change, KNOTE_SIGNAL);
    case EMULATED_FILTER_USER:
      return add_special(queue, change, KNOTE_USER);
    default:
      return EINVAL;
  }
}

/* EV_CLEAR and EV_ONESHOT stay as they were: FreeBSD leaves the flags alone. */
static int modify(struct knote *knote, const struct kevent *change) {
  knote->udata = change->udata;
  if (knote->kind == KNOTE_USER) return 0;
  knote->notes = change->fflags;
  knote->data = change->data;
  knote->is_triggered = true;
  return knote->kind == KNOTE_TIMER ? set_timer(knote) : 0;
}

static int add(struct queue *queue, const struct kevent *change, struct knote **knote) {
  if (!*knote) {
    int error = add_new(queue, change);
    if (error) return error;
    *knote = strata_emulated_queue_find(queue, change->ident, change->filter);
  }
  return modify(*knote, change);
}

static bool is_known(short filter) {
  return is_of_descriptor(filter) || filter == EVFILT_TIMER || filter == EVFILT_SIGNAL ||
         filter == EMULATED_FILTER_USER;
}

int strata_emulated_queue_change(struct queue *queue, const struct kevent *change) {
  if (!is_known(change->filter)) return EINVAL;
  bool of_descriptor = is_of_descriptor(change->filter);
  struct knote *knote = of_descriptor
                            ? find_live(queue, change)
                            : strata_emulated_queue_find(queue, change->ident, change->filter);
  if (of_descriptor && fcntl((int)change->ident, F_GETFD) < 0) return EBADF;
  if (change->flags & EV_ADD) {
    int error = add(queue, change, &knote);
    if (error) return error;
  }
  if (!knote) return ENOENT;
  if (change->flags & EV_DELETE)
    return of_descriptor ? delete_descriptor(queue, knote) : delete_special(queue, knote);
  if (change->filter == EMULATED_FILTER_USER) update_user(knote, change->fflags);
  if (change->flags & EV_DISABLE) disable(queue, knote, true);
  if (change->flags & EV_ENABLE) disable(queue, knote, false);
  return 0;
}
