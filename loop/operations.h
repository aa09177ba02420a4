#ifndef STRATA_LOOP_OPERATIONS_H_
#define STRATA_LOOP_OPERATIONS_H_

struct event_base;
struct event_operation;
struct event_received;

/* A base's side of loop/completion.h. Base lock held. */

/* What the sink does with a completion, and with a result of an operation that goes on: queues the
 * function. */
void event_operation_complete(struct event_base *base, struct event_operation *operation);
void event_operation_add_result(struct event_base *base, struct event_operation *operation,
                                struct event_received *received);

/* For a base that is being freed: cancels what is in flight, waits until the kernel has let go of
 * everything, and runs the functions, without the lock. Nothing can be launched any more. */
void event_operations_end_all(struct event_base *base);

/* In a child of fork(2), with a fresh port: what only takes is launched again. A send or a connect
 * is the parent's, which carries it out: it ends cancelled here. */
void event_operations_begin_again(struct event_base *base);

#endif
