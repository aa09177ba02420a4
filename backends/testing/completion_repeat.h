// Part of the completion suite: receives that go on after a result.
#ifndef BACKENDS_TESTING_COMPLETION_REPEAT_H_
#define BACKENDS_TESTING_COMPLETION_REPEAT_H_

#include "backends/testing/completion_fixture.h"
#include "backends/testing/completion_fork.h"
#include "backends/testing/completion_threads.h"

namespace completion_testing {

// So much comes in several pieces, and fits into a socket at once.
constexpr size_t kSeveralPiecesLen = 100000;
// More blocks than any port has of its own, after it has grown.
constexpr int kAllBlocks = 1300;
// Whether the kernel has to be told of blocks before it needs them, as since Linux 5.19
// (testing/older_io_uring.c).
inline bool BlocksAreFew() {
#ifdef _WIN32
  return false;
#else
  const char *kernel = getenv("STRATA_IO_URING_OF");
  return kernel == nullptr || std::string(kernel) != "5.13";
#endif
}

// What `recv` did not take.
inline std::string RestOf(Pair *pair, size_t i) {
  std::string rest, bytes;
  while (!(bytes = pair->Recv(i)).empty()) rest += bytes;
  return rest;
}

TEST_P(CompletionConformance, RepeatedReceive) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  std::string sent;
  for (int i = 0; i < 50; i++) {
    const std::string message = Pattern(static_cast<size_t>(i) * 37 + 1);
    pair.Send(1, message);
    sent += message;
    ASSERT_TRUE(RunUntil([&] { return recv.stream.size() == sent.size(); })) << i;
    EXPECT_TRUE(sent == recv.stream) << i;
    EXPECT_EQ(0, recv.num_done);
    EXPECT_TRUE(recv.IsPending());
  }
  EXPECT_EQ(50, recv.num_results);
  pair.Close(1);
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(0, recv.result);
  EXPECT_EQ(50, recv.num_results);
}

TEST_P(CompletionConformance, RepeatedReceiveOfAStream) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  const std::string sent = Pattern(3 << 20);
  Op recv;
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  size_t at = 0;
  Ev writer(base_, pair[1], EV_WRITE | EV_PERSIST, [&](evutil_socket_t fd, short) {
    const ev_ssize_t len = send(fd, sent.data() + at, sent.size() - at, 0);
    if (len > 0) at += static_cast<size_t>(len);
    if (at < sent.size()) return;
    writer.Del();
    pair.Close(1);
  });
  writer.Add();
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(0, recv.result);
  EXPECT_TRUE(sent == recv.stream);
}

TEST_P(CompletionConformance, RepeatedEndComesAfterTheData) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  for (int i = 0; i < 20; i++) {
    Pair pair;
    Op recv;
    ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
    if (i % 2) Turn();
    const std::string sent = Pattern(kSeveralPiecesLen, static_cast<unsigned>(i));
    pair.Send(1, sent);
    pair.Close(1);
    ASSERT_TRUE(Finish(&recv));
    EXPECT_EQ(0, recv.result);
    EXPECT_TRUE(sent == recv.stream) << i;
  }
}

TEST_P(CompletionConformance, RepeatedEndsWithAnError) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Listener listener;
  Socket client = listener.Connect();
  Socket server = listener.Accept();
  Op recv;
  ASSERT_EQ(0, recv.RecvRepeatedly(client).Launch(base_));
  Turn();
  ASSERT_EQ(1, send(server, "x", 1, 0));
  ASSERT_TRUE(RunUntil([&] { return recv.stream == "x"; }));
  server.Reset();
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(kConnectionReset, recv.error);
}

TEST_P(CompletionConformance, RepeatedLaunchedAgain) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  std::string stream;
  Op recv([&](Op *op) {
    stream += op->is_last ? "" : op->bytes;
    if (!op->is_last) op->Cancel();
    if (op->is_last && op->num_launched < 20) {
      ASSERT_EQ(0, op->Launch(base_));
      pair.Send(1, "again ");
    }
  });
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  pair.Send(1, "first ");
  ASSERT_TRUE(RunUntil([&] { return recv.num_done == 20; }));
  stream += RestOf(&pair, 0);
  EXPECT_EQ(20u * 6, stream.size());
  // It can be launched for a single piece as well.
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  pair.Send(1, "once");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("once", recv.bytes);
}

