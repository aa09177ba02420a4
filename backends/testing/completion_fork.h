// Part of the completion suite: fork(2) and event_reinit(). A child reports by its exit status: the
// number of the check that failed.
#ifndef BACKENDS_TESTING_COMPLETION_FORK_H_
#define BACKENDS_TESTING_COMPLETION_FORK_H_

#include "backends/testing/completion_cancel.h"
#include "backends/testing/completion_fixture.h"

#ifndef _WIN32

namespace completion_testing {

inline int ExitCodeOf(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

#define CHECK_IN_CHILD(number, condition) \
  do {                                    \
    if (!(condition)) _exit(number);      \
  } while (0)

// What takes goes on in both; what gives is the parent's.
TEST_P(CompletionConformance, ForkWithEachKindInFlight) {
  WaitingOps ops;
  ops.LaunchAll(base_);
  Turn();
  const pid_t child = fork();
  ASSERT_NE(-1, child);
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(base_) == 0);
    CHECK_IN_CHILD(2, Finish({&ops.send, &ops.send_spans, &ops.connect}));
    CHECK_IN_CHILD(3, ops.send.IsCancelled() && ops.send_spans.IsCancelled());
    CHECK_IN_CHILD(4, ops.connect.IsCancelled());
    CHECK_IN_CHILD(5, ops.recv.num_done + ops.recv_span.num_done + ops.accept.num_done == 0);
    // One for each process, whichever is faster.
    Socket clients[] = {ops.listener.Connect(), ops.listener.Connect()};
    CHECK_IN_CHILD(6, Finish(&ops.accept));
    for (Op *op : ops.All()) op->Cancel();
    CHECK_IN_CHILD(7, Finish(ops.All()));
    for (Op *op : ops.All()) CHECK_IN_CHILD(8, op->num_done == 1);
    CHECK_IN_CHILD(9, ops.send.Launch(base_) == 0);
    Turn();
    CHECK_IN_CHILD(10, ops.send.IsPending());
    FreeBase();
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  EXPECT_TRUE(ops.recv.IsPending());
  ops.CancelAll();
  ASSERT_TRUE(Finish(ops.All()));
}

TEST_P(CompletionConformance, ChildReceives) {
  Pair pair;
  Op recv, spans;
  ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
  ASSERT_EQ(0, spans.RecvInto(pair[1], {1, 8}).Launch(base_));
  Turn();
  const pid_t child = fork();
  ASSERT_NE(-1, child);
  // The parent leaves its ring alone, and so the bytes to the child.
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(base_) == 0);
    Turn();
    recv.Cancel();
    spans.Cancel();
    CHECK_IN_CHILD(2, Finish({&recv, &spans}));
    CHECK_IN_CHILD(3, recv.IsCancelled() && spans.IsCancelled());
    Pair own;
    for (int i = 0; i < 300; i++) {
      CHECK_IN_CHILD(4, recv.Recv(own[0]).Launch(base_) == 0);
      CHECK_IN_CHILD(5, spans.Send(own[1], {"from", " child"}).Launch(base_) == 0);
      CHECK_IN_CHILD(6, Finish({&recv, &spans}));
      CHECK_IN_CHILD(7, recv.bytes == "from child");
    }
    FreeBase();
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  pair.Send(1, "for the parent");
  pair.Send(0, "too");
  ASSERT_TRUE(Finish({&recv, &spans}));
  EXPECT_EQ("for the parent", recv.bytes);
  EXPECT_EQ("too", spans.bytes);
}

TEST_P(CompletionConformance, CancelledBeforeTheFork) {
  Pair pair;
  Op recv, span;
  ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
  ASSERT_EQ(0, span.RecvInto(pair[0], {1}).Launch(base_));
  Turn();
  recv.Cancel();
  span.Cancel();
  const pid_t child = fork();
  ASSERT_NE(-1, child);
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(base_) == 0);
    CHECK_IN_CHILD(2, Finish({&recv, &span}));
    CHECK_IN_CHILD(3, recv.IsCancelled() && span.IsCancelled());
    CHECK_IN_CHILD(4, recv.Launch(base_) == 0);
    pair.Send(1, "x");
    CHECK_IN_CHILD(5, Finish(&recv));
    CHECK_IN_CHILD(6, recv.bytes == "x");
    FreeBase();
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  ASSERT_TRUE(Finish({&recv, &span}));
}

