// Readiness suite: what is reported of a descriptor: levels, edges, hang-up and end of data.
#ifndef BACKENDS_TESTING_READINESS_REPORTS_H_
#define BACKENDS_TESTING_READINESS_REPORTS_H_

#include "backends/testing/readiness_fixture.h"

// --- Level triggering ---

TEST_P(ReadinessConformance, TableIsComplete) {
  const struct event_readiness_ops *ops = GetParam();
  ASSERT_NE(nullptr, ops->name);
  for (const char *c = ops->name; *c != '\0'; c++) EXPECT_FALSE(isupper(*c)) << ops->name;
  EXPECT_NE(nullptr, ops->init);
  EXPECT_NE(nullptr, ops->change);
  EXPECT_NE(nullptr, ops->wait);
  EXPECT_NE(nullptr, ops->destroy);
}

TEST_P(ReadinessConformance, NothingRegisteredReportsNothing) {
  Sink sink;
  EXPECT_EQ(0, backend_.Poll(&sink));
  EXPECT_TRUE(sink.reports.empty());
}

TEST_P(ReadinessConformance, ReadableAsLongAsThereIsData) {
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  readiness_testing::Send(pair.b);
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
  readiness_testing::Drain(pair.a);
  EXPECT_EQ(0, backend_.PollOf(pair.a));
}

TEST_P(ReadinessConformance, WritableAsLongAsThereIsRoom) {
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_WRITE));
  EXPECT_EQ(EV_WRITE, backend_.PollOf(pair.a));
  EXPECT_EQ(EV_WRITE, backend_.PollOf(pair.a));
  readiness_testing::Fill(pair.a);
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  readiness_testing::Drain(pair.b);
  EXPECT_EQ(EV_WRITE, backend_.WaitFor(pair.a, EV_WRITE));
}

TEST_P(ReadinessConformance, BothDirectionsTogether) {
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_WRITE));
  EXPECT_EQ(EV_WRITE, backend_.PollOf(pair.a));
  readiness_testing::Send(pair.b);
  EXPECT_EQ(EV_READ | EV_WRITE, backend_.PollOf(pair.a));
  readiness_testing::Fill(pair.a);
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
}

TEST_P(ReadinessConformance, OnlyWhatIsOfInterestIsReported) {
  Pair pair;
  readiness_testing::Send(pair.b);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_WRITE));
  EXPECT_EQ(EV_WRITE, backend_.PollOf(pair.a));
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
}

TEST_P(ReadinessConformance, InterestGrowsShrinksAndEnds) {
  Pair pair;
  readiness_testing::Send(pair.b);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_WRITE));
  EXPECT_EQ(EV_READ | EV_WRITE, backend_.PollOf(pair.a));
  ASSERT_EQ(0, backend_.Change(pair.a, EV_WRITE));
  EXPECT_EQ(EV_WRITE, backend_.PollOf(pair.a));
  ASSERT_EQ(0, backend_.Change(pair.a, 0));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
}

TEST_P(ReadinessConformance, ReadyBeforeItIsRegistered) {
  Pair pair;
  readiness_testing::Send(pair.b);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
}

TEST_P(ReadinessConformance, EachDescriptorForItself) {
  Pair pair, other;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  ASSERT_EQ(0, backend_.Change(pair.b, EV_READ));
  ASSERT_EQ(0, backend_.Change(other.a, EV_READ));
  readiness_testing::Send(pair.b);
  readiness_testing::Send(other.b);
  Sink sink;
  EXPECT_EQ(0, backend_.Poll(&sink));
  EXPECT_EQ(EV_READ, sink.WhatOf(pair.a));
  EXPECT_EQ(0, sink.WhatOf(pair.b));
  EXPECT_EQ(EV_READ, sink.WhatOf(other.a));
}

TEST_P(ReadinessConformance, ListenerIsReadableForAConnection) {
  readiness_testing::TcpPort port;
  ASSERT_EQ(0, listen(port.fd, 4));
  ASSERT_EQ(0, backend_.Change(port.fd, EV_READ));
  EXPECT_EQ(0, backend_.PollOf(port.fd));
  Fd client(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(0, connect(client, port.any(), sizeof(port.address)));
  EXPECT_EQ(EV_READ, backend_.WaitFor(port.fd, EV_READ));
}

// Nobody listens there any more.
TEST_P(ReadinessConformance, ConnectionThatFailsIsWritable) {
  readiness_testing::TcpPort port;
  Fd client(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(0, evutil_make_socket_nonblocking(client));
  if (connect(client, port.any(), sizeof(port.address)) != 0 && errno == ECONNREFUSED)
    GTEST_SKIP() << "the system knows at once";
  ASSERT_EQ(0, backend_.Change(client, EV_WRITE));
  EXPECT_TRUE(backend_.WaitFor(client, EV_WRITE) & EV_WRITE);
  int error = 0;
  socklen_t error_len = sizeof(error);
  EXPECT_EQ(0, getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &error_len));
  EXPECT_NE(0, error);
}

// --- Edge triggering ---

TEST_P(ReadinessConformance, EdgeIsReportedOnce) {
  READINESS_NEEDS(EV_FEATURE_ET);
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_ET));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  readiness_testing::Send(pair.b);
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a) & EV_READ);
  EXPECT_EQ(0, backend_.PollOf(pair.a));  // Still readable, but nothing is new.
  readiness_testing::Send(pair.b);
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a) & EV_READ);
}