TEST_P(CompletionConformance, RepeatedIsFreedByItsLastFunction) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  size_t received_len = 0;
  bool is_freed = false;
  Op *op = new Op([&](Op *self) {
    if (!self->is_last) {
      received_len += self->bytes.size();
      return;
    }
    delete self;
    is_freed = true;
  });
  ASSERT_EQ(0, op->RecvRepeatedly(pair[0]).Launch(base_));
  pair.Send(1, std::string(kSeveralPiecesLen, 'x'));
  pair.Close(1);
  ASSERT_TRUE(RunUntil([&] { return is_freed; }));
  EXPECT_EQ(kSeveralPiecesLen, received_len);
}

// More comes before the cancellation takes effect: it is told.
TEST_P(CompletionConformance, RepeatedCancelledByItsFunction) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  for (int i = 0; i < 20; i++) {
    Pair pair;
    Op recv([&](Op *op) { op->Cancel(); });
    ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
    if (i % 2) Turn();
    const std::string sent = Pattern(kSeveralPiecesLen);
    pair.Send(1, sent);
    ASSERT_TRUE(Finish(&recv));
    EXPECT_TRUE(recv.IsCancelled());
    EXPECT_GE(recv.num_results, 1);
    EXPECT_TRUE(sent == recv.stream + RestOf(&pair, 0)) << recv.stream.size();
  }
}

TEST_P(CompletionConformance, RepeatedCancelRacesWithData) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  for (int i = 0; i < 300; i++) {
    Op recv;
    ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
    if (i % 3 != 0) Turn();
    if (i % 5 < 3) pair.Send(1, "data");
    if (i % 7 == 0) Turn();
    recv.Cancel();
    if (i % 5 >= 3) pair.Send(1, "data");
    ASSERT_TRUE(Finish(&recv));
    EXPECT_TRUE(recv.IsCancelled());
    EXPECT_EQ("data", recv.stream + RestOf(&pair, 0));
  }
}

// Each piece keeps its block.
struct Hoard {
  void Take(Op *op) {
    if (op->block == nullptr) return;
    blocks.push_back(op->block);
    contents.push_back(op->bytes);
    op->block = nullptr;
  }
  void ExpectContents() const {
    for (size_t i = 0; i < blocks.size(); i++) {
      const std::string bytes(static_cast<const char *>(blocks[i]->data), blocks[i]->len);
      EXPECT_EQ(contents[i], bytes) << i;
    }
  }
  void ReleaseAll() {
    for (struct event_received *block : blocks) Release(block);
    blocks.clear();
    contents.clear();
  }
  bool IsAnyScarce() const {
    for (struct event_received *block : blocks) {
      if (block->is_scarce) return true;
    }
    return false;
  }

  std::vector<struct event_received *> blocks;
  std::vector<std::string> contents;
};

TEST_P(CompletionConformance, RepeatedWithMoreBlocksThanThePortHas) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  Hoard hoard;
  Op recv([&](Op *op) { hoard.Take(op); });
  recv.keeps_block = true;
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  for (int round = 0; round < 2; round++) {
    for (size_t i = 1; i <= static_cast<size_t>(kAllBlocks); i++) {
      pair.Send(1, Pattern(50, static_cast<unsigned>(i)));
      ASSERT_TRUE(RunUntil([&] { return hoard.blocks.size() == i; }));
    }
    hoard.ExpectContents();
    EXPECT_EQ(BlocksAreFew(), hoard.IsAnyScarce());
    hoard.ReleaseAll();
  }
  recv.Cancel();
  ASSERT_TRUE(Finish(&recv));
  EXPECT_TRUE(recv.IsCancelled());
}

