#ifndef STRATA_BACKENDS_IO_URING_H_
#define STRATA_BACKENDS_IO_URING_H_

#include "loop/readiness.h"

/* Readiness by polls on a ring of io_uring(7): changes go to the kernel together with the next
 * wait. A poll that is pending keeps its file open, so an event has to be deleted before its
 * descriptor is closed, or the peer does not hear of it. Files and directories are refused with
 * EPERM, devices that cannot be polled are ready always, as with poll(2). In a child of fork(2) it
 * refuses to add and to wait (EBADF) until event_reinit(), and forgets without asking the kernel.
 *
 * init() returns NULL where there is no such ring: before Linux 5.13, or where the system forbids
 * it. */
extern const struct event_readiness_ops event_io_uring_ops;

#endif
