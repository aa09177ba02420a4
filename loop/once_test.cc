// event_base_once: a callback without an event of its own.
#include <signal.h>

#include <vector>

#include "loop/test_support.h"

namespace {

struct Call {
  int calls = 0;
  evutil_socket_t fd = -2;
  short what = 0;
};

void Record(evutil_socket_t fd, short what, void *arg) {
  Call *call = static_cast<Call *>(arg);
  call->calls++;
  call->fd = fd;
  call->what = what;
}

TEST(Once, Read) {
  Loop loop;
  Pair pair;
  Call call;
  EXPECT_EQ(0, event_base_once(loop, pair[0], EV_READ, Record, &call, nullptr));
  loop.Turn();
  EXPECT_EQ(0, call.calls);
  pair.Send(1, "x");
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, call.calls);
  EXPECT_EQ(EV_READ, call.what);
  EXPECT_EQ(pair[0], call.fd);
}

TEST(Once, WriteAndBoth) {
  Loop loop;
  Pair pair;
  Call write, both;
  pair.Send(1, "x");
  EXPECT_EQ(0, event_base_once(loop, pair[0], EV_WRITE, Record, &write, nullptr));
  EXPECT_EQ(0, event_base_once(loop, pair[0], EV_READ | EV_WRITE, Record, &both, nullptr));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_WRITE, write.what);
  EXPECT_EQ(EV_READ | EV_WRITE, both.what);
}

TEST(Once, ReadTimesOut) {
  Loop loop;
  Pair pair;
  Call call;
  const struct timeval soon = Ms(5);
  EXPECT_EQ(0, event_base_once(loop, pair[0], EV_READ | EV_TIMEOUT, Record, &call, &soon));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, call.calls);
  EXPECT_EQ(EV_TIMEOUT, call.what);
}

TEST(Once, TimeoutAndImmediate) {
  Loop loop;
  Call timed, zero, immediate;
  const struct timeval soon = Ms(5);
  const struct timeval none = {0, 0};
  EXPECT_EQ(0, event_base_once(loop, -1, EV_TIMEOUT, Record, &timed, &soon));
  EXPECT_EQ(0, event_base_once(loop, -1, EV_TIMEOUT, Record, &zero, &none));
  EXPECT_EQ(0, event_base_once(loop, -1, EV_TIMEOUT, Record, &immediate, nullptr));
  EXPECT_EQ(0, immediate.calls);  // Soon, but not inside the call.
  loop.Turn();
  EXPECT_EQ(1, zero.calls);
  EXPECT_EQ(1, immediate.calls);
  EXPECT_EQ(EV_TIMEOUT, immediate.what);
  EXPECT_EQ(-1, immediate.fd);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, timed.calls);
  EXPECT_EQ(EV_TIMEOUT, timed.what);
}

TEST(Once, RefusesSignalsAndPersistence) {
  Loop loop;
  Call call;
  EXPECT_EQ(-1, event_base_once(loop, SIGUSR1, EV_SIGNAL, Record, &call, nullptr));
  EXPECT_EQ(-1, event_base_once(loop, -1, EV_TIMEOUT | EV_PERSIST, Record, &call, nullptr));
  EXPECT_EQ(-1, event_base_once(loop, -1, 0, Record, &call, nullptr));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(0, call.calls);
}

// A leak checker watches this one.
TEST(Once, NeverTriggeredIsFreedWithTheBase) {
  Call call;
  Pair pair;
  {
    Loop loop;
    const struct timeval later = Ms(3600000);
    for (int i = 0; i < 10; i++) {
      event_base_once(loop, pair[0], EV_READ, Record, &call, i % 2 ? &later : nullptr);
      event_base_once(loop, -1, EV_TIMEOUT, Record, &call, &later);
    }
    loop.Turn();
  }
  EXPECT_EQ(0, call.calls);
}

struct Chain {
  struct event_base *base;
  int left;
};

void Next(evutil_socket_t, short, void *arg) {
  Chain *chain = static_cast<Chain *>(arg);
  if (--chain->left > 0) event_base_once(chain->base, -1, EV_TIMEOUT, Next, chain, nullptr);
}

TEST(Once, FromItsOwnCallback) {
  Loop loop;
  Chain chain = {loop, 100};
  event_base_once(loop, -1, EV_TIMEOUT, Next, &chain, nullptr);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(0, chain.left);
}

TEST(Once, Many) {
  Loop loop;
  std::vector<Call> calls(1000);
  for (size_t i = 0; i < calls.size(); i++) {
    const struct timeval tv = Ms(static_cast<long>(i % 7));
    ASSERT_EQ(0, event_base_once(loop, -1, EV_TIMEOUT, Record, &calls[i], &tv));
  }
  EXPECT_EQ(1, loop.Dispatch());
  for (const Call &call : calls) EXPECT_EQ(1, call.calls);
}

}  // namespace
