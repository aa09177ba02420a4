// Bufferevents whose circumstances change: another base, another priority, another attempt to
// connect, an error that nobody could be told at once.
#include <event2/listener.h>

#include <memory>

#include "net/test_support.h"

namespace {

const short kReadError = BEV_EVENT_READING | BEV_EVENT_ERROR;

class Transition : public ::testing::TestWithParam<Kind> {
 protected:
  Loop loop_;
};

INSTANTIATE_TEST_SUITE_P(All, Transition, ::testing::ValuesIn(kKinds), KindName);

// ---- Another base ----

TEST_P(Transition, MovedToAnotherBase) {
  Loop other;
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  // Used in the first base, so that the socket is known there.
  bev.Enable(EV_READ);
  pair.Send("abc");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abc"; }));
  bev.Write("def");
  loop_.Settle();
  EXPECT_EQ("def", pair.Recv());
  if (!kOnLibevent) {
    // libevent looks at its events, which are pending as long as reading is enabled, and refuses
    // too; but whether it counts as -1 depends on its version.
    EXPECT_EQ(-1, bufferevent_base_set(other, bev));
  }
  bev.Disable(EV_READ);
  if (OnCompletions()) {
    // Its receive is still in flight, in the base it was launched in.
    EXPECT_EQ(-1, bufferevent_base_set(other, bev));
    return;
  }
  ASSERT_EQ(0, bufferevent_base_set(other, bev));
  EXPECT_EQ(static_cast<struct event_base *>(other), bufferevent_get_base(bev));
  pair.Send("ghi");
  loop_.Settle();
  bev.Enable(EV_READ);
  bev.Write("jkl");
  EXPECT_TRUE(other.RunUntil([&] { return bev.received == "abcghi"; }));
  other.Settle();
  EXPECT_EQ("jkl", pair.Recv());
}

TEST_P(Transition, MovedToABaseWithFewerPriorities) {
  if (kOnLibevent) GTEST_SKIP();  // It keeps the priority, which the base does not have.
  EXPECT_EQ(0, event_base_priority_init(loop_, 8));
  Loop other;
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  EXPECT_EQ(0, bufferevent_priority_set(bev, 7));
  ASSERT_EQ(0, bufferevent_base_set(other, bev));
  EXPECT_EQ(0, bufferevent_get_priority(bev));
  bev.Enable(EV_READ);
  pair.Send("abc");
  EXPECT_TRUE(other.RunUntil([&] { return bev.received == "abc"; }));
}

TEST_P(Transition, MovedWithATimerArmed) {
  if (OnCompletions()) GTEST_SKIP();  // The receive in flight keeps it in its base.
  Loop other;
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  const struct timeval soon = Ms(10);
  bufferevent_set_timeouts(bev, &soon, nullptr);
  bev.Enable(EV_READ);
  bev.Disable(EV_READ);
  ASSERT_EQ(0, bufferevent_base_set(other, bev));
  bev.Enable(EV_READ);
  EXPECT_TRUE(other.RunUntil([&] { return !bev.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_READING | BEV_EVENT_TIMEOUT}, bev.events);
}

// ---- Another owner ----

// Both are told of everything, and take each other's bytes.
TEST_P(Transition, DescriptorWithTwoOwners) {
  Pair pair(GetParam().tcp);
  Bev first(loop_, pair[0], GetParam().options);
  ASSERT_EQ(0, first.Enable(EV_READ));
  loop_.Settle();
  Bev second(loop_, pair[0], GetParam().options);
  second.Write("from the second");
  EXPECT_TRUE(loop_.RunUntil([&] { return second.writes > 0; }));
  EXPECT_EQ("from the second", pair.Recv());
  ASSERT_EQ(0, second.Enable(EV_READ));
  pair.Send("abc");
  EXPECT_TRUE(loop_.RunUntil([&] { return first.received.size() + second.received.size() == 3; }));
  first.Free();
  pair.Send("def");
  EXPECT_TRUE(loop_.RunUntil([&] { return second.received.find("def") != std::string::npos; }));
}

TEST_P(Transition, SetFdThatFailsChangesNothing) {
  // libevent keeps the new one; over a port it is taken, and refused by BEV_EVENT_ERROR.
  if (kOnLibevent || OnCompletions()) GTEST_SKIP();
  const evutil_socket_t file = open("/proc/self/exe", O_RDONLY);
  ASSERT_GE(file, 0);
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  ASSERT_EQ(0, bev.Enable(EV_READ));
  const bool is_refused = bufferevent_setfd(bev, file) < 0;
  if (is_refused) {  // By epoll; poll and select find a file ready.
    EXPECT_EQ(pair[0], bufferevent_getfd(bev));
    pair.Send("abc");
    EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abc"; }));
  }
  bufferevent_setfd(bev, -1);
  evutil_closesocket(file);
}

// ---- Another priority ----

// A deferred callback comes at the priority that was set last, even if it is queued already.
TEST(TransitionPriority, DeferredCallbacksFollow) {
  Loop loop;
  EXPECT_EQ(0, event_base_priority_init(loop, 3));
  Pair pairs[2];
  Bev urgent(loop, pairs[0][0], BEV_OPT_DEFER_CALLBACKS);
  Bev patient(loop, pairs[1][0], BEV_OPT_DEFER_CALLBACKS);
  std::string order;
  urgent.on_event = [&](short) { order += 'u'; };
  patient.on_event = [&](short) { order += 'p'; };
  EXPECT_EQ(0, bufferevent_priority_set(patient, 2));
  EXPECT_EQ(0, bufferevent_priority_set(urgent, 0));
  bufferevent_trigger_event(patient, BEV_EVENT_READING, 0);
  bufferevent_trigger_event(urgent, BEV_EVENT_READING, 0);
  loop.Settle();
  EXPECT_EQ("up", order);
  if (kOnLibevent) return;  // It does not move what is queued.
  bufferevent_trigger_event(patient, BEV_EVENT_READING, 0);
  bufferevent_trigger_event(urgent, BEV_EVENT_READING, 0);
  EXPECT_EQ(0, bufferevent_priority_set(patient, 0));
  EXPECT_EQ(0, bufferevent_priority_set(urgent, 1));
  loop.Settle();
  EXPECT_EQ("uppu", order);
}

// ---- An error met while the callback turns reading off ----

TEST_P(Transition, ResetAfterDataIsNotTakenForTheEnd) {
  if (!GetParam().tcp) GTEST_SKIP();  // A Unix socket's data goes with the connection.
  if (ResetsLookLikeEnds()) GTEST_SKIP();
  Pair pair(true);
  Bev bev(loop_, pair[0], GetParam().options);
  pair.Send("abc");
  ASSERT_TRUE(WaitFor(pair[0], POLLIN));
  pair.Reset();
  ASSERT_TRUE(WaitFor(pair[0], POLLERR | POLLHUP));
  bev.on_read = [&] { bev.Disable(EV_READ); };
  bev.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abc" || !bev.events.empty(); }));
  loop_.Settle();
  bev.on_read = nullptr;
  // Deferred, the callback came too late to keep the error from being told.
  if (bev.events.empty()) bev.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{kReadError}, bev.events);
  EXPECT_EQ(ECONNRESET, bev.errors[0]);
}

// The error is the old socket's, not the new one's.
TEST_P(Transition, ResetThenAnotherSocket) {
  if (!GetParam().tcp) GTEST_SKIP();
  Pair pair(true), fresh(true);
  Bev bev(loop_, pair[0], GetParam().options);
  pair.Send("abc");
  ASSERT_TRUE(WaitFor(pair[0], POLLIN));
  pair.Reset();
  ASSERT_TRUE(WaitFor(pair[0], POLLERR | POLLHUP));
  bev.on_read = [&] { bev.Disable(EV_READ); };
  bev.Enable(EV_READ);
  loop_.Settle();
  bev.on_read = nullptr;
  const size_t num_events = bev.events.size();
  bev.SetFd(fresh[0]);
  bev.Enable(EV_READ);
  fresh.Send("def");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abcdef"; }));
  EXPECT_EQ(num_events, bev.events.size());
}

// ---- Connecting again ----

// A failed attempt disables nothing: the next one works without enabling anything again.
TEST_P(Transition, ConnectsAgainAfterAFailure) {
  const evutil_socket_t closed = Listen();
  const struct sockaddr_in nobody = AddressOf(closed);
  evutil_closesocket(closed);
  const evutil_socket_t listener = Listen();
  const struct sockaddr_in somebody = AddressOf(listener);
  Bev bev(loop_, -1, GetParam().options | BEV_OPT_CLOSE_ON_FREE);
  bev.Enable(EV_READ);
  bev.Write("abc");
  ASSERT_EQ(0, bufferevent_socket_connect(bev, reinterpret_cast<const struct sockaddr *>(&nobody),
                                          sizeof(nobody)));
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ(std::vector<short>{BEV_EVENT_ERROR}, bev.events);
  EXPECT_EQ(ECONNREFUSED, bev.errors[0]);
  EXPECT_EQ(EV_READ | EV_WRITE, bufferevent_get_enabled(bev));
  EXPECT_EQ(3u, bev.output_len());
  const evutil_socket_t failed = bufferevent_getfd(bev);
  bev.SetFd(-1);
  evutil_closesocket(failed);
  ASSERT_EQ(0, bufferevent_socket_connect(bev, reinterpret_cast<const struct sockaddr *>(&somebody),
                                          sizeof(somebody)));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.events.size() == 2 && bev.output_len() == 0; }));
  EXPECT_EQ(BEV_EVENT_CONNECTED, bev.events[1]);
  const evutil_socket_t accepted = accept(listener, nullptr, nullptr);
  EXPECT_EQ(3, send(accepted, "def", 3, 0));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "def"; }));
  evutil_closesocket(accepted);
  evutil_closesocket(listener);
}

