// Readiness suite: descriptors that come, go, are reused, or cannot be registered; fork.
#ifndef BACKENDS_TESTING_READINESS_REGISTRATION_H_
#define BACKENDS_TESTING_READINESS_REGISTRATION_H_

#include <stdlib.h>
#ifndef _WIN32
#include <sys/wait.h>
#endif

#include "backends/testing/readiness_fixture.h"

// --- Generations ---

TEST_P(ReadinessConformance, GenerationIsHandedBack) {
  Pair pair;
  readiness_testing::Send(pair.b);
  for (uint32_t generation : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    backend_.SetGeneration(pair.a, generation);
    ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
    Sink sink;
    EXPECT_EQ(0, backend_.Poll(&sink));
    ASSERT_EQ(1u, sink.reports.size());
    EXPECT_EQ(pair.a, sink.reports[0].fd);
    EXPECT_EQ(generation, sink.reports[0].generation);
    ASSERT_EQ(0, backend_.Change(pair.a, 0));
  }
}

TEST_P(ReadinessConformance, GenerationIsThatOfTheLastChange) {
  Pair pair;
  readiness_testing::Send(pair.b);
  backend_.SetGeneration(pair.a, 7);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  backend_.SetGeneration(pair.a, 8);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_WRITE));
  Sink sink;
  EXPECT_EQ(0, backend_.Poll(&sink));
  ASSERT_FALSE(sink.reports.empty());
  for (const Report &report : sink.reports) EXPECT_EQ(8u, report.generation);
}

// --- Descriptors that go away ---

TEST_P(ReadinessConformance, ForgettingAClosedDescriptorSucceeds) {
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_WRITE));
  const evutil_socket_t fd = pair.a;
  pair.a.Close();
  EXPECT_EQ(0, backend_.Change(fd, 0));
  Sink sink;
  EXPECT_EQ(0, backend_.Poll(&sink));
  EXPECT_EQ(0, sink.WhatOf(fd));
}

// A program closes a descriptor that it is still waiting for: a bug of its own, and no reason for
// the loop to end.
TEST_P(ReadinessConformance, ClosingARegisteredDescriptorDoesNotBreakTheWait) {
  Pair pair, other;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  ASSERT_EQ(0, backend_.Change(other.a, EV_READ));
  const evutil_socket_t fd = pair.a;
  pair.a.Close();
  readiness_testing::Send(other.b);
  EXPECT_EQ(EV_READ, backend_.WaitFor(other.a, EV_READ));
  EXPECT_EQ(0, backend_.Change(fd, 0));
  EXPECT_EQ(EV_READ, backend_.PollOf(other.a));
}

// The kernel forgets it, or the backend reports it, so that its owner finds out.
TEST_P(ReadinessConformance, ClosedWhileRegisteredIsForgottenOrReportedAsHungUp) {
  Pair pair, other;
  backend_.SetGeneration(pair.a, 9);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  ASSERT_EQ(0, backend_.Change(other.a, EV_READ));
  const evutil_socket_t fd = pair.a;
  pair.a.Close();
  for (int i = 0; i < 3; i++) {
    Sink sink;
    EXPECT_EQ(0, backend_.Poll(&sink));
    if (backend_.Has(EV_FEATURE_FDS) && !backend_.Has(EV_FEATURE_O1)) {  // It asks each time.
      ASSERT_EQ(1u, sink.reports.size());
      EXPECT_EQ(fd, sink.reports[0].fd);
      EXPECT_EQ(9u, sink.reports[0].generation);
      EXPECT_EQ(EV_READ | EV_WRITE | STRATA_EV_HANGUP, sink.reports[0].what);
    } else {
      EXPECT_TRUE(sink.reports.empty());
    }
  }
  EXPECT_EQ(0, backend_.Change(fd, 0));
  EXPECT_EQ(0, backend_.PollOf(fd));
}

TEST_P(ReadinessConformance, ForgottenDescriptorMayBeRegisteredAgain) {
  Pair pair;
  for (int i = 0; i < 100; i++) {
    ASSERT_EQ(0, backend_.Change(pair.a, EV_WRITE));
    ASSERT_EQ(0, backend_.Change(pair.a, 0));
  }
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  ASSERT_EQ(0, backend_.Change(pair.a, EV_WRITE));
  EXPECT_EQ(EV_WRITE, backend_.PollOf(pair.a));
}

