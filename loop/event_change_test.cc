// Events that are added, deleted and freed while callbacks run.
#include <memory>
#include <vector>

#include "loop/test_support.h"

namespace {

TEST(EventChanges, DeletedByAnEarlierCallbackNeverFires) {
  Loop loop;
  const int kNum = 10;
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Ev>> events;
  int calls = 0;
  for (int i = 0; i < kNum; i++) {
    pairs.emplace_back(new Pair);
    events.emplace_back(new Ev(loop, (*pairs[i])[0], EV_READ | EV_PERSIST, [&](int, short) {
      calls++;
      for (auto &event : events) event->Del();
    }));
    events.back()->Add();
    pairs[i]->Send(1, "x");
  }
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, calls);
}

TEST(EventChanges, FreedByAnEarlierCallbackNeverFires) {
  Loop loop;
  const int kNum = 10;
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Ev>> events;
  int calls = 0;
  for (int i = 0; i < kNum; i++) {
    pairs.emplace_back(new Pair);
    events.emplace_back(new Ev(loop, (*pairs[i])[0], EV_READ, [&, i](int, short) {
      calls++;
      for (int k = 0; k < kNum; k++) {
        if (k == i) continue;
        events[k]->Free();
        pairs[k]->Close(0);
      }
    }));
    events.back()->Add();
    pairs[i]->Send(1, "x");
  }
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, calls);
}

void FreeSelf(evutil_socket_t, short, void *arg) {
  struct event **slot = static_cast<struct event **>(arg);
  event_free(*slot);
  *slot = nullptr;
}

TEST(EventChanges, CallbackFreesItsOwnEvent) {
  Loop loop;
  Pair pair;
  pair.Send(1, "x");
  const struct timeval soon = Ms(1);
  const short kinds[] = {EV_READ, EV_READ | EV_PERSIST, EV_WRITE | EV_PERSIST, EV_PERSIST, 0};
  struct event *events[5];
  for (int i = 0; i < 5; i++) {
    const bool timer = !(kinds[i] & (EV_READ | EV_WRITE));
    events[i] = event_new(loop, timer ? -1 : pair[0], kinds[i], FreeSelf, &events[i]);
    event_add(events[i], &soon);
  }
  EXPECT_EQ(1, loop.Dispatch());
  for (struct event *event : events) EXPECT_EQ(nullptr, event);
}

TEST(EventChanges, EventsAddedByCallbacksFire) {
  Loop loop;
  Pair pair;
  Pair ready;
  ready.Send(1, "x");
  pair.Send(1, "x");
  Ev second(loop, ready[0], EV_READ);
  Ev first(loop, pair[0], EV_READ, [&](int, short) { second.Add(); });
  first.Add();
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, second.calls);
}

TEST(EventChanges, OneShotRearmsItself) {
  Loop loop;
  Pair pair;
  pair.Send(1, "abc");
  std::string got;
  Ev *self = nullptr;
  Ev ev(loop, pair[0], EV_READ, [&](evutil_socket_t fd, short) {
    char byte;
    ASSERT_EQ(1, recv(fd, &byte, 1, 0));
    got += byte;
    if (got.size() < 3) self->Add();
  });
  self = &ev;
  ev.Add();
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ("abc", got);
}

TEST(EventChanges, DeletedThenAddedAgainInOneTurn) {
  Loop loop;
  Pair pair;
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST, [&](int, short) { pair.Recv(0); });
  ev.Add();
  loop.Turn();
  for (int i = 0; i < 5; i++) {
    ev.Del();
    ev.Add();
  }
  ev.Del();
  Ev other(loop, pair[0], EV_WRITE | EV_PERSIST);
  other.Add();
  ev.Add();
  other.Del();
  pair.Send(1, "x");
  loop.Turn();
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(0, other.calls);
}

// With the changelist, epoll hears of a descriptor in the next turn, and so does whoever closed it.
TEST(EventChanges, ChangelistReportsADescriptorThatIsGone) {
  struct event_config *config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  Loop loop(event_base_new_with_config(config));
  event_config_free(config);
  if (strncmp(event_base_get_method(loop), "epoll", 5) != 0) GTEST_SKIP();
  Pair gone, pair;
  Ev lost(loop, gone[0], EV_READ | EV_PERSIST), ev(loop, pair[0], EV_READ);
  EXPECT_EQ(0, lost.Add());
  EXPECT_EQ(0, ev.Add());
  gone.Close(0);
  pair.Send(1, "x");
  static int num_messages;
  num_messages = 0;
  event_set_log_callback([](int, const char *) { num_messages++; });
  loop.Turn();
  EXPECT_EQ(1, num_messages);
  EXPECT_EQ(1, ev.calls) << "the others go on";
  lost.Del();
  event_set_log_callback(nullptr);
  EXPECT_EQ(0, lost.calls);
}

// A change that waits for the next turn is out of date when the backend is made anew.
TEST(EventChanges, ReinitWithAChangeThatWaits) {
  struct event_config *config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  Loop loop(event_base_new_with_config(config));
  event_config_free(config);
  Pair pair;
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST, [&](int, short) { pair.Recv(0); });
  EXPECT_EQ(0, ev.Add());
  loop.Turn();
  ev.Del();
  EXPECT_EQ(0, event_reinit(loop));
  pair.Send(1, "x");
  loop.Turn();
  EXPECT_EQ(0, ev.calls);
  EXPECT_EQ(0, ev.Add());
  EXPECT_TRUE(loop.RunUntil([&] { return ev.calls == 1; }));
}

}  // namespace
