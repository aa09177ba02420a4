// Events on descriptors: readiness, several events on one descriptor, and descriptors whose number
// is closed, copied or given out again.
#include <errno.h>

#include <memory>
#include <random>
#include <set>
#include <vector>

#include "loop/test_support.h"

namespace {

TEST(EventIo, ReadFiresWithDescriptorAndCondition) {
  Loop loop;
  Pair pair;
  Ev ev(loop, pair[0], EV_READ);
  ASSERT_EQ(0, ev.Add());
  EXPECT_EQ(EV_READ, ev.Pending(EV_READ | EV_WRITE | EV_TIMEOUT));
  EXPECT_EQ(0, loop.Turn());
  EXPECT_EQ(0, ev.calls);
  pair.Send(1, "x");
  EXPECT_EQ(1, loop.Dispatch());  // The event is not persistent: nothing is left.
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_READ, ev.last_what);
  EXPECT_EQ(pair[0], ev.last_fd);
  EXPECT_EQ(0, ev.Pending(EV_READ));
}

TEST(EventIo, WriteFiresWhenThereIsRoom) {
  Loop loop;
  Pair pair;
  pair.Fill(0);
  Ev ev(loop, pair[0], EV_WRITE);
  ev.Add();
  loop.Turn();
  EXPECT_EQ(0, ev.calls);
  while (!pair.Recv(1).empty()) {
  }
  EXPECT_TRUE(loop.RunUntil([&] { return ev.calls == 1; }));
  EXPECT_EQ(EV_WRITE, ev.last_what);
}

TEST(EventIo, BothConditionsInOneCall) {
  Loop loop;
  Pair pair;
  pair.Send(1, "x");
  Ev ev(loop, pair[0], EV_READ | EV_WRITE);
  ev.Add();
  loop.Turn();
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_READ | EV_WRITE, ev.last_what);
}

TEST(EventIo, PersistentLevelTriggeredFiresUntilDrained) {
  Loop loop;
  Pair pair;
  pair.Send(1, "x");
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST);
  ev.Add();
  for (int i = 0; i < 5; i++) loop.Turn();
  EXPECT_EQ(5, ev.calls);
  EXPECT_EQ(EV_READ, ev.Pending(EV_READ));
  pair.Recv(0);
  loop.Turn();
  EXPECT_EQ(5, ev.calls);
  ev.Del();
  pair.Send(1, "y");
  EXPECT_EQ(1, loop.Turn());
  EXPECT_EQ(5, ev.calls);
}

TEST(EventIo, EdgeTriggeredFiresOncePerArrival) {
  Loop loop;
  if (!(event_base_get_features(loop) & EV_FEATURE_ET)) GTEST_SKIP();
  Pair pair;
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST | EV_ET);
  ev.Add();
  pair.Send(1, "x");
  for (int i = 0; i < 5; i++) loop.Turn();
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_READ | EV_ET, ev.last_what);
  pair.Send(1, "y");
  for (int i = 0; i < 5; i++) loop.Turn();
  EXPECT_EQ(2, ev.calls);
}

TEST(EventIo, EdgeTriggeredSeesWhatWasThereBeforeItWasAdded) {
  Loop loop;
  if (!(event_base_get_features(loop) & EV_FEATURE_ET)) GTEST_SKIP();
  Pair pair;
  pair.Send(1, "x");
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST | EV_ET);
  ev.Add();
  loop.Turn();
  EXPECT_EQ(1, ev.calls);
  ev.Del();
  ev.Add();
  loop.Turn();
  EXPECT_EQ(2, ev.calls);
}

TEST(EventIo, EdgeTriggeredWhereThereAreOnlyLevels) {
  Loop loop;
  if (event_base_get_features(loop) & EV_FEATURE_ET) GTEST_SKIP();
  Pair pair;
  Ev ev(loop, pair[0], EV_READ | EV_PERSIST | EV_ET);
  ev.Add();
  pair.Send(1, "x");
  for (int i = 0; i < 5; i++) loop.Turn();
  EXPECT_EQ(5, ev.calls);
  EXPECT_EQ(EV_READ, ev.last_what);
}

