// Finalizers: the safe end of an event that may be running somewhere.
#include <memory>

#include "loop/test_support.h"

namespace {

struct Record {
  int calls = 0;
  int finalized = 0;
  struct event *finalized_event = nullptr;
};

void CountCall(evutil_socket_t, short, void *arg) {
  static_cast<Record *>(arg)->calls++;
}

void Finalized(struct event *ev, void *arg) {
  static_cast<Record *>(arg)->finalized++;
  static_cast<Record *>(arg)->finalized_event = ev;
}

TEST(Finalize, CalledFromTheLoop) {
  Loop loop;
  Record record;
  struct event ev;
  event_assign(&ev, loop, -1, 0, CountCall, &record);
  EXPECT_EQ(0, event_finalize(0, &ev, Finalized));
  EXPECT_EQ(0, record.finalized);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, record.finalized);
  EXPECT_EQ(&ev, record.finalized_event);
  EXPECT_EQ(0, record.calls);
}

TEST(Finalize, PendingAndActiveEventsStop) {
  Loop loop;
  Pair pair;
  Record record;
  pair.Send(1, "x");
  struct event pending, active;
  event_assign(&pending, loop, pair[0], EV_READ | EV_PERSIST, CountCall, &record);
  event_assign(&active, loop, -1, EV_FINALIZE, CountCall, &record);
  const struct timeval zero = {0, 0};
  event_add(&pending, &zero);
  event_active(&active, EV_READ, 1);
  EXPECT_EQ(0, event_finalize(0, &pending, Finalized));
  EXPECT_EQ(0, event_finalize(0, &active, Finalized));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(2, record.finalized);
  EXPECT_EQ(0, record.calls);
}

TEST(Finalize, NothingElseWorksOnTheEvent) {
  QuietLog quiet;
  Loop loop;
  Record record;
  struct event ev;
  event_assign(&ev, loop, -1, 0, CountCall, &record);
  EXPECT_EQ(0, event_finalize(0, &ev, Finalized));
  const struct timeval zero = {0, 0};
  EXPECT_EQ(-1, event_add(&ev, &zero));
  event_active(&ev, EV_READ, 1);
  EXPECT_EQ(0, event_del(&ev));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, record.finalized);
  EXPECT_EQ(0, record.calls);
}

// A leak checker watches this one.
TEST(Finalize, FreeFinalizeFreesTheEvent) {
  Loop loop;
  Pair pair;
  Record record;
  struct event *ev = event_new(loop, pair[0], EV_READ | EV_PERSIST, CountCall, &record);
  event_add(ev, nullptr);
  EXPECT_EQ(0, event_free_finalize(0, ev, Finalized));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, record.finalized);
  EXPECT_EQ(ev, record.finalized_event);
}

TEST(Finalize, FromTheEventsOwnCallback) {
  Loop loop;
  struct Own {
    struct event *ev;
    int finalized;
  } own = {nullptr, 0};
  own.ev = event_new(
      loop, -1, EV_PERSIST,
      [](evutil_socket_t, short, void *arg) {
        Own *own = static_cast<Own *>(arg);
        event_free_finalize(
            0, own->ev, [](struct event *, void *arg) { static_cast<Own *>(arg)->finalized++; });
      },
      &own);
  const struct timeval soon = Ms(1);
  event_add(own.ev, &soon);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, own.finalized);
}

TEST(Finalize, FinalizerMayReuseTheMemory) {
  Loop loop;
  struct Holder {
    struct event ev;
    bool *freed;
  };
  bool freed = false;
  Holder *holder = new Holder;
  holder->freed = &freed;
  event_assign(
      &holder->ev, loop, -1, EV_FINALIZE, [](evutil_socket_t, short, void *) {}, holder);
  EXPECT_EQ(0, event_finalize(0, &holder->ev, [](struct event *, void *arg) {
              Holder *holder = static_cast<Holder *>(arg);
              *holder->freed = true;
              delete holder;
            }));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_TRUE(freed);
}

TEST(Finalize, HasTheEventsPriority) {
  Loop loop;
  event_base_priority_init(loop, 3);
  static std::string *order;
  std::string record;
  order = &record;
  struct event low, high;
  auto nothing = [](evutil_socket_t, short, void *) {};
  event_assign(&low, loop, -1, 0, nothing, nullptr);
  event_assign(&high, loop, -1, 0, nothing, nullptr);
  event_priority_set(&low, 2);
  event_priority_set(&high, 0);
  Ev middle(loop, -1, 0, [&](int, short) { record += 'm'; });
  middle.Active(EV_READ);
  event_finalize(0, &low, [](struct event *, void *) { *order += 'l'; });
  event_finalize(0, &high, [](struct event *, void *) { *order += 'h'; });
  loop.Dispatch();
  EXPECT_EQ("hml", record);
}

TEST(Finalize, RunByFreeingTheBase) {
  Record record;
  struct event ev;
  struct event_base *base = event_base_new();
  event_assign(&ev, base, -1, 0, CountCall, &record);
  event_finalize(0, &ev, Finalized);
  struct event *owned = event_new(base, -1, 0, CountCall, &record);
  event_free_finalize(0, owned, Finalized);
  event_base_free(base);
  EXPECT_EQ(2, record.finalized);
  EXPECT_EQ(0, record.calls);
}

TEST(Finalize, NotRunByFreeNoFinalize) {
  Record record;
  struct event ev;
  struct event_base *base = event_base_new();
  event_assign(&ev, base, -1, 0, CountCall, &record);
  event_finalize(0, &ev, Finalized);
  event_base_free_nofinalize(base);
  EXPECT_EQ(0, record.finalized);
}

}  // namespace
