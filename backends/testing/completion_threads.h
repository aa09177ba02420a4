// Part of the completion suite: other threads than the loop's.
#ifndef BACKENDS_TESTING_COMPLETION_THREADS_H_
#define BACKENDS_TESTING_COMPLETION_THREADS_H_

#include "backends/testing/completion_cancel.h"
#include "backends/testing/completion_fixture.h"

namespace completion_testing {

// A base with locks, and a thread that runs it until Stop().
#define THREADED_BASE()            \
  UseThreads();                    \
  FreeBase();                      \
  base_ = NewBase();               \
  ASSERT_NE(nullptr, base_);       \
  event_base_keep_going(base_, 1); \
  std::thread loop([&] { event_base_dispatch(base_); })
#define END_OF_LOOP()               \
  event_base_keep_going(base_, -1); \
  loop.join()

// Waits outside of the loop for what the loop's thread does.
inline bool WaitUntil(const std::function<bool()> &done) {
  const long long give_up = WallUsec() + 30000000;
  while (!done()) {
    if (WallUsec() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_P(CompletionConformance, ThreadLaunchesWhileTheLoopWaits) {
  THREADED_BASE();
  Pair pair;
  Op recv, send;
  for (int i = 0; i < 100; i++) {
    ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
    ASSERT_EQ(0, send.Send(pair[1], {"x"}).Launch(base_));
    ASSERT_TRUE(WaitUntil([&] { return recv.IsDone() && send.IsDone(); }));
    while (recv.IsPending() || send.IsPending()) std::this_thread::yield();
  }
  END_OF_LOOP();
}

TEST_P(CompletionConformance, ThreadsLaunchAndCancel) {
  THREADED_BASE();
  std::atomic<int> num_done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; t++) {
    threads.emplace_back([&, t] {
      Pair pair;
      for (int i = 0; i < 100; i++) {
        std::atomic<bool> is_done{false};
        Op op([&](Op *) { is_done = true; });
        i % 2 ? op.RecvInto(pair[0], {4}) : op.Send(pair[0], {"x", "y"});
        EXPECT_EQ(0, op.Launch(base_));
        if (i % 3 == t) pair.Send(1, "data");
        op.Cancel();
        EXPECT_TRUE(WaitUntil([&] { return is_done.load(); }));
        num_done++;
        // The function is done with the operation.
        std::atomic<bool> is_past{false};
        struct timeval now = {0, 0};
        event_base_once(
            base_, -1, EV_TIMEOUT,
            [](evutil_socket_t, short, void *arg) {
              *static_cast<std::atomic<bool> *>(arg) = true;
            },
            &is_past, &now);
        EXPECT_TRUE(WaitUntil([&] { return is_past.load(); }));
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  END_OF_LOOP();
  EXPECT_EQ(300, num_done);
}

// Under Wine the thread that launched a receive carries it out, by the number of the socket: which
// by then must not be another one's.
TEST_P(CompletionConformance, ThreadsReceiveEndsBeforeItsSocketIsClosed) {
  UseThreads();
  FreeBase();
  base_ = NewBase();
  ASSERT_NE(nullptr, base_);
  Listener listener;
  for (int i = 0; i < 100; i++) {
    Pair pair;
    Op recv;
    std::atomic<bool> is_launched{false}, must_end{false};
    std::thread launching([&] {
      EXPECT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
      is_launched = true;
      while (!must_end) continue;  // No call of the system's, which would carry it out.
    });
    EXPECT_TRUE(WaitUntil([&] { return is_launched.load(); }));
    pair.Send(1, "data");
    recv.Cancel();
    pair.Close(0);
    Socket in_its_place = listener.Connect();
    must_end = true;
    launching.join();
    ASSERT_TRUE(Finish(&recv)) << i;
  }
}

// Bytes come in the moment in which the thread ends that asked for them.
TEST_P(CompletionConformance, ThreadEndsAsItsReceiveDoes) {
  UseThreads();
  FreeBase();
  base_ = NewBase();
  ASSERT_NE(nullptr, base_);
  for (int i = 0; i < 300; i++) {
    Pair pair;
    Op recv;
    recv.RecvInto(pair[0], {4});
    std::atomic<bool> is_launched{false};
    std::thread launching([&] {
      EXPECT_EQ(0, recv.Launch(base_));
      is_launched = true;
    });
    while (!is_launched) continue;
    pair.Send(1, "data");
    launching.join();
    if (i % 2) recv.Cancel();
    ASSERT_TRUE(Finish(&recv)) << i;
    EXPECT_TRUE(recv.bytes == "data" || (i % 2 && recv.IsCancelled())) << i << recv.bytes;
    EXPECT_EQ(1, recv.num_done);
  }
}

// The function launches again while another thread cancels.
TEST_P(CompletionConformance, ThreadCancelsWhatLaunchesItself) {
  THREADED_BASE();
  Pair pair;
  std::atomic<bool> must_stop{false}, has_stopped{false};
  Op recv([&](Op *op) {
    if (must_stop || op->Launch(base_) != 0) has_stopped = true;
  });
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  for (int i = 0; i < 300; i++) {
    if (i % 3 == 0) pair.Send(1, "x");
    recv.Cancel();
  }
  must_stop = true;
  while (!has_stopped) recv.Cancel();
  END_OF_LOOP();
  EXPECT_EQ(recv.num_launched, recv.num_done);
}

// What the loop's thread receives, for another thread to give back: one block waits for that.
class BlocksHandedOver {
 public:
  ~BlocksHandedOver() { ReleaseOne(); }

  // Takes what the operation received; false at the end of the data.
  bool Take(Op *op) {
    struct event_received *block = op->block;
    op->block = nullptr;
    if (block == nullptr) {
      has_ended = true;
      return false;
    }
    received_len += block->len;
    struct event_received *expected = nullptr;
    if (!waiting_.compare_exchange_strong(expected, block)) Release(block);
    return true;
  }
  void ReleaseOne() {
    struct event_received *block = waiting_.exchange(nullptr);
    if (block != nullptr) Release(block);
  }

  std::atomic<size_t> received_len{0};
  std::atomic<bool> has_ended{false};  // IsDone() is true for a moment before each new launch.

 private:
  std::atomic<struct event_received *> waiting_{nullptr};
};

TEST_P(CompletionConformance, ThreadReleasesBlocks) {
  if (!(event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY)) GTEST_SKIP();
  THREADED_BASE();
  Pair pair;
  BlocksHandedOver blocks;
  Op recv([&](Op *op) {
    if (blocks.Take(op)) {
      EXPECT_EQ(0, op->Launch(base_));
    }
  });
  recv.keeps_block = true;
  ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
  for (int i = 0; i < 500; i++) {
    pair.Send(1, "message");
    blocks.ReleaseOne();
    EXPECT_TRUE(WaitUntil([&] { return blocks.received_len >= 7u * static_cast<size_t>(i); }));
  }
  pair.Close(1);
  EXPECT_TRUE(WaitUntil([&] { return blocks.has_ended.load(); }));
  END_OF_LOOP();
  EXPECT_EQ(3500u, blocks.received_len);
}

// One that comes with the threads after the port's memory was made.
TEST_P(CompletionConformance, ThreadReleasesBlocksOfABaseWithoutLocks) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  FreeBase();
  if (!HasWorkers()) ForgetThreads();
  base_ = NewBase();
  ASSERT_NE(nullptr, base_);
  Pair pair;
  Op recv;
  recv.keeps_block = true;
  BlocksHandedOver blocks;
  const auto receive = [&] {
    ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
    pair.Send(1, "x");
    ASSERT_TRUE(Finish(&recv));
    EXPECT_TRUE(blocks.Take(&recv));
  };
  receive();
  UseThreads();
  std::atomic<bool> is_over{false};
  std::thread releasing([&] {
    for (; !is_over; std::this_thread::yield()) blocks.ReleaseOne();
  });
  for (int i = 0; i < 300; i++) receive();
  is_over = true;
  releasing.join();
}

// The kernel may end what a thread began when the thread ends; the loop's next thread goes on.
TEST_P(CompletionConformance, ThreadOfTheLoopEnds) {
  UseThreads();
  FreeBase();
  base_ = NewBase();
  ASSERT_NE(nullptr, base_);
  WaitingOps ops;
  if (!(event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY))
    ops.recv.RecvInto(ops.pair[0], {1});
  Op own_recv, own_send;
  Pair own, own_full;
  const size_t filled_len = own_full.Fill(0);
  std::string received;
  Ev event(base_, own[1], EV_READ);
  event.Add();
  std::thread([&] {
    ops.LaunchAll(base_);
    ASSERT_EQ(0, own_recv.RecvInto(own[0], {4}).Launch(base_));
    ASSERT_EQ(0, own_send.Send(own_full[0], {"sent"}).Launch(base_));
    for (int i = 0; i < 3; i++) Turn();
  }).join();
  for (int i = 0; i < 20; i++) Turn();
  for (Op *op : ops.All()) EXPECT_EQ(0, op->num_done) << op->get()->kind << " " << op->error;
  own.Send(1, "data");
  while (received.size() < filled_len) received += own_full.Recv(1);
  ASSERT_TRUE(Finish({&own_recv, &own_send}));
  EXPECT_EQ("data", own_recv.bytes);
  received += own_full.Recv(1);
  EXPECT_EQ("sent", received.substr(filled_len));
  own.Send(0, "x");
  ASSERT_TRUE(RunUntil([&] { return event.calls == 1; }));
  ops.CancelAll();
  ASSERT_TRUE(Finish(ops.All()));
  ops.ExpectCancelled();
}

TEST_P(CompletionConformance, ThreadOfTheLoopEndsWhileConnecting) {
  UseThreads();
  FreeBase();
  base_ = NewBase();
  ASSERT_NE(nullptr, base_);
  FullListener listener;
  Socket client = TcpSocket();
  Op connect;
  std::thread([&] {
    ASSERT_EQ(0, connect.Connect(client, listener.address).Launch(base_));
    for (int i = 0; i < 3; i++) Turn();
  }).join();
  for (int i = 0; i < 3; i++) Turn();
  std::vector<Socket> accepted;
  Ev acceptor(base_, listener.fd, EV_READ | EV_PERSIST,
              [&](evutil_socket_t, short) { accepted.push_back(listener.Accept()); });
  acceptor.Add();
  ASSERT_TRUE(Finish(&connect));
  EXPECT_EQ(0, connect.result) << connect.error;
}

TEST_P(CompletionConformance, ThreadFreesTheBase) {
  UseThreads();
  FreeBase();
  base_ = NewBase();
  ASSERT_NE(nullptr, base_);
  WaitingOps ops;
  if (!(event_base_port_features(base_) & STRATA_PORT_PROVIDES_MEMORY))
    ops.recv.RecvInto(ops.pair[0], {1});
  ops.LaunchAll(base_);
  Turn();
  std::thread([&] { FreeBase(); }).join();
  for (Op *op : ops.All()) EXPECT_EQ(1, op->num_done);
  ops.ExpectCancelled();
}

// Thousands are launched by threads that end at once.
TEST_P(CompletionConformance, ThreadsThatEndLaunchThousands) {
  THREADED_BASE();
  Pair pair;
  std::atomic<int> num_done{0};
  std::vector<std::unique_ptr<Op>> ops;
  for (int i = 0; i < 2000; i++) {
    ops.emplace_back(new Op([&](Op *) { num_done++; }));
    ops.back()->RecvInto(pair[0], {1});
  }
  for (size_t t = 0; t < 10; t++) {
    std::thread([&] {
      for (size_t i = 0; i < 200; i++) EXPECT_EQ(0, ops[t * 200 + i]->Launch(base_));
      for (size_t i = 0; i < 200; i += 2) ops[t * 200 + i]->Cancel();
    }).join();
  }
  EXPECT_TRUE(WaitUntil([&] { return num_done == 1000; }));
  pair.Send(1, std::string(1000, 'x'));
  EXPECT_TRUE(WaitUntil([&] { return num_done == 2000; }));
  END_OF_LOOP();
}

}  // namespace completion_testing

#endif  // BACKENDS_TESTING_COMPLETION_THREADS_H_
