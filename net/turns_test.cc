// Sources do not spin and do not sleep through anything, whichever way the backend triggers. A
// level-triggered backend reports what nobody takes again and again, so the test counts how often
// the loop asks it to wait.
#include <event2/listener.h>

#include <string>

#include "backends/testing/all_backends.h"
#include "net/test_support.h"

namespace {

int g_num_waits;
const struct event_readiness_ops *g_ops;

int CountingWait(void *state, int64_t now_ns, int64_t deadline_ns,
                 struct event_readiness_sink *sink) {
  g_num_waits++;
  return g_ops->wait(state, now_ns, deadline_ns, sink);
}

class Turns : public ::testing::TestWithParam<const struct event_readiness_ops *> {
 protected:
  void SetUp() override {
    g_ops = GetParam();
    counting_ = *g_ops;
    counting_.wait = CountingWait;
    const struct event_readiness_ops *const table[] = {&counting_, nullptr};
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    base_ = event_base_new_with_backends(config, table);
    event_config_free(config);
    if (base_ == nullptr && std::string(g_ops->name) == "io_uring")
      GTEST_SKIP() << "the kernel has none for this program";
    ASSERT_NE(nullptr, base_);
  }
  void TearDown() override {
    if (base_ != nullptr) event_base_free(base_);
  }

  // The turns that the loop makes while nothing happens but a timer.
  int TurnsWhileIdle() {
    const struct timeval for_a_while = Ms(10);
    event_base_loopexit(base_, &for_a_while);
    g_num_waits = 0;
    event_base_dispatch(base_);
    return g_num_waits;
  }
  // Lets happen what is due, then expects the loop to sleep. The kernel may end a wait early.
  void ExpectIdle() {
    TurnsWhileIdle();
    EXPECT_LE(TurnsWhileIdle(), 5);
  }

  struct event_readiness_ops counting_;
  struct event_base *base_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(
    Backends, Turns, testing::ValuesIn(AllBackends()),
    [](const testing::TestParamInfo<const struct event_readiness_ops *> &info) {
      return std::string(info.param->name);
    });

TEST_P(Turns, ConnectionAtRest) {
  Pair pair(true);
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ | EV_WRITE);
  ExpectIdle();
  pair.Send("abc");
  ExpectIdle();
  EXPECT_EQ("abc", bev.received);
}

TEST_P(Turns, DataForADisabledReader) {
  Pair pair(true);
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  ExpectIdle();
  bev.Disable(EV_READ);
  pair.Send("abc");
  ExpectIdle();
  pair.ShutdownWrite();
  ExpectIdle();
  EXPECT_TRUE(bev.events.empty());
  bev.Enable(EV_READ);
  ExpectIdle();
  EXPECT_EQ("abc", bev.received);
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
}

TEST_P(Turns, ResetOfADisabledConnection) {
  Pair pair(true);
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  ExpectIdle();
  bev.Disable(EV_READ);
  pair.Reset();
  ExpectIdle();
  EXPECT_TRUE(bev.events.empty());
  bev.Enable(EV_READ);
  ExpectIdle();
  EXPECT_EQ(1u, bev.events.size());
}

TEST_P(Turns, InputAtItsHighWatermark) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.StopTaking();
  bev.Watermark(EV_READ, 0, 10);
  bev.Enable(EV_READ);
  pair.Send(std::string(100, 'x'));
  ExpectIdle();
  EXPECT_EQ(10u, bev.input_len());
  pair.Close(1);
  ExpectIdle();
  while (bev.received.size() < 100) {
    const size_t len = bev.received.size();
    bev.Take();
    ExpectIdle();
    ASSERT_GT(bev.received.size() + bev.input_len(), len);
  }
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
}

