// Descriptors that change hands: bufferevent_setfd, freeing without close, numbers that the kernel
// gives out again, and a user's own event beside a bufferevent on one descriptor. What was reported
// for one owner never reaches the next, and the next one misses nothing.
#include <memory>

#include "net/test_support.h"

namespace {

class Handover : public ::testing::TestWithParam<Kind> {
 protected:
  Loop loop_;
};

INSTANTIATE_TEST_SUITE_P(All, Handover, ::testing::ValuesIn(kKinds), KindName);

TEST_P(Handover, SetFdInTheTurnInWhichTheOldOneWasReported) {
  if (OnCompletions()) GTEST_SKIP();  // The old one's bytes are received already, and go.
  Pair trigger_pair(false);
  Pair old_pair(GetParam().tcp);
  Pair new_pair(GetParam().tcp);
  Bev bev(loop_, old_pair[0], GetParam().options);
  bev.Enable(EV_READ);
  bool done = false;
  bev.on_read = [&] { EXPECT_TRUE(done) << "read from the old descriptor"; };
  struct Context {
    Bev *bev;
    Pair *pair;
    bool *done;
  } context = {&bev, &new_pair, &done};
  struct event *trigger = event_new(
      loop_, trigger_pair[0], EV_READ,
      [](evutil_socket_t, short, void *arg) {
        Context *context = static_cast<Context *>(arg);
        context->bev->SetFd((*context->pair)[0]);
        *context->done = true;
      },
      &context);
  event_add(trigger, nullptr);
  loop_.Settle();
  trigger_pair.Send("x");
  // Activated by hand before the turn: this callback runs first.
  event_active(trigger, EV_READ, 1);
  old_pair.Send("old");
  old_pair.ShutdownWrite();
  new_pair.Send("new");
  ASSERT_TRUE(WaitFor(old_pair[0], POLLIN) && WaitFor(new_pair[0], POLLIN));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received.size() >= 3; }));
  loop_.Settle();
  EXPECT_EQ("new", bev.received);
  EXPECT_TRUE(bev.events.empty());
  event_free(trigger);
  // The old one is nobody's now and serves another bufferevent.
  Bev heir(loop_, old_pair[0], GetParam().options);
  heir.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return !heir.events.empty(); }));
  EXPECT_EQ("old", heir.received);
}

TEST_P(Handover, SetToTheSameDescriptorAgain) {
  if (OnCompletions()) GTEST_SKIP();  // What was received and not delivered goes.
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.Enable(EV_READ);
  loop_.Settle();
  pair.Send("abc");
  ASSERT_TRUE(WaitFor(pair[0], POLLIN));
  bev.SetFd(pair[0]);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abc"; }));
  bev.SetFd(pair[0]);
  pair.Send("def");
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abcdef"; }));
}

// Programs that make their output in the write callback begin with that.
TEST_P(Handover, SocketThatIsSetIsToldToBeWritable) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, -1, GetParam().options);
  loop_.Settle();
  EXPECT_EQ(0, bev.writes);
  EXPECT_EQ(0, bev.SetFd(pair[0]));
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.writes > 0; }));
  loop_.Settle();
  EXPECT_EQ(1, bev.writes);
}

TEST_P(Handover, FreedWithoutCloseThenAnotherBufferevent) {
  // On completions what waits is received already, and goes.
  for (int waiting = 0; waiting < (OnCompletions() ? 1 : 2); waiting++) {
    Pair pair(GetParam().tcp);
    {
      Bev bev(loop_, pair[0], GetParam().options);
      bev.Enable(EV_READ);
      loop_.Settle();
      if (waiting) {
        pair.Send("abc");
        ASSERT_TRUE(WaitFor(pair[0], POLLIN));
      }
    }
    Bev heir(loop_, pair[0], GetParam().options);
    heir.Enable(EV_READ);
    if (!waiting) {
      loop_.Settle();
      pair.Send("abc");
    }
    EXPECT_TRUE(loop_.RunUntil([&] { return heir.received == "abc"; }));
    heir.Write("def");
    std::string got;
    EXPECT_TRUE(Drain(&loop_, &pair, &got, 3));
    EXPECT_EQ("def", got);
  }
}

