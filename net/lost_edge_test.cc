// Data, FIN and RST that arrive while nobody wants them: a direction disabled, suspended by its
// watermark, out of its budget, or the descriptor just set. The kernel announces each arrival once;
// whatever the bufferevent's registration looks like, all of it must come out afterwards, the end
// exactly once, and no callback may run inside the call that lets it out.
#include <tuple>

#include "net/test_support.h"

namespace {

// ---- The read side: how reading is held back, and what arrives meanwhile. ----
enum class Hold {
  kNeverEnabled,
  kDisabled,
  kDisabledByCallback,
  kHighWatermark,
  kHighWatermarkRaised,
  kNoDescriptorYet,
  kOtherDescriptorBefore,
  kDescriptorTakenAway,
};

const std::pair<Hold, const char *> kHolds[] = {
    {Hold::kNeverEnabled, "NeverEnabled"},
    {Hold::kDisabled, "Disabled"},
    {Hold::kDisabledByCallback, "DisabledByCallback"},
    {Hold::kHighWatermark, "HighWatermark"},
    {Hold::kHighWatermarkRaised, "HighWatermarkRaised"},
    {Hold::kNoDescriptorYet, "NoDescriptorYet"},
    {Hold::kOtherDescriptorBefore, "OtherDescriptorBefore"},
    {Hold::kDescriptorTakenAway, "DescriptorTakenAway"},
};

enum class Arrival {
  kData,
  kDataInPieces,
  kMuchData,
  kFin,
  kDataAndFin,
  kClose,
  kReset,
  kDataReset
};

const std::pair<Arrival, const char *> kArrivals[] = {
    {Arrival::kData, "Data"},
    {Arrival::kDataInPieces, "DataInPieces"},
    {Arrival::kMuchData, "MuchData"},
    {Arrival::kFin, "Fin"},
    {Arrival::kDataAndFin, "DataAndFin"},
    {Arrival::kClose, "DataAndClose"},
    {Arrival::kReset, "Reset"},
    {Arrival::kDataReset, "DataAndReset"},
};

class LostReadEdge
    : public ::testing::TestWithParam<
          std::tuple<Kind, std::pair<Hold, const char *>, std::pair<Arrival, const char *>>> {
 protected:
  LostReadEdge()
      : kind_(std::get<0>(GetParam())),
        hold_(std::get<1>(GetParam()).first),
        arrival_(std::get<2>(GetParam()).first),
        pair_(kind_.tcp),
        other_(kind_.tcp),
        bev_(loop_, FirstDescriptor(), kind_.options) {}

  evutil_socket_t FirstDescriptor() const {
    if (hold_ == Hold::kNoDescriptorYet) return -1;
    return hold_ == Hold::kOtherDescriptorBefore ? other_[0] : pair_[0];
  }

  // Lets `bytes` through an open bufferevent, so that an edge of the past is already used up.
  void Exchange(const std::string &bytes) {
    const size_t before = bev_.received.size() + bev_.input_len();
    pair_.Send(bytes);
    expected_ += bytes;
    ASSERT_TRUE(loop_.RunUntil(
        [&] { return bev_.received.size() + bev_.input_len() == before + bytes.size(); }));
  }

  void HoldBack() {
    switch (hold_) {
      case Hold::kNeverEnabled:
        break;
      case Hold::kDisabled:
        bev_.Enable(EV_READ);
        Exchange("first");
        loop_.Settle();
        bev_.Disable(EV_READ);
        break;
      case Hold::kDisabledByCallback:
        bev_.Enable(EV_READ);
        bev_.on_read = [&] {
          bev_.on_read = nullptr;
          bev_.Disable(EV_READ);
        };
        Exchange("first");
        break;
      case Hold::kHighWatermark:
      case Hold::kHighWatermarkRaised:
        bev_.StopTaking();
        bev_.Watermark(EV_READ, 0, 5);
        bev_.Enable(EV_READ);
        Exchange("first");
        break;
      case Hold::kNoDescriptorYet:
      case Hold::kOtherDescriptorBefore:
        bev_.Enable(EV_READ);
        break;
      case Hold::kDescriptorTakenAway:
        bev_.Enable(EV_READ);
        Exchange("first");
        bev_.SetFd(-1);
        break;
    }
    loop_.Settle();
  }

  void Arrive() {
    switch (arrival_) {
      case Arrival::kData:
        Send("second");
        break;
      case Arrival::kDataInPieces:
        for (const char *piece : {"a", "bc", "def"}) {
          Send(piece);
          loop_.Settle(2);
        }
        break;
      case Arrival::kMuchData:
        Send(Pattern(60000));
        break;
      case Arrival::kFin:
        pair_.ShutdownWrite();
        end_ = BEV_EVENT_READING | BEV_EVENT_EOF;
        break;
      case Arrival::kDataAndFin:
        Send("second");
        loop_.Settle(2);
        pair_.ShutdownWrite();
        end_ = BEV_EVENT_READING | BEV_EVENT_EOF;
        break;
      case Arrival::kClose:
        Send(Pattern(20000));
        pair_.Close(1);
        end_ = BEV_EVENT_READING | BEV_EVENT_EOF;
        break;
      case Arrival::kDataReset:
        Send("second");
        [[fallthrough]];
      case Arrival::kReset:
        pair_.Reset();
        end_ = BEV_EVENT_READING | BEV_EVENT_ERROR;
        break;
    }
    ASSERT_TRUE(WaitForArrival(pair_[0]));
    loop_.Settle();
  }

  void Send(const std::string &bytes) {
    ASSERT_EQ(bytes.size(), pair_.Send(bytes));
    expected_ += bytes;
  }

  void LetGo() {
    switch (hold_) {
      case Hold::kNeverEnabled:
      case Hold::kDisabled:
      case Hold::kDisabledByCallback:
        EXPECT_EQ(0, bev_.Enable(EV_READ));
        break;
      case Hold::kHighWatermark:
        bev_.SetCallbacks();
        bev_.Take();
        break;
      case Hold::kHighWatermarkRaised:
        bev_.Watermark(EV_READ, 0, 0);
        bev_.SetCallbacks();
        bev_.Take();
        break;
      case Hold::kNoDescriptorYet:
      case Hold::kOtherDescriptorBefore:
      case Hold::kDescriptorTakenAway:
        EXPECT_EQ(0, bev_.SetFd(pair_[0]));
        break;
    }
  }

  Kind kind_;
  Hold hold_;
  Arrival arrival_;
  Loop loop_;
  Pair pair_;
  Pair other_;
  Bev bev_;
  std::string expected_;
  short end_ = 0;
};

TEST_P(LostReadEdge, EverythingComesOutAfterwards) {
  HoldBack();
  const size_t held_len = bev_.received.size() + bev_.input_len();
  const int held_reads = bev_.reads;
  Arrive();
  EXPECT_EQ(held_len, bev_.received.size() + bev_.input_len());
  EXPECT_EQ(held_reads, bev_.reads);
  EXPECT_TRUE(bev_.events.empty());
  LetGo();
  EXPECT_TRUE(loop_.RunUntil(
      [&] { return end_ ? !bev_.events.empty() : bev_.received.size() >= expected_.size(); }));
  loop_.Settle(10);
  if (end_ & BEV_EVENT_ERROR) {
    // A reset may take data with it that nobody had read yet.
    EXPECT_EQ(expected_.substr(0, bev_.received.size()), bev_.received);
  } else {
    EXPECT_EQ(expected_, bev_.received);
  }
  if (end_ & BEV_EVENT_ERROR && ResetsLookLikeEnds() && bev_.events == std::vector<short>{kEof})
    return;
  if (end_) {
    EXPECT_EQ(std::vector<short>{end_}, bev_.events);
  } else {
    EXPECT_TRUE(bev_.events.empty());
    // The stream goes on as if nothing had happened.
    pair_.Send("more");
    EXPECT_TRUE(loop_.RunUntil([&] { return bev_.received == expected_ + "more"; }));
  }
}

INSTANTIATE_TEST_SUITE_P(All, LostReadEdge,
                         ::testing::Combine(::testing::ValuesIn(kKinds),
                                            ::testing::ValuesIn(kHolds),
                                            ::testing::ValuesIn(kArrivals)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  std::get<1>(info.param).second + "_" +
                                  std::get<2>(info.param).second;
                         });

// ---- Budgets and watermarks while a stream flows. ----

class LostEdge : public ::testing::TestWithParam<Kind> {
 protected:
  Loop loop_;
};

INSTANTIATE_TEST_SUITE_P(All, LostEdge, ::testing::ValuesIn(kKinds), KindName);

TEST_P(LostEdge, ReadBudgetSmallerThanTheArrival) {
  for (const size_t budget_len : {1u, 100u, 4096u, 16384u}) {
    Pair pair(GetParam().tcp);
    Bev bev(loop_, pair[0], GetParam().options);
    EXPECT_EQ(0, bufferevent_set_max_single_read(bev, budget_len));
    const std::string bytes = Pattern(budget_len == 1 ? 500 : 60000);
    ASSERT_EQ(bytes.size(), pair.Send(bytes));
    pair.ShutdownWrite();
    bev.Enable(EV_READ);
    EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
    loop_.Settle(10);
    EXPECT_EQ(bytes, bev.received);
    EXPECT_EQ(std::vector<short>{kEof}, bev.events);
    if (GetParam().options == 0) {
      EXPECT_GE(static_cast<size_t>(bev.reads), bytes.size() / budget_len);
    }
  }
}

TEST_P(LostEdge, ArrivalOfExactlyTheBudget) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bufferevent_set_max_single_read(bev, 100);
  bev.Enable(EV_READ);
  std::string expected;
  for (int i = 0; i < 5; i++) {
    const std::string bytes = Pattern(100, static_cast<unsigned>(i));
    expected += bytes;
    pair.Send(bytes);
    EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == expected; }));
    loop_.Settle();
  }
  pair.ShutdownWrite();
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
}

