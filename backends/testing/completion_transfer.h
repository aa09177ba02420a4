// Part of the completion suite: bytes to and from connected sockets, with memory of the caller's.
#ifndef BACKENDS_TESTING_COMPLETION_TRANSFER_H_
#define BACKENDS_TESTING_COMPLETION_TRANSFER_H_

#include "backends/testing/completion_fixture.h"

namespace completion_testing {

TEST_P(CompletionConformance, RecvIntoOneSpan) {
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {16}).Launch(base_));
  EXPECT_TRUE(recv.IsPending());
  Turn();
  EXPECT_EQ(0, recv.num_done);
  pair.Send(1, "hello");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("hello", recv.bytes);
  EXPECT_EQ(nullptr, recv.get()->received);
}

TEST_P(CompletionConformance, RecvIntoManySpans) {
  Pair pair;
  Op recv;
  const std::string sent = Pattern(100);
  pair.Send(1, sent);
  std::vector<size_t> lens;
  for (size_t i = 0; i < STRATA_MAX_SPANS; i++) lens.push_back(i % 3 + 1);
  std::string received;
  while (received.size() < sent.size()) {
    ASSERT_EQ(0, recv.RecvInto(pair[0], lens).Launch(base_));
    ASSERT_TRUE(Finish(&recv));
    ASSERT_GT(recv.result, 0);
    received += recv.bytes;
  }
  EXPECT_EQ(sent, received);
}

TEST_P(CompletionConformance, RecvLeavesTheRest) {
  Pair pair;
  Op recv;
  pair.Send(1, "abcdef");
  ASSERT_EQ(0, recv.RecvInto(pair[0], {2, 1}).Launch(base_));
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("abc", recv.bytes);
  EXPECT_EQ("def", pair.Recv(0));
}

// The kernel finds the bytes at once; the function waits for the loop all the same.
TEST_P(CompletionConformance, NothingRunsInsideALaunch) {
  Pair pair;
  Op recv, send;
  pair.Send(1, "x");
  ASSERT_EQ(0, recv.RecvInto(pair[0], {1}).Launch(base_));
  ASSERT_EQ(0, send.Send(pair[0], {"y"}).Launch(base_));
  EXPECT_EQ(0, recv.num_done + send.num_done);
  ASSERT_TRUE(Finish({&recv, &send}));
}

TEST_P(CompletionConformance, EndOfData) {
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  Turn();
  pair.Close(1);
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(0, recv.result);
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4, 4}).Launch(base_));
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(0, recv.result);
}

TEST_P(CompletionConformance, ResetByThePeer) {
  Listener listener;
  Socket client = listener.Connect();
  Socket server = listener.Accept();
  Op recv, again;
  ASSERT_EQ(0, recv.RecvInto(client, {4}).Launch(base_));
  Turn();
  server.Reset();
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(-1, recv.result);
  EXPECT_EQ(kConnectionReset, recv.error);
  ASSERT_EQ(0, again.RecvInto(client, {4}).Launch(base_));
  ASSERT_TRUE(Finish(&again));
  EXPECT_LE(again.result, 0) << "Linux tells of the reset once";
}

TEST_P(CompletionConformance, ResetDuringASend) {
  Listener listener;
  Socket client = listener.Connect();
  Socket server = listener.Accept();
  int num_sent = 0;
  Op send([&](Op *op) {
    if (op->result > 0 && ++num_sent < 1000) {
      ASSERT_EQ(0, op->Launch(base_));
      if (num_sent > 200) server.Close();
    }
  });
  ASSERT_EQ(0, send.Send(client, {std::string(262144, 'x')}).Launch(base_));
  for (int i = 0; i < 300; i++) Turn();
  if (server >= 0) server.Reset();
  ASSERT_TRUE(Finish(&send));
  EXPECT_EQ(-1, send.result);
  EXPECT_TRUE(IsBroken(send.error)) << send.error;
}

TEST_P(CompletionConformance, SendOfEachNumberOfSpans) {
  Pair pair;
  for (int num_spans = 1; num_spans <= STRATA_MAX_SPANS; num_spans++) {
    std::vector<std::string> pieces;
    std::string all;
    for (int i = 0; i < num_spans; i++) {
      pieces.push_back(Pattern(static_cast<size_t>(i) + 1, static_cast<unsigned>(num_spans)));
      all += pieces.back();
    }
    Op send;
    ASSERT_EQ(0, send.Send(pair[0], pieces).Launch(base_));
    ASSERT_TRUE(Finish(&send));
    EXPECT_EQ(static_cast<ev_ssize_t>(all.size()), send.result);
    EXPECT_EQ(all, pair.Recv(1));
  }
}

