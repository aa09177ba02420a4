// Every backend that this platform has keeps the contract of loop/readiness.h.
#include "backends/testing/readiness_conformance.h"

extern "C" {
#include "backends/epoll.h"
}

INSTANTIATE_TEST_SUITE_P(Backends, ReadinessConformance, testing::Values(&event_epoll_ops),
                         ReadinessName());
