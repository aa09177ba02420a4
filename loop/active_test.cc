// Activation by hand, pending queries, and what can be asked of an event and of its base.
#include <memory>
#include <vector>

#include "loop/test_support.h"

namespace {

TEST(Pending, DeadlineIsAbsoluteWallTime) {
  Loop loop;
  Ev ev(loop, -1, 0);
  struct timeval deadline = {0, 0};
  EXPECT_EQ(0, event_pending(ev.get(), EV_TIMEOUT, &deadline));
  const long long before = WallUsec();
  ev.AddMs(100000);
  const long long after = WallUsec();
  ASSERT_EQ(EV_TIMEOUT, event_pending(ev.get(), EV_TIMEOUT | EV_READ, &deadline));
  // The loop's clock may be a coarse one.
  EXPECT_GE(Usec(deadline), before + 100000000 - 1000000);
  EXPECT_LE(Usec(deadline), after + 100000000 + 1000000);
}

TEST(Pending, AddReplacesTheTimeoutUnlessItIsNull) {
  Loop loop;
  Pair pair;
  Ev ev(loop, pair[0], EV_READ);
  struct timeval first, second, third;
  ev.AddMs(100000);
  event_pending(ev.get(), EV_TIMEOUT, &first);
  ev.AddMs(10000);
  event_pending(ev.get(), EV_TIMEOUT, &second);
  EXPECT_LT(Usec(second), Usec(first) - 80000000);
  EXPECT_EQ(0, ev.Add());
  ASSERT_EQ(EV_TIMEOUT, event_pending(ev.get(), EV_TIMEOUT, &third));
  EXPECT_NEAR(static_cast<double>(Usec(second)), static_cast<double>(Usec(third)), 1000000);
  ev.AddMs(1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_TIMEOUT, ev.last_what);
}

TEST(Pending, RemoveTimerLeavesTheRest) {
  Loop loop;
  Pair pair;
  Ev ev(loop, pair[0], EV_READ);
  ev.AddMs(1);
  EXPECT_EQ(0, event_remove_timer(ev.get()));
  EXPECT_EQ(EV_READ, ev.Pending(EV_READ | EV_TIMEOUT));
  EXPECT_EQ(0, event_remove_timer(ev.get()));
  Ev later(loop, -1, 0, [&](int, short) { pair.Send(1, "x"); });
  later.AddMs(20);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_READ, ev.last_what);

  Ev timer(loop, -1, 0);
  timer.AddMs(1);
  EXPECT_EQ(0, event_remove_timer(timer.get()));
  EXPECT_EQ(0, timer.Pending(EV_TIMEOUT));
}

TEST(Pending, ActiveEventReportsWhatItWasActivatedWith) {
  Loop loop;
  Pair pair;
  Ev ev(loop, pair[0], EV_READ);
  ev.Active(EV_WRITE);
  EXPECT_EQ(EV_WRITE, ev.Pending(EV_READ | EV_WRITE | EV_TIMEOUT));
  EXPECT_EQ(0, ev.Pending(EV_READ));
}

TEST(Active, RunsAnEventThatIsNotPending) {
  Loop loop;
  Ev ev(loop, -1, 0);
  ev.Active(EV_READ | EV_TIMEOUT);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_READ | EV_TIMEOUT, ev.last_what);
  EXPECT_EQ(-1, ev.last_fd);
}

TEST(Active, TwiceIsOneCallWithBothConditions) {
  Loop loop;
  Ev ev(loop, -1, 0);
  ev.Active(EV_READ);
  ev.Active(EV_WRITE);
  loop.Dispatch();
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_READ | EV_WRITE, ev.last_what);
}

TEST(Active, NumberOfCallsIsIgnoredExceptForSignals) {
  Loop loop;
  Ev ev(loop, -1, 0);
  event_active(ev.get(), EV_READ, 7);
  loop.Dispatch();
  EXPECT_EQ(1, ev.calls);
}

TEST(Active, MakesAOneShotEventNotPending) {
  Loop loop;
  Pair pair;
  Ev once(loop, pair[0], EV_READ);
  Ev persistent(loop, pair[0], EV_READ | EV_PERSIST);
  once.AddMs(100000);
  persistent.Add();
  once.Active(EV_READ);
  persistent.Active(EV_READ);
  loop.Turn();
  EXPECT_EQ(1, once.calls);
  EXPECT_EQ(1, persistent.calls);
  EXPECT_EQ(0, once.Pending(EV_READ | EV_TIMEOUT));
  EXPECT_EQ(EV_READ, persistent.Pending(EV_READ));
}

