#include "loop/config.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/memory.h"

void event_config_init(struct event_config *config) {
  memset(config, 0, sizeof(*config));
  config->max_dispatch_ns = INT64_MAX;
  config->max_dispatch_callbacks = INT_MAX;
  config->limit_from_priority = 1;
}

struct event_config *event_config_new(void) {
  struct event_config *config = strata_malloc(sizeof(*config));
  if (config) event_config_init(config);
  return config;
}

void event_config_free(struct event_config *config) {
  struct avoided_method *method = config->avoided;
  while (method) {
    struct avoided_method *next = method->next;
    strata_free(method->name);
    strata_free(method);
    method = next;
  }
  strata_free(config);
}

int event_config_avoid_method(struct event_config *config, const char *name) {
  struct avoided_method *method = strata_malloc(sizeof(*method));
  if (!method) return -1;
  method->name = strata_strdup(name);
  if (!method->name) {
    strata_free(method);
    return -1;
  }
  method->next = config->avoided;
  config->avoided = method;
  return 0;
}

int event_config_require_features(struct event_config *config, int features) {
  if (!config) return -1;
  config->required_features = features;
  return 0;
}

int event_config_set_flag(struct event_config *config, int flag) {
  if (!config) return -1;
  config->flags |= flag;
  return 0;
}

int event_config_set_num_cpus_hint(struct event_config *config, int num_cpus) {
  if (!config) return -1;
  config->num_cpus_hint = num_cpus;
  return 0;
}

int event_config_set_max_dispatch_interval(struct event_config *config,
                                           const struct timeval *max_interval, int max_callbacks,
                                           int min_priority) {
  config->max_dispatch_ns = max_interval ? strata_timeval_to_ns(max_interval) : INT64_MAX;
  config->max_dispatch_callbacks = max_callbacks >= 0 ? max_callbacks : INT_MAX;
  config->limit_from_priority = min_priority < 0 ? 0 : min_priority;
  return 0;
}

/* EVENT_NOEPOLL for "epoll", and so on. */
static int environment_forbids(const char *name) {
  char variable[64] = "EVENT_NO";
  size_t len = strlen(variable);
  for (; *name && len + 1 < sizeof(variable); name++)
    variable[len++] = (char)toupper((unsigned char)*name);
  variable[len] = '\0';
  return getenv(variable) != NULL;
}

int event_config_allows(const struct event_config *config, const struct event_readiness_ops *ops) {
  int flags = config ? config->flags : 0;
  if (!(flags & EVENT_BASE_FLAG_IGNORE_ENV) && environment_forbids(ops->name)) return 0;
  if (!config) return 1;
  for (const struct avoided_method *m = config->avoided; m; m = m->next)
    if (strcmp(m->name, ops->name) == 0) return 0;
  return ((int)ops->features & config->required_features) == config->required_features;
}
