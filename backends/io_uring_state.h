#ifndef STRATA_BACKENDS_IO_URING_STATE_H_
#define STRATA_BACKENDS_IO_URING_STATE_H_

#include <stdbool.h>

#include "backends/uring.h"
#include "loop/completion.h"
#include "loop/readiness.h"

struct poll_slot;
struct received_pool;

/* What the readiness side (io_uring.c) and the completion side (io_uring_port.c) share: one ring,
 * and its waits. Guarded by the base's lock.
 *
 * A request belongs to the thread that submits it, and ends with that thread: what is to be
 * submitted is collected, and goes with the next wait of the loop's thread. */
struct io_uring_state {
  struct uring ring;

  struct poll_slot *slots; /* by descriptor */
  int num_slots;
  int first_unarmed; /* -1: none */

  struct event_operation *first_launched, **last_launched; /* not yet prepared */
  bool has_no_pool;                                        /* the kernel refused to have one */
  bool has_no_multishot;                                   /* it receives only once (Linux 5.19) */
  struct received_pool *pool;                              /* NULL until bytes have to go there */
};

/* user_data of a poll has this bit, the descriptor, and which of its polls it is. An operation's is
 * its address, which does not have the bit. */
#define STRATA_URING_POLL_TAG ((uint64_t)1 << 63)
/* user_data of what nobody waits for. */
#define STRATA_URING_IGNORED 0

/* What poll32_events of a submission is for EV_READ and so on. */
uint32_t strata_io_uring_poll_events(short mask);
/* Asks the kernel to end the request with that user_data, after handing over what came before. */
int strata_io_uring_cancel(struct io_uring_state *state, uint64_t user_data);

extern const struct event_port_ops strata_io_uring_port_ops;

void strata_io_uring_port_init(struct io_uring_state *state);
void strata_io_uring_port_destroy(struct io_uring_state *state);
/* Makes submissions of what was launched. Whether the wait may block: nothing has ended already,
 * and everything found room. */
bool strata_io_uring_port_prepare(struct io_uring_state *state, struct event_readiness_sink *sink);
/* Takes an operation's completion. */
void strata_io_uring_port_report(struct io_uring_state *state, const struct io_uring_cqe *cqe,
                                 struct event_readiness_sink *sink);

#endif
