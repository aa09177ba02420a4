// The emulated kqueue keeps what the manual page of kqueue(2) promises: a test for each statement,
// which stands above it in our words. On macOS and the BSDs this is a test of the system.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace {

// Long enough for whatever is about to happen.
const struct timespec kPatience = {30, 0};
const struct timespec kAtOnce = {0, 0};

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd &) = delete;
  Fd &operator=(const Fd &) = delete;

  operator int() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void Set(int fd) {
    Close();
    fd_ = fd;
  }

 private:
  int fd_;
};

struct kevent Change(uintptr_t ident, int filter, unsigned flags, unsigned notes = 0,
                     int64_t data = 0, uintptr_t udata = 0) {
  struct kevent change;
  EV_SET(&change, ident, filter, flags, notes, data, reinterpret_cast<void *>(udata));
  return change;
}

class KqueueEmulation : public testing::Test {
 protected:
  KqueueEmulation() : queue_(kqueue()) {
    EXPECT_GE(queue_, 0);
    int fds[2];
    EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    a_.Set(fds[0]);
    b_.Set(fds[1]);
    EXPECT_EQ(0, fcntl(a_, F_SETFL, O_NONBLOCK));
    EXPECT_EQ(0, pipe(fds));
    read_end_.Set(fds[0]);
    write_end_.Set(fds[1]);
  }

  // 0, or the error.
  int Make(const struct kevent &change) {
    return kevent(queue_, &change, 1, nullptr, 0, nullptr) == 0 ? 0 : errno;
  }
  int Make(uintptr_t ident, int filter, unsigned flags, unsigned notes = 0, int64_t data = 0,
           uintptr_t udata = 0) {
    return Make(Change(ident, filter, flags, notes, data, udata));
  }
  std::vector<struct kevent> Take(const struct timespec &timeout, int room = 16) {
    std::vector<struct kevent> events(static_cast<size_t>(room));
    const int num = kevent(queue_, nullptr, 0, events.data(), room, &timeout);
    EXPECT_GE(num, 0) << errno;
    events.resize(num > 0 ? static_cast<size_t>(num) : 0);
    return events;
  }
  std::vector<struct kevent> Ready() { return Take(kAtOnce); }
  // The only event that there is.
  struct kevent One() {
    const std::vector<struct kevent> events = Take(kPatience);
    EXPECT_EQ(1u, events.size());
    return events.empty() ? Change(0, 0, 0) : events[0];
  }
  void Send(int fd, const std::string &bytes) {
    ASSERT_EQ(static_cast<ssize_t>(bytes.size()), write(fd, bytes.data(), bytes.size()));
  }
  void Receive(int fd) {
    char bytes[65536];
    ASSERT_GT(read(fd, bytes, sizeof(bytes)), 0);
  }
  void Fill(int fd) {
    const std::string block(65536, 'x');
    while (write(fd, block.data(), block.size()) > 0) {
    }
  }

  Fd queue_, a_, b_, read_end_, write_end_;
};

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

// --- EVFILT_READ ---

// Sockets: data is the number of bytes.
TEST_F(KqueueEmulation, ReadTellsHowMuch) {
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  Send(b_, "12345");
  const struct kevent event = One();
  EXPECT_EQ(5, event.data);
  EXPECT_FALSE(event.flags & EV_EOF);
}

// The peer has shut down its side: EV_EOF, "possible to have data left".
TEST_F(KqueueEmulation, EndOfASocketWithDataBeforeIt) {
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  Send(b_, "123");
  ASSERT_EQ(0, shutdown(b_, SHUT_WR));
  struct kevent event = One();
  EXPECT_EQ(3, event.data);
  EXPECT_TRUE(event.flags & EV_EOF);
  Receive(a_);
  event = One();
  EXPECT_EQ(0, event.data);
  EXPECT_TRUE(event.flags & EV_EOF);
}