TEST_P(LostEdge, HighWatermarkDrainedBitByBit) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.StopTaking();
  bev.Watermark(EV_READ, 0, 64);
  bev.Enable(EV_READ);
  const std::string bytes = Pattern(3000);
  ASSERT_EQ(bytes.size(), pair.Send(bytes));
  pair.ShutdownWrite();
  while (bev.received.size() < bytes.size()) {
    ASSERT_TRUE(loop_.RunUntil([&] { return bev.input_len() > 0; })) << bev.received.size();
    loop_.Settle(2);
    EXPECT_LE(bev.input_len(), 64u);
    bev.Take(40);
  }
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ(bytes, bev.received);
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
}

TEST_P(LostEdge, HighWatermarkDrainedInsideTheReadCallback) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.Watermark(EV_READ, 0, 64);
  bev.Enable(EV_READ);
  const std::string bytes = Pattern(30000);
  ASSERT_EQ(bytes.size(), pair.Send(bytes));
  pair.ShutdownWrite();
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ(bytes, bev.received);
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
}

TEST_P(LostEdge, LowWatermarkNeverReachedBeforeTheEnd) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.Watermark(EV_READ, 1000, 0);
  bev.Enable(EV_READ);
  pair.Send("short");
  pair.ShutdownWrite();
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ(0, bev.reads);
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
  bev.Take();
  EXPECT_EQ("short", bev.received);
}