#ifndef _WIN32  // A socket cannot be given a number.
// The base was not told that the number now names something else: it asks for a change of what the
// kernel has forgotten.
TEST_P(ReadinessConformance, ChangeOfAReusedNumberRegistersIt) {
  Pair pair, fresh;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  const evutil_socket_t number = pair.a;
  ASSERT_EQ(number, dup2(fresh.a, number));  // Closes the old one in the same step.
  backend_.SetGeneration(number, 5);
  ASSERT_EQ(0, backend_.Change(number, EV_READ | EV_WRITE));
  EXPECT_EQ(EV_WRITE, backend_.PollOf(number));
  readiness_testing::Send(fresh.b);
  Sink sink;
  EXPECT_EQ(0, backend_.Poll(&sink));
  EXPECT_EQ(EV_READ | EV_WRITE, sink.WhatOf(number));
  for (const Report &report : sink.reports) EXPECT_EQ(5u, report.generation);
  EXPECT_EQ(0, backend_.Change(number, 0));
}
#endif

#ifndef _WIN32  // A socket cannot be given a number.
TEST_P(ReadinessConformance, ForgettingAReusedNumberSucceeds) {
  Pair pair, fresh;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_WRITE));
  ASSERT_EQ(pair.a, dup2(fresh.a, pair.a));
  EXPECT_EQ(0, backend_.Change(pair.a, 0));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
}
#endif

#ifndef _WIN32  // A socket cannot be given a number.
// The number was closed, reused, and is registered without having been forgotten.
TEST_P(ReadinessConformance, RegisteringAReusedNumber) {
  Pair pair, fresh;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  ASSERT_EQ(pair.a, dup2(fresh.a, pair.a));
  ASSERT_EQ(0, backend_.ChangeFrom(pair.a, 0, EV_WRITE, 3));
  Sink sink;
  EXPECT_EQ(0, backend_.Poll(&sink));
  ASSERT_EQ(1u, sink.reports.size());
  EXPECT_EQ(EV_WRITE, sink.reports[0].what);
  EXPECT_EQ(3u, sink.reports[0].generation);
}
#endif

// dup2(2) of a file onto itself by way of another number: the kernel has a registration that the
// base believes to be gone.
TEST_P(ReadinessConformance, RegisteringWhatIsStillRegistered) {
  Pair pair;
  ASSERT_EQ(0, backend_.ChangeFrom(pair.a, 0, EV_READ, 1));
  ASSERT_EQ(0, backend_.ChangeFrom(pair.a, 0, EV_WRITE, 2));
  Sink sink;
  EXPECT_EQ(0, backend_.Poll(&sink));
  ASSERT_EQ(1u, sink.reports.size());
  EXPECT_EQ(EV_WRITE, sink.reports[0].what);
  EXPECT_EQ(2u, sink.reports[0].generation);
}

TEST_P(ReadinessConformance, DuplicatesAreDescriptorsOfTheirOwn) {
  Pair pair;
  Fd duplicate(dup(pair.a));
  backend_.SetGeneration(duplicate, 9);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  ASSERT_EQ(0, backend_.Change(duplicate, EV_READ | EV_WRITE));
  readiness_testing::Send(pair.b);
  Sink sink;
  EXPECT_EQ(0, backend_.Poll(&sink));
  EXPECT_EQ(EV_READ, sink.WhatOf(pair.a));
  EXPECT_EQ(EV_READ | EV_WRITE, sink.WhatOf(duplicate));
  ASSERT_EQ(0, backend_.Change(pair.a, 0));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  EXPECT_EQ(EV_READ | EV_WRITE, backend_.PollOf(duplicate));
  ASSERT_EQ(0, backend_.Change(duplicate, 0));
  EXPECT_EQ(0, backend_.PollOf(duplicate));
}

// --- What can't be registered ---

// A backend may belong to a platform that refuses this, or accept it and report it as ready.
inline void ExpectEveryChangeFails(readiness_testing::Backend *backend, evutil_socket_t fd,
                                   int expected_errno) {
  for (short mask : {EV_READ, EV_WRITE, EV_READ | EV_WRITE}) {
    EXPECT_EQ(-1, backend->Change(fd, mask));
    EXPECT_EQ(expected_errno, errno);
  }
}

