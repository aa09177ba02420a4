// A session whose peer has gone without a word, on a virtual clock: the sockets are real; what is
// ready, the test says.

#include <event2/ws.h>

#include "http/ws_session.h"
#include "http/ws_testing.h"

extern "C" {
#include "backends/sim/sim.h"
#include "util/clock.h"
}

namespace {

using ws_testing::MakePair;
using ws_testing::Pong;

class WsIdle : public testing::Test {
 protected:
  WsIdle() {
    MakePair(fds_);
    evutil_make_socket_nonblocking(fds_[1]);
    strata_sim_raise(sim_, fds_[0], EV_WRITE);
    bufferevent *bufev = bufferevent_socket_new(base_, fds_[0], BEV_OPT_CLOSE_ON_FREE);
    evws_ = strata_ws_new(base_, STRATA_WS_SERVER, nullptr, nullptr, 0);
    evws_connection_set_closecb(
        evws_, [](evws_connection *, void *arg) { *static_cast<bool *>(arg) = true; }, &closed_);
    strata_ws_start(evws_, bufev, STRATA_WS_OPEN);
  }
  ~WsIdle() override {
    if (!closed_) evws_connection_free(evws_);
    close(fds_[1]);
    event_base_free(base_);
    strata_sim_free(sim_);
  }

  void RunSeconds(int seconds) {
    timeval tv = {seconds, 0};
    event_base_loopexit(base_, &tv);
    event_base_dispatch(base_);
  }
  std::string TakeFrames() {
    char bytes[100];
    ssize_t n = recv(fds_[1], bytes, sizeof(bytes), 0);
    return n > 0 ? std::string(bytes, static_cast<size_t>(n)) : "";
  }
  void Answer(const std::string &bytes) {
    EXPECT_EQ(send(fds_[1], bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    strata_sim_raise(sim_, fds_[0], EV_READ);
  }

  strata_sim *sim_ = strata_sim_new();
  event_base *base_ = strata_sim_base_new(sim_, nullptr);
  evutil_socket_t fds_[2];
  evws_connection *evws_;
  bool closed_ = false;
};

const char kPing[] = "\x89\0";

// The first minute has a sign of life, its beginning.
TEST_F(WsIdle, ASilentPeerIsPingedAndDroppedByDefault) {
  RunSeconds(119);
  EXPECT_EQ(TakeFrames(), "");
  RunSeconds(2);
  EXPECT_EQ(TakeFrames(), std::string(kPing, 2));
  RunSeconds(58);
  EXPECT_FALSE(closed_);
  RunSeconds(2);
  EXPECT_TRUE(closed_);
}

TEST_F(WsIdle, APeerThatAnswersLives) {
  for (int i = 0; i < 10; ++i) {
    RunSeconds(121);
    EXPECT_EQ(TakeFrames(), std::string(kPing, 2)) << i;
    Answer(Pong(""));
    RunSeconds(1);
    strata_sim_lower(sim_, fds_[0], EV_READ);
    ASSERT_FALSE(closed_);
  }
}

TEST_F(WsIdle, WithoutPingsItStays) {
  timeval never = {0, 0};
  EXPECT_EQ(evws_connection_set_ping_interval(evws_, &never), 0);
  RunSeconds(100000);
  EXPECT_FALSE(closed_);
  EXPECT_EQ(TakeFrames(), "");
}

}  // namespace
