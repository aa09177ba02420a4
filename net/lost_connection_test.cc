// Connections that the kernel gives up, as opposed to timeouts of bufferevents, and those that the
// peer resets: they end in an error that says which it was.
#include <memory>

#include "net/test_support.h"

namespace {

// As soon as the kernel's own timers allow: a second when connecting, less than that later.
void GiveUpEarly(evutil_socket_t fd) {
  const unsigned timeout_ms = 100;
  EXPECT_EQ(0, setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms)));
}

class TimedOutConnection : public ::testing::TestWithParam<int> {
 protected:
  // Runs the loop until something is told, and what follows from it.
  void RunUntilTold(const Bev &bev) {
    EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
    loop_.Settle();
  }

  Loop loop_;
};

INSTANTIATE_TEST_SUITE_P(All, TimedOutConnection, ::testing::Values(0, BEV_OPT_DEFER_CALLBACKS),
                         [](const auto &info) {
                           return std::string(info.param ? "Deferred" : "Immediate");
                         });

TEST_P(TimedOutConnection, WhileConnecting) {
  const SilentListener listener;
  const evutil_socket_t fd = socket(AF_INET, SOCK_STREAM, 0);
  evutil_make_socket_nonblocking(fd);
  GiveUpEarly(fd);
  Bev bev(loop_, fd, GetParam() | BEV_OPT_CLOSE_ON_FREE);
  bev.Enable(EV_READ);
  bev.Write("lost");
  struct sockaddr_in sin = listener.address();
  ASSERT_EQ(
      0, bufferevent_socket_connect(bev, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
  RunUntilTold(bev);
  EXPECT_EQ(std::vector<short>{BEV_EVENT_ERROR}, bev.events);
  EXPECT_EQ(std::vector<int>{ETIMEDOUT}, bev.errors);
  EXPECT_EQ(0, bev.writes);
  EXPECT_EQ(4u, bev.output_len());
}

// The peer lives, but does not read.
TEST_P(TimedOutConnection, WhileWriting) {
  Pair pair(true);
  GiveUpEarly(pair[0]);
  Bev bev(loop_, pair[0], GetParam());
  bev.Write(std::string(16 << 20, 'x'));  // More than the kernel holds.
  RunUntilTold(bev);
  EXPECT_EQ(std::vector<short>{BEV_EVENT_WRITING | BEV_EVENT_ERROR}, bev.events);
  EXPECT_EQ(std::vector<int>{ETIMEDOUT}, bev.errors);
  EXPECT_EQ(0, bev.writes);
  EXPECT_GT(bev.output_len(), 0u);
}

// The kernel tells the reason once. The direction that comes second finds a connection that has
// ended: it hears of EPIPE, or of the end of the data.
class LostBothWays : public ::testing::Test {
 protected:
  // Both directions wait, the peer does not read.
  void Begin(int options) {
    bev_.reset(new Bev(loop_, pair_[0], options));
    bev_->Enable(EV_READ | EV_WRITE);
    bev_->Write(std::string(16 << 20, 'x'));
    loop_.Settle();
  }
  // What is told in so many calls.
  void RunUntilTold(size_t num_events) {
    EXPECT_TRUE(loop_.RunUntil([&] { return bev_->events.size() >= num_events; }));
    loop_.Settle();
    ASSERT_EQ(num_events, bev_->events.size());
  }

  static constexpr short kBoth = BEV_EVENT_READING | BEV_EVENT_WRITING;
  Loop loop_;
  Pair pair_{true};
  std::unique_ptr<Bev> bev_;
};

TEST_F(LostBothWays, TheFirstHearsWhy) {
  GiveUpEarly(pair_[0]);
  Begin(0);
  RunUntilTold(2);
  EXPECT_EQ(BEV_EVENT_ERROR, bev_->events[0] & ~kBoth);
  EXPECT_EQ(ETIMEDOUT, bev_->errors[0]);
  EXPECT_EQ(kBoth, (bev_->events[0] ^ bev_->events[1]) & kBoth);
}

// Deferred, both are one event.
TEST_F(LostBothWays, TimeoutThatIsToldLater) {
  GiveUpEarly(pair_[0]);
  Begin(BEV_OPT_DEFER_CALLBACKS);
  RunUntilTold(1);
  EXPECT_NE(0, bev_->events[0] & BEV_EVENT_ERROR);
  EXPECT_EQ(ETIMEDOUT, bev_->errors[0]);
}

TEST_F(LostBothWays, ResetThatIsToldLater) {
  Begin(BEV_OPT_DEFER_CALLBACKS);
  pair_.Reset();
  RunUntilTold(1);
  EXPECT_NE(0, bev_->events[0] & BEV_EVENT_ERROR);
  EXPECT_EQ(ECONNRESET, bev_->errors[0]);
}

}  // namespace
