// event_reinit: a base that goes on in a child after fork. The child reports through its exit
// status: 0 when all is well, else the number of the check that failed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/test_support.h"

namespace {

int ExitCodeOf(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

#define CHECK_IN_CHILD(number, condition) \
  do {                                    \
    if (!(condition)) _exit(number);      \
  } while (0)

TEST(Fork, DescriptorsWorkInTheChild) {
  Loop loop;
  Pair pair;
  Pair second;
  Ev read(loop, pair[0], EV_READ | EV_PERSIST);
  Ev write(loop, second[0], EV_WRITE);
  Ev both(loop, second[0], EV_READ | EV_PERSIST);
  read.Add();
  write.Add();
  both.Add();
  const pid_t child = fork();
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(loop) == 0);
    CHECK_IN_CHILD(2, read.Pending(EV_READ) == EV_READ);
    loop.Turn();
    CHECK_IN_CHILD(3, write.calls == 1 && read.calls == 0 && both.calls == 0);
    pair.Send(1, "x");
    second.Send(1, "x");
    loop.Turn();
    CHECK_IN_CHILD(4, read.calls == 1 && both.calls == 1);
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
}

// The kernel's set is shared by a fork; after event_reinit the child's changes stay its own.
TEST(Fork, ChildDoesNotDisturbTheParent) {
  Loop loop;
  Pair pair;
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST);
  ev.Add();
  loop.Turn();
  const pid_t child = fork();
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(loop) == 0);
    CHECK_IN_CHILD(2, ev.Del() == 0);
    CHECK_IN_CHILD(3, loop.Dispatch() == 1);
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  pair.Send(1, "x");
  loop.Turn();
  EXPECT_EQ(1, ev.calls);
}

TEST(Fork, FreeingTheBaseInTheChildDoesNotDisturbTheParent) {
  struct event_base *base = event_base_new();
  Pair pair;
  int calls = 0;
  struct event *ev = event_new(
      base, pair[0], EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void *arg) { ++*static_cast<int *>(arg); }, &calls);
  event_add(ev, nullptr);
  const pid_t child = fork();
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(base) == 0);
    event_free(ev);
    event_base_free(base);
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  pair.Send(1, "x");
  event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(1, calls);
  event_free(ev);
  event_base_free(base);
}

// A descriptor of the old base's may have its number taken by one of the fresh base's.
void UseAFreshBaseInTheChild(bool frees_the_old_one) {
  struct event_base *old_base = event_base_new();
  Pair pair;
  const auto count = [](evutil_socket_t, short, void *arg) { ++*static_cast<int *>(arg); };
  int old_calls = 0, calls = 0;
  struct event *old_event = event_new(old_base, pair[0], EV_READ | EV_PERSIST, count, &old_calls);
  event_add(old_event, nullptr);
  const pid_t child = fork();
  if (child == 0) {
    Loop fresh;
    Ev event(fresh, pair[0], EV_READ | EV_PERSIST, [&](int, short) { calls++; });
    event.Add();
    event_del(old_event);
    if (frees_the_old_one) event_base_free(old_base);
    pair.Send(1, "x");
    fresh.RunUntil([&] { return calls > 0; });
    _exit(calls > 0 && old_calls == 0 ? 0 : 1);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  event_free(old_event);
  event_base_free(old_base);
}

TEST(Fork, DeletingOldEventsLeavesAFreshBaseAlone) {
  UseAFreshBaseInTheChild(false);
}

TEST(Fork, FreeingTheOldBaseLeavesAFreshBaseAlone) {
  UseAFreshBaseInTheChild(true);
}

TEST(Fork, TimersWorkInTheChild) {
  Loop loop;
  Ev ev(loop, -1, 0);
  ev.AddMs(10);
  const pid_t child = fork();
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(loop) == 0);
    CHECK_IN_CHILD(2, loop.Dispatch() == 1);
    CHECK_IN_CHILD(3, ev.calls == 1);
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
}

TEST(Fork, SignalsAreSeparate) {
  Loop loop;
  Ev ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  ev.Add();
  raise(SIGUSR1);
  loop.RunUntil([&] { return ev.calls == 1; });
  ASSERT_EQ(1, ev.calls);
  const pid_t child = fork();
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(loop) == 0);
    raise(SIGUSR1);
    CHECK_IN_CHILD(2, loop.RunUntil([&] { return ev.calls == 2; }));
    ev.Del();
    CHECK_IN_CHILD(3, loop.Dispatch() == 1);
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
  loop.Turn();
  EXPECT_EQ(1, ev.calls);  // The child's signal stayed there.
  raise(SIGUSR1);
  EXPECT_TRUE(loop.RunUntil([&] { return ev.calls == 2; }));
}

TEST(Fork, SignalsAddedInTheChild) {
  Loop loop;
  Pair pair;
  Ev read(loop, pair[0], EV_READ | EV_PERSIST);
  read.Add();
  const pid_t child = fork();
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(loop) == 0);
    Ev ev(loop, SIGUSR2, EV_SIGNAL);
    CHECK_IN_CHILD(2, ev.Add() == 0);
    raise(SIGUSR2);
    CHECK_IN_CHILD(3, loop.RunUntil([&] { return ev.calls == 1; }));
    _exit(0);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
}

TEST(Fork, ReinitWithoutAForkIsHarmless) {
  Loop loop;
  Pair pair;
  Ev read(loop, pair[0], EV_READ | EV_PERSIST);
  Ev signal_ev(loop, SIGUSR1, EV_SIGNAL | EV_PERSIST);
  read.Add();
  signal_ev.Add();
  EXPECT_EQ(0, event_reinit(loop));
  EXPECT_EQ(0, event_reinit(loop));
  pair.Send(1, "x");
  raise(SIGUSR1);
  EXPECT_TRUE(loop.RunUntil([&] { return read.calls > 0 && signal_ev.calls == 1; }));
}

TEST(Fork, GenerationsOfChildren) {
  Loop loop;
  Pair pair;
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST, [&](int, short) { pair.Recv(0); });
  ev.Add();
  const pid_t child = fork();
  if (child == 0) {
    CHECK_IN_CHILD(1, event_reinit(loop) == 0);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      CHECK_IN_CHILD(1, event_reinit(loop) == 0);
      pair.Send(1, "x");
      loop.Turn();
      _exit(ev.calls == 1 ? 0 : 2);
    }
    CHECK_IN_CHILD(3, ExitCodeOf(grandchild) == 0);
    pair.Send(1, "x");
    loop.Turn();
    _exit(ev.calls == 1 ? 0 : 4);
  }
  EXPECT_EQ(0, ExitCodeOf(child));
}

}  // namespace
