// What only the kqueue backend has: changes that go with the wait, filters that the kernel refuses,
// an end of data that is waited for alone, signals, and queues that a child does not inherit.
#include <signal.h>
#include <sys/wait.h>

#include <vector>

#include "backends/testing/kqueue_broken_pipe.h"

extern "C" {
#include "backends/kqueue.h"
}

#include <event2/event.h>

namespace {

using readiness_testing::Backend;
using readiness_testing::Fd;
using readiness_testing::Pair;
using readiness_testing::Sink;

int num_warnings;

// The batching backend, told to put changes off as event_fd_map_flush() does.
class LateChanges : public testing::Test {
 protected:
  LateChanges() : ops_(event_kqueue_ops.batching), state_(ops_->init(0)) {
    num_warnings = 0;
    event_set_log_callback([](int severity, const char *) {
      if (severity >= EVENT_LOG_WARN) num_warnings++;
    });
  }
  ~LateChanges() override {
    if (state_ != nullptr) ops_->destroy(state_);
    event_set_log_callback(nullptr);
  }

  int Change(evutil_socket_t fd, short old_mask, short new_mask, uint32_t generation = 1) {
    const struct event_readiness_change change = {fd, old_mask, new_mask, generation, &word_, 1};
    return ops_->change(state_, &change);
  }
  void Wait(Sink *sink, int64_t deadline_ns = 0) {
    EXPECT_EQ(0, ops_->wait(state_, strata_monotonic_ns(), deadline_ns, sink->get()));
  }
  short PollOf(evutil_socket_t fd) {
    Sink sink;
    Wait(&sink);
    return sink.WhatOf(fd);
  }