// Listening sockets: returns when there is a connection.
TEST_F(KqueueEmulation, ListenerIsReadableForAConnection) {
  Fd listener(socket(AF_INET, SOCK_STREAM, 0)), client(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in address = {};
  socklen_t len = sizeof(address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct sockaddr *any = reinterpret_cast<struct sockaddr *>(&address);
  ASSERT_EQ(0, bind(listener, any, len));
  ASSERT_EQ(0, getsockname(listener, any, &len));
  ASSERT_EQ(0, listen(listener, 1));
  ASSERT_EQ(0, Make(listener, EVFILT_READ, EV_ADD));
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, connect(client, any, len));
  EXPECT_EQ(1, One().data);
}

// Pipes: data is the number of bytes; EV_EOF when the last writer is gone.
TEST_F(KqueueEmulation, PipeIsReadableAndEnds) {
  ASSERT_EQ(0, Make(read_end_, EVFILT_READ, EV_ADD));
  EXPECT_TRUE(Ready().empty());
  Send(write_end_, "1234");
  EXPECT_EQ(4, One().data);
  Receive(read_end_);
  EXPECT_TRUE(Ready().empty());
  write_end_.Close();
  EXPECT_TRUE(One().flags & EV_EOF);
}

// Vnodes: readable while the offset is not at the end; data is how far. NOTE_FILE_POLL: always.
TEST_F(KqueueEmulation, RegularFileIsReadableBeforeItsEnd) {
  char name[] = "/tmp/kqueue.XXXXXX";
  Fd file(mkstemp(name));
  unlink(name);
  ASSERT_EQ(0, Make(file, EVFILT_READ, EV_ADD));
  EXPECT_TRUE(Ready().empty());
  Send(file, "1234");
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(1, lseek(file, 1, SEEK_SET));
  EXPECT_EQ(3, One().data);
  EXPECT_EQ(1u, Ready().size());
  ASSERT_EQ(4, lseek(file, 0, SEEK_END));
#ifdef NOTE_FILE_POLL
  ASSERT_EQ(0, Make(file, EVFILT_READ, EV_ADD, NOTE_FILE_POLL));
  EXPECT_EQ(0, One().data);
#endif
  file.Close();
  EXPECT_TRUE(Ready().empty());
}

// --- EVFILT_WRITE ---

// Returns whenever it is possible to write; data is the space.
TEST_F(KqueueEmulation, WriteTellsOfRoom) {
  ASSERT_EQ(0, Make(a_, EVFILT_WRITE, EV_ADD));
  struct kevent event = One();
  EXPECT_GT(event.data, 0);
  EXPECT_FALSE(event.flags & EV_EOF);
  Fill(a_);
  EXPECT_TRUE(Ready().empty());
  for (int i = 0; i < 64 && Ready().empty(); i++) Receive(b_);
  EXPECT_EQ(1u, Ready().size());
}

// EV_EOF when the reader disconnects.
TEST_F(KqueueEmulation, WriterLearnsThatThePeerIsGone) {
  ASSERT_EQ(0, Make(a_, EVFILT_WRITE, EV_ADD));
  ASSERT_EQ(0, Make(write_end_, EVFILT_WRITE, EV_ADD));
  b_.Close();
  read_end_.Close();
  const std::vector<struct kevent> events = Ready();
  ASSERT_EQ(2u, events.size());
  for (const struct kevent &event : events) EXPECT_TRUE(event.flags & EV_EOF);
}

// FreeBSD's and macOS's kernel: a pipe without a reader is not watched for writing any more.
TEST_F(KqueueEmulation, PipeWithoutAReaderIsRefused) {
  read_end_.Close();
  EXPECT_EQ(EPIPE, Make(write_end_, EVFILT_WRITE, EV_ADD));
}

TEST_F(KqueueEmulation, FiltersOfADescriptorAreSeparate) {
  Send(b_, "x");
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD, 0, 0, 1));
  ASSERT_EQ(0, Make(a_, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0, 2));
  EXPECT_EQ(2u, Ready().size());
  EXPECT_EQ(reinterpret_cast<void *>(1), One().udata);
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_DELETE));
  EXPECT_TRUE(Ready().empty());
}

// --- EVFILT_USER ---

#ifdef EVFILT_USER
// Not associated with any descriptor; NOTE_TRIGGER causes the event.
TEST_F(KqueueEmulation, UserEventIsTriggered) {
  ASSERT_EQ(0, Make(5, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, 9));
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_TRIGGER));
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_TRIGGER));
  const struct kevent event = One();
  EXPECT_EQ(5u, event.ident);
  EXPECT_EQ(EVFILT_USER, event.filter);
  EXPECT_TRUE(Ready().empty());
}

