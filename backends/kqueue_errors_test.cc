// What the kqueue backend makes of changes that the kernel refuses, one by one.
#include <fcntl.h>
#ifdef __linux__
#include <sys/event.h>  // How the emulation behaves.
#undef close
#endif

#include <vector>

#include "backends/testing/readiness_driver.h"

extern "C" {
#include "backends/kqueue.h"
}

#include <event2/event.h>

namespace {

using readiness_testing::Backend;
using readiness_testing::Fd;
using readiness_testing::Pair;
using readiness_testing::Sink;

#ifdef __linux__

// A pipe to write to, whose filter for writing is refused with an error.
class RefusedPipe : public Fd {
 public:
  explicit RefusedPipe(int error) : Fd(Make()) { strata_emulated_broken_pipe_error = error; }
  ~RefusedPipe() { strata_emulated_broken_pipe_error = EPIPE; }

 private:
  static int Make() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(0, pipe(fds));
    close(fds[0]);
    return fds[1];
  }
};

TEST(KqueueErrors, OldInterestStandsWhenTheNewOneIsRefused) {
  RefusedPipe pipe(ENOMEM);
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
  for (const int error : {EINVAL, ENODEV, ENXIO, EOPNOTSUPP, EPERM}) {
    RefusedPipe pipe(error);
    EXPECT_EQ(-1, backend.Change(pipe, EV_WRITE));
    EXPECT_EQ(EPERM, errno) << error;
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

// Changes that go with the wait: each error has its place, and what is ready is reported as well.
TEST(KqueueErrors, ManyOfOneWait) {
  const struct event_readiness_ops *ops = event_kqueue_ops.batching;
  void *state = ops->init(0);
  ASSERT_NE(nullptr, state);
  event_set_log_callback([](int, const char *) {});
  intptr_t word = 0;
  std::vector<Pair> pairs(100);
  Pair last;
  const auto change = [&](evutil_socket_t fd) {
    const struct event_readiness_change change = {fd, 0, EV_WRITE, 1, &word, 1};
    EXPECT_EQ(0, ops->change(state, &change));
  };
  for (Pair &pair : pairs) change(pair.a);
  change(last.a);
  for (Pair &pair : pairs) pair.a.Close();
  Sink sink;
  EXPECT_EQ(0, ops->wait(state, 0, 0, sink.get()));
  EXPECT_EQ(EV_WRITE, sink.WhatOf(last.a));
  ops->destroy(state);
  event_set_log_callback(nullptr);
}

// What a wait can report grows with what there is.
TEST(KqueueReports, HaveNoLimit) {
  std::vector<Pair> pairs(200);
  Backend backend(&event_kqueue_ops);
  for (Pair &pair : pairs) ASSERT_EQ(0, backend.Change(pair.a, EV_WRITE));
  for (int i = 0; i < 3; i++) {
    Sink sink;
    ASSERT_EQ(0, backend.WaitUntil(&sink, 0));
  }
  Sink sink;
  ASSERT_EQ(0, backend.WaitUntil(&sink, 0));
  EXPECT_EQ(pairs.size(), sink.reports.size());
}

}  // namespace
