#ifndef STRATA_BACKENDS_SIM_SCRIPTED_PORT_H_
#define STRATA_BACKENDS_SIM_SCRIPTED_PORT_H_

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "backends/sim/sim.h"
#include "loop/completion.h"

/* For tests: a completion port (loop/completion.h) without a kernel, beside the descriptors and the
 * clock of a strata_sim. It carries out nothing. An operation stays pending until the test says how
 * it ends; the next wait of the loop reports those that have ended, in the order in which they did.
 * What was cancelled ends so as soon as the loop would block, if the test has not ended
 * it before.
 *
 * A port and its bases belong to one thread; one base at a time. */

struct strata_scripted_port;

/* `features`: STRATA_PORT_PROVIDES_MEMORY, _SENDS_AT_ONCE, _REPEATS. NULL when memory is short. */
struct strata_scripted_port *strata_scripted_port_new(struct strata_sim *sim, unsigned features);
/* Its bases are freed, and what was received is released. */
void strata_scripted_port_free(struct strata_scripted_port *port);

/* A base with this port; its backend is called "scripted". NULL when memory is short. */
struct event_base *strata_scripted_base_new(struct strata_scripted_port *port);

/* --- What is pending: the first that was launched, and the one after. NULL: there is none. --- */

struct event_operation *strata_scripted_first(const struct strata_scripted_port *port);
struct event_operation *strata_scripted_next(const struct event_operation *operation);
/* The number of its launch on this port: another one each time. */
long strata_scripted_number(const struct event_operation *operation);
bool strata_scripted_is_cancelled(const struct event_operation *operation);

/* --- How it ends. The operation is pending. --- */

/* `result` is -1 with a socket error, or what the contract says of this kind. */
void strata_scripted_finish(struct strata_scripted_port *port, struct event_operation *operation,
                            ev_ssize_t result, int error);
/* Bytes for an EVENT_OPERATION_RECV without spans, in memory of the port's. One that repeats is
 * pending still, and ends without bytes. 0, or -1 when there is
 * none: then the operation is still pending. */
int strata_scripted_receive(struct strata_scripted_port *port, struct event_operation *operation,
                            const void *data, size_t len);

/* Launches fail with this errno from now on; 0: they do not. */
void strata_scripted_refuse(struct strata_scripted_port *port, int error);
/* Whether one has ever failed. */
bool strata_scripted_has_refused(const struct strata_scripted_port *port);
/* Pieces of the port's memory that are not released. */
long strata_scripted_num_received(const struct strata_scripted_port *port);

#ifdef __cplusplus
}
#endif

#endif