TEST_P(ReadinessConformance, EdgeThatCameBeforeTheRegistration) {
  READINESS_NEEDS(EV_FEATURE_ET);
  Pair pair;
  readiness_testing::Send(pair.b);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_WRITE | EV_ET));
  EXPECT_EQ(EV_READ | EV_WRITE, backend_.WaitFor(pair.a, EV_READ | EV_WRITE));
}

TEST_P(ReadinessConformance, EdgeOfDrainedDescriptorComesAgain) {
  READINESS_NEEDS(EV_FEATURE_ET);
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_ET));
  for (int i = 0; i < 3; i++) {
    readiness_testing::Send(pair.b);
    EXPECT_EQ(EV_READ, backend_.PollOf(pair.a) & EV_READ);
    readiness_testing::Drain(pair.a);
    EXPECT_EQ(0, backend_.PollOf(pair.a));
  }
}

TEST_P(ReadinessConformance, EdgeOfRoomToWrite) {
  READINESS_NEEDS(EV_FEATURE_ET);
  Pair pair;
  readiness_testing::Fill(pair.a);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_WRITE | EV_ET));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  readiness_testing::Drain(pair.b);
  EXPECT_EQ(EV_WRITE, backend_.WaitFor(pair.a, EV_WRITE));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
}

// What was ready and not taken is reported again when the registration changes: the base relies on
// it when a level-triggered event comes or goes.
TEST_P(ReadinessConformance, ChangingTheInterestReportsTheStateAnew) {
  READINESS_NEEDS(EV_FEATURE_ET);
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_ET));
  readiness_testing::Send(pair.b);
  EXPECT_EQ(EV_READ, backend_.WaitFor(pair.a, EV_READ) & EV_READ);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ));
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a));
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_WRITE | EV_ET));
  EXPECT_EQ(EV_READ | EV_WRITE, backend_.WaitFor(pair.a, EV_READ | EV_WRITE));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
}

TEST_P(ReadinessConformance, EdgesArrivingBetweenWaitsAreNotLost) {
  READINESS_NEEDS(EV_FEATURE_ET);
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_ET));
  readiness_testing::Send(pair.b);
  readiness_testing::Drain(pair.a);
  readiness_testing::Send(pair.b);
  EXPECT_EQ(EV_READ, backend_.PollOf(pair.a) & EV_READ);
}

// --- Hang-up, error, end of data ---

// A backend that reports levels says the same again, so it need not know what is behind it.
inline void ExpectMarked(const readiness_testing::Backend &backend, short what) {
  if (backend.Has(EV_FEATURE_ET)) {
    EXPECT_TRUE(what & STRATA_EV_HANGUP) << what;
  }
}

TEST_P(ReadinessConformance, HangUpIsReadableWritableAndMarked) {
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_WRITE));
  pair.b.Close();
  const short what = backend_.PollOf(pair.a);
  EXPECT_EQ(EV_READ | EV_WRITE, what & (EV_READ | EV_WRITE));
  ExpectMarked(backend_, what);
}

// A reader alone is woken by the end, and so is a writer alone.
TEST_P(ReadinessConformance, HangUpReachesEachInterest) {
  for (short mask : {EV_READ, EV_WRITE}) {
    Pair pair;
    readiness_testing::Fill(pair.a);
    ASSERT_EQ(0, backend_.Change(pair.a, mask));
    pair.b.Close();
    EXPECT_EQ(mask, backend_.PollOf(pair.a) & mask);
    ASSERT_EQ(0, backend_.Change(pair.a, 0));
  }
}

TEST_P(ReadinessConformance, ResetIsMarked) {
  TcpPair tcp = readiness_testing::ConnectTcp();
  ASSERT_EQ(0, backend_.Change(tcp.a, EV_READ));
  readiness_testing::Reset(&tcp.b);
  const short what = backend_.WaitFor(tcp.a, EV_READ);
  EXPECT_TRUE(what & EV_READ);
  ExpectMarked(backend_, what);
}

TEST_P(ReadinessConformance, WriteEndOfAPipeWithoutAReader) {
  int fds[2];
  ASSERT_EQ(0, pipe(fds));
  Fd read_end(fds[0]), write_end(fds[1]);
  ASSERT_EQ(0, backend_.Change(write_end, EV_WRITE));
  read_end.Close();
  const short what = backend_.PollOf(write_end);
  EXPECT_TRUE(what & EV_WRITE);
  ExpectMarked(backend_, what);
}