void CountCall(evutil_socket_t, short, void *arg) {
  ++*static_cast<int *>(arg);
}

TEST_P(Handover, FreedWithoutCloseThenAnEvent) {
  if (OnCompletions()) GTEST_SKIP();  // What waits is received already, and goes.
  for (const short flags : {EV_READ | EV_PERSIST, EV_READ | EV_PERSIST | EV_ET}) {
    Pair pair(GetParam().tcp);
    {
      Bev bev(loop_, pair[0], GetParam().options);
      bev.Enable(EV_READ);
      loop_.Settle();
      pair.Send("abc");
      ASSERT_TRUE(WaitFor(pair[0], POLLIN));
    }
    int calls = 0;
    struct event *ev = event_new(loop_, pair[0], flags, CountCall, &calls);
    EXPECT_EQ(0, event_add(ev, nullptr));
    loop_.Settle(5);
    const bool has_edge = event_base_get_features(loop_) & EV_FEATURE_ET;
    EXPECT_EQ(flags & EV_ET && has_edge ? 1 : 5, calls);
    event_free(ev);
  }
}

#ifndef _WIN32  // A new socket can't be given a number of the program's choice.
// In one turn both are reported; the first one's callback frees the second and gives its number to
// a new socket. What was reported for the old owner is nothing to the new one.
TEST_P(Handover, NumberReusedWithinATurn) {
  // libevent keeps a freed bufferevent registered while a deferred callback of it waits.
  if (kOnLibevent && (GetParam().options & BEV_OPT_DEFER_CALLBACKS)) GTEST_SKIP();
  Pair pairs[2] = {Pair(GetParam().tcp), Pair(GetParam().tcp)};
  Pair fresh(GetParam().tcp);
  Bev first(loop_, pairs[0][0], GetParam().options);
  Bev second(loop_, pairs[1][0], GetParam().options);
  Bev *const both[] = {&first, &second};
  std::unique_ptr<Bev> heir;
  int winner = -1;
  for (int i = 0; i < 2; i++) {
    both[i]->on_read = [&, i] {
      if (winner >= 0) return;
      winner = i;
      const evutil_socket_t number = pairs[1 - i][0];
      both[1 - i]->Free();
      ASSERT_EQ(number, dup2(fresh[0], number));
      heir = std::make_unique<Bev>(loop_, number, GetParam().options);
      heir->Enable(EV_READ);
    };
    both[i]->Enable(EV_READ);
  }
  loop_.Settle();
  for (Pair &pair : pairs) {
    pair.Send("old");
    pair.ShutdownWrite();
  }
  ASSERT_TRUE(WaitForArrival(pairs[0][0]) && WaitForArrival(pairs[1][0]));
  EXPECT_TRUE(loop_.RunUntil([&] { return winner >= 0 && !both[winner]->events.empty(); }));
  loop_.Settle();
  ASSERT_NE(nullptr, heir);
  EXPECT_EQ("", heir->received);
  EXPECT_TRUE(heir->events.empty());
  EXPECT_EQ(0, heir->reads);
  fresh.Send("new");
  EXPECT_TRUE(loop_.RunUntil([&] { return heir->received == "new"; }));
  heir->Free();
}
#endif

TEST_P(Handover, CloseOnFreeAndNewSocketWithTheNumber) {
  for (int round = 0; round < 20; round++) {
    Pair pair(GetParam().tcp);
    const evutil_socket_t number = pair[0];
    Bev bev(loop_, pair.Release(0), GetParam().options | BEV_OPT_CLOSE_ON_FREE);
    bev.Enable(EV_READ);
    if (round % 2) loop_.Settle();
    pair.Send("old");
    if (round % 4 >= 2) pair.Close(1);
    bev.Free();
    loop_.Settle(2);
    EXPECT_EQ(-1, fcntl(number, F_GETFD));
    Pair fresh(GetParam().tcp);
    Bev heir(loop_, fresh[0], GetParam().options);
    heir.Enable(EV_READ);
    fresh.Send("new");
    fresh.ShutdownWrite();
    EXPECT_TRUE(loop_.RunUntil([&] { return !heir.events.empty(); }));
    EXPECT_EQ("new", heir.received);
    EXPECT_EQ(std::vector<short>{kEof}, heir.events);
  }
}
// ---- A user's own level-triggered event on the bufferevent's descriptor. ----

