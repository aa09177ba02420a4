/* The C runtime's signal(): console events (Ctrl+C, Ctrl+Break, closing the window) arrive in a
 * thread that the system starts for them, raise() calls in the thread that raises. */
#include "loop/signal_handler.h"

#include <winsock2.h>

#include <errno.h>
#include <signal.h>

#include "util/log.h"
#include "util/memory.h"

typedef void (*signal_function)(int);

struct event_signal_action {
  signal_function function;
};

/* Guards the rest: unlike on POSIX, the thread that a handler runs in cannot hold it. */
static SRWLOCK handler_lock = SRWLOCK_INIT;
static evutil_socket_t target_fd = -1;
static bool is_handled[NSIG];

static void send_number(int signal) {
  int saved_error = WSAGetLastError();
  char number = (char)signal;
  if (target_fd >= 0) (void)send((SOCKET)target_fd, &number, 1, 0);
  WSASetLastError(saved_error);
}

static void on_signal(int signal_number) {
  AcquireSRWLockExclusive(&handler_lock);
  if (is_handled[signal_number]) {
    /* The runtime goes back to SIG_DFL before it calls a handler. */
    (void)signal(signal_number, on_signal);
    send_number(signal_number);
  }
  ReleaseSRWLockExclusive(&handler_lock);
}

void event_signal_handler_set_target(evutil_socket_t fd) {
  AcquireSRWLockExclusive(&handler_lock);
  target_fd = fd;
  ReleaseSRWLockExclusive(&handler_lock);
}

/* The documentation of signal() lists these; with others it calls the handler for bad arguments. */
bool event_signal_can_be_caught(int signal) {
  switch (signal) {
    case SIGABRT:
    case SIGBREAK:
    case SIGFPE:
    case SIGILL:
    case SIGINT:
    case SIGSEGV:
    case SIGTERM:
      return true;
    default:
      return false;
  }
}

struct event_signal_action *event_signal_action_new(void) {
  return strata_malloc(sizeof(struct event_signal_action));
}

int event_signal_handler_install(int signal_number, struct event_signal_action *out_old_action) {
  AcquireSRWLockExclusive(&handler_lock);
  out_old_action->function = signal(signal_number, on_signal);
  bool is_installed = out_old_action->function != SIG_ERR;
  is_handled[signal_number] = is_installed;
  ReleaseSRWLockExclusive(&handler_lock);
  return is_installed ? 0 : -1;
}

void event_signal_handler_restore(int signal_number, struct event_signal_action *old_action,
                                  bool drops_pending) {
  (void)drops_pending; /* none ever is */
  AcquireSRWLockExclusive(&handler_lock);
  is_handled[signal_number] = false;
  bool has_failed = signal(signal_number, old_action->function) == SIG_ERR;
  ReleaseSRWLockExclusive(&handler_lock);
  if (has_failed) strata_log_errno(STRATA_LOG_WARN, "signal");
  strata_free(old_action);
}

size_t event_signal_take_numbers(evutil_socket_t fd, unsigned char *out_numbers, size_t capacity) {
  int len = recv((SOCKET)fd, (char *)out_numbers, (int)capacity, 0);
  return len > 0 ? (size_t)len : 0;
}