TEST_P(Turns, OutputThatDoesNotFit) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Write(std::string(8 << 20, 'x'));
  ExpectIdle();
  EXPECT_GT(bev.output_len(), 0u);
  // The other direction is served meanwhile, and data that nobody reads makes no turns.
  pair.Send("abc");
  ExpectIdle();
  bev.Enable(EV_READ);
  ExpectIdle();
  EXPECT_EQ("abc", bev.received);
  // Room wakes the writer.
  size_t got_len = 0;
  for (int i = 0; i < 10000 && got_len < (8 << 20); i++) {
    got_len += pair.Recv().size();
    event_base_loop(base_, EVLOOP_NONBLOCK);
  }
  EXPECT_EQ(static_cast<size_t>(8 << 20), got_len);
  ExpectIdle();
}

TEST_P(Turns, AfterTheEndOfData) {
  for (const bool tcp : {false, true}) {
    Pair pair(tcp);
    Bev bev(base_, pair[0]);
    bev.Enable(EV_READ | EV_WRITE);
    pair.ShutdownWrite();
    ExpectIdle();
    EXPECT_EQ(std::vector<short>{kEof}, bev.events);
    shutdown(pair[0], SHUT_WR);  // Now the socket is hung up for good.
    ExpectIdle();
    pair.Close(1);
    ExpectIdle();
    EXPECT_EQ(1u, bev.events.size());
  }
}

// A user's own event on the same descriptor: both are served, and only as long as there is a taker.
TEST_P(Turns, SharedWithAnEvent) {
  Pair pair;
  Bev bev(base_, pair[0]);
  bev.Enable(EV_READ);
  int calls = 0;
  struct event *ev = event_new(
      base_, pair[0], EV_WRITE,
      [](evutil_socket_t, short, void *arg) { ++*static_cast<int *>(arg); }, &calls);
  event_add(ev, nullptr);
  ExpectIdle();
  EXPECT_EQ(1, calls);
  bev.Disable(EV_READ);
  pair.Send("abc");
  event_add(ev, nullptr);
  ExpectIdle();
  EXPECT_EQ(2, calls);
  bev.Enable(EV_READ);
  ExpectIdle();
  EXPECT_EQ("abc", bev.received);
  event_free(ev);
}

struct Listening {
  explicit Listening(struct event_base *base) : fd(Listen()) {
    evutil_make_socket_nonblocking(fd);
    listener = evconnlistener_new(base, OnAccept, this, LEV_OPT_CLOSE_ON_FREE, 0, fd);
    EXPECT_NE(nullptr, listener);
    evconnlistener_set_error_cb(listener, OnError);
  }
  ~Listening() { evconnlistener_free(listener); }

  static void OnAccept(struct evconnlistener *, evutil_socket_t accepted, struct sockaddr *, int,
                       void *arg) {
    static_cast<Listening *>(arg)->num_accepted++;
    evutil_closesocket(accepted);
  }
  static void OnError(struct evconnlistener *, void *arg) {
    static_cast<Listening *>(arg)->num_errors++;
  }

  const evutil_socket_t fd;
  struct evconnlistener *listener;
  int num_accepted = 0;
  int num_errors = 0;
};

TEST_P(Turns, DisabledListener) {
  Listening listening(base_);
  ExpectIdle();
  evconnlistener_disable(listening.listener);
  const evutil_socket_t client = ConnectTo(AddressOf(listening.fd));
  ExpectIdle();
  EXPECT_EQ(0, listening.num_accepted);
  evconnlistener_enable(listening.listener);
  ExpectIdle();
  EXPECT_EQ(1, listening.num_accepted);
  evutil_closesocket(client);
}

#ifndef _WIN32  // It cannot stop there but by being closed.
// A listening socket that stopped listening fails to accept for ever.
TEST_P(Turns, ListenerThatFails) {
  Listening listening(base_);
  ExpectIdle();
  shutdown(listening.fd, SHUT_RDWR);
  ExpectIdle();
  EXPECT_GT(listening.num_errors, 0);
  EXPECT_LT(listening.num_errors, 50);
}
#endif

}  // namespace
