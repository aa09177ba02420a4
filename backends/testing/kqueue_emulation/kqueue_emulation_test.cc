// The emulated kqueue keeps what the manual page of kqueue(2) promises: a test for each statement,
// which stands above it in our words. On macOS and the BSDs this is a test of the system.
#include "backends/testing/kqueue_emulation/kqueue_testing.h"

namespace {

using namespace kqueue_testing;  // NOLINT: all of it is events.

// --- The queue ---

// "not inherited by a child created with fork(2)"
TEST_F(KqueueEmulation, ChildDoesNotInheritTheQueue) {
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    struct kevent event;
    const bool fails = kevent(queue_, nullptr, 0, &event, 1, &kAtOnce) == -1 && errno == EBADF;
    _exit(fails && fcntl(queue_, F_GETFD) == -1 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  Send(b_, "x");
  EXPECT_EQ(static_cast<uintptr_t>(a_), One().ident);
}

// EBADF: the queue is no descriptor of one.
TEST_F(KqueueEmulation, WhatIsNoQueueIsRefused) {
  struct kevent event;
  EXPECT_EQ(-1, kevent(a_, nullptr, 0, &event, 1, &kAtOnce));
  EXPECT_EQ(EBADF, errno);
  const int number = queue_;
  queue_.Close();
  EXPECT_EQ(-1, kevent(number, nullptr, 0, &event, 1, &kAtOnce));
  EXPECT_EQ(EBADF, errno);
}

TEST_F(KqueueEmulation, ClosingAQueueGivesBackAllDescriptors) {
  const int before = dup(0);
  close(before);
  for (int i = 0; i < 5; i++) {
    Fd queue(kqueue());
    const struct kevent changes[] = {Change(a_, EVFILT_READ, EV_ADD),
                                     Change(1, EVFILT_TIMER, EV_ADD, 0, 1000)};
    EXPECT_EQ(0, kevent(queue, changes, 2, nullptr, 0, nullptr));
  }
  const int after = dup(0);
  EXPECT_EQ(before, after);
  close(after);
}

// --- kevent(): changes and events ---

// Nobody waits where there is no room for events, "even if there is a timeout specified".
TEST_F(KqueueEmulation, WithoutRoomForEventsItReturnsAtOnce) {
  EXPECT_EQ(0, kevent(queue_, nullptr, 0, nullptr, 0, nullptr));
  EXPECT_EQ(0, kevent(queue_, nullptr, 0, nullptr, 0, &kPatience));
}

TEST_F(KqueueEmulation, TimeoutOfZeroPolls) {
  EXPECT_TRUE(Ready().empty());
}

TEST_F(KqueueEmulation, WaitsNoShorterThanTheTimeout) {
  struct timespec before, after;
  const struct timespec timeout = {0, 3000000};
  clock_gettime(CLOCK_MONOTONIC, &before);
  EXPECT_TRUE(Take(timeout).empty());
  clock_gettime(CLOCK_MONOTONIC, &after);
  EXPECT_GE((after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec,
            3000000);
}

TEST_F(KqueueEmulation, InvalidTimeoutsAreRefused) {
  struct kevent event;
  for (const struct timespec &timeout :
       {timespec{-1, 0}, timespec{0, -1}, timespec{0, 1000000000}}) {
    EXPECT_EQ(-1, kevent(queue_, nullptr, 0, &event, 1, &timeout));
    EXPECT_EQ(EINVAL, errno);
  }
}

// Without a timeout it waits indefinitely.
TEST_F(KqueueEmulation, WaitsWithoutATimeout) {
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  std::thread sender([&] { Send(b_, "x"); });
  struct kevent event;
  EXPECT_EQ(1, kevent(queue_, nullptr, 0, &event, 1, nullptr));
  sender.join();
}

// Changes "are applied before any pending events are read from the queue".
TEST_F(KqueueEmulation, ChangesComeBeforeEvents) {
  Send(b_, "x");
  const struct kevent change = Change(a_, EVFILT_READ, EV_ADD);
  struct kevent event;
  ASSERT_EQ(1, kevent(queue_, &change, 1, &event, 1, &kAtOnce));
  EXPECT_EQ(static_cast<uintptr_t>(a_), event.ident);
  EXPECT_EQ(EVFILT_READ, event.filter);
}

// An error goes to the list of events when there is room, with EV_ERROR and the error in data; the
// other changes are made.
TEST_F(KqueueEmulation, ErrorOfAChangeIsAnEventWhereThereIsRoom) {
  Send(b_, "x");
  const struct kevent changes[] = {Change(a_, EVFILT_WRITE, EV_DELETE),
                                   Change(a_, EVFILT_READ, EV_ADD, 0, 0, 77)};
  struct kevent events[4];
  ASSERT_EQ(1, kevent(queue_, changes, 2, events, 4, &kAtOnce));
  EXPECT_TRUE(events[0].flags & EV_ERROR);
  EXPECT_EQ(ENOENT, events[0].data);
  EXPECT_EQ(static_cast<uintptr_t>(a_), events[0].ident);
  EXPECT_EQ(EVFILT_WRITE, events[0].filter);
  EXPECT_EQ(reinterpret_cast<void *>(77), One().udata);
}

// "Otherwise, -1 will be returned, and errno will be set"
TEST_F(KqueueEmulation, ErrorOfAChangeWithoutRoomIsTheResult) {
  EXPECT_EQ(ENOENT, Make(a_, EVFILT_READ, EV_DELETE));
}

// The lists may be the same array.
TEST_F(KqueueEmulation, OneArrayForChangesAndEvents) {
  struct kevent list[] = {Change(a_, EVFILT_READ, EV_DELETE), Change(b_, EVFILT_READ, EV_DELETE)};
  ASSERT_EQ(2, kevent(queue_, list, 2, list, 2, &kAtOnce));
  EXPECT_EQ(static_cast<uintptr_t>(b_), list[1].ident);
  EXPECT_EQ(ENOENT, list[1].data);
}

// EINTR: a signal came before the timeout and before any event; the changes have been made.
TEST_F(KqueueEmulation, SignalEndsTheWaitAfterTheChanges) {
  struct sigaction action = {}, old_action;
  action.sa_handler = [](int) {};
  ASSERT_EQ(0, sigaction(SIGUSR2, &action, &old_action));
  const pthread_t waiter = pthread_self();
  std::atomic<bool> has_returned{false};
  std::thread sender([&] {
    while (!has_returned) {
      pthread_kill(waiter, SIGUSR2);
      usleep(1000);
    }
  });
  const struct kevent change = Change(a_, EVFILT_READ, EV_ADD);
  struct kevent event;
  EXPECT_EQ(-1, kevent(queue_, &change, 1, &event, 1, &kPatience));
  EXPECT_EQ(EINTR, errno);
  has_returned = true;
  sender.join();
  EXPECT_EQ(0, sigaction(SIGUSR2, &old_action, nullptr));
  EXPECT_EQ(0, Make(a_, EVFILT_READ, EV_DELETE));
}

// No more than there is room for; the rest is not lost.
TEST_F(KqueueEmulation, EventsThatDoNotFitComeLater) {
  Send(b_, "x");
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD | EV_CLEAR));
  ASSERT_EQ(0, Make(a_, EVFILT_WRITE, EV_ADD | EV_CLEAR));
  const std::vector<struct kevent> first = Take(kAtOnce, 1), second = Take(kAtOnce, 1);
  ASSERT_EQ(1u, first.size());
  ASSERT_EQ(1u, second.size());
  EXPECT_NE(first[0].filter, second[0].filter);
  EXPECT_TRUE(Ready().empty());
}

TEST_F(KqueueEmulation, UnknownFilterIsRefused) {
  EXPECT_EQ(EINVAL, Make(a_, -100, EV_ADD));
}

TEST_F(KqueueEmulation, ClosedDescriptorIsRefused) {
  const int number = a_;
  a_.Close();
  EXPECT_EQ(EBADF, Make(number, EVFILT_READ, EV_ADD));
  EXPECT_EQ(EBADF, Make(number, EVFILT_WRITE, EV_ADD));
  EXPECT_EQ(EBADF, Make(number, EVFILT_READ, EV_DELETE));
}

// --- Flags ---

// "Re-adding an existing event will modify the parameters of the original event, and not result in
// a duplicate entry."
TEST_F(KqueueEmulation, AddingAgainModifies) {
  Send(b_, "x");
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD, 0, 0, 1));
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD, 0, 0, 2));
  EXPECT_EQ(reinterpret_cast<void *>(2), One().udata);
}

