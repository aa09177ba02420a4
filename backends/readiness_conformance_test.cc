// Every backend that this platform has keeps the contract of loop/readiness.h.
#include "backends/testing/readiness_conformance.h"

extern "C" {
#ifdef _WIN32
#include "backends/afd.h"
#include "backends/win32_select.h"
#else
#include "backends/epoll.h"
#include "backends/io_uring.h"
#include "backends/poll.h"
#include "backends/select.h"
#endif
}

INSTANTIATE_TEST_SUITE_P(Backends, ReadinessConformance,
#ifdef _WIN32
                         testing::Values(&event_afd_ops, &event_win32_select_ops),
#else
                         testing::Values(&event_epoll_ops, &event_io_uring_ops, &event_poll_ops,
                                         &event_select_ops),
#endif
                         ReadinessName());
