#ifndef STRATA_UTIL_TESTING_WINSOCK_CALLS_H_
#define STRATA_UTIL_TESTING_WINSOCK_CALLS_H_

/* Counts the system's calls that serve sockets, in a program that links this: those that go through
 * the import table, made by any thread but those that were excepted. */

struct strata_winsock_calls {
  long receives, sends, accepts;
  long polls;  /* asked of AFD, and their cancellations */
  long others; /* options, controls, cancellations, ends */
  long waits, wakes;
};

struct strata_winsock_calls strata_winsock_calls_now(void);
/* The calls of this thread are not counted from now on. */
void strata_winsock_calls_except_this_thread(void);

#endif
