// Part of the completion suite: receiving into memory of the port's.
#ifndef BACKENDS_TESTING_COMPLETION_MEMORY_H_
#define BACKENDS_TESTING_COMPLETION_MEMORY_H_

#include "backends/testing/completion_fixture.h"

namespace completion_testing {

// More than any port has blocks of its own.
constexpr int kManyBlocks = 200;

TEST_P(CompletionConformance, MemoryOfThePort) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Pair pair;
  Op recv;
  for (const size_t len : {1, 2, 100, 4096, 10000}) {
    ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
    const std::string sent = Pattern(len);
    pair.Send(1, sent);
    ASSERT_TRUE(Finish(&recv));
    EXPECT_TRUE(sent == recv.bytes) << len;
  }
}

TEST_P(CompletionConformance, MemoryUpToTheLimit) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Pair pair;
  Op recv;
  pair.Send(1, "abcdef");
  ASSERT_EQ(0, recv.Recv(pair[0], 4).Launch(base_));
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("abcd", recv.bytes);
  ASSERT_EQ(0, recv.Recv(pair[0], 1 << 30).Launch(base_));
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("ef", recv.bytes);
}

TEST_P(CompletionConformance, MemoryForAStream) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Pair pair;
  const std::string sent = Pattern(3 << 20);
  std::string received;
  Op recv([&](Op *op) {
    ASSERT_GT(op->result, 0);
    received += op->bytes;
    if (received.size() < sent.size()) {
      ASSERT_EQ(0, op->Launch(base_));
    }
  });
  ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
  size_t at = 0;
  Ev writer(base_, pair[1], EV_WRITE | EV_PERSIST, [&](evutil_socket_t fd, short) {
    const ev_ssize_t len = send(fd, sent.data() + at, sent.size() - at, 0);
    if (len > 0) at += static_cast<size_t>(len);
    if (at == sent.size()) writer.Del();
  });
  writer.Add();
  ASSERT_TRUE(RunUntil([&] { return received.size() == sent.size(); }));
  EXPECT_TRUE(sent == received);
}

TEST_P(CompletionConformance, NoMemoryForTheEndOfData) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Op recv;
  for (int i = 0; i < kManyBlocks; i++) {
    Pair pair;
    ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
    if (i % 2 != 0) Turn();
    pair.Close(1);
    ASSERT_TRUE(Finish(&recv));
    ASSERT_EQ(0, recv.result);
    ASSERT_EQ(nullptr, recv.get()->received);
  }
}

TEST_P(CompletionConformance, NoMemoryForAnError) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Listener listener;
  Socket client = listener.Connect();
  Socket server = listener.Accept();
  Op recv;
  ASSERT_EQ(0, recv.Recv(client).Launch(base_));
  Turn();
  server.Reset();
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(kConnectionReset, recv.error);
  EXPECT_EQ(nullptr, recv.get()->received);
}

// Receives one message a block, and holds the blocks.
struct HeldBlocks {
  explicit HeldBlocks(int num) : num(num) {}
  std::string Message(int i) const { return Pattern(50, static_cast<unsigned>(i)); }
  void Take(struct event_received *received) { blocks.push_back(received); }
  void ExpectContents() const {
    for (size_t i = 0; i < blocks.size(); i++) {
      const std::string bytes(static_cast<const char *>(blocks[i]->data), blocks[i]->len);
      EXPECT_EQ(Message(static_cast<int>(i)), bytes) << i;
    }
  }
  void ReleaseAll() {
    for (struct event_received *block : blocks) Release(block);
    blocks.clear();
  }

  const int num;
  std::vector<struct event_received *> blocks;
};

#define RECEIVE_AND_HOLD(held, pair)                    \
  do {                                                  \
    Op recv;                                            \
    recv.keeps_block = true;                            \
    for (int i = 0; i < (held).num; i++) {              \
      ASSERT_EQ(0, recv.Recv((pair)[0]).Launch(base_)); \
      (pair).Send(1, (held).Message(i));                \
      ASSERT_TRUE(Finish(&recv));                       \
      ASSERT_NE(nullptr, recv.block);                   \
      (held).Take(recv.block);                          \
      recv.block = nullptr;                             \
    }                                                   \
  } while (false)

TEST_P(CompletionConformance, MoreBlocksThanThePortHas) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Pair pair;
  HeldBlocks held(kManyBlocks);
  for (int round = 0; round < 3; round++) {
    RECEIVE_AND_HOLD(held, pair);
    held.ExpectContents();
    held.ReleaseAll();
  }
}

TEST_P(CompletionConformance, BlocksComeBackInAnyOrder) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Pair pair;
  std::vector<std::pair<struct event_received *, std::string>> held;
  Op recv;
  recv.keeps_block = true;
  unsigned seed = 5;
  for (int i = 0; i < 3 * kManyBlocks; i++) {
    const std::string message = Pattern(20, static_cast<unsigned>(i));
    ASSERT_EQ(0, recv.Recv(pair[0]).Launch(base_));
    pair.Send(1, message);
    ASSERT_TRUE(Finish(&recv));
    held.emplace_back(recv.block, message);
    recv.block = nullptr;
    while (held.size() > 100) {
      seed = seed * 1103515245 + 12345;
      std::swap(held[(seed >> 16) % held.size()], held.back());
      const struct event_received &block = *held.back().first;
      EXPECT_EQ(held.back().second, std::string(static_cast<const char *>(block.data), block.len));
      Release(held.back().first);
      held.pop_back();
    }
  }
  for (auto &block : held) Release(block.first);
}

TEST_P(CompletionConformance, ManyReceivesShareTheMemory) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Op>> ops;
  for (int i = 0; i < kManyBlocks; i++) {
    pairs.emplace_back(new Pair);
    ops.emplace_back(new Op);
    ops.back()->keeps_block = true;
    ASSERT_EQ(0, ops.back()->Recv((*pairs.back())[0]).Launch(base_));
  }
  Turn();
  for (int i = 0; i < kManyBlocks; i++)
    pairs[static_cast<size_t>(i)]->Send(1, "message " + std::to_string(i));
  ASSERT_TRUE(FinishAll(ops));
  for (int i = 0; i < kManyBlocks; i++) {
    const Op &op = *ops[static_cast<size_t>(i)];
    EXPECT_EQ("message " + std::to_string(i),
              std::string(static_cast<const char *>(op.block->data), op.block->len));
  }
}

TEST_P(CompletionConformance, BlocksOutliveTheBase) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Pair pair;
  for (const int num : {1, kManyBlocks}) {
    HeldBlocks held(num);
    RECEIVE_AND_HOLD(held, pair);
    FreeBase();
    held.ExpectContents();
    held.ReleaseAll();
    base_ = NewBase();
    ASSERT_NE(nullptr, base_);
  }
}

TEST_P(CompletionConformance, BlocksComeBackFromAnotherThread) {
  COMPLETION_NEEDS(STRATA_PORT_PROVIDES_MEMORY);
  Pair pair;
  HeldBlocks held(kManyBlocks);
  RECEIVE_AND_HOLD(held, pair);
  std::thread([&] {
    held.ExpectContents();
    held.ReleaseAll();
  }).join();
  RECEIVE_AND_HOLD(held, pair);
  FreeBase();
  std::thread([&] { held.ReleaseAll(); }).join();
}

}  // namespace completion_testing

#endif  // BACKENDS_TESTING_COMPLETION_MEMORY_H_
