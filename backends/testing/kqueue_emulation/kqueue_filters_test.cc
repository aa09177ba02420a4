// What kqueue(2) promises of each filter: a test for each statement, as in
// kqueue_emulation_test.cc.
#include "backends/testing/kqueue_emulation/kqueue_testing.h"

namespace {

using namespace kqueue_testing;  // NOLINT: all of it is events.

class KqueueFilters : public KqueueEmulation {};

// --- EVFILT_READ ---

// Sockets: data is the number of bytes.
TEST_F(KqueueFilters, ReadTellsHowMuch) {
  ASSERT_EQ(0, Make(a_, EVFILT_READ, EV_ADD));
  Send(b_, "12345");
  const struct kevent event = One();
  EXPECT_EQ(5, event.data);
  EXPECT_FALSE(event.flags & EV_EOF);
}

// The peer has shut down its side: EV_EOF, "possible to have data left".
TEST_F(KqueueFilters, EndOfASocketWithDataBeforeIt) {
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
TEST_F(KqueueFilters, ListenerIsReadableForAConnection) {
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
TEST_F(KqueueFilters, PipeIsReadableAndEnds) {
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
TEST_F(KqueueFilters, RegularFileIsReadableBeforeItsEnd) {
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
TEST_F(KqueueFilters, WriteTellsOfRoom) {
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
TEST_F(KqueueFilters, WriterLearnsThatThePeerIsGone) {
  ASSERT_EQ(0, Make(a_, EVFILT_WRITE, EV_ADD));
  ASSERT_EQ(0, Make(write_end_, EVFILT_WRITE, EV_ADD));
  b_.Close();
  read_end_.Close();
  const std::vector<struct kevent> events = Ready();
  ASSERT_EQ(2u, events.size());
  for (const struct kevent &event : events) EXPECT_TRUE(event.flags & EV_EOF);
}

#ifdef __linux__
// FreeBSD's and macOS's kernel: a pipe without a reader is not watched for writing any more.
TEST_F(KqueueFilters, PipeWithoutAReaderIsRefused) {
  read_end_.Close();
  EXPECT_EQ(EPIPE, Make(write_end_, EVFILT_WRITE, EV_ADD));
}

// A FIFO with a name is, on FreeBSD.
TEST_F(KqueueFilters, FifoWithoutAReaderIsAtItsEnd) {
  char directory[] = "/tmp/kqueue.XXXXXX";
  ASSERT_NE(nullptr, mkdtemp(directory));
  const std::string name = std::string(directory) + "/fifo";
  ASSERT_EQ(0, mkfifo(name.c_str(), 0600));
  Fd reader(open(name.c_str(), O_RDONLY | O_NONBLOCK));
  Fd writer(open(name.c_str(), O_WRONLY | O_NONBLOCK));
  reader.Close();
  ASSERT_EQ(0, Make(writer, EVFILT_WRITE, EV_ADD));
  EXPECT_TRUE(One().flags & EV_EOF);
  reader.Set(open(name.c_str(), O_RDONLY | O_NONBLOCK));
  EXPECT_FALSE(One().flags & EV_EOF);
  unlink(name.c_str());
  rmdir(directory);
}
#endif

TEST_F(KqueueFilters, FiltersOfADescriptorAreSeparate) {
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
TEST_F(KqueueFilters, UserEventIsTriggered) {
  ASSERT_EQ(0, Make(5, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, 9));
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_TRIGGER));
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_TRIGGER));
  const struct kevent event = One();
  EXPECT_EQ(5u, event.ident);
  EXPECT_EQ(EVFILT_USER, event.filter);
  EXPECT_TRUE(Ready().empty());
}

TEST_F(KqueueFilters, UserEventEndsAWaitInAnotherThread) {
  ASSERT_EQ(0, Make(5, EVFILT_USER, EV_ADD | EV_CLEAR));
  std::thread waiter([&] { EXPECT_EQ(EVFILT_USER, One().filter); });
  ASSERT_EQ(0, Make(5, EVFILT_USER, 0, NOTE_TRIGGER));
  waiter.join();
}

TEST_F(KqueueFilters, UserEventWithoutClearStays) {
  ASSERT_EQ(0, Make(5, EVFILT_USER, EV_ADD, NOTE_TRIGGER));
  EXPECT_EQ(1u, Ready().size());
  EXPECT_EQ(1u, Ready().size());
  ASSERT_EQ(0, Make(5, EVFILT_USER, EV_DELETE));
  EXPECT_TRUE(Ready().empty());
  EXPECT_EQ(ENOENT, Make(5, EVFILT_USER, 0, NOTE_TRIGGER));
}

// The lower 24 bits are the user's: ignored, and-ed, or-ed or copied.
TEST_F(KqueueFilters, UserFlagsAreCombined) {
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
TEST_F(KqueueFilters, TimerCountsItsPeriods) {
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

TEST_F(KqueueFilters, OneShotTimerEndsOnce) {
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_USECONDS, 100));
  EXPECT_EQ(1, One().data);
  EXPECT_EQ(ENOENT, Make(3, EVFILT_TIMER, EV_DELETE));
}

// Adding it again sets the period anew.
TEST_F(KqueueFilters, TimerIsReset) {
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 10000));
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ADD, NOTE_NSECONDS, 1000));
  EXPECT_GE(One().data, 1);
}

