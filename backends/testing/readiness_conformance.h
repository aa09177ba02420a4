// The conformance suite of loop/readiness.h. Drives a backend's table directly, with a sink that
// records what it is told; no event base is involved. A backend's test instantiates it:
//
//   INSTANTIATE_TEST_SUITE_P(Epoll, ReadinessConformance, testing::Values(&event_epoll_ops),
//                            ReadinessName());
#ifndef BACKENDS_TESTING_READINESS_CONFORMANCE_H_
#define BACKENDS_TESTING_READINESS_CONFORMANCE_H_

#include "backends/testing/readiness_registration.h"
#include "backends/testing/readiness_reports.h"
#include "backends/testing/readiness_wait.h"

#endif  // BACKENDS_TESTING_READINESS_CONFORMANCE_H_
