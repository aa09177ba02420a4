#ifndef STRATA_BACKENDS_SIM_SCRIPT_H_
#define STRATA_BACKENDS_SIM_SCRIPT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/util.h>

/* What happens to which descriptor when: a heap by time. A zeroed script is empty and valid. */

struct sim_step {
  int64_t when_ns;
  uint64_t number; /* the order of steps of one time */
  evutil_socket_t fd;
  short what;
  bool is_raise;
};

struct sim_script {
  struct sim_step *steps;
  size_t num_steps, capacity;
  uint64_t num_written;
};

/* Numbers and adds a step. 0, or -1 when memory is short. */
int strata_sim_script_add(struct sim_script *script, struct sim_step step);
/* The time of the next step; INT64_MAX: there is none. */
int64_t strata_sim_script_next_ns(const struct sim_script *script);
/* Takes the next step out; there is one. */
struct sim_step strata_sim_script_take(struct sim_script *script);
void strata_sim_script_clear(struct sim_script *script);

#endif