// The kernel may refuse it then; who wants to write is told nevertheless.
TEST_P(ReadinessConformance, WriteEndOfAPipeThatHasLostItsReader) {
  int fds[2];
  ASSERT_EQ(0, pipe(fds));
  Fd read_end(fds[0]), write_end(fds[1]);
  read_end.Close();
  ASSERT_EQ(0, backend_.Change(write_end, EV_WRITE));
  for (int i = 0; i < 2; i++) {
    const short what = backend_.PollOf(write_end);
    EXPECT_TRUE(what & EV_WRITE);
    ExpectMarked(backend_, what);
  }
  ASSERT_EQ(0, backend_.Change(write_end, 0));
  EXPECT_EQ(0, backend_.PollOf(write_end));
}

TEST_P(ReadinessConformance, ReadEndOfAPipeWithoutAWriter) {
  int fds[2];
  ASSERT_EQ(0, pipe(fds));
  Fd read_end(fds[0]), write_end(fds[1]);
  ASSERT_EQ(0, backend_.Change(read_end, EV_READ));
  EXPECT_EQ(0, backend_.PollOf(read_end));
  write_end.Close();
  EXPECT_TRUE(backend_.PollOf(read_end) & EV_READ);
}

TEST_P(ReadinessConformance, PlainReadinessIsNoHangUp) {
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_WRITE));
  readiness_testing::Send(pair.b);
  EXPECT_EQ(EV_READ | EV_WRITE, backend_.PollOf(pair.a));
}

// The peer ends only its own direction: readable, and nothing is wrong with the other one.
TEST_P(ReadinessConformance, HalfCloseIsReadable) {
  TcpPair tcp = readiness_testing::ConnectTcp();
  ASSERT_EQ(0, backend_.Change(tcp.a, EV_READ));
  ASSERT_EQ(0, shutdown(tcp.b, SHUT_WR));
  EXPECT_TRUE(backend_.WaitFor(tcp.a, EV_READ) & EV_READ);
}

// Where EV_CLOSED is not known, an interest in it alone is accepted and brings nothing, so that the
// loop does not spin on a hang-up that has no taker.
TEST_P(ReadinessConformance, EndOfDataAloneWhereItIsNotKnown) {
  if (backend_.Has(EV_FEATURE_EARLY_CLOSE)) GTEST_SKIP() << "the backend has EV_CLOSED";
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_CLOSED));
  pair.b.Close();
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  ASSERT_EQ(0, backend_.Change(pair.a, EV_CLOSED | EV_READ));
  EXPECT_TRUE(backend_.PollOf(pair.a) & EV_READ);
  ASSERT_EQ(0, backend_.Change(pair.a, EV_CLOSED));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  ASSERT_EQ(0, backend_.Change(pair.a, 0));
}

TEST_P(ReadinessConformance, EndOfDataBehindUnreadData) {
  READINESS_NEEDS(EV_FEATURE_EARLY_CLOSE);
  READINESS_NOT_ON_WINE();
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_CLOSED));
  readiness_testing::Send(pair.b);
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  ASSERT_EQ(0, shutdown(pair.b, SHUT_WR));
  EXPECT_EQ(EV_CLOSED, backend_.PollOf(pair.a) & EV_CLOSED);
}

TEST_P(ReadinessConformance, EndOfDataTogetherWithData) {
  READINESS_NEEDS(EV_FEATURE_EARLY_CLOSE);
  READINESS_NOT_ON_WINE();
  TcpPair tcp = readiness_testing::ConnectTcp();
  ASSERT_EQ(0, backend_.Change(tcp.a, EV_READ | EV_CLOSED));
  readiness_testing::Send(tcp.b);
  EXPECT_EQ(EV_READ, backend_.WaitFor(tcp.a, EV_READ));
  ASSERT_EQ(0, shutdown(tcp.b, SHUT_WR));
  // A system that knows one kind of end marks each as a hang-up.
  EXPECT_EQ(EV_READ | EV_CLOSED, backend_.WaitFor(tcp.a, EV_READ | EV_CLOSED) & ~STRATA_EV_HANGUP);
}

TEST_P(ReadinessConformance, FullCloseIsAnEndOfData) {
  READINESS_NEEDS(EV_FEATURE_EARLY_CLOSE);
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_CLOSED));
  pair.b.Close();
  EXPECT_TRUE(backend_.PollOf(pair.a) & EV_CLOSED);
}

TEST_P(ReadinessConformance, EndOfDataIsAnEdgeToo) {
  READINESS_NEEDS(EV_FEATURE_EARLY_CLOSE | EV_FEATURE_ET);
  Pair pair;
  ASSERT_EQ(0, backend_.Change(pair.a, EV_READ | EV_WRITE | EV_CLOSED | EV_ET));
  readiness_testing::Send(pair.b);
  EXPECT_EQ(0, backend_.PollOf(pair.a) & EV_CLOSED);
  EXPECT_EQ(0, backend_.PollOf(pair.a));
  ASSERT_EQ(0, shutdown(pair.b, SHUT_WR));
  EXPECT_EQ(EV_READ | EV_CLOSED, backend_.PollOf(pair.a) & (EV_READ | EV_CLOSED));
  EXPECT_EQ(0, backend_.PollOf(pair.a));
}

#endif  // BACKENDS_TESTING_READINESS_REPORTS_H_