// Not reported by such a backend, and no reason to spin when the peer is gone.
TEST(EventIo, ClosedWhereItIsNotKnown) {
  Loop loop;
  if (event_base_get_features(loop) & EV_FEATURE_EARLY_CLOSE) GTEST_SKIP();
  Pair pair;
  Ev closed(loop, pair[0], EV_CLOSED | EV_PERSIST);
  EXPECT_EQ(0, closed.Add());
  pair.Close(1);
  for (int i = 0; i < 5; i++) loop.Turn();
  EXPECT_EQ(0, closed.calls);
  Ev read(loop, pair[0], EV_READ);
  read.Add();
  EXPECT_TRUE(loop.RunUntil([&] { return read.calls > 0; }));
  EXPECT_EQ(0, closed.calls);
}

TEST(EventIo, RegularFileIsAlwaysReadyWhereItIsAccepted) {
  Loop loop;
  if (!(event_base_get_features(loop) & EV_FEATURE_FDS)) GTEST_SKIP();
  FILE *file = tmpfile();
  ASSERT_NE(nullptr, file);
  Ev ev(loop, fileno(file), EV_READ | EV_WRITE);
  EXPECT_EQ(0, ev.Add());
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_READ | EV_WRITE, ev.last_what);
  ev.Free();
  fclose(file);
}

TEST(EventIo, ClosedIsSeenBehindUnreadData) {
  Loop loop;
  if (!(event_base_get_features(loop) & EV_FEATURE_EARLY_CLOSE)) GTEST_SKIP();
#ifdef _WIN32
  if (GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != nullptr)
    GTEST_SKIP() << "Wine looks at the first byte that waits";
#endif
  Pair pair;
  Ev closed(loop, pair[0], EV_CLOSED | EV_PERSIST);
  closed.Add();
  pair.Send(1, "unread");
  loop.Turn();
  EXPECT_EQ(0, closed.calls);
  EXPECT_EQ(EV_CLOSED, closed.Pending(EV_CLOSED | EV_READ));
  pair.Close(1);
  EXPECT_TRUE(loop.RunUntil([&] { return closed.calls > 0; }));
  EXPECT_EQ(EV_CLOSED, closed.last_what);
  EXPECT_EQ("unread", pair.Recv(0));
}

TEST(EventIo, ClosedWithReadReportsEachToItsOwn) {
  Loop loop;
  if (!(event_base_get_features(loop) & EV_FEATURE_EARLY_CLOSE)) GTEST_SKIP();
  Pair pair;
  Ev closed(loop, pair[0], EV_CLOSED);
  Ev both(loop, pair[0], EV_CLOSED | EV_READ);
  Ev read(loop, pair[0], EV_READ);
  closed.Add();
  both.Add();
  read.Add();
  pair.Close(1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_CLOSED, closed.last_what);
  EXPECT_EQ(EV_CLOSED | EV_READ, both.last_what);
  EXPECT_EQ(EV_READ, read.last_what);
}

TEST(EventIo, HangUpWakesReaderAndWriter) {
  Loop loop;
  Pair pair;
  Ev read(loop, pair[0], EV_READ);
  read.Add();
  pair.Close(1);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_READ, read.last_what);
}

#ifndef _WIN32
TEST(EventIo, PipeEnds) {
  Loop loop;
  int fd[2];
  ASSERT_EQ(0, pipe(fd));
  Ev read(loop, fd[0], EV_READ);
  read.Add();
  close(fd[1]);  // Reading a pipe without writers: a bare hang-up, no data.
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_READ, read.last_what);
  read.Free();
  close(fd[0]);

  ASSERT_EQ(0, pipe(fd));
  Ev write(loop, fd[1], EV_WRITE);
  close(fd[0]);  // Writing a pipe without readers: an error condition.
  write.Add();
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_WRITE, write.last_what);
  write.Free();
  close(fd[1]);
}

TEST(EventIo, RegularFileIsRefusedWithEperm) {
  QuietLog quiet;
  Loop loop;
  if (std::string(event_base_get_method(loop)) != "epoll") GTEST_SKIP();
  FILE *file = tmpfile();
  ASSERT_NE(nullptr, file);
  Ev ev(loop, fileno(file), EV_READ | EV_PERSIST);
  errno = 0;
  EXPECT_EQ(-1, ev.AddMs(1000));
  EXPECT_EQ(EPERM, errno);
  EXPECT_EQ(0, ev.Pending(EV_READ | EV_TIMEOUT));
  EXPECT_EQ(1, loop.Dispatch());
  // The refusal leaves nothing behind: the number works again for a socket.
  const int number = fileno(file);
  Pair pair;
  ASSERT_EQ(number, dup2(pair[0], number));
  Ev again(loop, number, EV_WRITE);
  EXPECT_EQ(0, again.Add());
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, again.calls);
  again.Free();
  fclose(file);
}