  const struct event_readiness_ops *ops_;
  void *state_;
  intptr_t word_ = 0;
};

TEST_F(LateChanges, AreMadeByTheNextWait) {
  Pair pair;
  readiness_testing::Send(pair.b);
  ASSERT_EQ(0, Change(pair.a, 0, EV_READ));
  EXPECT_EQ(EV_READ, PollOf(pair.a));
  ASSERT_EQ(0, Change(pair.a, EV_READ, EV_READ | EV_WRITE));
  EXPECT_EQ(EV_READ | EV_WRITE, PollOf(pair.a));
  ASSERT_EQ(0, Change(pair.a, EV_READ | EV_WRITE, 0));
  EXPECT_EQ(0, PollOf(pair.a));
}

// What is ready already is found by the same system call, without the lock being released.
TEST_F(LateChanges, AreHandedOverUnderTheLock) {
  Pair pair;
  readiness_testing::Send(pair.b);
  ASSERT_EQ(0, Change(pair.a, 0, EV_READ));
  Sink sink;
  Wait(&sink, readiness_testing::kForever);
  EXPECT_EQ(EV_READ, sink.WhatOf(pair.a));
  EXPECT_EQ(0, sink.num_unlocks);
}

TEST_F(LateChanges, AWaitFollowsThem) {
  Pair pair;
  ASSERT_EQ(0, Change(pair.a, 0, EV_READ));
  Sink sink;
  sink.on_unlock = [&] { readiness_testing::Send(pair.b); };
  Wait(&sink, readiness_testing::kForever);
  EXPECT_EQ(EV_READ, sink.WhatOf(pair.a));
  EXPECT_EQ(1, sink.num_unlocks);
}

TEST_F(LateChanges, ManyAtOnce) {
  std::vector<Pair> pairs(150);
  for (Pair &pair : pairs) ASSERT_EQ(0, Change(pair.a, 0, EV_READ | EV_WRITE | EV_ET));
  for (Pair &pair : pairs) {
    ASSERT_EQ(0, Change(pair.a, EV_READ | EV_WRITE | EV_ET, EV_WRITE | EV_ET));
  }
  Sink sink;
  for (int i = 0; i < 10; i++) Wait(&sink);
  EXPECT_EQ(pairs.size(), sink.reports.size());
  EXPECT_EQ(0, num_warnings);
}

// Closed between the change and the wait: the program's fault, of which the log tells; the others
// are not held up.
TEST_F(LateChanges, ErrorIsLogged) {
  Pair pair, other;
  ASSERT_EQ(0, Change(pair.a, 0, EV_WRITE));
  ASSERT_EQ(0, Change(other.a, 0, EV_WRITE));
  pair.a.Close();
  Sink sink;
  Wait(&sink);
  Wait(&sink);
  EXPECT_EQ(1, num_warnings);
  EXPECT_EQ(EV_WRITE, sink.WhatOf(other.a));
}

// Each error has its place, and what is ready is reported as well.
TEST_F(LateChanges, ManyErrorsOfOneWait) {
  std::vector<Pair> pairs(100);
  Pair last;
  for (Pair &pair : pairs) ASSERT_EQ(0, Change(pair.a, 0, EV_WRITE));
  ASSERT_EQ(0, Change(last.a, 0, EV_WRITE));
  for (Pair &pair : pairs) pair.a.Close();
  EXPECT_EQ(EV_WRITE, PollOf(last.a));
  EXPECT_EQ(static_cast<int>(pairs.size()), num_warnings);
}

// The kernel reports either errors or what is ready.
TEST_F(LateChanges, ErrorHidesNothingThatIsReady) {
  Pair pair, other;
  ASSERT_EQ(0, Change(other.a, 0, EV_WRITE));
  EXPECT_EQ(EV_WRITE, PollOf(other.a));
  ASSERT_EQ(0, Change(pair.a, 0, EV_WRITE));
  pair.a.Close();
  EXPECT_EQ(EV_WRITE, PollOf(other.a));
  EXPECT_EQ(1, num_warnings);
}

TEST_F(LateChanges, AWaitFollowsAnError) {
  Pair pair, other;
  ASSERT_EQ(0, Change(pair.a, 0, EV_WRITE));
  ASSERT_EQ(0, Change(other.a, 0, EV_READ));
  pair.a.Close();
  Sink sink;
  sink.on_unlock = [&] { readiness_testing::Send(other.b); };
  Wait(&sink, readiness_testing::kForever);
  EXPECT_EQ(EV_READ, sink.WhatOf(other.a));
}

TEST_F(LateChanges, ForgettingWhatIsClosedIsNoError) {
  Pair pair;
  ASSERT_EQ(0, Change(pair.a, 0, EV_READ | EV_WRITE));
  EXPECT_EQ(EV_WRITE, PollOf(pair.a));
  const evutil_socket_t fd = pair.a;
  pair.a.Close();
  ASSERT_EQ(0, Change(fd, EV_READ | EV_WRITE, 0));
  EXPECT_EQ(0, PollOf(fd));
  EXPECT_EQ(0, num_warnings);
}

TEST_F(LateChanges, PipeWithoutAReaderIsWritable) {
  BrokenPipe write_end;
  ASSERT_EQ(0, Change(write_end, 0, EV_WRITE));
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, PollOf(write_end));
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, PollOf(write_end));
  EXPECT_EQ(0, num_warnings);
  ASSERT_EQ(0, Change(write_end, EV_WRITE, 0));
  EXPECT_EQ(0, PollOf(write_end));
}

TEST_F(LateChanges, PipeWithoutAReaderEndsTheWait) {
  BrokenPipe pipe;
  ASSERT_EQ(0, Change(pipe, 0, EV_WRITE));
  Sink sink;
  Wait(&sink, readiness_testing::kForever);
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, sink.WhatOf(pipe));
}

#ifdef __linux__
TEST_F(LateChanges, PipeWithoutAReaderIsWritableOnNetBsd) {
  const BrokenPipeError as_on_netbsd(EBADF);
  BrokenPipe pipe;
  ASSERT_EQ(0, Change(pipe, 0, EV_WRITE));
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, PollOf(pipe));
  EXPECT_EQ(0, num_warnings);
}

