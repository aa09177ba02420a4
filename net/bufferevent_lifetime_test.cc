// A callback may free any bufferevent, its own included. A memory checker watches these tests.
#include <memory>

#include "net/test_support.h"

namespace {

class Lifetime : public ::testing::TestWithParam<Kind> {
 protected:
  int options() const { return GetParam().options | BEV_OPT_CLOSE_ON_FREE; }

  Loop loop_;
};

INSTANTIATE_TEST_SUITE_P(All, Lifetime, ::testing::ValuesIn(kKinds), KindName);

TEST_P(Lifetime, FreedByItsReadCallback) {
  Pair pair(GetParam().tcp);
  const evutil_socket_t fd = pair[0];
  Bev bev(loop_, pair.Release(0), options());
  bev.on_read = [&] {
    bev.Write("never mind");
    bev.Free();
  };
  bev.Enable(EV_READ);
  pair.Send("abc");
  pair.ShutdownWrite();
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.get() == nullptr; }));
  loop_.Settle();
  EXPECT_EQ(1, bev.reads);
  EXPECT_TRUE(bev.events.empty());
  EXPECT_EQ(-1, fcntl(fd, F_GETFD));
}

TEST_P(Lifetime, FreedByItsWriteCallback) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair.Release(0), options());
  bev.on_write = [&] { bev.Free(); };
  bev.Write("abc");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.get() == nullptr; }));
  loop_.Settle();
  EXPECT_EQ(1, bev.writes);
  ASSERT_TRUE(WaitFor(pair[1], POLLIN));
  EXPECT_EQ("abc", pair.Recv());
}

TEST_P(Lifetime, FreedAtTheEnd) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair.Release(0), options());
  bev.on_event = [&](short) { bev.Free(); };
  bev.Enable(EV_READ);
  pair.Send("abc");
  pair.Close(1);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.get() == nullptr; }));
  loop_.Settle();
  EXPECT_EQ("abc", bev.received);
  EXPECT_EQ(1u, bev.events.size());
}

TEST_P(Lifetime, FreedByItsErrorCallbackWithOutputLeft) {
  Pair pair(GetParam().tcp);
  const std::string bytes = Pattern(8 << 20);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.on_event = [&](short) { bev.Free(); };
  bev.Write(bytes);
  loop_.Settle();
  pair.Reset();
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.get() == nullptr; }));
  loop_.Settle();
  EXPECT_EQ(1u, bev.events.size());
}

TEST_P(Lifetime, FreedByItsTimeoutCallback) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair.Release(0), options());
  bev.on_event = [&](short) { bev.Free(); };
  const struct timeval soon = Ms(5);
  bufferevent_set_timeouts(bev, &soon, &soon);
  bev.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.get() == nullptr; }));
  loop_.Settle();
  EXPECT_EQ(1u, bev.events.size());
}

TEST_P(Lifetime, FreedWhenConnected) {
  const evutil_socket_t listener = Listen();
  Bev bev(loop_, -1, options());
  bev.on_event = [&](short) { bev.Free(); };
  bev.Enable(EV_READ);
  bev.Write("abc");
  struct sockaddr_in sin = AddressOf(listener);
  ASSERT_EQ(
      0, bufferevent_socket_connect(bev, reinterpret_cast<struct sockaddr *>(&sin), sizeof(sin)));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.get() == nullptr; }));
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_CONNECTED}, bev.events);
  evutil_closesocket(listener);
}

TEST_P(Lifetime, OneFreesTheOthers) {
  const int kNum = 8;
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Bev>> bevs;
  int calls = 0;
  for (int i = 0; i < kNum; i++) {
    pairs.push_back(std::make_unique<Pair>(GetParam().tcp));
    bevs.push_back(std::make_unique<Bev>(loop_, pairs[i]->Release(0), options()));
    bevs[i]->on_read = [&] {
      calls++;
      for (auto &bev : bevs) bev->Free();
    };
    bevs[i]->Enable(EV_READ);
  }
  loop_.Settle();
  for (auto &pair : pairs) pair->Send("x");
  EXPECT_TRUE(loop_.RunUntil([&] { return calls > 0; }));
  loop_.Settle();
  EXPECT_EQ(1, calls);
}

TEST_P(Lifetime, FreedWhileADeferredCallbackWaits) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair.Release(0), options());
  bufferevent_trigger(bev, EV_READ | EV_WRITE,
                      BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
  bufferevent_trigger_event(bev, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
  bev.Free();
  loop_.Settle();
  EXPECT_EQ(0, bev.reads + bev.writes);
  EXPECT_TRUE(bev.events.empty());
}

TEST_P(Lifetime, FreedWithEverythingPendingAndTheBaseRightAfter) {
  Pair pair(GetParam().tcp);
  Loop loop;
  Bev bev(loop, pair.Release(0), options());
  const struct timeval later = Ms(100000);
  bufferevent_set_timeouts(bev, &later, &later);
  bev.Watermark(EV_READ, 0, 4);
  bev.Enable(EV_READ | EV_WRITE);
  bev.Write(Pattern(1 << 20));
  pair.Send("abcdefgh");
  loop.Settle(2);
  bev.Free();
}

TEST_P(Lifetime, ReferencesKeepIt) {
  Pair pair(GetParam().tcp);
  struct bufferevent *bev = bufferevent_socket_new(loop_, pair[0], GetParam().options);
  bufferevent_incref(bev);
  EXPECT_EQ(0, bufferevent_decref(bev));
  bufferevent_incref(bev);
  bufferevent_free(bev);
  EXPECT_EQ(0u, evbuffer_get_length(bufferevent_get_input(bev)));
  EXPECT_EQ(1, bufferevent_decref(bev));
  loop_.Settle();
}

TEST_P(Lifetime, WithoutADescriptor) {
  for (int i = 0; i < 3; i++) {
    Bev bev(loop_, -1, options());
    bev.Write("abc");
    bev.Enable(EV_READ);
    loop_.Settle(i);
  }
}

TEST_P(Lifetime, LeavesTheDescriptorUnlessTold) {
  Pair pair(GetParam().tcp);
  {
    Bev bev(loop_, pair[0], GetParam().options);
    bev.Enable(EV_READ);
    loop_.Settle();
  }
  loop_.Settle();
  EXPECT_GE(fcntl(pair[0], F_GETFD), 0);
  EXPECT_EQ(1, send(pair[0], "x", 1, 0));
}

}  // namespace
