#include "backends/testing/kqueue_emulation/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_handlers_once = PTHREAD_ONCE_INIT;
static struct queue *table;

/* --- The table --- */

static struct queue **find(int fd) {
  struct queue **link = &table;
  while (*link && (*link)->fd != fd) link = &(*link)->next;
  return link;
}

static void close_all_fds(struct queue *queue) {
  for (int i = 0; i < 2; i++)
    if (queue->polled[i] >= 0) close(queue->polled[i]);
  for (int i = 0; i < NUM_BUCKETS; i++)
    for (struct knote *knote = queue->buckets[i]; knote; knote = knote->next)
      strata_emulated_knote_close(knote);
}

static void free_queue(struct queue *queue) {
  for (int i = 0; i < NUM_BUCKETS; i++) {
    for (struct knote *knote = queue->buckets[i], *next; knote; knote = next) {
      next = knote->next;
      free(knote);
    }
  }
  free(queue);
}

static void end_queue(struct queue *queue) {
  close_all_fds(queue);
  pthread_mutex_destroy(&queue->lock);
  free_queue(queue);
}

struct queue *strata_emulated_queue_acquire(int fd) {
  pthread_mutex_lock(&table_lock);
  struct queue *queue = *find(fd);
  if (queue) queue->num_users++;
  pthread_mutex_unlock(&table_lock);
  if (!queue) errno = EBADF;
  return queue;
}

void strata_emulated_queue_release(struct queue *queue) {
  pthread_mutex_lock(&table_lock);
  bool is_last = --queue->num_users == 0 && queue->is_closed;
  pthread_mutex_unlock(&table_lock);
  if (is_last) end_queue(queue);
}

/* --- A child does not inherit a kqueue --- */

static void before_fork(void) {
  pthread_mutex_lock(&table_lock);
  strata_emulated_signals_lock();
}

static void in_parent(void) {
  strata_emulated_signals_unlock();
  pthread_mutex_unlock(&table_lock);
}

/* A lock of the queue's may be held by a thread that the child does not have. */
static void in_child(void) {
  strata_emulated_signals_begin_anew();
  strata_emulated_signals_unlock();
  while (table) {
    struct queue *queue = table;
    table = queue->next;
    close(queue->fd);
    close_all_fds(queue);
    free_queue(queue);
  }
  pthread_mutex_unlock(&table_lock);
}

static void install_fork_handlers(void) {
  pthread_atfork(before_fork, in_parent, in_child);
}

/* --- kqueue() and close() --- */

#define OUT_OF_THE_WAY 500

int strata_emulated_epoll_open(void) {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
  if (moved < 0) return fd;
  close(fd);
  return moved;
}

static int open_fds(struct queue *queue) {
  queue->fd = epoll_create1(EPOLL_CLOEXEC);
  if (queue->fd < 0) return -1;
  for (int i = 0; i < 2; i++) {
    queue->polled[i] = strata_emulated_epoll_open();
    struct epoll_event event = {EPOLLIN, {0}};
    if (queue->polled[i] < 0 || epoll_ctl(queue->fd, EPOLL_CTL_ADD, queue->polled[i], &event) < 0)
      return -1;
  }
  return 0;
}

int strata_emulated_kqueue(void) {
  pthread_once(&fork_handlers_once, install_fork_handlers);
  struct queue *queue = calloc(1, sizeof(*queue));
  if (!queue) return -1;
  queue->polled[0] = queue->polled[1] = -1;
  pthread_mutex_init(&queue->lock, NULL);
  /* Under the lock: a child forked in between would inherit descriptors that nobody knows. */
  pthread_mutex_lock(&table_lock);
  int result = open_fds(queue);
  int error = errno;
  if (result == 0) {
    queue->next = table;
    table = queue;
  }
  pthread_mutex_unlock(&table_lock);
  if (result == 0) return queue->fd;
  if (queue->fd >= 0) close(queue->fd);
  end_queue(queue);
  errno = error;
  return -1;
}