TEST_P(Handover, LevelTriggeredEventBesideADisabledBufferevent) {
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  loop_.Settle();
  int calls = 0;
  struct event *ev = event_new(loop_, pair[0], EV_READ | EV_PERSIST, CountCall, &calls);
  EXPECT_EQ(0, event_add(ev, nullptr));
  pair.Send("abc");
  ASSERT_TRUE(WaitFor(pair[0], POLLIN));
  loop_.Settle(5);
  EXPECT_EQ(5, calls);  // Again and again: nobody reads.
  EXPECT_EQ(0u, bev.input_len());
  bev.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abc"; }));
  loop_.Settle(2);
  const int settled = calls;
  loop_.Settle(5);
  EXPECT_EQ(settled, calls);
  pair.Send("def");
#ifdef _WIN32  // A receive that waits takes the bytes, and no poll sees them.
  const bool sees_bytes = !OnCompletions();
#else
  const bool sees_bytes = true;
#endif
  EXPECT_TRUE(
      loop_.RunUntil([&] { return bev.received == "abcdef" && (calls > settled || !sees_bytes); }));
  event_free(ev);
  pair.Send("ghi");
  pair.ShutdownWrite();
  EXPECT_TRUE(loop_.RunUntil([&] { return !bev.events.empty(); }));
  loop_.Settle();
  EXPECT_EQ("abcdefghi", bev.received);
  EXPECT_EQ(std::vector<short>{kEof}, bev.events);
}

TEST_P(Handover, LevelTriggeredEventAddedAfterTheEdge) {
  if (OnCompletions()) GTEST_SKIP();  // There is no edge: the bytes are received.
  Pair pair(GetParam().tcp);
  Bev bev(loop_, pair[0], GetParam().options);
  bev.Enable(EV_READ);
  loop_.Settle();
  bev.Disable(EV_READ);
  pair.Send("abc");
  ASSERT_TRUE(WaitFor(pair[0], POLLIN));
  loop_.Settle();  // The edge has passed.
  int reads = 0;
  int writes = 0;
  struct event *read = event_new(loop_, pair[0], EV_READ | EV_PERSIST, CountCall, &reads);
  struct event *write = event_new(loop_, pair[0], EV_WRITE | EV_PERSIST, CountCall, &writes);
  event_add(read, nullptr);
  event_add(write, nullptr);
  loop_.Settle(5);
  EXPECT_EQ(5, reads);
  EXPECT_EQ(5, writes);
  event_del(read);
  loop_.Settle(5);
  EXPECT_EQ(5, reads);
  EXPECT_EQ(10, writes);
  event_free(read);
  event_free(write);
  bev.Enable(EV_READ);
  EXPECT_TRUE(loop_.RunUntil([&] { return bev.received == "abc"; }));
}

TEST_P(Handover, LevelTriggeredEventOutlivesTheBufferevent) {
  Pair pair(GetParam().tcp);
  int calls = 0;
  struct event *ev = event_new(loop_, pair[0], EV_READ | EV_PERSIST, CountCall, &calls);
  {
    Bev bev(loop_, pair[0], GetParam().options);
    bev.Enable(EV_READ | EV_WRITE);
    event_add(ev, nullptr);
    loop_.Settle();
  }
  pair.Send("abc");
  ASSERT_TRUE(WaitFor(pair[0], POLLIN));
  loop_.Settle(5);
  EXPECT_EQ(5, calls);
  event_free(ev);
}
}  // namespace
