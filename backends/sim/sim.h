#ifndef STRATA_BACKENDS_SIM_SIM_H_
#define STRATA_BACKENDS_SIM_SIM_H_

#include <event2/event.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "loop/readiness.h"

/* For tests: a readiness backend without a kernel. A struct strata_sim is the world that a base
 * sees: a clock that moves only when the loop waits or the test says so, and descriptors (any
 * numbers from 0 on, no files) that are ready when the test says so. Waiting costs no time, so a
 * test of years of timers, or of a million descriptors, takes what its callbacks take, and gives
 * the same result every time.
 *
 * A descriptor is ready for some of EV_READ, EV_WRITE, EV_CLOSED and STRATA_EV_HANGUP. Level and
 * edge triggering are epoll's: an edge is reported for each raise, ready before or not, and for
 * what is ready when an interest is registered or changed; a hang-up is reported whatever the
 * interest. Descriptors are reported in the order in which they came to have something to report.
 *
 * A world and its bases belong to one thread. `what` is a mask of the above, times are absolute on
 * the world's clock. Functions that return int return 0, or -1 with errno (ENOMEM, EBADF). */

struct strata_sim;

/* Makes a world without anything ready, at some time greater than 0, and makes it the thread's
 * current one, which the backends that are initialised from now on live in. NULL when memory is
 * short. */
struct strata_sim *strata_sim_new(void);
/* The same for one that was made before. */
void strata_sim_make_current(struct strata_sim *sim);
/* Ends a world whose bases are freed. */
void strata_sim_free(struct strata_sim *sim);

/* The backend; its name is "sim". One base at a time lives in a world. */
extern const struct event_readiness_ops event_sim_ops;
/* A base in `sim`; `config` may be NULL. Freed with event_base_free. NULL when memory is short. */
struct event_base *strata_sim_base_new(struct strata_sim *sim, const struct event_config *config);

/* --- The clock --- */

int64_t strata_sim_now_ns(const struct strata_sim *sim);
/* Lets time pass, as a slow callback would. What the script has for that time happens in the
 * next wait. */
void strata_sim_advance(struct strata_sim *sim, int64_t by_ns);

/* --- Descriptors --- */

/* Something happens at the descriptor: it is ready for `what` until that is lowered. */
int strata_sim_raise(struct strata_sim *sim, evutil_socket_t fd, short what);
/* The descriptor is not ready for `what` any more. */
int strata_sim_lower(struct strata_sim *sim, evutil_socket_t fd, short what);
/* The same as parts of a script: they happen in the wait that reaches their time, those of one
 * time in the order in which they were written. */
int strata_sim_raise_at(struct strata_sim *sim, int64_t when_ns, evutil_socket_t fd, short what);
int strata_sim_lower_at(struct strata_sim *sim, int64_t when_ns, evutil_socket_t fd, short what);

/* Registering the descriptor fails with this errno from now on; 0: does not. */
int strata_sim_refuse(struct strata_sim *sim, evutil_socket_t fd, int error);
/* The next wait fails with this errno. A wait that nothing would ever end fails with EDEADLK. */
void strata_sim_fail_wait(struct strata_sim *sim, int error);

/* --- What the base did --- */

/* The interest that is registered for the descriptor; 0: none. */
short strata_sim_interest(const struct strata_sim *sim, evutil_socket_t fd);
/* How often the backend was asked to wait, and to change an interest. */
long strata_sim_num_waits(const struct strata_sim *sim);
long strata_sim_num_changes(const struct strata_sim *sim);

#ifdef __cplusplus
}
#endif

#endif
