/* <sys/event.h> of macOS and the BSDs, for tests on Linux: kqueue(2) over epoll, eventfd, timerfd
 * and sigaction, so that backends/kqueue.c and all that stands on it can run here. Written from
 * what the manual pages of FreeBSD promise; kqueue_emulation_test.cc has a test for each promise.
 *
 * What differs from the real one:
 * - `data` of EVFILT_READ on a listening socket is 1, not the length of the queue; fflags of
 *   EVFILT_READ and EVFILT_WRITE never tell the error of a socket.
 * - `data` of EVFILT_WRITE on a pipe is 1, not the room in it. A socket whose own sending was shut
 * down is writable without EV_EOF.
 * - A regular file that grows does not end a wait that goes on.
 * - EVFILT_SIGNAL counts what is delivered: not yet what is blocked, and once for signals that were
 *   blocked together. A handler that is replaced at that moment runs still.
 * - There is no EVFILT_VNODE, EVFILT_PROC, EVFILT_AIO, NOTE_LOWAT, EV_DISPATCH.
 * - A kqueue is to be closed by a file that includes this header, which redefines close(). */
#ifndef BACKENDS_TESTING_KQUEUE_EMULATION_SYS_EVENT_H_
#define BACKENDS_TESTING_KQUEUE_EMULATION_SYS_EVENT_H_

#include <stdint.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_SIGNAL (-6)
#define EVFILT_TIMER (-7)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

/* EVFILT_READ */
#define NOTE_FILE_POLL 0x0002

/* EVFILT_TIMER; milliseconds without any */
#define NOTE_SECONDS 0x0001
#define NOTE_MSECONDS 0x0002
#define NOTE_USECONDS 0x0004
#define NOTE_NSECONDS 0x0008

/* Older systems have none of these; --copt=-DSTRATA_PORTABLE=1 tests that. */
#ifndef STRATA_PORTABLE
#define EV_RECEIPT 0x0040
#define EVFILT_USER (-11)
#define NOTE_FFNOP 0x00000000
#define NOTE_FFAND 0x40000000
#define NOTE_FFOR 0x80000000
#define NOTE_FFCOPY 0xc0000000
#define NOTE_FFCTRLMASK 0xc0000000
#define NOTE_FFLAGSMASK 0x00ffffff
#define NOTE_TRIGGER 0x01000000
#endif

struct kevent {
  uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned fflags;
  int64_t data;
  void *udata;
};

#define EV_SET(kev, ident_, filter_, flags_, fflags_, data_, udata_) \
  do {                                                               \
    struct kevent *ev_set_kev = (kev);                               \
    ev_set_kev->ident = (uintptr_t)(ident_);                         \
    ev_set_kev->filter = (short)(filter_);                           \
    ev_set_kev->flags = (unsigned short)(flags_);                    \
    ev_set_kev->fflags = (unsigned)(fflags_);                        \
    ev_set_kev->data = (int64_t)(data_);                             \
    ev_set_kev->udata = (udata_);                                    \
  } while (0)

#define kqueue() strata_emulated_kqueue()
#define close(fd) strata_emulated_close(fd)

/* The error of EVFILT_WRITE for a pipe without a reader: EPIPE, unless a test says EBADF (NetBSD).
 */
extern int strata_emulated_broken_pipe_error;

int strata_emulated_kqueue(void);
int strata_emulated_kevent(int queue, const struct kevent *changes, int num_changes,
                           struct kevent *out_events, int num_events,
                           const struct timespec *timeout);
int strata_emulated_close(int fd);

/* The structure keeps its name. */
#define kevent(...) strata_emulated_kevent(__VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
