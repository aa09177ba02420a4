#ifndef STRATA_UTIL_TESTING_WATCHED_FDS_H_
#define STRATA_UTIL_TESTING_WATCHED_FDS_H_

#include <sys/epoll.h>

/* Which descriptors the program learns the readiness of, and how to tell it again. From any
 * thread. */

/* epoll_ctl(2), and remembers what it did. */
int strata_watched_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);

/* The descriptor was given to poll(2) or select(2): until it is closed. */
void strata_watched_note_polled(int fd);

/* The number is about to be closed, be it of a watched file or of an epoll set. */
void strata_watched_forget(int fd);

int strata_watched_has(int fd);

/* Makes each edge-triggered registration of fd report again what is ready. Keeps errno. */
void strata_watched_rearm(int fd);

#endif