TEST_F(KqueueFilters, TimerThatIsDisabledIsNotReported) {
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ADD | EV_DISABLE, NOTE_USECONDS, 1));
  EXPECT_TRUE(Take({0, 2000000}).empty());
  ASSERT_EQ(0, Make(3, EVFILT_TIMER, EV_ENABLE));
  EXPECT_GE(One().data, 1);
}

// --- EVFILT_SIGNAL ---

// Records a signal also where it is ignored; data is how often; EV_CLEAR of itself.
TEST_F(KqueueFilters, SignalIsRecorded) {
  const auto old_handler = signal(SIGUSR1, SIG_IGN);
  ASSERT_EQ(0, Make(SIGUSR1, EVFILT_SIGNAL, EV_ADD));
  EXPECT_TRUE(Ready().empty());
  ASSERT_EQ(0, kill(getpid(), SIGUSR1));
  const struct kevent event = One();
  EXPECT_EQ(static_cast<uintptr_t>(SIGUSR1), event.ident);
  EXPECT_EQ(EVFILT_SIGNAL, event.filter);
  EXPECT_EQ(1, event.data);
  EXPECT_TRUE(Ready().empty());
  for (int i = 0; i < 3; i++) ASSERT_EQ(0, kill(getpid(), SIGUSR1));
  EXPECT_EQ(3, One().data);
  ASSERT_EQ(0, Make(SIGUSR1, EVFILT_SIGNAL, EV_DELETE));
  ASSERT_EQ(0, kill(getpid(), SIGUSR1));
  EXPECT_TRUE(Ready().empty());
  signal(SIGUSR1, old_handler);
}

int g_num_handled;

// "coexists with the signal() and sigaction() facilities": the handler runs as well, and one that
// is set, asked for or taken back meanwhile is the program's.
TEST_F(KqueueFilters, SignalStillReachesItsHandler) {
  const auto old_handler = signal(SIGUSR1, SIG_IGN);
  ASSERT_EQ(0, Make(SIGUSR1, EVFILT_SIGNAL, EV_ADD));
  struct sigaction action = {}, found;
  action.sa_handler = [](int) { g_num_handled++; };
  ASSERT_EQ(0, sigaction(SIGUSR1, &action, &found));
  EXPECT_EQ(SIG_IGN, found.sa_handler);
  ASSERT_EQ(0, kill(getpid(), SIGUSR1));
  EXPECT_EQ(1, g_num_handled);
  EXPECT_EQ(1, One().data);
  ASSERT_EQ(0, Make(SIGUSR1, EVFILT_SIGNAL, EV_DELETE));
  ASSERT_EQ(0, kill(getpid(), SIGUSR1));
  EXPECT_EQ(2, g_num_handled);
  EXPECT_EQ(action.sa_handler, signal(SIGUSR1, old_handler));
}

TEST_F(KqueueFilters, SignalReachesEveryQueue) {
  const auto old_handler = signal(SIGUSR1, SIG_IGN);
  Fd other(kqueue());
  struct kevent event = Change(SIGUSR1, EVFILT_SIGNAL, EV_ADD);
  ASSERT_EQ(0, Make(SIGUSR1, EVFILT_SIGNAL, EV_ADD));
  ASSERT_EQ(0, kevent(other, &event, 1, nullptr, 0, nullptr));
  ASSERT_EQ(0, kill(getpid(), SIGUSR1));
  EXPECT_EQ(1, One().data);
  EXPECT_EQ(1, kevent(other, nullptr, 0, &event, 1, &kqueue_testing::kAtOnce));
  EXPECT_EQ(1, event.data);
  other.Close();
  ASSERT_EQ(0, kill(getpid(), SIGUSR1));
  EXPECT_EQ(1, One().data);
  signal(SIGUSR1, old_handler);
}

#ifdef __linux__
// FreeBSD and NetBSD do not look at the number.
TEST_F(KqueueFilters, WhatIsNoSignalIsRefused) {
  EXPECT_EQ(EINVAL, Make(100000, EVFILT_SIGNAL, EV_ADD));
}
#endif

// --- Threads ---

// Several threads may change and wait at once. For the thread sanitizer.
TEST_F(KqueueFilters, ChangesBesideAWait) {
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
