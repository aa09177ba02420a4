#ifndef STRATA_LOOP_CONFIG_H_
#define STRATA_LOOP_CONFIG_H_

#include <stdint.h>

#include <event2/event.h>

#include "loop/readiness.h"

struct avoided_method {
  struct avoided_method *next;
  char *name;
};

struct event_config {
  struct avoided_method *avoided;
  int required_features; /* EV_FEATURE_* */
  int flags;             /* EVENT_BASE_FLAG_* */
  int num_cpus_hint;
  int64_t max_dispatch_ns;    /* INT64_MAX: no limit */
  int max_dispatch_callbacks; /* INT_MAX: no limit */
  int limit_from_priority;    /* the two limits above bind this priority and larger ones */
};

/* True when the configuration and (unless it ignores it) the environment let this backend be
 * used. `config` may be NULL. */
int event_config_allows(const struct event_config *config, const struct event_readiness_ops *ops);

/* The configuration that NULL stands for. */
void event_config_init(struct event_config *config);

#endif