TEST(Kqueue, PipeWithoutAReaderIsWritableOnNetBsd) {
  const BrokenPipeError as_on_netbsd(EBADF);
  Backend backend(&event_kqueue_ops);
  BrokenPipe pipe;
  ASSERT_EQ(0, backend.Change(pipe, EV_WRITE));
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, backend.PollOf(pipe));
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, backend.PollOf(pipe));
  const evutil_socket_t number = pipe;
  pipe.Close();
  EXPECT_EQ(0, backend.PollOf(number));
  EXPECT_EQ(-1, backend.Change(number, EV_WRITE | EV_READ));
  EXPECT_EQ(EBADF, errno);
}
#endif

TEST(Kqueue, BrokenPipeThatIsClosedIsForgotten) {
  Backend backend(&event_kqueue_ops);
  Pair pair;
  BrokenPipe pipe;
  ASSERT_EQ(0, backend.Change(pipe, EV_WRITE));
  const evutil_socket_t number = pipe;
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, backend.PollOf(number));
  pipe.Close();
  EXPECT_EQ(0, backend.PollOf(number));
  Sink sink;  // The wait is none that only looks.
  sink.on_unlock = [&] { readiness_testing::Send(pair.b); };
  ASSERT_EQ(0, backend.Change(pair.a, EV_READ));
  ASSERT_EQ(0, backend.WaitUntil(&sink, readiness_testing::kForever));
  EXPECT_EQ(EV_READ, sink.WhatOf(pair.a));
}

// What the number is by then is watched as any other.
TEST(Kqueue, BrokenPipeThatIsReplacedIsWatched) {
  Backend backend(&event_kqueue_ops);
  BrokenPipe pipe;
  ASSERT_EQ(0, backend.Change(pipe, EV_WRITE));
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, backend.PollOf(pipe));
  Pair pair;
  readiness_testing::Fill(pair.a);
  ASSERT_EQ(pipe, dup2(pair.a, pipe));
  EXPECT_EQ(0, backend.PollOf(pipe));
  readiness_testing::Drain(pair.b);
  EXPECT_EQ(EV_WRITE, backend.WaitFor(pipe, EV_WRITE));
}

TEST(Kqueue, PipeWithoutAReaderIsAnEdgeOnce) {
  Backend backend(&event_kqueue_ops);
  BrokenPipe write_end;
  ASSERT_EQ(0, backend.Change(write_end, EV_WRITE | EV_ET));
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, backend.PollOf(write_end));
  EXPECT_EQ(0, backend.PollOf(write_end));
  ASSERT_EQ(0, backend.Change(write_end, EV_WRITE));
  EXPECT_EQ(EV_WRITE | STRATA_EV_HANGUP, backend.PollOf(write_end));
}

// What a wait can report grows with what there is.
TEST(Kqueue, ReportsHaveNoLimit) {
  std::vector<Pair> pairs(200);
  Backend backend(&event_kqueue_ops);
  for (Pair &pair : pairs) ASSERT_EQ(0, backend.Change(pair.a, EV_WRITE));
  for (int i = 0; i < 3; i++) {
    Sink sink;
    ASSERT_EQ(0, backend.WaitUntil(&sink, 0));
  }
  Sink sink;
  ASSERT_EQ(0, backend.WaitUntil(&sink, 0));
  EXPECT_EQ(pairs.size(), sink.reports.size());
}

// Unread data wakes nobody twice who waits for the end alone; the end is reported each time.
TEST(Kqueue, EndOfDataAlone) {
  Backend backend(&event_kqueue_ops);
  Pair pair;
  ASSERT_EQ(0, backend.Change(pair.a, EV_CLOSED));
  readiness_testing::Send(pair.b);
  EXPECT_EQ(0, backend.PollOf(pair.a));
  ASSERT_EQ(0, shutdown(pair.b, SHUT_WR));
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(EV_CLOSED | STRATA_EV_HANGUP, backend.PollOf(pair.a));
  }
  ASSERT_EQ(0, backend.Change(pair.a, EV_CLOSED | EV_ET));
  EXPECT_EQ(EV_CLOSED | STRATA_EV_HANGUP, backend.PollOf(pair.a));
  EXPECT_EQ(0, backend.PollOf(pair.a));
}

