#ifndef STRATA_BACKENDS_IO_URING_H_
#define STRATA_BACKENDS_IO_URING_H_

#include "loop/readiness.h"

/* Readiness by polls on a ring of io_uring(7): changes go to the kernel together with the next
 * wait. A poll that is pending keeps its file open, so an event has to be deleted before its
 * descriptor is closed, or the peer does not hear of it. */
extern const struct event_readiness_ops event_io_uring_ops;

#endif
