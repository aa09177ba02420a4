// Part of the completion suite: bases that are freed with operations in flight.
#ifndef BACKENDS_TESTING_COMPLETION_END_H_
#define BACKENDS_TESTING_COMPLETION_END_H_

#include "backends/testing/completion_cancel.h"
#include "backends/testing/completion_fixture.h"

namespace completion_testing {

TEST_P(CompletionConformance, FreeWithEachKindInFlight) {
  for (const int num_turns : {0, 1, 3}) {
    WaitingOps ops;
    if (!(event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY))
      ops.recv.RecvInto(ops.pair[0], {1});
    ops.LaunchAll(base_);
    for (int i = 0; i < num_turns; i++) Turn();
    FreeBase();
    for (Op *op : ops.All()) EXPECT_EQ(1, op->num_done);
    ops.ExpectCancelled();
    base_ = NewBase();
  }
}

TEST_P(CompletionConformance, FreeWithHundredsInFlight) {
  Pair pair;
  Listener listener;
  std::vector<std::unique_ptr<Op>> ops;
  for (int i = 0; i < 900; i++) {
    ops.emplace_back(new Op);
    if (i % 3 == 0)
      ops.back()->Accept(listener.fd, true);
    else
      ops.back()->RecvInto(pair[0], {16});
    ASSERT_EQ(0, ops.back()->Launch(base_));
    if (i == 600) Turn();
  }
  FreeBase();
  for (auto &op : ops) {
    EXPECT_EQ(1, op->num_done);
    EXPECT_TRUE(op->IsCancelled());
  }
}

// Those that had completed report what they did.
TEST_P(CompletionConformance, FreeWithFunctionsStillToRun) {
  Pair pair;
  std::vector<std::unique_ptr<Op>> ops;
  const bool provides = event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY;
  int num_run = 0;
  for (int i = 0; i < 10; i++) {
    ops.emplace_back(new Op([&](Op *) {
      num_run++;
      event_base_loopbreak(base_);
    }));
    provides &&i % 2 ? ops.back()->Recv(pair[0], 1) : ops.back()->RecvInto(pair[0], {1});
    ASSERT_EQ(0, ops.back()->Launch(base_));
  }
  pair.Send(1, "xxxxx");
  ASSERT_TRUE(RunUntil([&] { return num_run > 0; }));
  for (auto &op : ops) EXPECT_EQ(op->num_done == 0, op->IsPending());
  FreeBase();
  int num_received = 0;
  for (auto &op : ops) {
    EXPECT_EQ(1, op->num_done);
    EXPECT_TRUE(op->result == 1 || op->IsCancelled());
    num_received += op->result == 1;
  }
  EXPECT_EQ(5, num_received + static_cast<int>(pair.Recv(0).size()));
}

TEST_P(CompletionConformance, FreeingFunctionsFreeTheirOperations) {
  Pair pair;
  int num_freed = 0;
  for (int i = 0; i < 300; i++) {
    Op *op = new Op([&](Op *self) {
      EXPECT_TRUE(self->IsCancelled());
      num_freed++;
      delete self;
    });
    ASSERT_EQ(0, op->RecvInto(pair[0], {1}).Launch(base_));
  }
  Turn();
  FreeBase();
  EXPECT_EQ(300, num_freed);
}

TEST_P(CompletionConformance, NothingIsLaunchedOnABaseThatEnds) {
  Pair pair;
  int launched = 0, error = 0;
  struct event_base *const base = base_;
  Op recv([&](Op *op) {
    launched = op->Launch(base);
    error = errno;
    EXPECT_FALSE(op->IsPending());
    op->Cancel();
  });
  ASSERT_EQ(0, recv.RecvInto(pair[0], {1}).Launch(base_));
  Turn();
  FreeBase();
  EXPECT_EQ(-1, launched);
  EXPECT_EQ(ECANCELED, error);
  EXPECT_EQ(1, recv.num_done);
  recv.Cancel();
}

TEST_P(CompletionConformance, FreeWithoutFinalizers) {
  Pair pair;
  Op recv, done;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {1}).Launch(base_));
  Turn();
  ASSERT_EQ(0, done.Send(pair[0], {"x"}).Launch(base_));
  event_base_free_nofinalize(base_);
  base_ = nullptr;
  EXPECT_TRUE(recv.IsCancelled());
  EXPECT_EQ(1, done.num_done);
}

TEST_P(CompletionConformance, FreeAfterCancelling) {
  WaitingOps ops;
  if (!(event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY))
    ops.recv.RecvInto(ops.pair[0], {1});
  ops.LaunchAll(base_);
  Turn();
  ops.CancelAll();
  FreeBase();
  ops.ExpectCancelled();
}

TEST_P(CompletionConformance, FreeWithDataThatNobodyTook) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Pair pair;
  Op recv;
  recv.keeps_block = true;
  ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
  Turn();
  pair.Send(1, "late");
  FreeBase();
  if (recv.result == -1)
    EXPECT_EQ("late", pair.Recv(0));
  else
    EXPECT_EQ(0, memcmp("late", recv.block->data, 4));
}

}  // namespace completion_testing

#endif  // BACKENDS_TESTING_COMPLETION_END_H_
