#ifndef STRATA_UTIL_PLATFORM_H_
#define STRATA_UTIL_PLATFORM_H_

#include <event2/event-config.h>

/* What strata uses where the system has it, and does without elsewhere. Each is 0 or 1, and each is
 * asked for in one file: the one behind whose functions the difference ends.
 *
 * STRATA_PORTABLE (--config=portable) turns all of them off, so that what stands in for them is
 * compiled and tested on Linux too. Besides this header it is seen by http/parser_lines.h (no
 * vector instructions), util/prefetch.h, samples/httpd/document.c (no openat2(2)) and the kqueue
 * emulation (an older system's). It does not change which backends there are. */
#ifndef STRATA_PORTABLE

#if defined(__linux__)
#define STRATA_ON_LINUX 1
#else
#define STRATA_ON_LINUX 0
#endif

#if defined(__APPLE__)
#define STRATA_ON_MACOS 1
#else
#define STRATA_ON_MACOS 0
#endif

#if defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#define STRATA_ON_BSD 1
#else
#define STRATA_ON_BSD 0
#endif

#else
#define STRATA_ON_LINUX 0
#define STRATA_ON_MACOS 0
#define STRATA_ON_BSD 0
#endif

/* util/socket.c: SOCK_NONBLOCK and SOCK_CLOEXEC for socket(2), socketpair(2) and accept4(2), and
 * pipe2(2). Else by fcntl(2) afterwards: a fork and exec of another thread in between inherits the
 * descriptor. */
#define STRATA_HAVE_SOCK_FLAGS (STRATA_ON_LINUX || STRATA_ON_BSD)

/* util/wakeup.c: eventfd(2). Else a pipe. */
#define STRATA_HAVE_EVENTFD STRATA_ON_LINUX

/* util/system_random.c: getrandom(2), arc4random_buf(3). Else /dev/urandom. */
#define STRATA_HAVE_GETRANDOM STRATA_ON_LINUX
#define STRATA_HAVE_ARC4RANDOM_BUF (STRATA_ON_MACOS || STRATA_ON_BSD)

/* util/pthreads.c: condition variables that wait by the monotonic clock
 * (pthread_condattr_setclock(3)). Else by wall time: setting the clock makes waits longer or
 * shorter. */
#define STRATA_HAVE_COND_CLOCK (STRATA_ON_LINUX || STRATA_ON_BSD)

/* buffer/fd_io.c: what keeps a write to a socket from raising SIGPIPE: a flag of the call, or an
 * option of the socket. Else the signal is held back around the call (util/sigpipe.h). macOS has
 * the flag from some release on and ignores it before; the option it always had. */
#define STRATA_HAVE_MSG_NOSIGNAL (STRATA_ON_LINUX || STRATA_ON_BSD)
#define STRATA_HAVE_SO_NOSIGPIPE STRATA_ON_MACOS

/* buffer/fd_io.c: MSG_MORE. Else a head and the file after it may go in a packet each. */
#define STRATA_HAVE_MSG_MORE STRATA_ON_LINUX

/* buffer/send.c: sendfile(2) as Linux has it. Else the file is read and sent piece by piece. */
#define STRATA_HAVE_SENDFILE STRATA_ON_LINUX

/* buffer/file_segment.c: files mapped into memory, where their bytes are looked at. Else they are
 * read. */
#ifndef STRATA_PORTABLE
#define STRATA_HAVE_FILE_MAPS 1
#else
#define STRATA_HAVE_FILE_MAPS 0
#endif

/* backends/: waits shorter than a millisecond, for EVENT_BASE_FLAG_PRECISE_TIMER. Else they are
 * rounded up. An older kernel has no epoll_pwait2(2): backends/epoll.c finds out. */
#define STRATA_HAVE_EPOLL_PWAIT2 STRATA_ON_LINUX
#ifndef __NetBSD__ /* only from release 10 on */
#define STRATA_HAVE_PPOLL (STRATA_ON_LINUX || STRATA_ON_BSD)
#else
#define STRATA_HAVE_PPOLL 0
#endif

/* http/threads.c: the kernel spreads the connections to a port evenly over the sockets that listen
 * on it (SO_REUSEPORT). Else one loop accepts and hands over: macOS gives all to one socket. */
#define STRATA_HAVE_PORT_BALANCING STRATA_ON_LINUX

#endif