// What the peer reads slowly goes in parts, each counted.
TEST_P(CompletionConformance, ShortSendsGoOn) {
  Pair pair;
  const std::string all = Pattern(4 << 20);
  size_t sent_len = 0;
  bool was_short = false;
  const auto spans_from = [&](size_t at) {
    std::vector<std::string> pieces;
    for (; at < all.size() && pieces.size() < STRATA_MAX_SPANS; at += 65536)
      pieces.push_back(all.substr(at, 65536));
    return pieces;
  };
  Op send([&](Op *op) {
    ASSERT_GT(op->result, 0);
    sent_len += static_cast<size_t>(op->result);
    if (sent_len % 65536 != 0) was_short = true;
    if (sent_len < all.size()) {
      ASSERT_EQ(0, op->Send(pair[0], spans_from(sent_len)).Launch(base_));
    }
  });
  ASSERT_EQ(0, send.Send(pair[0], spans_from(0)).Launch(base_));
  for (int i = 0; i < 10; i++) Turn();
  EXPECT_LT(sent_len, all.size());
  std::string received;
  Ev reader(base_, pair[1], EV_READ | EV_PERSIST,
            [&](evutil_socket_t, short) { received += pair.Recv(1); });
  reader.Add();
  ASSERT_TRUE(RunUntil([&] { return received.size() == all.size(); }));
  EXPECT_TRUE(all == received);
  ASSERT_TRUE(Finish(&send));
  EXPECT_TRUE(was_short || sent_len == all.size());
}

TEST_P(CompletionConformance, SendWaitsForRoom) {
  Pair pair;
  const size_t filled_len = pair.Fill(0);
  Op send;
  ASSERT_EQ(0, send.Send(pair[0], {"last"}).Launch(base_));
  for (int i = 0; i < 5; i++) Turn();
  EXPECT_EQ(0, send.num_done);
  std::string received;
  while (received.size() < filled_len) received += pair.Recv(1);
  ASSERT_TRUE(Finish(&send));
  EXPECT_EQ(4, send.result);
  received += pair.Recv(1);
  EXPECT_EQ("last", received.substr(filled_len));
}

// A SIGPIPE would end the program.
TEST_P(CompletionConformance, SendToAClosedPeer) {
  Pair pair;
  pair.Close(1);
  Op one, many;
  do {  // Over TCP the first bytes go out, and bring the news.
    ASSERT_EQ(0, one.Send(pair[0], {"x"}).Launch(base_));
    ASSERT_EQ(0, many.Send(pair[0], {"x", "y"}).Launch(base_));
    ASSERT_TRUE(Finish({&one, &many}));
  } while (one.result >= 0 || many.result >= 0);
  EXPECT_TRUE(IsBroken(one.error)) << one.error;
  EXPECT_TRUE(IsBroken(many.error)) << many.error;
}

TEST_P(CompletionConformance, PeerClosesWhileASendWaits) {
  Pair pair;
  pair.Fill(0);
  Op send;
  ASSERT_EQ(0, send.Send(pair[0], {"x", "y"}).Launch(base_));
  Turn();
  pair.Close(1);
  ASSERT_TRUE(Finish(&send));
  EXPECT_EQ(-1, send.result);
  EXPECT_TRUE(IsBroken(send.error)) << send.error;
}

TEST_P(CompletionConformance, HalfCloseLeavesTheOtherDirection) {
  Pair pair;
  Op recv, send;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  Turn();
  ASSERT_EQ(0, shutdown(pair[1], 1 /* SHUT_WR, SD_SEND */));
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ(0, recv.result);
  ASSERT_EQ(0, send.Send(pair[0], {"still"}).Launch(base_));
  ASSERT_TRUE(Finish(&send));
  EXPECT_EQ("still", pair.Recv(1));
}

#ifndef _WIN32  // shutdown() does not say there what becomes of a receive that waits.
TEST_P(CompletionConformance, OwnShutdownEndsWhatWaits) {
  Pair pair;
  Op recv;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  Turn();
  ASSERT_EQ(0, shutdown(pair[0], 2 /* SHUT_RDWR, SD_BOTH */));
  ASSERT_TRUE(Finish(&recv));
  EXPECT_LE(recv.result, 0);
}
#endif

TEST_P(CompletionConformance, BothDirectionsAtOnce) {
  Pair pair;
  Op recv, send;
  ASSERT_EQ(0, recv.RecvInto(pair[0], {4}).Launch(base_));
  pair.Fill(0);
  ASSERT_EQ(0, send.Send(pair[0], {"x"}).Launch(base_));
  Turn();
  pair.Send(1, "in");
  ASSERT_TRUE(Finish(&recv));
  EXPECT_EQ("in", recv.bytes);
  EXPECT_EQ(0, send.num_done);
  send.Cancel();
  ASSERT_TRUE(Finish(&send));
}

#ifndef _WIN32
TEST_P(CompletionConformance, UnusableDescriptors) {
  Socket unconnected = TcpSocket();
  Listener listener;
  int pipe_fds[2];
  ASSERT_EQ(0, pipe(pipe_fds));
  Op closed, not_a_socket, not_connected, not_listening;
  const evutil_socket_t no_descriptor = 1 << 20;
  ASSERT_EQ(0, closed.RecvInto(no_descriptor, {4}).Launch(base_));
  ASSERT_EQ(0, not_a_socket.RecvInto(pipe_fds[0], {4}).Launch(base_));
  ASSERT_EQ(0, not_connected.RecvInto(unconnected, {4, 4}).Launch(base_));
  ASSERT_EQ(0, not_listening.Accept(unconnected).Launch(base_));
  ASSERT_TRUE(Finish({&closed, &not_a_socket, &not_connected, &not_listening}));
  EXPECT_EQ(EBADF, closed.error);
  EXPECT_EQ(ENOTSOCK, not_a_socket.error);
  EXPECT_EQ(ENOTCONN, not_connected.error);
  EXPECT_EQ(EINVAL, not_listening.error);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}
#endif

}  // namespace completion_testing

#endif  // BACKENDS_TESTING_COMPLETION_TRANSFER_H_