TEST(EventIo, ClosedDescriptorIsRefusedWithEbadf) {
  QuietLog quiet;
  Loop loop;
  const std::string method = event_base_get_method(loop);
  if (method.find("changelist") != method.npos) GTEST_SKIP();  // It asks the kernel later.
  // libevent's poll and select accept it, and report it as ready for ever.
  if (kOnLibevent && event_base_get_features(loop) & EV_FEATURE_FDS) GTEST_SKIP();
  const int fd = dup(0);
  ASSERT_GE(fd, 0);
  close(fd);
  Ev ev(loop, fd, EV_READ);
  errno = 0;
  EXPECT_EQ(-1, ev.Add());
  EXPECT_EQ(EBADF, errno);
  EXPECT_EQ(0, ev.Pending(EV_READ));
  EXPECT_EQ(1, loop.Dispatch());
}

TEST(EventIo, DupedDescriptorsAreSeparate) {
  Loop loop;
  Pair pair;
  const int copy = dup(pair[0]);
  ASSERT_GE(copy, 0);
  Ev first(loop, pair[0], EV_READ | EV_PERSIST);
  Ev second(loop, copy, EV_READ | EV_PERSIST);
  first.Add();
  second.Add();
  pair.Send(1, "x");
  loop.Turn();
  EXPECT_EQ(1, first.calls);
  EXPECT_EQ(1, second.calls);
  EXPECT_EQ(pair[0], first.last_fd);
  EXPECT_EQ(copy, second.last_fd);
  second.Del();
  close(copy);
  loop.Turn();
  EXPECT_EQ(2, first.calls);
  EXPECT_EQ(1, second.calls);
}

// Closing takes the descriptor out of the kernel's set by itself; the deletion that follows must
// not mind, and the next owner of the number starts afresh.
void ReuseNumber(struct event_base *raw) {
  Loop loop(raw);
  for (int round = 0; round < 4; round++) {
    Pair old_pair;
    const int number = old_pair[0];
    Ev old_ev(loop, number, EV_READ | EV_PERSIST);
    old_ev.Add();
    if (round % 2 == 0) loop.Turn();
    Pair new_pair;
    if (round < 2) {
      old_ev.Del();
      ASSERT_EQ(number, dup2(new_pair[0], number));
    } else {
      ASSERT_EQ(number, dup2(new_pair[0], number));
      old_ev.Del();
    }
    Ev new_ev(loop, number, EV_READ | EV_PERSIST);
    EXPECT_EQ(0, new_ev.Add());
    loop.Turn();
    EXPECT_EQ(0, new_ev.calls);
    new_pair.Send(1, "x");
    EXPECT_TRUE(loop.RunUntil([&] { return new_ev.calls > 0; }));
    EXPECT_EQ(0, old_ev.calls);
  }
}

TEST(EventIo, ReusedDescriptorNumber) {
  ReuseNumber(event_base_new());
}

TEST(EventIo, ReusedDescriptorNumberWithChangelist) {
  struct event_config *config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  struct event_base *base = event_base_new_with_config(config);
  event_config_free(config);
  QuietLog quiet;
  ReuseNumber(base);
}
#endif  // !_WIN32

// bufferevents rely on this: an event without a descriptor is pending and can still time out.
TEST(EventIo, NoDescriptorMeansOnlyTheTimeout) {
  Loop loop;
  Ev ev(loop, -1, EV_READ | EV_WRITE);
  EXPECT_EQ(0, ev.AddMs(1));
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(1, ev.calls);
  EXPECT_EQ(EV_TIMEOUT, ev.last_what);
}