TEST_P(Transition, NothingHappensToASocketThatCouldNotConnect) {
  const evutil_socket_t closed = Listen();
  const struct sockaddr_in nobody = AddressOf(closed);
  evutil_closesocket(closed);
  Bev bev(loop_, -1, GetParam().options | BEV_OPT_CLOSE_ON_FREE);
  const struct timeval soon = Ms(10);
  bufferevent_set_timeouts(bev, &soon, &soon);
  bev.Enable(EV_READ);
  bev.Write("abc");
  ASSERT_EQ(0, bufferevent_socket_connect(bev, reinterpret_cast<const struct sockaddr *>(&nobody),
                                          sizeof(nobody)));
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  EXPECT_EQ(1, event_base_dispatch(loop_));  // Nor does it keep the loop.
  EXPECT_EQ(std::vector<short>{BEV_EVENT_ERROR}, bev.events);
}

TEST_P(Transition, ConnectsAgainInTheErrorCallback) {
  const evutil_socket_t closed = Listen();
  const struct sockaddr_in nobody = AddressOf(closed);
  evutil_closesocket(closed);
  const evutil_socket_t listener = Listen();
  const struct sockaddr_in somebody = AddressOf(listener);
  Bev bev(loop_, -1, GetParam().options | BEV_OPT_CLOSE_ON_FREE);
  bev.on_event = [&](short what) {
    if (!(what & BEV_EVENT_ERROR)) return;
    const evutil_socket_t failed = bufferevent_getfd(bev);
    bev.SetFd(-1);
    evutil_closesocket(failed);
    EXPECT_EQ(0, bufferevent_socket_connect(
                     bev, reinterpret_cast<const struct sockaddr *>(&somebody), sizeof(somebody)));
  };
  bev.Write("abc");
  ASSERT_EQ(0, bufferevent_socket_connect(bev, reinterpret_cast<const struct sockaddr *>(&nobody),
                                          sizeof(nobody)));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.events.size() == 2 && bev.output_len() == 0; }));
  EXPECT_EQ((std::vector<short>{BEV_EVENT_ERROR, BEV_EVENT_CONNECTED}), bev.events);
  evutil_closesocket(listener);
}