int strata_emulated_close(int fd) {
  pthread_mutex_lock(&table_lock);
  struct queue **link = find(fd);
  struct queue *queue = *link;
  bool is_last = false;
  if (queue) {
    *link = queue->next;
    queue->is_closed = true;
    is_last = queue->num_users == 0;
  }
  pthread_mutex_unlock(&table_lock);
  if (is_last) end_queue(queue);
  return close(fd);
}

/* --- kevent() --- */

static void store_error(struct kevent *out_event, const struct kevent *change, int error) {
  *out_event = *change;
  out_event->flags = EV_ERROR;
  out_event->data = error;
}

/* The number of stored errors and receipts, or -1 with errno. */
static int make_changes(struct queue *queue, const struct kevent *changes, int num_changes,
                        struct kevent *out_events, int num_events) {
  int num_stored = 0;
  for (int i = 0; i < num_changes; i++) {
    struct kevent change = changes[i]; /* out_events may be the same array */
    int error = strata_emulated_queue_change(queue, &change);
    if (!error && !(change.flags & EMULATED_RECEIPT)) continue;
    if (num_stored == num_events) {
      errno = error;
      return error ? -1 : num_stored;
    }
    store_error(&out_events[num_stored++], &change, error);
  }
  return num_stored;
}

static struct timespec monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now;
}

static struct timespec sum(struct timespec a, const struct timespec *b) {
  a.tv_sec += b->tv_sec;
  a.tv_nsec += b->tv_nsec;
  if (a.tv_nsec >= 1000000000) {
    a.tv_sec++;
    a.tv_nsec -= 1000000000;
  }
  return a;
}

/* Zero when `end` is past. */
static struct timespec time_until(struct timespec end) {
  struct timespec now = monotonic(), left = {end.tv_sec - now.tv_sec, end.tv_nsec - now.tv_nsec};
  if (left.tv_nsec < 0) {
    left.tv_sec--;
    left.tv_nsec += 1000000000;
  }
  if (left.tv_sec < 0) left.tv_sec = left.tv_nsec = 0;
  return left;
}

static int look(struct queue *queue, struct kevent *out_events, int num_events) {
  pthread_mutex_lock(&queue->lock);
  int num = strata_emulated_queue_harvest(queue, out_events, num_events);
  pthread_mutex_unlock(&queue->lock);
  return num;
}

static int wait_for_events(struct queue *queue, struct kevent *out_events, int num_events,
                           const struct timespec *timeout) {
  struct timespec end = {0, 0};
  if (timeout) end = sum(monotonic(), timeout);
  for (;;) {
    int num = look(queue, out_events, num_events);
    if (num) return num;
    struct timespec left = timeout ? time_until(end) : end;
    if (timeout && !left.tv_sec && !left.tv_nsec) return 0;
    struct pollfd pollfd = {queue->fd, POLLIN, 0};
    if (ppoll(&pollfd, 1, timeout ? &left : NULL, NULL) < 0) return -1;
  }
}

static bool is_valid(const struct timespec *timeout) {
  return !timeout ||
         (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < 1000000000);
}

int strata_emulated_kevent(int fd, const struct kevent *changes, int num_changes,
                           struct kevent *out_events, int num_events,
                           const struct timespec *timeout) {
  if (num_changes < 0 || num_events < 0 || !is_valid(timeout)) {
    errno = EINVAL;
    return -1;
  }
  struct queue *queue = strata_emulated_queue_acquire(fd);
  if (!queue) return -1;
  pthread_mutex_lock(&queue->lock);
  int num = make_changes(queue, changes, num_changes, out_events, num_events);
  pthread_mutex_unlock(&queue->lock);
  if (num == 0 && num_events) num = wait_for_events(queue, out_events, num_events, timeout);
  int error = errno;
  strata_emulated_queue_release(queue);
  errno = error;
  return num;
}
