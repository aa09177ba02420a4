// Bufferevents over a port whose operations end as the test says (fuzz/async_port_fuzz.cc does that
// at random).
#include <memory>

#include "net/test_support.h"

extern "C" {
#include "backends/sim/scripted_port.h"
}

namespace {

class AsyncPort : public ::testing::Test {
 protected:
  AsyncPort() { EXPECT_NE(nullptr, base_); }
  // A port with other features.
  void Renew(unsigned features) {
    event_base_free(base_);
    strata_scripted_port_free(port_);
    port_ = strata_scripted_port_new(sim_, features);
    base_ = strata_scripted_base_new(port_);
  }
  ~AsyncPort() override {
    bev_.reset();
    Turn();
    event_base_free(base_);
    EXPECT_EQ(0, strata_scripted_num_received(port_));
    strata_scripted_port_free(port_);
    strata_sim_free(sim_);
  }
  static evutil_socket_t NewSocket() { return socket(AF_UNIX, SOCK_STREAM, 0); }
  static bool IsOpen(evutil_socket_t fd) { return fcntl(fd, F_GETFD) != -1; }
  void Make(short enabled = EV_READ) {
    bev_.reset(new Bev(base_, NewSocket(), BEV_OPT_CLOSE_ON_FREE));
    bev_->Enable(enabled);
  }
  // What was cancelled does not end in it.
  void Turn(int num = 3) {
    for (int i = 0; i < num; i++)
      event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
  }
  struct event_operation *Pending(enum event_operation_kind kind) const {
    struct event_operation *operation = strata_scripted_first(port_);
    while (operation != nullptr && operation->kind != kind)
      operation = strata_scripted_next(operation);
    return operation;
  }
  struct event_operation *Receive() const {
    return Pending(EVENT_OPERATION_RECV);
  }
  struct event_operation *Send() const {
    return Pending(EVENT_OPERATION_SEND);
  }
  void End(struct event_operation *operation, ev_ssize_t result, int error = 0) {
    strata_scripted_finish(port_, operation, result, error);
    Turn();
  }
  void Bring(const std::string &bytes) {
    EXPECT_EQ(0, strata_scripted_receive(port_, Receive(), bytes.data(), bytes.size()));
  }