// Blocks that were in use at the fork are in both, and do not meet the child's new ones.
TEST_P(CompletionConformance, BlocksInUseAtTheFork) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Pair pair;
  Op held, recv;
  held.keeps_block = true;
  pair.Send(1, "held");
  ASSERT_EQ(0, held.Recv(pair[0]).Launch(base_));
  ASSERT_TRUE(Finish(&held));
  ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
  const pid_t child = fork();
  ASSERT_NE(-1, child);
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(base_) == 0);
    pair.Send(1, "new");
    CHECK_IN_CHILD(2, Finish(&recv));
    CHECK_IN_CHILD(3, recv.bytes == "new");
    CHECK_IN_CHILD(4, memcmp(held.block->data, "held", 4) == 0);
    Release(held.block);
    FreeBase();
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  EXPECT_EQ(0, memcmp(held.block->data, "held", 4));
  pair.Send(1, "parent's");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("parent's", recv.bytes);
}

TEST_P(CompletionConformance, ChildFreesTheBase) {
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {8}).Launch(base_));
  Turn();
  const pid_t child = fork();
  ASSERT_NE(-1, child);
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(base_) == 0);
    FreeBase();
    CHECK_IN_CHILD(2, recv.IsCancelled() && recv.num_done == 1);
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  pair.Send(1, "parent's");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("parent's", recv.bytes);
}

// Until event_reinit() the child's calls reach nothing of the parent's.
TEST_P(CompletionConformance, ChildThatOnlyFreesLeavesTheParentAlone) {
  for (const bool reinits_late : {false, true}) {
    WaitingOps ops;
    Pair received, watched, other;
    Op recv;
    Ev event(base_, watched[0], EV_READ | EV_PERSIST,
             [&](evutil_socket_t, short) { watched.Recv(0); });
    event.Add();
    ASSERT_EQ(0, recv.Recv(received[0]).Launch(base_));
    ops.LaunchAll(base_);
    Turn();
    const pid_t child = fork();
    ASSERT_NE(-1, child);
    if (child == 0) {
      Op late;
      CHECK_IN_CHILD(1, late.Recv(other[0]).Launch(base_) == -1 && errno == EBADF);
      Ev late_event(base_, other[0], EV_READ);
      CHECK_IN_CHILD(2, late_event.Add() == -1);
      CHECK_IN_CHILD(3, event_base_loop(base_, EVLOOP_NONBLOCK) == -1);
      CHECK_IN_CHILD(4, event.Del() == 0);
      ops.CancelAll();
      if (reinits_late) {
        CHECK_IN_CHILD(5, event_reinit(base_) == 0);
        CHECK_IN_CHILD(6, Finish(ops.All()));
      }
      event.Free();
      late_event.Free();
      FreeBase();
      for (Op *op : ops.All()) CHECK_IN_CHILD(7, op->IsCancelled() && op->num_done == 1);
      _exit(0);
    }
    EXPECT_EQ(0, ExitCodeOf(child));
    for (int i = 1; i <= 3; i++) {
      watched.Send(1, "w");
      ASSERT_TRUE(RunUntil([&] { return event.calls == i; })) << i;
    }
    received.Send(1, "parent's");
    ASSERT_TRUE(Finish(&recv));
    EXPECT_EQ("parent's", recv.bytes);
    ops.CancelAll();
    ASSERT_TRUE(Finish(ops.All()));
  }
}

}  // namespace completion_testing

#endif  // _WIN32

#endif  // BACKENDS_TESTING_COMPLETION_FORK_H_
