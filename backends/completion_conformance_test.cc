// Every completion port that this platform has keeps the contract of loop/completion.h.
#include "backends/testing/completion_conformance.h"

extern "C" {
#include "backends/io_uring.h"
}

INSTANTIATE_TEST_SUITE_P(Ports, CompletionConformance, testing::Values(&event_io_uring_ops),
                         CompletionName());
