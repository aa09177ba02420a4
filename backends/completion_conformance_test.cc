// Every completion port that this platform has keeps the contract of loop/completion.h.
#include "backends/testing/completion_conformance.h"

extern "C" {
#ifdef _WIN32
#include "backends/afd.h"
#else
#include "backends/io_uring.h"
#endif
}

INSTANTIATE_TEST_SUITE_P(Ports, CompletionConformance,
#ifdef _WIN32
                         testing::Values(&event_afd_ops),
#else
                         testing::Values(&event_io_uring_ops),
#endif
                         CompletionName());