TEST(Active, DeletedBeforeItRan) {
  Loop loop;
  Ev ev(loop, -1, 0);
  ev.Active(EV_READ);
  ev.Del();
  EXPECT_EQ(0, ev.Pending(EV_READ));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(0, ev.calls);
  ev.Active(EV_READ);
  ev.Free();
  EXPECT_EQ(1, loop.Dispatch());
}

TEST(Active, FromItsOwnCallback) {
  Loop loop;
  Ev *self = nullptr;
  Ev ev(loop, -1, 0, [&](int, short) {
    if (self->calls < 10) self->Active(EV_WRITE);
  });
  self = &ev;
  ev.Active(EV_WRITE);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(10, ev.calls);
}

TEST(Active, KeepsTheOrderOfActivation) {
  Loop loop;
  std::vector<int> order;
  std::vector<std::unique_ptr<Ev>> events;
  for (int i = 0; i < 20; i++) {
    events.emplace_back(new Ev(loop, -1, 0, [&order, i](int, short) { order.push_back(i); }));
  }
  for (int i = 0; i < 20; i++) events[(i * 7) % 20]->Active(EV_READ);
  loop.Dispatch();
  ASSERT_EQ(20u, order.size());
  for (int i = 0; i < 20; i++) EXPECT_EQ((i * 7) % 20, order[i]);
}

TEST(Active, ByDescriptor) {
  Loop loop;
  Pair pair;
  Pair other_pair;
  Ev read(loop, pair[0], EV_READ | EV_PERSIST);
  Ev write(loop, pair[0], EV_WRITE);
  Ev idle(loop, pair[0], EV_READ);
  Ev other(loop, other_pair[0], EV_READ | EV_PERSIST);
  pair.Fill(0);
  read.Add();
  write.Add();
  other.Add();
  event_base_active_by_fd(loop, pair[0], EV_READ);
  event_base_active_by_fd(loop, pair[1], EV_READ);  // Nobody waits there.
  event_base_active_by_fd(loop, 10000, EV_READ);    // Nobody ever did.
  loop.Turn();
  EXPECT_EQ(1, read.calls);
  EXPECT_EQ(EV_READ, read.last_what);
  EXPECT_EQ(0, write.calls);
  EXPECT_EQ(0, idle.calls);
  EXPECT_EQ(0, other.calls);
  event_base_active_by_fd(loop, pair[0], EV_READ | EV_WRITE);
  loop.Turn();
  EXPECT_EQ(2, read.calls);
  EXPECT_EQ(1, write.calls);
  EXPECT_EQ(EV_WRITE, write.last_what);
}

void Nothing(evutil_socket_t, short, void *) {}

TEST(Accessors, ReturnWhatWasAssigned) {
  Loop loop;
  Pair pair;
  int arg;
  struct event *ev = event_new(loop, pair[0], EV_READ | EV_PERSIST, Nothing, &arg);
  ASSERT_NE(nullptr, ev);
  EXPECT_EQ(pair[0], event_get_fd(ev));
  EXPECT_EQ(static_cast<struct event_base *>(loop), event_get_base(ev));
  EXPECT_EQ(EV_READ | EV_PERSIST, event_get_events(ev));
  EXPECT_EQ(&Nothing, event_get_callback(ev));
  EXPECT_EQ(&arg, event_get_callback_arg(ev));
  EXPECT_EQ(0, event_get_priority(ev));
  EXPECT_TRUE(event_initialized(ev));

  struct event_base *base;
  evutil_socket_t fd;
  short events;
  event_callback_fn callback;
  void *out_arg;
  event_get_assignment(ev, &base, &fd, &events, &callback, &out_arg);
  EXPECT_EQ(static_cast<struct event_base *>(loop), base);
  EXPECT_EQ(pair[0], fd);
  EXPECT_EQ(EV_READ | EV_PERSIST, events);
  EXPECT_EQ(&Nothing, callback);
  EXPECT_EQ(&arg, out_arg);
  event_get_assignment(ev, nullptr, nullptr, nullptr, nullptr, nullptr);
  event_free(ev);

  struct event *signal_event = evsignal_new(loop, 2, Nothing, nullptr);
  EXPECT_EQ(2, event_get_signal(signal_event));
  EXPECT_EQ(EV_SIGNAL | EV_PERSIST, event_get_events(signal_event));
  event_free(signal_event);

  struct event *self = event_new(loop, -1, 0, Nothing, event_self_cbarg());
  EXPECT_EQ(self, event_get_callback_arg(self));
  event_free(self);
}

TEST(Accessors, SizesAndVersion) {
  EXPECT_EQ(sizeof(struct event), event_get_struct_event_size());
  EXPECT_STREQ(LIBEVENT_VERSION, event_get_version());
  EXPECT_EQ(static_cast<ev_uint32_t>(LIBEVENT_VERSION_NUMBER), event_get_version_number());
  EXPECT_EQ(0x02010c00u, event_get_version_number());
}

