// Part of the completion suite: how operations and the loop go together.
#ifndef BACKENDS_TESTING_COMPLETION_LOOP_H_
#define BACKENDS_TESTING_COMPLETION_LOOP_H_

#include "backends/testing/completion_fixture.h"

namespace completion_testing {

TEST_P(CompletionConformance, FunctionLaunchesAgain) {
  Pair pair;
  const std::string sent = Pattern(200);
  std::string received;
  Op recv([&](Op *op) {
    received += op->bytes;
    if (received.size() < sent.size()) {
      ASSERT_EQ(0, op->Launch(base_));
    }
  });
  ASSERT_EQ(0, recv.RecvInto(pair[0], {1}).Launch(base_));
  pair.Send(1, sent);
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(sent, received);
  EXPECT_EQ(200, recv.num_done);
}

TEST_P(CompletionConformance, FunctionFreesTheOperation) {
  Pair pair;
  int num_freed = 0;
  for (int i = 0; i < 50; i++) {
    Op *op = new Op([&](Op *self) {
      num_freed++;
      delete self;
    });
    ASSERT_EQ(0, op->RecvInto(pair[0], {1}).Launch(base_));
    if (i % 2 != 0) op->Cancel();
  }
  pair.Send(1, std::string(50, 'x'));
  ASSERT_TRUE(RunUntil([&] { return num_freed == 50; }));
}

TEST_P(CompletionConformance, FunctionLaunchesOthers) {
  Pair pair;
  std::string received;
  Op recv([&](Op *op) { received += op->bytes; });
  Op second([](Op *) {});
  Op first([&](Op *) { ASSERT_EQ(0, second.Send(pair[0], {"second"}).Launch(base_)); });
  ASSERT_EQ(0, first.Send(pair[0], {"first "}).Launch(base_));
  ASSERT_TRUE(RunUntil([&] { return second.num_done == 1; }));
  ASSERT_EQ(0, recv.RecvInto(pair[1], {100}).Launch(base_));
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("first second", received);
}

TEST_P(CompletionConformance, Priorities) {
  ASSERT_EQ(0, event_base_priority_init(base_, 3));
  Pair pair;
  std::vector<int> order;
  std::vector<std::unique_ptr<Op>> ops;
  for (int i = 0; i < 6; i++) {
    const int priority = 2 - i % 3;
    ops.emplace_back(new Op([&order, priority](Op *) { order.push_back(priority); }, priority));
    // What ends at once: one turn hears of all of them.
    ASSERT_EQ(0, ops.back()->Send(pair[0], {"x"}).Launch(base_));
  }
  ASSERT_TRUE(FinishAll(ops));
  EXPECT_EQ((std::vector<int>{0, 0, 1, 1, 2, 2}), order);
}

TEST_P(CompletionConformance, OperationsAndEventsTogether) {
  Pair for_event, for_operation;
  Op recv;
  Ev read(base_, for_event[0], EV_READ);
  Ev timer(base_, -1, 0);
  read.Add();
  timer.AddMs(1);
  ASSERT_EQ(0, recv.RecvInto(for_operation[0], {4}).Launch(base_));
  Turn();
  for_event.Send(1, "x");
  for_operation.Send(1, "y");
  ASSERT_TRUE(RunUntil([&] { return read.calls == 1 && timer.calls == 1 && recv.IsDone(); }));
}

TEST_P(CompletionConformance, OperationsAloneKeepNoLoopGoing) {
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  EXPECT_EQ(1, event_base_dispatch(base_));
  EXPECT_TRUE(recv.IsPending());
  pair.Send(1, "x");
  ASSERT_TRUE(Finish(&recv));
}

TEST_P(CompletionConformance, WhoWaitsKeepsTheLoopGoing) {
  Pair pair;
  Op recv([&](Op *) { event_base_keep_going(base_, -1); });
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  event_base_keep_going(base_, 1);
  Ev later(base_, -1, 0, [&](evutil_socket_t, short) { pair.Send(1, "x"); });
  later.AddMs(5);
  EXPECT_EQ(1, event_base_dispatch(base_));
  EXPECT_EQ(1, recv.num_done);
}

TEST_P(CompletionConformance, NonBlockingLoop) {
  Pair pair;
  Op recv;
  event_base_keep_going(base_, 1);
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  EXPECT_EQ(0, event_base_loop(base_, EVLOOP_NONBLOCK));
  EXPECT_EQ(0, recv.num_done);
  pair.Send(1, "x");
  while (recv.num_done == 0) ASSERT_EQ(0, event_base_loop(base_, EVLOOP_NONBLOCK));
  EXPECT_EQ(1, recv.result);
  event_base_keep_going(base_, -1);
}

TEST_P(CompletionConformance, BreakLeavesCompletionsForLater) {
  Pair pair;
  std::vector<std::unique_ptr<Op>> ops;
  int num_run = 0;
  for (int i = 0; i < 10; i++) {
    ops.emplace_back(new Op([&](Op *) {
      num_run++;
      event_base_loopbreak(base_);
    }));
    ASSERT_EQ(0, ops.back()->RecvInto(pair[0], {1}).Launch(base_));
  }
  pair.Send(1, "xxxxxxxxxx");
  event_base_keep_going(base_, 1);
  for (int i = 1; i <= 10; i++) {
    ASSERT_EQ(0, event_base_dispatch(base_));
    EXPECT_EQ(i, num_run);
  }
  event_base_keep_going(base_, -1);
}

// Nothing that waits is asked for again and again.
TEST_P(CompletionConformance, WaitingOperationsLetTheLoopSleep) {
  Pair pair, full_pair;
  Listener listener;
  FullListener full_listener;
  Socket client = TcpSocket();
  full_pair.Fill(0);
  Op recv, send, accept, connect;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  ASSERT_EQ(0, send.Send(full_pair[0], {"x"}).Launch(base_));
  ASSERT_EQ(0, accept.Accept(listener.fd).Launch(base_));
  ASSERT_EQ(0, connect.Connect(client, full_listener.address).Launch(base_));
  int num_turns = 0;
  struct evwatch *watch = evwatch_prepare_new(
      base_,
      [](struct evwatch *, const struct evwatch_prepare_cb_info *, void *arg) {
        ++*static_cast<int *>(arg);
      },
      &num_turns);
  Ev timer(base_, -1, 0);
  timer.AddMs(100);
  ASSERT_TRUE(RunUntil([&] { return timer.calls == 1; }));
  EXPECT_LT(num_turns, 20);
  evwatch_free(watch);
  for (Op *op : {&recv, &send, &accept, &connect}) op->Cancel();
  ASSERT_TRUE(Finish({&recv, &send, &accept, &connect}));
}

TEST_P(CompletionConformance, ThousandsAtOnce) {
  Pair pair;
  std::vector<std::unique_ptr<Op>> receives, sends;
  size_t received_len = 0;
  for (int i = 0; i < 3000; i++) {
    receives.emplace_back(new Op([&](Op *op) { received_len += static_cast<size_t>(op->result); }));
    ASSERT_EQ(0, receives.back()->RecvInto(pair[1], {1}).Launch(base_));
    sends.emplace_back(new Op);
    ASSERT_EQ(0, sends.back()->Send(pair[0], {"x"}).Launch(base_));
  }
  ASSERT_TRUE(FinishAll(sends));
  ASSERT_TRUE(FinishAll(receives));
  EXPECT_EQ(3000u, received_len);
}

// Each turn launches more than it did before it completed some.
TEST_P(CompletionConformance, ThousandsOneAfterTheOther) {
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Op>> ops;
  for (int i = 0; i < 60; i++) {
    pairs.emplace_back(new Pair);
    const evutil_socket_t a = (*pairs.back())[0], b = (*pairs.back())[1];
    ops.emplace_back(new Op([&](Op *op) {
      ASSERT_EQ(1, op->result);
      if (op->num_done < 100) {
        ASSERT_EQ(0, op->Launch(base_));
      }
    }));
    ASSERT_EQ(0, ops.back()->RecvInto(a, {1}).Launch(base_));
    ops.emplace_back(new Op([&](Op *op) {
      ASSERT_EQ(1, op->result);
      if (op->num_done < 100) {
        ASSERT_EQ(0, op->Launch(base_));
      }
    }));
    ASSERT_EQ(0, ops.back()->Send(b, {"x"}).Launch(base_));
  }
  ASSERT_TRUE(FinishAll(ops));
  for (auto &op : ops) EXPECT_EQ(100, op->num_done);
}

TEST_P(CompletionConformance, BaseWithoutAPort) {
  const struct event_readiness_ops *const backends[] = {GetParam().ops, nullptr};
  Loop loop(event_base_new_with_backends(nullptr, backends));
  ASSERT_TRUE(loop != nullptr);
  if (event_base_port_features(loop) != 0) GTEST_SKIP() << "the environment asks for one";
  Pair pair;
  Op recv;
  EXPECT_EQ(-1, recv.RecvInto(pair[0], {4}).Launch(loop));
  EXPECT_EQ(ENOTSUP, errno);
  EXPECT_FALSE(recv.IsPending());
  recv.Cancel();
}

// --- Memory that is short ---

struct ShortMemory {
  static int allocations_left;  // Below 0: no limit.
  static bool stays_short;
  static bool IsShort() {
    if (allocations_left < 0) return false;
    if (allocations_left > 0) return --allocations_left, false;
    if (!stays_short) allocations_left = -1;
    return true;
  }
  static void *Malloc(size_t len) { return IsShort() ? nullptr : malloc(len); }
  static void *Realloc(void *block, size_t len) {
    return IsShort() ? nullptr : realloc(block, len);
  }
};
inline int ShortMemory::allocations_left = -1;
inline bool ShortMemory::stays_short = false;

class FailingMemory {
 public:
  FailingMemory() { event_set_mem_functions(ShortMemory::Malloc, ShortMemory::Realloc, free); }
  ~FailingMemory() {
    Set(-1, false);
    event_set_mem_functions(nullptr, nullptr, nullptr);
  }
  static void Set(int allocations_left, bool stays_short) {
    ShortMemory::allocations_left = allocations_left;
    ShortMemory::stays_short = stays_short;
  }
};

// Each operation is refused, fails with ENOMEM, or does what it should; the next one works.
TEST_P(CompletionConformance, MemoryRunsShort) {
  const bool provides = event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY;
  FreeBase();
  FailingMemory failing;
  bool has_expired = false;
  for (const bool stays_short : {false, true}) {
    for (int left = 0; left < 8; left++) {
      base_ = NewBase();
      ASSERT_NE(nullptr, base_);
      {
        Ev guard(base_, -1, 0, [&](evutil_socket_t, short) { has_expired = true; });
        guard.AddMs(30000);
        Pair pair;
        Op recv;
        provides ? recv.Recv(pair[0]) : recv.RecvInto(pair[0], {8});
        pair.Send(1, "ab");
        FailingMemory::Set(left, stays_short);
        recv.Launch(base_);
        while (!recv.IsDone() && !has_expired) event_base_loop(base_, EVLOOP_ONCE);
        FailingMemory::Set(-1, false);
        ASSERT_FALSE(has_expired);
        EXPECT_TRUE(recv.num_done == 0 || recv.error == ENOMEM || recv.bytes == "ab");
        if (recv.bytes != "ab") {
          ASSERT_EQ(0, recv.Launch(base_));
          while (!recv.IsDone() && !has_expired) event_base_loop(base_, EVLOOP_ONCE);
          EXPECT_EQ("ab", recv.bytes);
        }
      }
      FreeBase();
    }
  }
}

// All blocks are in use, and there is no memory for another one.
TEST_P(CompletionConformance, MemoryRunsShortWithBlocksInUse) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  FreeBase();
  FailingMemory failing;
  base_ = NewBase();
  ASSERT_NE(nullptr, base_);
  {
    Pair pair;
    Op recv;
    recv.keeps_block = true;
    std::vector<struct event_received *> held;
    Ev guard(base_, -1, 0);
    guard.AddMs(30000);
    for (int i = 0; i < 2000 && recv.error == 0; i++) {
      ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
      pair.Send(1, "x");
      FailingMemory::Set(i == 0 ? -1 : 0, true);
      while (!recv.IsDone() && guard.calls == 0) event_base_loop(base_, EVLOOP_ONCE);
      FailingMemory::Set(-1, false);
      ASSERT_TRUE(recv.IsDone());
      if (recv.block != nullptr) held.push_back(recv.block);
      recv.block = nullptr;
    }
    if (recv.error != 0) {  // Else the port took the memory in the launch.
      EXPECT_EQ(ENOMEM, recv.error);
      EXPECT_EQ("x", pair.Recv(0)) << "no byte is lost";
    }
    for (struct event_received *block : held) Release(block);
  }
  FreeBase();
}

}  // namespace completion_testing

#endif  // BACKENDS_TESTING_COMPLETION_LOOP_H_