// "Adding an event automatically enables it"; not so one that is disabled and added again.
TEST_F(KqueueEmulation, DisabledIsNotReported) {
  Send(b_, "x");
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  EXPECT_EQ(1u, Ready().size());
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_DISABLE));
  EXPECT_TRUE(Ready().empty());
  b_.Close();
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ENABLE));
  EXPECT_EQ(1u, Ready().size());
}

TEST_F(KqueueEmulation, AddedDisabled) {
  Send(b_, "x");
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD | EV_DISABLE));
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ENABLE));
  EXPECT_EQ(1u, Ready().size());
}

TEST_F(KqueueEmulation, OnlyWhatIsThereIsEnabledOrDeleted) {
  EXPECT_EQ(ENOENT, Make(a_, EVFILT_READ, EV_ENABLE));
  EXPECT_EQ(ENOENT, Make(a_, EVFILT_READ, EV_DISABLE));
  EXPECT_EQ(ENOENT, Make(a_, EVFILT_READ, EV_DELETE));
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  EXPECT_EQ(ENOENT, Make(a_, EVFILT_WRITE, EV_DELETE));
  EXPECT_EQ(0, Make(a_, EVFILT_READ, EV_DELETE));
  EXPECT_EQ(ENOENT, Make(a_, EVFILT_READ, EV_DELETE));
}

