#ifndef STRATA_UTIL_TESTING_UNFAULTED_H_
#define STRATA_UTIL_TESTING_UNFAULTED_H_

// Given to the compiler by -include, before anything else, for the sources of a test under faults:
// the calls that they make themselves are the C library's (faults.h). What has to be known, as
// close(), stays wrapped.

// Its checking variants have names of their own.
#undef _FORTIFY_SOURCE

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define STRATA_UNFAULTED(call) extern decltype(call) call __asm__("__real_" #call)

extern "C" {
STRATA_UNFAULTED(read);
STRATA_UNFAULTED(readv);
STRATA_UNFAULTED(recv);
STRATA_UNFAULTED(write);
STRATA_UNFAULTED(writev);
STRATA_UNFAULTED(send);
STRATA_UNFAULTED(sendto);
STRATA_UNFAULTED(sendmsg);
STRATA_UNFAULTED(accept);
STRATA_UNFAULTED(accept4);
STRATA_UNFAULTED(connect);
STRATA_UNFAULTED(socket);
STRATA_UNFAULTED(eventfd);
STRATA_UNFAULTED(epoll_create1);
STRATA_UNFAULTED(pipe);
STRATA_UNFAULTED(pipe2);
STRATA_UNFAULTED(epoll_wait);
STRATA_UNFAULTED(poll);
STRATA_UNFAULTED(ppoll);
STRATA_UNFAULTED(select);
STRATA_UNFAULTED(syscall);
}

#undef STRATA_UNFAULTED

#endif
