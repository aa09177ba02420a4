#ifndef STRATA_UTIL_TESTING_PORT_THREADS_H_
#define STRATA_UTIL_TESTING_PORT_THREADS_H_

#include <cstdlib>

// Whether this run has a completion port with threads of its own ("completion_pool" of
// strata_backend_tests): what they receive reaches the loop in any order, and ahead of it.
inline bool HasPortThreads() {
  return getenv("STRATA_EARLY_THREADS") != nullptr;
}

#endif