TEST_F(KqueueEmulation, DeletedIsNotReported) {
  Send(b_, "x");
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_DELETE));
  EXPECT_TRUE(Ready().empty());
}

// An event whose descriptor is closed is deleted, also when the file lives on under another number.
TEST_F(KqueueEmulation, ClosingTheDescriptorDeletes) {
  Fd other(dup(a_));
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  ASSERT_EQ(0, Make(a_, EVFILT_WRITE, EV_ADD));
  const int number = a_;
  a_.Close();
  Send(b_, "x");
  EXPECT_TRUE(Ready().empty());
  a_.Set(dup2(read_end_, number));  // Another file under the number.
  EXPECT_TRUE(Ready().empty());
  EXPECT_EQ(ENOENT, Make(number, EVFILT_READ, EV_DELETE));
  ASSERT_EQ(0, Make(other, EVFILT_READ, EV_ADD));
  EXPECT_EQ(static_cast<uintptr_t>(other), One().ident);
}

TEST_F(KqueueEmulation, NumberThatIsReusedIsAnotherDescriptor) {
  Fd keeps_it_alive(dup(a_));
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD, 0, 0, 1));
  const int number = a_;
  a_.Close();
  Fd again(dup2(read_end_, number));
  ASSERT_EQ(0, Make(number, EVFILT_READ, EV_ADD, 0, 0, 2));
  Send(b_, "x");
  EXPECT_TRUE(Ready().empty());
  Send(write_end_, "x");
  EXPECT_EQ(reinterpret_cast<void *>(2), One().udata);
}

// EV_ONESHOT: reported once, then deleted.
TEST_F(KqueueEmulation, OneShotIsDeletedOnceItIsReported) {
  Send(b_, "x");
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD | EV_ONESHOT));
  EXPECT_EQ(1u, Ready().size());
  EXPECT_TRUE(Ready().empty());
  EXPECT_EQ(ENOENT, Make(a_, EVFILT_READ, EV_DELETE));
}

// EV_CLEAR: the state is reset when it has been taken; without, what is true is reported each time.
TEST_F(KqueueEmulation, ClearReportsTransitions) {
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD | EV_CLEAR));
  Send(b_, "x");
  EXPECT_EQ(1u, Ready().size());
  EXPECT_TRUE(Ready().empty());
  Send(b_, "y");
  EXPECT_EQ(2, One().data);
  EXPECT_TRUE(Ready().empty());
}

TEST_F(KqueueEmulation, WithoutClearTheStateIsReported) {
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  Send(b_, "x");
  EXPECT_EQ(1u, Ready().size());
  EXPECT_EQ(1u, Ready().size());
  Receive(a_);
  EXPECT_TRUE(Ready().empty());
}

#ifdef EV_RECEIPT
// EV_RECEIPT: EV_ERROR for each change, with 0 where it was made, and no event is taken.
TEST_F(KqueueEmulation, ReceiptsTakeNoEvents) {
  Send(b_, "x");
  const struct kevent changes[] = {Change(a_, EVFILT_READ, EV_ADD | EV_RECEIPT),
                                   Change(a_, EVFILT_WRITE, EV_DELETE | EV_RECEIPT)};
  struct kevent events[2];
  ASSERT_EQ(2, kevent(queue_, changes, 2, events, 2, nullptr));
  EXPECT_TRUE(events[0].flags & EV_ERROR);
  EXPECT_EQ(0, events[0].data);
  EXPECT_TRUE(events[1].flags & EV_ERROR);
  EXPECT_EQ(ENOENT, events[1].data);
  EXPECT_EQ(1u, Ready().size());
}
#endif

}  // namespace