TEST_P(CompletionConformance, RepeatedCancelledWithoutBlocks) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair, other;
  Hoard hoard;
  Op recv([&](Op *op) { hoard.Take(op); }), late;
  recv.keeps_block = true;
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  for (size_t i = 1; i <= static_cast<size_t>(kAllBlocks); i++) {
    pair.Send(1, "x");
    ASSERT_TRUE(RunUntil([&] { return hoard.blocks.size() == i; }));
  }
  for (int i = 0; i < 20; i++) {
    ASSERT_EQ(0, late.RecvRepeatedly(other[0]).Launch(base_));
    if (i % 2) Turn();
    other.Send(1, "data");
    if (i % 3) Turn();
    late.Cancel();
    ASSERT_TRUE(Finish(&late));
    EXPECT_TRUE(late.IsCancelled());
    EXPECT_EQ("data", late.stream + RestOf(&other, 0));
  }
  FreeBase();
  EXPECT_EQ(1, recv.num_done);
  hoard.ExpectContents();
  hoard.ReleaseAll();
}

TEST_P(CompletionConformance, RepeatedReceivesShareTheMemory) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Op>> ops;
  Hoard hoard;
  int num_results = 0;
  for (int i = 0; i < 300; i++) {
    pairs.emplace_back(new Pair);
    ops.emplace_back(new Op([&](Op *op) {
      if (!op->is_last) num_results++;
      hoard.Take(op);
    }));
    ops.back()->keeps_block = true;
    ASSERT_EQ(0, ops.back()->RecvRepeatedly((*pairs.back())[0]).Launch(base_));
  }
  for (int round = 1; round <= 5; round++) {
    for (size_t i = 0; i < pairs.size(); i++)
      pairs[i]->Send(1, std::to_string(round) + " message " + std::to_string(i) + "\n");
    ASSERT_TRUE(RunUntil([&] { return num_results == 300 * round; }));
    for (size_t i = 0; i < ops.size(); i++)
      ASSERT_EQ(std::to_string(round) + " message " + std::to_string(i) + "\n", ops[i]->bytes);
    if (round < 4) hoard.ReleaseAll();
  }
  for (auto &pair : pairs) pair->Close(1);
  ASSERT_TRUE(FinishAll(ops));
  hoard.ExpectContents();
  hoard.ReleaseAll();
}

// Those that were received before the base ends are told.
TEST_P(CompletionConformance, RepeatedWithResultsAtTheEndOfTheBase) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  Op recv([&](Op *) { event_base_loopbreak(base_); });
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  Turn();
  const std::string sent = Pattern(kSeveralPiecesLen);
  pair.Send(1, sent);
  ASSERT_TRUE(RunUntil([&] { return recv.num_results > 0; }));
  EXPECT_EQ(0, recv.num_done);
  FreeBase();
  EXPECT_EQ(1, recv.num_done);
  EXPECT_TRUE(recv.IsCancelled());
  EXPECT_TRUE(sent == recv.stream + RestOf(&pair, 0));
}

// One that is in the middle of results does not keep the others waiting.
TEST_P(CompletionConformance, RepeatedTakesTurnsWithOthers) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair busy, other;
  int num_before = -1;
  Op recv;
  Op quiet([&](Op *) { num_before = recv.num_results; });
  busy.Send(1, std::string(kSeveralPiecesLen, 'x'));
  other.Send(1, "x");
  ASSERT_EQ(0, recv.RecvRepeatedly(busy[0]).Launch(base_));
  ASSERT_EQ(0, quiet.RecvInto(other[0], {1}).Launch(base_));
  ASSERT_TRUE(RunUntil([&] { return recv.stream.size() == kSeveralPiecesLen && quiet.IsDone(); }));
  EXPECT_LE(num_before, 1);
  recv.Cancel();
  ASSERT_TRUE(Finish(&recv));
}

#ifndef _WIN32

TEST_P(CompletionConformance, RepeatedGoesOnInAChild) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  const pid_t child = fork();
  ASSERT_NE(-1, child);
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(base_) == 0);
    for (size_t i = 1; i < 10; i++) {
      pair.Send(1, "x");
      CHECK_IN_CHILD(2, RunUntil([&] { return recv.stream.size() == i; }));
    }
    recv.Cancel();
    CHECK_IN_CHILD(3, Finish(&recv) && recv.IsCancelled());
    FreeBase();
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  pair.Send(1, "parent's");
  ASSERT_TRUE(RunUntil([&] { return recv.stream == "parent's"; }));
  recv.Cancel();
  ASSERT_TRUE(Finish(&recv));
}

