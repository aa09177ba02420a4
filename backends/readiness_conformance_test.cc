// Every backend that this platform has keeps the contract of loop/readiness.h.
#include "backends/testing/readiness_conformance.h"

extern "C" {
#include "backends/epoll.h"
#include "backends/io_uring.h"
#include "backends/poll.h"
#include "backends/select.h"
}

INSTANTIATE_TEST_SUITE_P(Backends, ReadinessConformance,
                         testing::Values(&event_epoll_ops, &event_io_uring_ops, &event_poll_ops,
                                         &event_select_ops),
                         ReadinessName());
