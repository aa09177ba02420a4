// What the tests of timeouts share.
#ifndef NET_TIMEOUTS_TESTING_H_
#define NET_TIMEOUTS_TESTING_H_

#include <string>

#include "net/test_support.h"

const short kReadTimeout = BEV_EVENT_READING | BEV_EVENT_TIMEOUT;
const short kWriteTimeout = BEV_EVENT_WRITING | BEV_EVENT_TIMEOUT;

// Run it with kKinds.
class WithTimeouts : public ::testing::TestWithParam<Kind> {
 protected:
  WithTimeouts() : pair_(GetParam().tcp), bev_(loop_, pair_[0], GetParam().options) {}

  // 0: none.
  static int Set(struct bufferevent *bev, long read_ms, long write_ms) {
    const struct timeval read = Ms(read_ms);
    const struct timeval write = Ms(write_ms);
    return bufferevent_set_timeouts(bev, read_ms ? &read : nullptr, write_ms ? &write : nullptr);
  }
  // Lets the loop turn for that long, as another timer measures it.
  void Pass(long ms) {
    Ev timer(loop_, -1, 0);
    timer.AddMs(ms);
    EXPECT_TRUE(loop_.RunUntil([&] { return timer.calls > 0; }));
  }
  // Leaves output that the peer does not take.
  void Clog(size_t len = 8 << 20) {
    bev_.Write(std::string(len, 'x'));
    loop_.Settle(10);
    EXPECT_GT(bev_.output_len(), 0u);
  }

  Loop loop_;
  Pair pair_;
  Bev bev_;
};

#endif  // NET_TIMEOUTS_TESTING_H_
