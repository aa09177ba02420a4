// What the kqueue backend makes of changes that the kernel refuses, one by one.
#include <fcntl.h>

#include "backends/testing/kqueue_broken_pipe.h"

extern "C" {
#include "backends/kqueue.h"
}

#include <event2/event.h>

namespace {

using readiness_testing::Backend;
using readiness_testing::Fd;
using readiness_testing::Pair;

#ifdef __linux__

TEST(KqueueErrors, OldInterestStandsWhenTheNewOneIsRefused) {
  const BrokenPipeError error(ENOMEM);
  BrokenPipe pipe;
  Backend backend(&event_kqueue_ops);
  ASSERT_EQ(0, backend.Change(pipe, EV_READ));
  const short before = backend.PollOf(pipe);
  EXPECT_NE(0, before & EV_READ);
  EXPECT_EQ(-1, backend.Change(pipe, EV_WRITE));
  EXPECT_EQ(ENOMEM, errno);
  EXPECT_EQ(before, backend.PollOf(pipe));
}

// A system that cannot wait for a device says so in its own way: to the base it is EPERM.
TEST(KqueueErrors, WhatCannotBePolledIsEperm) {
  Backend backend(&event_kqueue_ops);
  Fd device(open("/dev/null", O_RDWR));
  ASSERT_GE(device, 0);
  EXPECT_EQ(-1, backend.Change(device, EV_READ));
  EXPECT_EQ(EPERM, errno);
  for (const int number : {EINVAL, ENODEV, ENXIO, EOPNOTSUPP, EPERM}) {
    const BrokenPipeError error(number);
    BrokenPipe pipe;
    EXPECT_EQ(-1, backend.Change(pipe, EV_WRITE));
    EXPECT_EQ(EPERM, errno) << number;
  }
}

#endif

TEST(KqueueErrors, ClosedDescriptorIsRefused) {
  Backend backend(&event_kqueue_ops);
  Pair pair;
  readiness_testing::Send(pair.b);
  ASSERT_EQ(0, backend.Change(pair.a, EV_READ));
  const evutil_socket_t number = pair.a;
  Fd kept(dup(number));
  pair.a.Close();
  EXPECT_EQ(-1, backend.Change(number, EV_READ | EV_WRITE));
  EXPECT_EQ(EBADF, errno);
  Fd again(dup2(kept, number));
  ASSERT_EQ(0, backend.Change(number, EV_READ));
  EXPECT_EQ(EV_READ, backend.PollOf(number));
}

}  // namespace
