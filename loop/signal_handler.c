#include "loop/signal_handler.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"
#include "util/memory.h"

struct event_signal_action {
  struct sigaction action;
};

static atomic_int target_fd = -1;

static void on_signal(int signal) {
  int saved_errno = errno;
  unsigned char number = (unsigned char)signal;
  /* A full pipe already tells of more signals than anyone counts. */
  ssize_t ignored = write(atomic_load(&target_fd), &number, 1);
  (void)ignored;
  errno = saved_errno;
}

void event_signal_handler_set_target(evutil_socket_t fd) {
  atomic_store(&target_fd, fd);
}

bool event_signal_can_be_caught(int signal) {
  struct sigaction action;
  return signal != SIGKILL && signal != SIGSTOP && sigaction(signal, NULL, &action) == 0;
}

struct event_signal_action *event_signal_action_new(void) {
  return strata_malloc(sizeof(struct event_signal_action));
}

int event_signal_handler_install(int signal, struct event_signal_action *out_old_action) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  return sigaction(signal, &action, &out_old_action->action);
}

/* A handler of the program's own may be told again, and has to be told if nobody else was. A
 * SIGCHLD that is ignored loses children, and one that is not handled does no harm. */
static bool may_end_process(int signal, const struct sigaction *action) {
  return signal != SIGCHLD && !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_DFL;
}

/* "Setting a signal action to SIG_IGN for a signal that is pending shall cause the pending signal
 * to be discarded" (POSIX, 2.4.3). */
static void drop_pending(int signal) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = SIG_IGN;
  sigemptyset(&action.sa_mask);
  (void)sigaction(signal, &action, NULL);
}

void event_signal_handler_restore(int signal, struct event_signal_action *old_action,
                                  bool drops_pending) {
  if (drops_pending && may_end_process(signal, &old_action->action)) drop_pending(signal);
  if (sigaction(signal, &old_action->action, NULL) < 0)
    strata_log_errno(STRATA_LOG_WARN, "sigaction");
  strata_free(old_action);
}

size_t event_signal_take_numbers(evutil_socket_t fd, unsigned char *out_numbers, size_t capacity) {
  ssize_t len;
  do {
    len = read(fd, out_numbers, capacity);
  } while (len < 0 && errno == EINTR);
  return len > 0 ? (size_t)len : 0;
}