  struct strata_sim *sim_ = strata_sim_new();
  struct strata_scripted_port *port_ = strata_scripted_port_new(sim_, STRATA_PORT_PROVIDES_MEMORY);
  struct event_base *base_ = strata_scripted_base_new(port_);
  std::unique_ptr<Bev> bev_;
};

TEST_F(AsyncPort, MovesBytesBothWays) {
  Make();
  Bring("abc");
  Turn();
  EXPECT_EQ("abc", bev_->received);
  bev_->Write("hello");
  ASSERT_NE(nullptr, Send());
  EXPECT_EQ(5u, Send()->spans[0].len);
  End(Send(), 2);
  EXPECT_EQ(3u, bev_->output_len());
  End(Send(), 3);
  EXPECT_EQ(1, bev_->writes);
  End(Receive(), 0);
  EXPECT_EQ(std::vector<short>{kEof}, bev_->events);
}

// A receive that is slow to end is still on the first descriptor, when the second, on which a send
// is in flight by then, is replaced as well.
TEST_F(AsyncPort, DescriptorReplacedTwiceIsOpenWhileItIsInUse) {
  Make();
  bev_->Write("hello");
  const evutil_socket_t first = bufferevent_getfd(*bev_);
  EXPECT_EQ(0, bufferevent_replacefd(*bev_, NewSocket()));
  const evutil_socket_t second = bufferevent_getfd(*bev_);
  End(Send(), -1, ECANCELED);
  ASSERT_NE(nullptr, Send());
  EXPECT_EQ(second, Send()->fd);
  EXPECT_EQ(first, Receive()->fd);
  EXPECT_TRUE(IsOpen(first));
  EXPECT_EQ(0, bufferevent_replacefd(*bev_, NewSocket()));
  EXPECT_TRUE(IsOpen(first) && IsOpen(second));
  End(Receive(), -1, ECANCELED);
  EXPECT_TRUE(!IsOpen(first) && IsOpen(second));
  End(Send(), -1, ECANCELED);
  EXPECT_FALSE(IsOpen(second));
  EXPECT_EQ(bufferevent_getfd(*bev_), Receive()->fd);
  EXPECT_EQ(5u, bev_->output_len());
}

// One that both directions use is closed by the last of them.
TEST_F(AsyncPort, ReplacedDescriptorIsClosedOnce) {
  Make();
  bev_->Write("hello");
  const evutil_socket_t first = bufferevent_getfd(*bev_);
  EXPECT_EQ(0, bufferevent_replacefd(*bev_, NewSocket()));
  End(Receive(), -1, ECANCELED);
  EXPECT_TRUE(IsOpen(first));
  End(Send(), -1, ECANCELED);
  EXPECT_FALSE(IsOpen(first));
}

// There is no way back: what the old socket brought went with it. What the new one can't do is
// told.
TEST_F(AsyncPort, SocketIsTakenThoughNothingCanBeLaunchedOnIt) {
  Make();
  bev_->Disable(EV_READ);
  Bring("lost");
  Turn();
  bev_->Enable(EV_READ);
  const evutil_socket_t fresh = NewSocket();
  strata_scripted_refuse(port_, ENOBUFS);
  EXPECT_EQ(0, bufferevent_replacefd(*bev_, fresh));
  EXPECT_EQ(fresh, bufferevent_getfd(*bev_));
  Turn();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_ERROR}, bev_->events);
  EXPECT_EQ(std::vector<int>{ENOBUFS}, bev_->errors);
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(*bev_));
  EXPECT_EQ(-1, bev_->Enable(EV_READ));
  strata_scripted_refuse(port_, 0);
  EXPECT_EQ(0, bev_->Enable(EV_READ));
  Bring("new");
  Turn();
  EXPECT_EQ("new", bev_->received);
}

// What a receive that goes on brings while nobody wants it waits, and is served in its order.
TEST_F(AsyncPort, ReceiveThatRepeats) {
  Renew(STRATA_PORT_PROVIDES_MEMORY | STRATA_PORT_REPEATS);
  Make();
  ASSERT_TRUE(Receive()->repeats);
  const long number = strata_scripted_number(Receive());
  for (const char *bytes : {"a", "b"}) Bring(bytes);
  Turn();
  EXPECT_EQ("ab", bev_->received);
  EXPECT_EQ(number, strata_scripted_number(Receive()));
  bev_->Disable(EV_READ);
  for (const char *bytes : {"c", "d"}) Bring(bytes);
  Turn();
  EXPECT_EQ("ab", bev_->received);
  EXPECT_TRUE(strata_scripted_is_cancelled(Receive()));
  Bring("e");
  End(Receive(), -1, ECANCELED);
  EXPECT_EQ(nullptr, Receive());
  bev_->Enable(EV_READ);
  Turn(5);
  EXPECT_EQ("abcde", bev_->received);
  ASSERT_NE(nullptr, Receive());
  End(Receive(), 0);
  EXPECT_EQ(std::vector<short>{kEof}, bev_->events);
}

// A launch that fails takes its own direction with it, and not the other.
TEST_F(AsyncPort, LaunchThatFailsConcernsItsDirection) {
  Make();
  strata_scripted_refuse(port_, ENOBUFS);
  bev_->Write("hello");
  strata_scripted_refuse(port_, 0);
  Turn();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_WRITING | BEV_EVENT_ERROR}, bev_->events);
  EXPECT_EQ(EV_READ, bufferevent_get_enabled(*bev_));
  Bring("abc");
  Turn();
  EXPECT_EQ("abc", bev_->received);
  EXPECT_EQ(5u, bev_->output_len());
}

}  // namespace
