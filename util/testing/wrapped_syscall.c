/* syscall(2), which strata calls for what the C library has no function for: see faults.h. */

#include <errno.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "util/testing/fault_plan.h"
#include "util/testing/real_calls.h"

#define BIT STRATA_FAULT_BIT
#define MAX_ARGS 6

static int error_of(enum strata_fault fault) {
  switch (fault) {
    case STRATA_FAULT_EAGAIN:
      return EAGAIN;
    case STRATA_FAULT_EMFILE:
      return EMFILE;
    case STRATA_FAULT_EBUSY:
      return EBUSY;
    case STRATA_FAULT_ENOMEM:
      return ENOMEM;
    case STRATA_FAULT_ENOSYS:
      return ENOSYS;
    case STRATA_FAULT_EPERM:
      return EPERM;
    case STRATA_FAULT_EINVAL:
      return EINVAL;
    default:
      return EINTR;
  }
}

static int fails(enum strata_faulted_call call, unsigned legal) {
  enum strata_fault fault = strata_fault_draw(call, legal);
  if (fault == STRATA_NO_FAULT) return 0;
  errno = error_of(fault);
  return 1;
}

static long real(long number, const long *args) {
  return __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

/* ---- io_uring_enter(fd, to_submit, min_complete, flags, arg, arg_len) ---- */

static int may_sleep(const long *args) {
  if (args[2] == 0 || !(args[3] & IORING_ENTER_GETEVENTS)) return 0;
  if (!(args[3] & IORING_ENTER_EXT_ARG)) return 1;
  const struct io_uring_getevents_arg *arg = (const void *)args[4];
  const struct __kernel_timespec *timeout = (const void *)(uintptr_t)arg->ts;
  return !timeout || timeout->tv_sec || timeout->tv_nsec;
}

/* What it was given is submitted all the same; only the wait is interrupted. */
static long interrupted_enter(const long *args) {
  const long without_wait[MAX_ARGS] = {args[0], args[1], 0, 0, 0, 0};
  long num_submitted = args[1] ? real(SYS_io_uring_enter, without_wait) : 0;
  if (num_submitted) return num_submitted;
  errno = EINTR;
  return -1;
}

static long io_uring_enter(const long *args) {
  if (may_sleep(args) &&
      strata_fault_draw(STRATA_CALL_WAIT, BIT(STRATA_FAULT_EINTR)) != STRATA_NO_FAULT)
    return interrupted_enter(args);
  if (args[1] && fails(STRATA_CALL_WAIT, BIT(STRATA_FAULT_EAGAIN) | BIT(STRATA_FAULT_EBUSY) |
                                             BIT(STRATA_FAULT_ENOMEM)))
    return -1;
  return real(SYS_io_uring_enter, args);
}

static int is_refused(long number, const long *args) {
  switch (number) {
#ifdef SYS_epoll_pwait2
    case SYS_epoll_pwait2: {
      const int64_t *timeout = (const int64_t *)args[3];
      unsigned legal = BIT(STRATA_FAULT_ENOSYS) | BIT(STRATA_FAULT_EPERM);
      if (!timeout || timeout[0] || timeout[1]) legal |= BIT(STRATA_FAULT_EINTR);
      return fails(STRATA_CALL_WAIT, legal);
    }
#endif
    case SYS_io_uring_setup:
      return fails(STRATA_CALL_OPEN, BIT(STRATA_FAULT_EMFILE) | BIT(STRATA_FAULT_ENOMEM) |
                                         BIT(STRATA_FAULT_ENOSYS) | BIT(STRATA_FAULT_EPERM));
    case SYS_io_uring_register:
      return fails(STRATA_CALL_OPEN, BIT(STRATA_FAULT_EINVAL) | BIT(STRATA_FAULT_ENOMEM));
    default:
      return 0;
  }
}

/* Takes as many arguments as there may be, as the C library's does. */
long __wrap_syscall(long number, ...) {
  long args[MAX_ARGS];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < MAX_ARGS; i++) args[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_io_uring_enter) return io_uring_enter(args);
  return is_refused(number, args) ? -1 : real(number, args);
}
