/* EVFILT_SIGNAL: a handler in front of the program's own, which sigaction() and signal() are kept
 * from knowing of by the linker (--wrap). */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/testing/kqueue_emulation/queue.h"

#define NUM_SIGNALS 65
#define MAX_WATCHERS 8
#define OUT_OF_THE_WAY 500

/* A queue's interest in a signal. The eventfd stays open, for a handler may be about to write. */
struct watcher {
  atomic_bool is_used;
  atomic_int fd_plus_one;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct watcher watchers[NUM_SIGNALS][MAX_WATCHERS];
static int num_watchers[NUM_SIGNALS];
static struct sigaction programs_actions[NUM_SIGNALS]; /* of the signals that have watchers */
/* What the handler needs of them. */
static atomic_uintptr_t programs_handlers[NUM_SIGNALS];
static atomic_bool take_info[NUM_SIGNALS];

int __real_sigaction(int number, const struct sigaction *action, struct sigaction *out_old);
int __wrap_sigaction(int number, const struct sigaction *action, struct sigaction *out_old);
void (*__wrap_signal(int number, void (*handler)(int)))(int);

static bool ends_the_process(int number) {
  return number != SIGCHLD && number != SIGURG && number != SIGWINCH && number != SIGCONT;
}

static void run_default(int number) {
  struct sigaction action = {0};
  action.sa_handler = SIG_DFL;
  if (!ends_the_process(number)) return;
  __real_sigaction(number, &action, NULL);
  raise(number);
}

static void run_program_handler(uintptr_t handler, int number, siginfo_t *info, void *context) {
  if (handler == (uintptr_t)SIG_IGN) return;
  if (handler == (uintptr_t)SIG_DFL)
    run_default(number);
  else if (atomic_load(&take_info[number]))
    ((void (*)(int, siginfo_t *, void *))handler)(number, info, context);
  else
    ((void (*)(int))handler)(number);
}

static void record(int number, siginfo_t *info, void *context) {
  int saved_errno = errno;
  /* Before any queue tells, as if the signal were on its way to the handler already. */
  uintptr_t handler = atomic_load(&programs_handlers[number]);
  for (int i = 0; i < MAX_WATCHERS; i++) {
    int fd = atomic_load(&watchers[number][i].fd_plus_one) - 1;
    uint64_t one = 1;
    if (!atomic_load(&watchers[number][i].is_used)) continue;
    ssize_t ignored = write(fd, &one, sizeof(one));
    (void)ignored;
  }
  errno = saved_errno;
  run_program_handler(handler, number, info, context);
}

/* Puts the program's action behind the handler. With the lock held. */
static int install(int number, const struct sigaction *action) {
  struct sigaction own = *action;
  bool has_info = action->sa_flags & SA_SIGINFO;
  if (action->sa_handler == SIG_IGN && !has_info)
    (void)__real_sigaction(number, action, NULL); /* drops what is pending */
  own.sa_sigaction = record;
  own.sa_flags = (own.sa_flags | SA_SIGINFO) & ~(int)SA_RESETHAND;
  programs_actions[number] = *action;
  atomic_store(&take_info[number], has_info);
  atomic_store(&programs_handlers[number],
               has_info ? (uintptr_t)action->sa_sigaction : (uintptr_t)action->sa_handler);
  return __real_sigaction(number, &own, NULL);
}

static bool is_watched(int number) {
  return number > 0 && number < NUM_SIGNALS && num_watchers[number];
}

int __wrap_sigaction(int number, const struct sigaction *action, struct sigaction *out_old) {
  pthread_mutex_lock(&lock);
  int result = 0;
  if (is_watched(number)) {
    struct sigaction old = programs_actions[number];
    if (action) result = install(number, action);
    if (out_old) *out_old = old;
  } else {
    result = __real_sigaction(number, action, out_old);
  }
  pthread_mutex_unlock(&lock);
  return result;
}

void (*__wrap_signal(int number, void (*handler)(int)))(int) {
  struct sigaction action = {0}, old;
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  return __wrap_sigaction(number, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

static int open_eventfd(struct watcher *watcher) {
  int fd = atomic_load(&watcher->fd_plus_one) - 1;
  if (fd >= 0) return fd;
  fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
  if (moved >= 0) {
    close(fd);
    fd = moved;
  }
  atomic_store(&watcher->fd_plus_one, fd + 1);
  return fd;
}

static struct watcher *find_free(int number) {
  for (int i = 0; i < MAX_WATCHERS; i++)
    if (!atomic_load(&watchers[number][i].is_used)) return &watchers[number][i];
  errno = ENOMEM;
  return NULL;
}

static int watch(int number) {
  struct sigaction action;
  struct watcher *watcher = find_free(number);
  int fd = watcher ? open_eventfd(watcher) : -1;
  uint64_t ignored;
  if (fd < 0) return -1;
  if (!num_watchers[number] && __real_sigaction(number, NULL, &action) < 0) return -1;
  (void)!read(fd, &ignored, sizeof(ignored)); /* what an earlier queue left */
  atomic_store(&watcher->is_used, true);
  if (!num_watchers[number] && install(number, &action) < 0) {
    atomic_store(&watcher->is_used, false);
    return -1;
  }
  num_watchers[number]++;
  return fd;
}

int strata_emulated_signal_watch(uintptr_t ident) {
  if (ident < 1 || ident >= NUM_SIGNALS) {
    errno = EINVAL;
    return -1;
  }
  pthread_mutex_lock(&lock);
  int fd = watch((int)ident);
  pthread_mutex_unlock(&lock);
  return fd;
}

void strata_emulated_signal_forget(uintptr_t ident, int fd) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < MAX_WATCHERS; i++) {
    struct watcher *watcher = &watchers[ident][i];
    if (!atomic_load(&watcher->is_used) || atomic_load(&watcher->fd_plus_one) != fd + 1) continue;
    atomic_store(&watcher->is_used, false);
    if (--num_watchers[ident] == 0)
      (void)__real_sigaction((int)ident, &programs_actions[ident], NULL);
  }
  pthread_mutex_unlock(&lock);
}

void strata_emulated_signals_lock(void) {
  pthread_mutex_lock(&lock);
}

void strata_emulated_signals_unlock(void) {
  pthread_mutex_unlock(&lock);
}

/* The eventfds are the parent's too. */
void strata_emulated_signals_begin_anew(void) {
  for (int number = 1; number < NUM_SIGNALS; number++) {
    for (int i = 0; i < MAX_WATCHERS; i++) {
      struct watcher *watcher = &watchers[number][i];
      atomic_store(&watcher->is_used, false);
      int fd = atomic_exchange(&watcher->fd_plus_one, 0) - 1;
      if (fd >= 0) close(fd);
    }
    if (num_watchers[number]) (void)__real_sigaction(number, &programs_actions[number], NULL);
    num_watchers[number] = 0;
  }
}
