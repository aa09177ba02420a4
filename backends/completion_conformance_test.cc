// Every completion port that this platform has keeps the contract of loop/completion.h.
#include "backends/testing/completion_conformance.h"

extern "C" {
#ifdef _WIN32
#include "backends/afd.h"
#else
#include "backends/io_uring.h"
#endif
}

#ifdef _WIN32
INSTANTIATE_TEST_SUITE_P(Ports, CompletionConformance, testing::Values(Port{&event_afd_ops, 0}),
                         CompletionName());
// After those, which begin without locks.
INSTANTIATE_TEST_SUITE_P(PortsWithWorkers, CompletionConformance,
                         testing::Values(Port{&event_afd_ops, 4}), CompletionName());
#else
INSTANTIATE_TEST_SUITE_P(Ports, CompletionConformance,
                         testing::Values(Port{&event_io_uring_ops, 0}), CompletionName());
#endif