// Both holds at once: lifting one must not open the other.
TEST_P(LostEdge, SuspendedAndDisabled) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.StopTaking();
  bev.Watermark(EV_READ, 0, 4);
  bev.Enable(EV_READ);
  pair.Send("abcdefgh");
  ASSERT_TRUE(loop_.RunUntil([&] { return bev.input_len() == 4; }));
  bev.Disable(EV_READ);
  pair.ShutdownWrite();
  loop_.Settle();
  bev.Take();
  loop_.Settle();
  EXPECT_EQ(0u, bev.input_len());
  EXPECT_TRUE(bev.events.empty());
  bev.Enable(EV_READ);
  ASSERT_TRUE(loop_.RunUntil([&] { return bev.input_len() == 4; }));
  bev.Disable(EV_READ);
  bev.Enable(EV_READ);
  loop_.Settle();
  EXPECT_TRUE(bev.events.empty());
  bev.Take();
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ("abcdefgh", bev.received);
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
}

TEST_P(LostEdge, ToggledQuicklyWithoutATurnBetween) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.Enable(EV_READ);
  loop_.Settle();
  pair.Send("abc");
  ASSERT_TRUE(WaitForArrival(pair[0]));
  for (int i = 0; i < 3; i++) {
    bev.Disable(EV_READ);
    bev.Enable(EV_READ);
  }
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abc"; }));
  bev.Disable(EV_READ);
  pair.Send("def");
  bev.Enable(EV_READ);
  bev.Disable(EV_READ);
  loop_.Settle();
  EXPECT_EQ("abc", bev.received);
  bev.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abcdef"; }));
}

// Another callback of the same turn disables reading after the kernel reported the data.
TEST_P(LostEdge, DisabledBetweenTheReportAndTheRead) {
  Pair first_pair(GetParam().tcp);
  Pair second_pair(GetParam().tcp);
  Bev first(loop_, first_pair[0], GetParam().options);
  Bev second(loop_, second_pair[0], GetParam().options);
  Bev *const both[] = {&first, &second};
  for (int i = 0; i < 2; i++) {
    both[i]->on_read = [&, i] { both[1 - i]->Disable(EV_READ); };
    both[i]->Enable(EV_READ);
  }
  loop_.Settle();
  first_pair.Send("one");
  second_pair.Send("two");
  first_pair.ShutdownWrite();
  second_pair.ShutdownWrite();
  ASSERT_TRUE(WaitForArrival(first_pair[0]) && WaitForArrival(second_pair[0]));
  loop_.Settle();
  for (Bev *bev : both) {
    bev->on_read = nullptr;
    if (bev->events.empty()) bev->Enable(EV_READ);
  }
  EXPECT_TRUE(loop_.RunUntil([&] { return !first.events.empty() && !second.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ("one", first.received);
  EXPECT_EQ("two", second.received);
  EXPECT_EQ(std::vector<short>{kEof}, first.events);
  EXPECT_EQ(std::vector<short>{kEof}, second.events);
}
}  // namespace