TEST(Assign, CallerOwnsTheMemory) {
  Loop loop;
  struct event ev;
  memset(&ev, 0, sizeof(ev));
  EXPECT_FALSE(event_initialized(&ev));
  int calls = 0;
  auto count = [](evutil_socket_t, short, void *arg) { ++*static_cast<int *>(arg); };
  EXPECT_EQ(0, event_assign(&ev, loop, -1, EV_PERSIST, count, &calls));
  EXPECT_TRUE(event_initialized(&ev));
  event_active(&ev, EV_READ, 1);
  loop.Turn();
  EXPECT_EQ(1, calls);
  event_del(&ev);
  EXPECT_EQ(0, evtimer_assign(&ev, loop, count, &calls));
  const struct timeval zero = {0, 0};
  EXPECT_EQ(0, evtimer_add(&ev, &zero));
  EXPECT_EQ(EV_TIMEOUT, evtimer_pending(&ev, nullptr));
  loop.Dispatch();
  EXPECT_EQ(2, calls);
  event_debug_unassign(&ev);
}

TEST(Assign, SignalsDoNotMixWithDescriptors) {
  QuietLog quiet;
  Loop loop;
  struct event ev;
  EXPECT_EQ(-1, event_assign(&ev, loop, 1, EV_SIGNAL | EV_READ, Nothing, nullptr));
  EXPECT_EQ(nullptr, event_new(loop, 1, EV_SIGNAL | EV_WRITE, Nothing, nullptr));
}

TEST(Assign, BaseSetMovesAnIdleEvent) {
  Loop first;
  Loop second;
  Ev ev(first, -1, 0);
  ev.AddMs(0);
  EXPECT_EQ(-1, event_base_set(second, ev.get()));
  ev.Del();
  EXPECT_EQ(0, event_base_set(second, ev.get()));
  EXPECT_EQ(static_cast<struct event_base *>(second), event_get_base(ev.get()));
  ev.AddMs(0);
  EXPECT_EQ(1, first.Dispatch());
  EXPECT_EQ(0, ev.calls);
  EXPECT_EQ(1, second.Dispatch());
  EXPECT_EQ(1, ev.calls);
}

TEST(BaseQueries, RunningEvent) {
  Loop loop;
  struct event *seen = nullptr;
  Ev ev(loop, -1, 0, [&](int, short) { seen = event_base_get_running_event(loop); });
  ev.Active(EV_READ);
  loop.Dispatch();
  EXPECT_EQ(ev.get(), seen);
}

TEST(BaseQueries, CountsAddedAndActive) {
  Loop loop;
  Pair pair;
  const int added = event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED);
  EXPECT_EQ(0, event_base_get_num_events(loop, EVENT_BASE_COUNT_ACTIVE));
  EXPECT_EQ(0, event_base_get_num_events(loop, EVENT_BASE_COUNT_VIRTUAL));
  Ev read(loop, pair[0], EV_READ);
  Ev write(loop, pair[0], EV_WRITE);
  Ev timer(loop, -1, 0);
  read.Add();
  EXPECT_EQ(added + 1, event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED));
  write.Add();
  EXPECT_EQ(added + 2, event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED));
  write.Add();
  EXPECT_EQ(added + 2, event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED));
  timer.AddMs(100000);
  EXPECT_EQ(added + 3, event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED));
  EXPECT_EQ(added + 3, event_base_get_max_events(loop, EVENT_BASE_COUNT_ADDED, 0));
  // Exact values stop here: libevent counts an active event among the added ones once more.
  read.Active(EV_READ);
  timer.Active(EV_TIMEOUT);
  EXPECT_EQ(2, event_base_get_num_events(loop, EVENT_BASE_COUNT_ACTIVE));
  EXPECT_GE(event_base_get_num_events(loop, EVENT_BASE_COUNT_ACTIVE | EVENT_BASE_COUNT_ADDED),
            2 + added + 3);
  read.Del();
  write.Del();
  timer.Del();
  EXPECT_EQ(added, event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED));
  EXPECT_EQ(0, event_base_get_num_events(loop, EVENT_BASE_COUNT_ACTIVE));

  EXPECT_EQ(2, event_base_get_max_events(loop, EVENT_BASE_COUNT_ACTIVE, 1));
  EXPECT_EQ(0, event_base_get_max_events(loop, EVENT_BASE_COUNT_ACTIVE, 0));
  EXPECT_GE(event_base_get_max_events(loop, EVENT_BASE_COUNT_ADDED, 1), added + 3);
  read.Add();
  EXPECT_EQ(added + 1, event_base_get_max_events(loop, EVENT_BASE_COUNT_ADDED, 0));
}

}  // namespace
