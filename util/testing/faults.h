#ifndef STRATA_UTIL_TESTING_FAULTS_H_
#define STRATA_UTIL_TESTING_FAULTS_H_

/* System calls that fail on purpose, for tests. A program that links this library with
 * `-Wl,--wrap=read` and so on (util/testing/BUILD) has its calls of the C library pass through
 * wrapped_calls.c, where a plan may answer them otherwise than the kernel would have at that
 * moment, but never as it never would:
 *
 * - EINTR: nothing has happened and nothing is reported again. Waits are interrupted only where
 *   they may sleep. An interrupted connect goes on (POSIX, connect()).
 * - EAGAIN, and one byte where more was possible: as if the rest had come, or the room had been
 *   made, just after the call. Edge-triggered registrations are armed anew (EPOLL_CTL_MOD), so that
 *   the edge which that would have caused comes (epoll(7)).
 * - ECONNRESET: the connection is over, with what a read had not got; the peer sees its end.
 * - ENOBUFS: a write that took nothing, on a connection that stays (send(2)); or as EMFILE
 *   (accept(2)).
 * - EMFILE: no descriptor was made; a connection to be accepted stays in the backlog.
 * - ECONNABORTED: the connection to be accepted is gone (accept(2)).
 * - EBUSY, EAGAIN and ENOMEM of io_uring_enter(2): nothing was submitted. EINTR ends only
 *   its wait.
 * - ENOSYS and EPERM of io_uring_setup(2) and epoll_pwait2(2), as of an old kernel or in a sandbox;
 *   ENOMEM and EMFILE of the former. EINVAL and ENOMEM of io_uring_register(2).
 *
 * Whose calls: those of strata, that is of any object which is not compiled with `-include
 * util/testing/unfaulted.h`. That header binds a test's own calls to the C library when they are
 * compiled; so nothing has to guess later who called (return addresses lie after tail calls, and a
 * marker a thread would have to be set around each callback). Reads and writes besides only fail on
 * descriptors that are registered with epoll, or were given to poll or select: on others nobody
 * would learn when to try again. Files and eventfds get EINTR at most: a write to an eventfd that
 * has room succeeds. */

#ifdef __cplusplus
extern "C" {
#endif

enum strata_fault {
  STRATA_FAULT_EINTR,
  STRATA_FAULT_EAGAIN,
  STRATA_FAULT_SHORT,
  STRATA_FAULT_RESET,
  STRATA_FAULT_ENOBUFS,
  STRATA_FAULT_EMFILE,
  STRATA_FAULT_ABORTED,
  STRATA_FAULT_EBUSY,
  STRATA_FAULT_ENOMEM,
  STRATA_FAULT_ENOSYS,
  STRATA_FAULT_EPERM,
  STRATA_FAULT_EINVAL,
  STRATA_NUM_FAULTS
};

/* Takes a plan, and counts anew: `kind,kind...[:seed=N][:rate=PERCENT][:on=call,call...][:skip=N]
 * [:count=N]`, or NULL for no faults. Kinds: eintr eagain short reset enobufs emfile aborted ebusy
 * enomem enosys eperm einval. Calls: read write accept connect open wait (all). The first `skip`
 * calls that might fail do not, and at most `count` fail. A rate of 100 needs a count: code that
 * repeats an interrupted call would never end. No other thread may be in strata meanwhile. -1 and
 * no faults if it cannot be read.
 *
 * The environment's STRATA_FAULTS is the plan of a program from its start; one that cannot be read
 * ends it. The same plan and the same calls give the same faults. */
int strata_faults_set(const char *plan);

/* How many there were since the plan was set. */
unsigned long strata_faults_num(enum strata_fault kind);
unsigned long strata_faults_total(void);

#ifdef __cplusplus
}
#endif

#endif