TEST_F(KqueueEmulation, UserEventEndsAWaitInAnotherThread) {
  ASSERT_EQ(0, Make(5, EVFILT_USER, EV_ADD | EV_CLEAR));
  std::thread waiter([&] { EXPECT_EQ(EVFILT_USER, One().filter); });
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_TRIGGER));
  waiter.join();
}

TEST_F(KqueueEmulation, UserEventWithoutClearStays) {
  ASSERT_EQ(0, Make(5, EVFILT_USER, EV_ADD, NOTE_TRIGGER));
  EXPECT_EQ(1u, Ready().size());
  EXPECT_EQ(1u, Ready().size());
  ASSERT_EQ(0, Make(5, EVFILT_USER, EV_DELETE));
  EXPECT_TRUE(Ready().empty());
  EXPECT_EQ(ENOENT, Make(5, EVFILT_USER, 0, NOTE_TRIGGER));
}

// The lower 24 bits are the user's: ignored, and-ed, or-ed or copied.
TEST_F(KqueueEmulation, UserFlagsAreCombined) {
  ASSERT_EQ(0, Make(5, EVFILT_USER, EV_ADD));
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_FFCOPY | 0x6));
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_FFOR | 0x1));
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_FFAND | 0x5));
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_FFNOP | NOTE_TRIGGER | 0x8));
  EXPECT_EQ(0x5u, One().fflags);
}
#endif

// --- EVFILT_TIMER ---

// Periodic; data is the number of expirations since the last look; EV_CLEAR of itself.
TEST_F(KqueueEmulation, TimerCountsItsPeriods) {
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ADD, 0, 1));
  int64_t count = 0;
  while (count < 3) {
    const struct kevent event = One();
    EXPECT_EQ(3u, event.ident);
    EXPECT_GE(event.data, 1);
    count += event.data;
  }
  EXPECT_EQ(0, Make(3, EVFILT_TIMER, EV_DELETE));
  EXPECT_TRUE(Ready().empty());
}

TEST_F(KqueueEmulation, OneShotTimerEndsOnce) {
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_USECONDS, 100));
  EXPECT_EQ(1, One().data);
  EXPECT_EQ(ENOENT, Make(3, EVFILT_TIMER, EV_DELETE));
}

// Adding it again sets the period anew.
TEST_F(KqueueEmulation, TimerIsReset) {
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 10000));
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ADD, NOTE_NSECONDS, 1000));
  EXPECT_GE(One().data, 1);
}

TEST_F(KqueueEmulation, TimerThatIsDisabledIsNotReported) {
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ADD | EV_DISABLE, NOTE_USECONDS, 1));
  EXPECT_TRUE(Take({0, 2000000}).empty());
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ENABLE));
  EXPECT_GE(One().data, 1);
}

// --- EVFILT_SIGNAL ---

// Records a signal also where it is ignored; data is how often; EV_CLEAR of itself.
TEST_F(KqueueEmulation, SignalIsRecorded) {
  const auto old_handler = signal(SIGUSR1, SIG_IGN);
  ASSERT_EQ(0, Make(SIGUSR1, EVFILT_SIGNAL, EV_ADD));
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, kill(getpid(), SIGUSR1));
  const struct kevent event = One();
  EXPECT_EQ(static_cast<uintptr_t>(SIGUSR1), event.ident);
  EXPECT_EQ(EVFILT_SIGNAL, event.filter);
  EXPECT_EQ(1, event.data);
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, Make(SIGUSR1, EVFILT_SIGNAL, EV_DELETE));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  signal(SIGUSR1, old_handler);
}

TEST_F(KqueueEmulation, WhatIsNoSignalIsRefused) {
  EXPECT_EQ(EINVAL, Make(100000, EVFILT_SIGNAL, EV_ADD));
}

// --- Threads ---

// Several threads may change and wait at once. For the thread sanitizer.
TEST_F(KqueueEmulation, ChangesBesideAWait) {
  std::atomic<bool> is_done{false};
  std::thread changer([&] {
    for (int i = 0; i < 500; i++) {
      EXPECT_EQ(0, Make(a_, EVFILT_WRITE, EV_ADD));
      EXPECT_EQ(0, Make(a_, EVFILT_WRITE, EV_DELETE));
    }
    is_done = true;
    EXPECT_EQ(0, Make(a_, EVFILT_WRITE, EV_ADD));
  });
  size_t num_seen = 0;
  while (!is_done || num_seen == 0) num_seen += Take({0, 1000000}).size();
  changer.join();
}

}  // namespace
