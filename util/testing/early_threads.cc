// Linked into the suites that run again with threads enabled before they make their first base
// (strata_backend_tests, "completion_pool"): what asks for that is STRATA_EARLY_THREADS.
#ifdef _WIN32

#include <event2/thread.h>

#include <cstdlib>

namespace {

struct EarlyThreads {
  EarlyThreads() {
    if (getenv("STRATA_EARLY_THREADS") != nullptr && evthread_use_windows_threads() != 0) abort();
  }
};

[[maybe_unused]] const EarlyThreads kEarlyThreads;

}  // namespace

#endif