// ---- A descriptor that cannot be waited for ----

#ifndef _WIN32  // Files have numbers of another kind than sockets there.
TEST_P(Transition, AFileIsReported) {
  if (kOnLibevent) GTEST_SKIP();  // Accepts the bytes and never says a word.
  if (event_base_get_features(loop_) & EV_FEATURE_FDS) GTEST_SKIP();  // It can be waited for.
  char path[] = "/tmp/strata_transition_XXXXXX";
  const int file = mkstemp(path);
  ASSERT_GE(file, 0);
  unlink(path);
  Bev bev(loop_, file, GetParam().options);
  EXPECT_EQ(-1, bev.Enable(EV_READ));
  EXPECT_EQ(EV_WRITE, bufferevent_get_enabled(bev));
  EXPECT_EQ(0, bev.Write("abc"));
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  EXPECT_EQ(std::vector<short>{BEV_EVENT_WRITING | BEV_EVENT_ERROR}, bev.events);
  EXPECT_EQ(EPERM, bev.errors[0]);
  EXPECT_EQ(3u, bev.output_len());
  // The bytes go out over a socket.
  Pair pair(GetParam().tcp);
  bev.SetFd(pair[0]);
  bev.Enable(EV_WRITE);
  std::string got;
  EXPECT_TRUE(Drain(&loop_, &pair, &got, 3));
  EXPECT_EQ("abc", got);
  close(file);
}
#endif

