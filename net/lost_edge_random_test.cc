// Random sequences of everything that holds a bufferevent back, on both sides, against the bytes
// that were sent. What lost_edge_test.cc does case by case, this does in every order.
#include <random>

#include "net/test_support.h"

namespace {

class LostEdgeRandom : public ::testing::TestWithParam<Kind> {
 protected:
  Loop loop_;
};

INSTANTIATE_TEST_SUITE_P(All, LostEdgeRandom, ::testing::ValuesIn(kKinds), KindName);

TEST_P(LostEdgeRandom, RandomReadHolds) {
  for (unsigned seed = 1; seed <= 15; seed++) {
    std::mt19937 random(seed);
    Pair pair(GetParam().tcp);
    Bev bev(loop_, pair[0], GetParam().options);
    const std::string bytes = Pattern(200000, seed);
    size_t sent_len = 0;
    bool finished = false;
    bool attached = true;
    for (int step = 0; step < 400; step++) {
      switch (random() % 10) {
        case 0:
          bev.Enable(EV_READ);
          break;
        case 1:
          bev.Disable(EV_READ);
          break;
        case 2:
          bev.Watermark(EV_READ, 0, random() % 3 ? random() % 5000 : 0);
          break;
        case 3:
          bufferevent_set_max_single_read(bev, random() % 3 ? 1 + random() % 3000 : 0);
          break;
        case 4:
          bev.Take(random() % 3000);
          break;
        case 5:
          random() % 2 ? bev.SetCallbacks() : bev.StopTaking();
          break;
        case 6:
          if (OnCompletions()) break;  // What was received and not delivered goes with the socket.
          attached = random() % 3 != 0;
          bev.SetFd(attached ? pair[0] : -1);
          break;
        case 7:
          bev.on_read = nullptr;
          if (random() % 2) bev.on_read = [&bev] { bev.Disable(EV_READ); };
          break;
        default:
          if (sent_len < bytes.size()) {
            sent_len += pair.Send(bytes.substr(sent_len, random() % 4000));
          } else if (!finished) {
            pair.ShutdownWrite();
            finished = true;
          }
      }
      if (random() % 3) loop_.Settle(1 + static_cast<int>(random() % 2));
    }
    bev.on_read = nullptr;
    bev.SetCallbacks();
    bev.Watermark(EV_READ, 0, 0);
    if (!attached) bev.SetFd(pair[0]);
    if (bev.events.empty()) bev.Enable(EV_READ);
    bev.Take();
    while (sent_len < bytes.size()) {
      sent_len += pair.Send(bytes.substr(sent_len, 4000));
      loop_.Settle(3);
    }
    if (!finished) pair.ShutdownWrite();
    ASSERT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); })) << "seed " << seed;
    loop_.Settle();
    EXPECT_TRUE(bytes == bev.received) << "seed " << seed << ": " << bev.received.size();
    EXPECT_EQ(kEof, bev.events[0]);
  }
}

TEST_P(LostEdgeRandom, RandomWriteHolds) {
  for (unsigned seed = 1; seed <= 15; seed++) {
    std::mt19937 random(seed);
    Pair pair(GetParam().tcp);
    Bev bev(loop_, pair[0], GetParam().options);
    const std::string bytes = Pattern(2000000, seed);
    size_t queued_len = 0;
    std::string got;
    bool attached = true;
    for (int step = 0; step < 300; step++) {
      switch (random() % 8) {
        case 0:
          bev.Enable(EV_WRITE);
          break;
        case 1:
          bev.Disable(EV_WRITE);
          break;
        case 2:
          bufferevent_set_max_single_write(bev, random() % 3 ? 1 + random() % 30000 : 0);
          break;
        case 3:
          attached = random() % 3 != 0;
          bev.SetFd(attached ? pair[0] : -1);
          break;
        case 4:
        case 5:
          got += pair.Recv(random() % 60000);
          break;
        default: {
          const std::string piece = bytes.substr(queued_len, random() % 20000);
          queued_len += piece.size();
          bev.Write(piece);
        }
      }
      if (random() % 3) loop_.Settle(1 + static_cast<int>(random() % 2));
    }
    if (!attached) bev.SetFd(pair[0]);
    bev.Enable(EV_WRITE);
    EXPECT_TRUE(Drain(&loop_, &pair, &got, queued_len)) << "seed " << seed;
    EXPECT_TRUE(bytes.substr(0, queued_len) == got) << "seed " << seed;
    EXPECT_TRUE(bev.events.empty());
  }
}

}  // namespace