// The number of the parent's queue is free in the child; who got it keeps it.
TEST(Kqueue, ChildClosesNothingOfTheParents) {
  Pair pair;
  void *state = event_kqueue_ops.init(0);
  ASSERT_NE(nullptr, state);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    void *fresh = event_kqueue_ops.init(0);
    event_kqueue_ops.destroy(state);
    intptr_t word = 0;
    const struct event_readiness_change change = {pair.a, 0, EV_WRITE, 1, &word, 0};
    _exit(fresh != nullptr && event_kqueue_ops.change(fresh, &change) == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  event_kqueue_ops.destroy(state);
}

// The fresh queue takes the number of the parent's; what the child does with the old state stays
// without effect on it. 0, or the number of the check that failed.
int UseOldStateInChild(const struct event_readiness_ops *ops, void *state, Pair *pair) {
  intptr_t word = 0;
  const struct event_readiness_change add = {pair->a, 0, EV_READ, 1, &word, 0};
  const struct event_readiness_change remove = {pair->a, EV_READ, 0, 2, &word, 0};
  const struct event_readiness_change widen = {pair->a, EV_READ, EV_READ | EV_WRITE, 2, &word, 0};
  const struct event_readiness_change late = {pair->a, EV_READ, EV_READ | EV_WRITE, 2, &word, 1};
  Sink sink, old_sink;
  void *fresh = ops->init(0);
  if (fresh == nullptr || ops->change(fresh, &add) != 0) return 1;
  if (ops->change(state, &widen) != -1 || errno != EBADF) return 2;
  if (ops == event_kqueue_ops.batching && ops->change(state, &late) != 0) return 3;
  if (ops->wait(state, 0, 0, old_sink.get()) != -1 || errno != EBADF) return 4;
  if (ops->wake != nullptr && (ops->wake(state) != -1 || errno != EBADF)) return 5;
  if (ops->change(state, &remove) != 0) return 6;
  readiness_testing::Send(pair->b);
  if (ops->wait(fresh, 0, 0, sink.get()) != 0) return 7;
  if (sink.WhatOf(pair->a) != EV_READ || !old_sink.reports.empty()) return 8;
  ops->destroy(state);
  ops->destroy(fresh);
  return 0;
}

TEST(Kqueue, ChildChangesNothingOfAFreshQueue) {
  for (const struct event_readiness_ops *ops : {&event_kqueue_ops, event_kqueue_ops.batching}) {
    Pair pair;
    void *state = ops->init(0);
    ASSERT_NE(nullptr, state);
    intptr_t word = 0;
    const struct event_readiness_change add = {pair.a, 0, EV_READ, 1, &word, 0};
    ASSERT_EQ(0, ops->change(state, &add));
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(UseOldStateInChild(ops, state, &pair));
    int status = 0;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, WEXITSTATUS(status)) << ops->name;
    EXPECT_TRUE(WIFEXITED(status));
    ops->destroy(state);
  }
}

class KqueueSignals : public testing::Test {
 protected:
  KqueueSignals() : state_(event_kqueue_ops.init(0)), old_handler_(signal(SIGUSR1, SIG_IGN)) {
    EXPECT_NE(nullptr, state_);
  }
  ~KqueueSignals() override {
    event_kqueue_ops.destroy(state_);
    signal(SIGUSR1, old_handler_);
  }
  int Watch(int is_watched) { return event_kqueue_ops.watch_signal(state_, SIGUSR1, is_watched); }
  // What a wait that lasts until something comes tells.
  int NumAfter(void (*act)()) {
    Sink sink;
    sink.on_unlock = act;
    EXPECT_EQ(0, event_kqueue_ops.wait(state_, 0, readiness_testing::kForever, sink.get()));
    EXPECT_TRUE(sink.reports.empty());
    return sink.signals[SIGUSR1];
  }