TEST(EventIo, TimeoutOrCondition) {
  Loop loop;
  Pair pair;
  Ev ev(loop, pair[0], EV_READ);
  ev.AddMs(5);
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(EV_TIMEOUT, ev.last_what);
  EXPECT_EQ(0, ev.Pending(EV_READ | EV_TIMEOUT));
  ev.AddMs(600000);
  EXPECT_EQ(EV_READ | EV_TIMEOUT, ev.Pending(EV_READ | EV_WRITE | EV_TIMEOUT));
  pair.Send(1, "x");
  EXPECT_EQ(1, loop.Dispatch());
  EXPECT_EQ(2, ev.calls);
  EXPECT_EQ(EV_READ, ev.last_what);
  EXPECT_EQ(0, ev.Pending(EV_READ | EV_TIMEOUT));
}

TEST(EventIo, ManyEventsOnOneDescriptor) {
  Loop loop;
  Pair pair;
  std::vector<std::unique_ptr<Ev>> readers;
  for (int i = 0; i < 20; i++) {
    readers.emplace_back(new Ev(loop, pair[0], EV_READ | EV_PERSIST));
    ASSERT_EQ(0, readers.back()->Add());
  }
  Ev writer(loop, pair[0], EV_WRITE | EV_PERSIST);
  writer.Add();
  loop.Turn();
  EXPECT_EQ(1, writer.calls);
  pair.Send(1, "x");
  loop.Turn();
  for (auto &reader : readers) {
    EXPECT_EQ(1, reader->calls);
    EXPECT_EQ(EV_READ, reader->last_what);
  }
  EXPECT_EQ(EV_WRITE, writer.last_what);
  for (size_t i = 0; i < readers.size(); i += 2) readers[i]->Del();
  writer.Del();
  loop.Turn();
  for (size_t i = 0; i < readers.size(); i++) EXPECT_EQ(i % 2 ? 2 : 1, readers[i]->calls);
  EXPECT_EQ(2, writer.calls);
  for (auto &reader : readers) reader->Del();
  EXPECT_EQ(1, loop.Dispatch());
}

TEST(EventIo, RemovingOneDirectionKeepsTheOther) {
  Loop loop;
  Pair pair;
  pair.Send(1, "x");
  Ev read(loop, pair[0], EV_READ | EV_PERSIST);
  Ev write(loop, pair[0], EV_WRITE | EV_PERSIST);
  read.Add();
  write.Add();
  loop.Turn();
  EXPECT_EQ(1, read.calls);
  EXPECT_EQ(1, write.calls);
  read.Del();
  loop.Turn();
  EXPECT_EQ(1, read.calls);
  EXPECT_EQ(2, write.calls);
  write.Del();
  read.Add();
  loop.Turn();
  EXPECT_EQ(2, read.calls);
  EXPECT_EQ(2, write.calls);
}

TEST(EventIo, RandomReadySetsReachExactlyTheirOwners) {
  Loop loop;
  const int kNum = 150;
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Ev>> events;
  std::vector<int> want(kNum, 0);
  for (int i = 0; i < kNum; i++) {
    pairs.emplace_back(new Pair);
    Pair *pair = pairs.back().get();
    events.emplace_back(new Ev(loop, (*pair)[0], EV_READ | EV_PERSIST,
                               [pair](evutil_socket_t, short) { pair->Recv(0); }));
    events.back()->Add();
  }
  Ev keep(loop, -1, 0);
  keep.AddMs(3600000);
  std::mt19937 random(20240607);
  for (int round = 0; round < 60; round++) {
    for (int i = 0; i < kNum; i++) {
      if (random() % 4 == 0) {
        // Adding what is there, or deleting what is not, is no error.
        EXPECT_EQ(0, random() % 2 ? events[i]->Del() : events[i]->Add());
      }
      if (random() % 3 == 0) {
        pairs[i]->Send(1, "x");
      }
    }
    std::vector<int> before(kNum);
    for (int i = 0; i < kNum; i++) before[i] = events[i]->calls;
    for (int turn = 0; turn < 8; turn++) loop.Turn();  // Enough for any batch size of a backend.
    for (int i = 0; i < kNum; i++) {
      if (!events[i]->Pending(EV_READ)) {
        EXPECT_EQ(before[i], events[i]->calls) << "round " << round << " event " << i;
      } else {
        char byte;
        EXPECT_EQ(-1, recv((*pairs[i])[0], &byte, 1, MSG_PEEK)) << "left unread";
      }
    }
  }
}

}  // namespace
