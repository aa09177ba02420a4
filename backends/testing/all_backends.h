// The registry's table, for suites that run on every backend.
#ifndef BACKENDS_TESTING_ALL_BACKENDS_H_
#define BACKENDS_TESTING_ALL_BACKENDS_H_

#include <vector>

extern "C" {
#include "backends/registry.h"
#include "loop/readiness.h"
}

inline std::vector<const struct event_readiness_ops *> AllBackends() {
  std::vector<const struct event_readiness_ops *> found;
  for (auto *ops = strata_backends; *ops != nullptr; ops++) found.push_back(*ops);
  return found;
}

#endif  // BACKENDS_TESTING_ALL_BACKENDS_H_