#ifndef _WIN32  // Files have descriptors of the C runtime's.
TEST_P(ReadinessConformance, RegularFileIsRefusedOrAlwaysReady) {
  char name[] = "/tmp/readiness.XXXXXX";
  Fd file(mkstemp(name));
  ASSERT_GE(file, 0);
  unlink(name);
  ASSERT_EQ(1, pwrite(file, "x", 1, 0));  // Some systems see nothing to read at the end.
  if (!backend_.Has(EV_FEATURE_FDS)) {
    ExpectEveryChangeFails(&backend_, file, EPERM);
  } else {
    ASSERT_EQ(0, backend_.Change(file, EV_READ | EV_WRITE));
    EXPECT_EQ(EV_READ | EV_WRITE, backend_.PollOf(file));
    EXPECT_EQ(0, backend_.Change(file, 0));
  }
}
#endif

TEST_P(ReadinessConformance, ClosedDescriptorIsRefused) {
  Pair pair;
  const evutil_socket_t fd = pair.a;
  pair.a.Close();
  ExpectEveryChangeFails(&backend_, fd, EBADF);
  Sink sink;
  EXPECT_EQ(0, backend_.Poll(&sink));
  EXPECT_TRUE(sink.reports.empty());
}

TEST_P(ReadinessConformance, RefusalLeavesTheOthersAlone) {
  Pair pair, closed;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_WRITE));
  const evutil_socket_t fd = closed.a;
  closed.a.Close();
  EXPECT_EQ(-1, backend_.Change(fd, EV_READ));
  EXPECT_EQ(EV_WRITE, backend_.PollOf(pair.a));
}

// --- Several states, fork ---

TEST_P(ReadinessConformance, StatesAreIndependent) {
  Backend other(GetParam());
  Pair pair;
  readiness_testing::Send(pair.b);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  ASSERT_EQ(0, other.Change(pair.a, EV_WRITE));
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
  EXPECT_EQ(EV_WRITE, other.PollOf(pair.a));
  ASSERT_EQ(0, other.Change(pair.a, 0));
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
}

TEST_P(ReadinessConformance, DestroyedWithDescriptorsRegistered) {
  Pair pair;
  {
    Backend other(GetParam());
    ASSERT_EQ(0, other.Change(pair.a, EV_READ | EV_WRITE));
  }
  readiness_testing::Send(pair.a);  // Not closed.
  char byte;
  EXPECT_EQ(1, recv(pair.b, &byte, 1, 0));
}

#ifndef _WIN32  // No descriptor is the lowest.
TEST_P(ReadinessConformance, DestroyingReleasesDescriptors) {
  Fd before(dup(0));
  const evutil_socket_t lowest = before;
  before.Close();
  for (int i = 0; i < 10; i++) Backend backend(GetParam());
  Fd after(dup(0));
  EXPECT_EQ(lowest, after);
}
#endif

#ifndef _WIN32
// A child makes a state of its own; what it changes there leaves the parent's alone. Its exit
// status is 0, or the number of the check that failed.
TEST_P(ReadinessConformance, ChildStartsAnew) {
  Pair pair, kept;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  ASSERT_EQ(0, backend_.Change(kept.a, EV_READ));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (GetParam()->fork_needs_reinit && !backend_.Restart()) _exit(1);
    readiness_testing::Send(kept.b);
    if (backend_.PollOf(kept.a) != EV_READ) _exit(2);
    if (backend_.PollOf(pair.a) != 0) _exit(3);
    if (backend_.Change(pair.a, 0) != 0) _exit(4);
    if (backend_.Change(kept.a, EV_WRITE) != 0) _exit(5);
    if (backend_.PollOf(kept.a) != EV_WRITE) _exit(6);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(0, WEXITSTATUS(status));
  EXPECT_EQ(EV_READ, backend_.PollOf(kept.a));  // What the child has sent, under the old interest.
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  readiness_testing::Send(pair.b);
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
}
#endif

#endif  // BACKENDS_TESTING_READINESS_REGISTRATION_H_