// ---- The base goes first ----

TEST(TransitionBase, FreedWithACallbackQueued) {
  if (kOnLibevent) GTEST_SKIP();  // Leaks the bufferevent and its socket.
  struct event_base *base = event_base_new();
  Pair pair;
  const evutil_socket_t fd = pair[0];
  struct bufferevent *bev = bufferevent_socket_new(base, pair.Release(0),
                                                   BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
  bufferevent_setcb(
      bev, [](struct bufferevent *, void *) {}, nullptr, nullptr, nullptr);
  bufferevent_trigger(bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS);
  bufferevent_free(bev);
  EXPECT_EQ(-1, fcntl(fd, F_GETFD));
  event_base_free(base);
}

#ifndef _WIN32  // A new socket can't be given a number of the program's choice.
// ---- The number of a freed listener's socket ----

struct Replaced {
  struct event_base *base;
  Pair *pair;
  std::unique_ptr<Bev> heir;

  static void OnAccept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *, int,
                       void *arg) {
    Replaced *self = static_cast<Replaced *>(arg);
    const evutil_socket_t number = evconnlistener_get_fd(listener);
    evconnlistener_free(listener);
    evutil_closesocket(fd);
    EXPECT_EQ(number, dup2((*self->pair)[0], number));
    self->heir = std::make_unique<Bev>(self->base, number, BEV_OPT_CLOSE_ON_FREE);
    EXPECT_EQ(0, self->heir->Enable(EV_READ));
  }
};

TEST(TransitionListener, NumberReusedInTheCallbackThatFreesIt) {
  // libevent keeps a freed listener registered until its callback has returned.
  if (kOnLibevent) GTEST_SKIP();
  Loop loop;
  Pair pair;
  Replaced replaced = {loop, &pair, nullptr};
  const evutil_socket_t fd = Listen();
  evutil_make_socket_nonblocking(fd);
  const evutil_socket_t client = ConnectTo(AddressOf(fd));
  ASSERT_NE(nullptr, evconnlistener_new(loop, Replaced::OnAccept, &replaced, 0, 0, fd));
  EXPECT_TRUE(loop.RunUntil([&] { return replaced.heir != nullptr; }));
  pair.Send("abc");
  EXPECT_TRUE(loop.RunUntil([&] { return replaced.heir->received == "abc"; }));
  evutil_closesocket(client);
}
#endif

}  // namespace
