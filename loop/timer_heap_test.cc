extern "C" {
#include "loop/timer_heap.h"
}

#include <algorithm>
#include <deque>
#include <map>
#include <random>

#include "gtest/gtest.h"

namespace {

class TimerHeapTest : public testing::Test {
 protected:
  ~TimerHeapTest() override { event_timer_heap_clear(&heap_); }

  struct event *Push(int64_t deadline) {
    events_.emplace_back();
    struct event *event = &events_.back();
    event_timer_heap_init_event(event);
    EXPECT_EQ(0, event_timer_heap_reserve(&heap_));
    event_timer_heap_push(&heap_, event, deadline);
    return event;
  }

  int64_t Pop() {
    struct event *top = event_timer_heap_top(&heap_);
    event_timer_heap_remove(&heap_, top);
    EXPECT_FALSE(event_timer_heap_contains(top));
    return event_timer_heap_deadline_ns(top);
  }

  std::deque<struct event> events_;
  struct timer_heap heap_ = {};
};

TEST_F(TimerHeapTest, PopsInOrder) {
  std::mt19937 random(1);
  std::vector<int64_t> deadlines;
  for (int i = 0; i < 5000; i++) deadlines.push_back(static_cast<int64_t>(random() % 1000));
  for (int64_t deadline : deadlines) Push(deadline);
  std::sort(deadlines.begin(), deadlines.end());
  for (int64_t deadline : deadlines) ASSERT_EQ(deadline, Pop());
  EXPECT_TRUE(event_timer_heap_is_empty(&heap_));
}

TEST_F(TimerHeapTest, SiblingsShareACacheLine) {
  if (sizeof(struct timer_slot) != 16) GTEST_SKIP() << "a slot is shorter where pointers are";
  for (int i = 0; i < 100; i++) Push(i);
  const struct timer_slot *first_child = &heap_.slots[TIMER_HEAP_ROOT + 1];
  EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(first_child) % 64);
}

TEST_F(TimerHeapTest, GivesMemoryBack) {
  for (int i = 0; i < 10000; i++) Push(i);
  int full = heap_.capacity;
  while (!event_timer_heap_is_empty(&heap_)) Pop();
  EXPECT_LT(heap_.capacity, full / 16);
}

TEST_F(TimerHeapTest, PuttingOffMovesNothing) {
  std::vector<struct event *> events;
  for (int i = 0; i < 100; i++) events.push_back(Push(i));
  for (int i = 0; i < 100; i++) {
    const int index = events[i]->ev_timeout_pos.min_heap_idx;
    event_timer_heap_update(&heap_, events[i], 1000 - i);
    EXPECT_EQ(index, events[i]->ev_timeout_pos.min_heap_idx);
  }
  for (int i = 99; i >= 0; i--) {
    ASSERT_EQ(events[i], event_timer_heap_top(&heap_));
    ASSERT_EQ(1000 - i, Pop());
  }
}

TEST_F(TimerHeapTest, AnEarlierDeadlineCountsAtOnce) {
  for (int i = 0; i < 100; i++) Push(100 + i);
  struct event *last = Push(1000);
  event_timer_heap_update(&heap_, last, 5000);
  event_timer_heap_update(&heap_, last, 2000);
  EXPECT_NE(last, event_timer_heap_top(&heap_));
  event_timer_heap_update(&heap_, last, 7);
  EXPECT_EQ(last, event_timer_heap_top(&heap_));
  EXPECT_EQ(7, Pop());
}

/* Random inserts, moves and removals against a multimap. */
TEST_F(TimerHeapTest, EqualsAModel) {
  std::mt19937 random(2);
  std::map<struct event *, int64_t> model;
  for (int step = 0; step < 50000; step++) {
    int64_t deadline = static_cast<int64_t>(random() % 100000);
    auto any = model.begin();
    if (!model.empty()) std::advance(any, random() % std::min<size_t>(model.size(), 50));
    switch (random() % 4) {
      case 0:
      case 1:
        model[Push(deadline)] = deadline;
        break;
      case 2:
        if (model.empty()) break;
        event_timer_heap_update(&heap_, any->first, deadline);
        any->second = deadline;
        break;
      case 3:
        if (model.empty()) break;
        event_timer_heap_remove(&heap_, any->first);
        model.erase(any);
        break;
    }
    if (step % 500 == 0 && !model.empty()) {
      auto least = std::min_element(model.begin(), model.end(),
                                    [](auto &a, auto &b) { return a.second < b.second; });
      ASSERT_EQ(least->second, event_timer_heap_deadline_ns(event_timer_heap_top(&heap_)));
      ASSERT_EQ(static_cast<int>(model.size()), heap_.num_timers);
    }
  }
  for (int64_t last = 0; !event_timer_heap_is_empty(&heap_);) {
    int64_t next = Pop();
    ASSERT_LE(last, next);
    last = next;
  }
}

}  // namespace
