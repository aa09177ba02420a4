// kqueue keeps the contract of loop/readiness.h; on Linux over backends/testing/kqueue_emulation.
#include "backends/testing/readiness_conformance.h"

extern "C" {
#include "backends/kqueue.h"
}

INSTANTIATE_TEST_SUITE_P(Kqueue, ReadinessConformance,
                         testing::Values(&event_kqueue_ops, event_kqueue_ops.batching),
                         ReadinessName());
