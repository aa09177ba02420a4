#include "util/testing/watched_fds.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "util/testing/real_calls.h"

#define MAX_FDS 16384
/* A descriptor is in few epoll sets: more are not faulted. */
#define MAX_SETS 4

enum { IN_EPOLL = 1, POLLED = 2, IS_EPOLL = 4 };

struct registration {
  int epoll_fd; /* 0: free; that is never an epoll set's number here */
  struct epoll_event event;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct registration registrations[MAX_FDS][MAX_SETS];
static atomic_uchar states[MAX_FDS];
static int max_fd; /* registered so far */

static int is_known(int fd) {
  return fd >= 0 && fd < MAX_FDS;
}

static struct registration *find(int fd, int epoll_fd) {
  for (int i = 0; i < MAX_SETS; i++)
    if (registrations[fd][i].epoll_fd == epoll_fd) return &registrations[fd][i];
  return NULL;
}

static void drop(int fd, int epoll_fd) {
  struct registration *entry = find(fd, epoll_fd);
  if (entry) memset(entry, 0, sizeof(*entry));
  for (int i = 0; i < MAX_SETS; i++)
    if (registrations[fd][i].epoll_fd) return;
  atomic_fetch_and(&states[fd], (unsigned char)~IN_EPOLL);
}

static void remember(int fd, int epoll_fd, const struct epoll_event *event) {
  struct registration *entry = find(fd, epoll_fd);
  if (!entry) entry = find(fd, 0);
  if (!entry) return;
  entry->epoll_fd = epoll_fd;
  entry->event = *event;
  if (fd > max_fd) max_fd = fd;
  atomic_fetch_or(&states[fd], IN_EPOLL);
  atomic_fetch_or(&states[epoll_fd], IS_EPOLL);
}

int strata_watched_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event) {
  if (!is_known(fd) || !is_known(epoll_fd)) return __real_epoll_ctl(epoll_fd, op, fd, event);
  /* Together, lest another thread arms what was just taken away. */
  pthread_mutex_lock(&lock);
  int result = __real_epoll_ctl(epoll_fd, op, fd, event);
  int error = errno;
  if (op == EPOLL_CTL_DEL)
    drop(fd, epoll_fd);
  else if (result == 0)
    remember(fd, epoll_fd, event);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

void strata_watched_note_polled(int fd) {
  if (is_known(fd)) atomic_fetch_or(&states[fd], POLLED);
}

void strata_watched_forget(int fd) {
  if (!is_known(fd) || !atomic_load(&states[fd])) return;
  pthread_mutex_lock(&lock);
  int was_epoll = atomic_load(&states[fd]) & IS_EPOLL;
  memset(registrations[fd], 0, sizeof(registrations[fd]));
  atomic_store(&states[fd], 0);
  for (int i = 0; was_epoll && i <= max_fd; i++)
    if (find(i, fd)) drop(i, fd);
  pthread_mutex_unlock(&lock);
}

int strata_watched_has(int fd) {
  return is_known(fd) && atomic_load(&states[fd]) & (IN_EPOLL | POLLED);
}

void strata_watched_rearm(int fd) {
  int error = errno;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < MAX_SETS; i++) {
    struct registration *entry = &registrations[fd][i];
    /* Fails where a number has been reused without our seeing it: nothing to arm then. */
    if (entry->epoll_fd && entry->event.events & EPOLLET)
      (void)__real_epoll_ctl(entry->epoll_fd, EPOLL_CTL_MOD, fd, &entry->event);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
}