// Results that wait are in both.
TEST_P(CompletionConformance, RepeatedWithResultsAtTheFork) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  Pair pair;
  Op recv([&](Op *) { event_base_loopbreak(base_); });
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  Turn();
  const std::string sent = Pattern(3 * 16384);
  pair.Send(1, sent);
  ASSERT_TRUE(RunUntil([&] { return recv.num_results > 0; }));
  recv.Cancel();
  const pid_t child = fork();
  ASSERT_NE(-1, child);
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(base_) == 0);
    CHECK_IN_CHILD(2, Finish(&recv));
    CHECK_IN_CHILD(3, recv.IsCancelled());
    CHECK_IN_CHILD(4, sent.compare(0, recv.stream.size(), recv.stream) == 0);
    FreeBase();
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  ASSERT_TRUE(Finish(&recv));
  EXPECT_TRUE(sent == recv.stream + RestOf(&pair, 0));
}

#endif  // _WIN32

TEST_P(CompletionConformance, ThreadOfARepeatedOneEnds) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  UseThreads();
  FreeBase();
  base_ = NewBase();
  ASSERT_NE(nullptr, base_);
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  std::string sent;
  for (int i = 0; i < 10; i++) {
    std::thread([&] {
      pair.Send(1, "in a thread, ");
      sent += "in a thread, ";
      ASSERT_TRUE(RunUntil([&] { return recv.stream.size() == sent.size(); }));
      Turn();
    }).join();
    pair.Send(1, "after it, ");
    sent += "after it, ";
  }
  ASSERT_TRUE(RunUntil([&] { return recv.stream.size() == sent.size(); }));
  EXPECT_EQ(sent, recv.stream);
  EXPECT_EQ(0, recv.num_done);
  recv.Cancel();
  ASSERT_TRUE(Finish(&recv));
  EXPECT_TRUE(recv.IsCancelled());
}

TEST_P(CompletionConformance, ThreadCancelsARepeatedOne) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  THREADED_BASE();
  Pair pair;
  std::atomic<size_t> received_len{0};
  std::atomic<bool> must_stop{false}, has_stopped{false};
  Op recv([&](Op *op) {
    if (!op->is_last)
      received_len += op->bytes.size();
    else if (must_stop || op->Launch(base_) != 0)
      has_stopped = true;
  });
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  size_t sent_len = 0;
  for (int i = 0; i < 1000; i++) {
    if (i % 3 == 0) {
      pair.Send(1, "data");
      sent_len += 4;
    }
    recv.Cancel();
    if (i % 50 == 49) {
      ASSERT_TRUE(WaitUntil([&] { return received_len == sent_len; })) << i;
    }
  }
  must_stop = true;
  while (!has_stopped) recv.Cancel();
  END_OF_LOOP();
  EXPECT_EQ(recv.num_launched, recv.num_done);
}

TEST_P(CompletionConformance, ThreadReleasesBlocksOfRepeatedOnes) {
  COMPLETION_NEEDS(STRATA_PORT_REPEATS);
  THREADED_BASE();
  Pair pair;
  BlocksHandedOver blocks;
  Op recv([&](Op *op) { blocks.Take(op); });
  recv.keeps_block = true;
  ASSERT_EQ(0, recv.RecvRepeatedly(pair[0]).Launch(base_));
  for (size_t i = 1; i <= 500; i++) {
    pair.Send(1, "message");
    EXPECT_TRUE(WaitUntil([&] { return blocks.received_len == 7 * i; }));
    blocks.ReleaseOne();
  }
  pair.Close(1);
  EXPECT_TRUE(WaitUntil([&] { return blocks.has_ended.load(); }));
  END_OF_LOOP();
}

}  // namespace completion_testing

#endif  // BACKENDS_TESTING_COMPLETION_REPEAT_H_
