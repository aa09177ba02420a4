#ifndef STRATA_BACKENDS_IOCP_WORKERS_H_
#define STRATA_BACKENDS_IOCP_WORKERS_H_

#include "backends/iocp_state.h"

/* Threads that serve a completion port of their own, which becomes the state's for operations. They
 * take packets in batches, finish the kernel's part of each (the context of an accepted socket, its
 * addresses), and then report the batch to the base under its lock, waking it at most once. No user
 * code runs in them; memory hooks and lock hooks do. */

#define STRATA_IOCP_MAX_WORKERS 64

/* At most STRATA_IOCP_MAX_WORKERS threads, or as many as the system gives. NULL when it gives none,
 * or memory is short: the state is as before. */
struct iocp_workers *strata_iocp_workers_start(struct iocp_state *state,
                                               struct event_readiness_sink *sink, int num_workers);
/* Waits for their end. No operation may be in flight, and the caller may not hold the base's lock.
 */
void strata_iocp_workers_stop(struct iocp_workers *workers);

#endif
