// Priorities: strict order between them, first come first served within one.
#include <memory>
#include <vector>

#include "loop/test_support.h"

namespace {

TEST(Priority, DefaultsToTheMiddle) {
  Loop loop;
  EXPECT_EQ(1, event_base_get_npriorities(loop));
  EXPECT_EQ(0, event_base_priority_init(loop, 5));
  EXPECT_EQ(5, event_base_get_npriorities(loop));
  Ev ev(loop, -1, 0);
  EXPECT_EQ(2, event_get_priority(ev.get()));
  EXPECT_EQ(0, event_base_priority_init(loop, 8));
  Ev even(loop, -1, 0);
  EXPECT_EQ(4, event_get_priority(even.get()));
}

TEST(Priority, RangeIsChecked) {
  Loop loop;
  EXPECT_EQ(-1, event_base_priority_init(loop, 0));
  EXPECT_EQ(-1, event_base_priority_init(loop, -1));
  EXPECT_EQ(-1, event_base_priority_init(loop, EVENT_MAX_PRIORITIES + 1));
  EXPECT_EQ(1, event_base_get_npriorities(loop));
  EXPECT_EQ(0, event_base_priority_init(loop, EVENT_MAX_PRIORITIES - 1));
  EXPECT_EQ(0, event_base_priority_init(loop, 3));
  Ev ev(loop, -1, 0);
  EXPECT_EQ(0, event_priority_set(ev.get(), 0));
  EXPECT_EQ(0, event_priority_set(ev.get(), 2));
  EXPECT_EQ(2, event_get_priority(ev.get()));
  EXPECT_EQ(-1, event_priority_set(ev.get(), 3));
  EXPECT_EQ(-1, event_priority_set(ev.get(), -1));
  EXPECT_EQ(2, event_get_priority(ev.get()));
}

TEST(Priority, NotChangedWhileActive) {
  Loop loop;
  event_base_priority_init(loop, 3);
  Ev ev(loop, -1, 0);
  ev.Active(EV_READ);
  EXPECT_EQ(-1, event_priority_set(ev.get(), 0));
  EXPECT_EQ(-1, event_base_priority_init(loop, 2));
  loop.Dispatch();
  EXPECT_EQ(0, event_priority_set(ev.get(), 0));
}

TEST(Priority, ChangedWhilePending) {
  Loop loop;
  event_base_priority_init(loop, 2);
  std::vector<char> order;
  Ev a(loop, -1, 0, [&](int, short) { order.push_back('a'); });
  Ev b(loop, -1, 0, [&](int, short) { order.push_back('b'); });
  event_priority_set(a.get(), 0);
  event_priority_set(b.get(), 1);
  a.AddMs(1);
  b.AddMs(1);
  EXPECT_EQ(0, event_priority_set(a.get(), 1));
  EXPECT_EQ(0, event_priority_set(b.get(), 0));
  SpinUntil(WallUsec() + 30000);
  loop.Dispatch();
  EXPECT_EQ((std::vector<char>{'b', 'a'}), order);
}

TEST(Priority, UrgentRunsFirst) {
  Loop loop;
  event_base_priority_init(loop, 4);
  std::vector<int> order;
  std::vector<std::unique_ptr<Ev>> events;
  for (int i = 0; i < 12; i++) {
    events.emplace_back(new Ev(loop, -1, 0, [&order, i](int, short) { order.push_back(i % 4); }));
    event_priority_set(events.back()->get(), i % 4);
  }
  for (int i = 11; i >= 0; i--) events[i]->Active(EV_READ);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ((std::vector<int>{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}), order);
}

TEST(Priority, UrgentStarvesTheRest) {
  Loop loop;
  event_base_priority_init(loop, 2);
  std::vector<char> order;
  Ev *self = nullptr;
  Ev urgent(loop, -1, 0, [&](int, short) {
    order.push_back('u');
    if (order.size() < 6) self->Active(EV_READ);
  });
  self = &urgent;
  Ev relaxed(loop, -1, 0, [&](int, short) { order.push_back('r'); });
  event_priority_set(urgent.get(), 0);
  event_priority_set(relaxed.get(), 1);
  relaxed.Active(EV_READ);
  urgent.Active(EV_READ);
  loop.Dispatch();
  EXPECT_EQ("uuuuuur", std::string(order.begin(), order.end()));
}

// After the urgent callbacks the kernel is asked again before anything less urgent runs.
TEST(Priority, LooksForUrgentEventsBetweenPriorities) {
  Loop loop;
  event_base_priority_init(loop, 3);
  Pair pair;
  std::string order;
  Ev read(loop, pair[0], EV_READ, [&](int, short) { order += 'r'; });
  Ev first(loop, -1, 0, [&](int, short) {
    order += 'f';
    pair.Send(1, "x");
  });
  Ev last(loop, -1, 0, [&](int, short) { order += 'l'; });
  event_priority_set(read.get(), 0);
  event_priority_set(first.get(), 1);
  event_priority_set(last.get(), 2);
  read.Add();
  last.Active(EV_READ);
  first.Active(EV_READ);
  loop.Dispatch();
  EXPECT_EQ("frl", order);
}

// Activating something more urgent than what runs ends the pass early, as loopcontinue would.
TEST(Priority, ActivatingAMoreUrgentEventInterruptsThePass) {
  Loop loop;
  event_base_priority_init(loop, 2);
  std::string order;
  Ev urgent(loop, -1, 0, [&](int, short) { order += 'u'; });
  Ev second(loop, -1, 0, [&](int, short) { order += '2'; });
  Ev first(loop, -1, 0, [&](int, short) {
    order += '1';
    urgent.Active(EV_READ);
  });
  event_priority_set(urgent.get(), 0);
  event_priority_set(first.get(), 1);
  event_priority_set(second.get(), 1);
  first.Active(EV_READ);
  second.Active(EV_READ);
  loop.Dispatch();
  EXPECT_EQ("1u2", order);
}

TEST(Priority, HoldsForTimersAndDescriptorsAlike) {
  Loop loop;
  event_base_priority_init(loop, 3);
  Pair pair;
  pair.Send(1, "x");
  std::string order;
  Ev write(loop, pair[0], EV_WRITE, [&](int, short) { order += 'w'; });
  Ev timer(loop, -1, 0, [&](int, short) { order += 't'; });
  Ev read(loop, pair[0], EV_READ, [&](int, short) { order += 'r'; });
  event_priority_set(write.get(), 2);
  event_priority_set(timer.get(), 0);
  event_priority_set(read.get(), 1);
  write.Add();
  timer.AddMs(0);
  read.Add();
  loop.Dispatch();
  EXPECT_EQ("trw", order);
}

TEST(Priority, DeletedByAMoreUrgentCallback) {
  Loop loop;
  event_base_priority_init(loop, 2);
  Ev relaxed(loop, -1, 0);
  Ev urgent(loop, -1, 0, [&](int, short) { relaxed.Del(); });
  event_priority_set(urgent.get(), 0);
  event_priority_set(relaxed.get(), 1);
  relaxed.Active(EV_READ);
  urgent.Active(EV_READ);
  loop.Dispatch();
  EXPECT_EQ(0, relaxed.calls);
}

}  // namespace