  void *state_;
  void (*old_handler_)(int);
};

TEST_F(KqueueSignals, AreCounted) {
  ASSERT_EQ(0, Watch(1));
  EXPECT_EQ(1, NumAfter([] { raise(SIGUSR1); }));
  EXPECT_EQ(3, NumAfter([] {
              for (int i = 0; i < 3; i++) raise(SIGUSR1);
            }));
  ASSERT_EQ(0, Watch(0));
  raise(SIGUSR1);
  Sink sink;
  EXPECT_EQ(0, event_kqueue_ops.wait(state_, 0, 0, sink.get()));
  EXPECT_TRUE(sink.signals.empty());
}

#ifdef __linux__
// FreeBSD and NetBSD do not look at the number.
TEST_F(KqueueSignals, WhatIsNoneIsRefused) {
  EXPECT_EQ(-1, event_kqueue_ops.watch_signal(state_, 100000, 1));
  EXPECT_EQ(EINVAL, errno);
}
#endif

class KqueueBase : public testing::Test {
 protected:
  static struct event_base *Make() {
    const struct event_readiness_ops *const table[] = {&event_kqueue_ops, nullptr};
    return event_base_new_with_backends(nullptr, table);
  }
  static struct event *Add(struct event_base *base, int *calls) {
    struct event *ev = event_new(
        base, SIGUSR1, EV_SIGNAL | EV_PERSIST,
        [](evutil_socket_t, short, void *arg) { ++*static_cast<int *>(arg); }, calls);
    EXPECT_EQ(0, event_add(ev, nullptr));
    return ev;
  }
  static void Free(struct event *ev) {
    struct event_base *base = event_get_base(ev);
    event_free(ev);
    event_base_free(base);
  }
};

// With a pipe, one base at a time has the signals.
TEST_F(KqueueBase, SignalsReachEveryBase) {
  int calls[2] = {0, 0};
  struct event *events[2] = {Add(Make(), &calls[0]), Add(Make(), &calls[1])};
  raise(SIGUSR1);
  for (struct event *ev : events) event_base_loop(event_get_base(ev), EVLOOP_ONCE);
  EXPECT_EQ(1, calls[0]);
  EXPECT_EQ(1, calls[1]);
  Free(events[0]);  // which came first, and knows what was before
  raise(SIGUSR1);
  event_base_loop(event_get_base(events[1]), EVLOOP_ONCE);
  EXPECT_EQ(2, calls[1]);
  Free(events[1]);
  struct sigaction action;
  ASSERT_EQ(0, sigaction(SIGUSR1, nullptr, &action));
  EXPECT_EQ(SIG_DFL, action.sa_handler);
}

// The filter tells of a signal before a thread takes it: the default action, which is back by then,
// must not end the program.
TEST_F(KqueueBase, DeletingTakesBackWhatIsPending) {
  int calls = 0;
  struct event *ev = Add(Make(), &calls);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  raise(SIGUSR1);
  Free(ev);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  struct sigaction action;
  sigaction(SIGUSR1, nullptr, &action);
  EXPECT_EQ(SIG_DFL, action.sa_handler);
}

TEST(Kqueue, WakeEndsTheWait) {
  if (event_kqueue_ops.wake == nullptr) GTEST_SKIP() << "the base watches a descriptor";
  void *state = event_kqueue_ops.init(0);
  ASSERT_NE(nullptr, state);
  for (int i = 0; i < 3; i++) {
    Sink sink;
    sink.on_unlock = [&] { EXPECT_EQ(0, event_kqueue_ops.wake(state)); };
    EXPECT_EQ(0, event_kqueue_ops.wait(state, 0, readiness_testing::kForever, sink.get()));
    EXPECT_TRUE(sink.reports.empty());
  }
  event_kqueue_ops.destroy(state);
}

}  // namespace
