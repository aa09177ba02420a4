#ifndef STRATA_UTIL_WAKEUP_H_
#define STRATA_UTIL_WAKEUP_H_

#include <event2/util.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A descriptor that becomes readable when another thread or a signal handler says so: eventfd(2),
 * a pipe where there is none, a pair of sockets on Windows. The owner opens and closes it, and
 * nobody may signal it after that. */
struct strata_wakeup {
  evutil_socket_t read_fd;  /* wait for this one */
  evutil_socket_t write_fd; /* the same descriptor with eventfd */
};

/* Both descriptors -1: not open. */
#define STRATA_WAKEUP_INIT \
  { -1, -1 }

/* 0, or -1 with EVUTIL_SOCKET_ERROR() set and *out_wakeup not open. */
int strata_wakeup_open(struct strata_wakeup *out_wakeup);
/* Closing what is not open does nothing. */
void strata_wakeup_close(struct strata_wakeup *wakeup);

/* Makes read_fd readable until it is drained. From any thread and from signal handlers; leaves
 * errno and EVUTIL_SOCKET_ERROR() alone. 0, or -1 on an unexpected error; a wake-up that is pending
 * already is success. */
int strata_wakeup_signal(const struct strata_wakeup *wakeup);
/* Takes back all signals so far. Without any it returns at once. On Windows one that has not
 * arrived yet makes the descriptor readable once more. */
void strata_wakeup_drain(const struct strata_wakeup *wakeup);

#ifdef __cplusplus
}
#endif

#endif
