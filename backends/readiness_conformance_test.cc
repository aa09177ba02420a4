// Every backend that this platform has keeps the contract of loop/readiness.h.
#include "backends/testing/readiness_conformance.h"

#include "backends/testing/all_backends.h"

INSTANTIATE_TEST_SUITE_P(Backends, ReadinessConformance, testing::ValuesIn(AllBackends()),
                         ReadinessName());
