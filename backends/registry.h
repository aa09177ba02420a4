#ifndef BACKENDS_REGISTRY_H_
#define BACKENDS_REGISTRY_H_

struct event_readiness_ops;

/* The backends that this platform has, the best one first: event_base_new() takes the first that
 * the environment, the configuration and the kernel allow. Ends with NULL. */
extern const struct event_readiness_ops *const strata_backends[];

#endif /* BACKENDS_REGISTRY_H_ */
